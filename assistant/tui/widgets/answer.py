"""The answer of a turn: Markdown that grows, is cleaned, and never turns out blank."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from textual import events
from textual.content import Content
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock, MarkdownFence, MarkdownStream

from assistant.sanitize import Cleaner, clean
from assistant.tui.wording import one_line


def _parser() -> MarkdownIt:
    # HTML stays text: parsed as HTML it would not be drawn at all.
    return MarkdownIt("gfm-like", {"html": False})


class CodeBlock(MarkdownFence):
    """A code block with its language on top; a click on ``copy`` copies it."""

    def on_mount(self) -> None:
        language = one_line(self.lexer).split(" ")[0][:20] if self.lexer.strip() else "code"
        self.border_title = Content(language)
        self.border_subtitle = Content("copy")

    def on_click(self, event: events.Click) -> None:
        """Copy when the lower edge, where ``copy`` stands, is clicked."""
        if event.y == self.outer_size.height - 1:
            event.stop()
            self.app.copy_to_clipboard(self.code)
            self.app.notify("Code copied.", timeout=2)


class Answer(Markdown):
    """Markdown of one answer.

    While it streams, pieces are appended (only the last block is parsed again); at the end the
    whole is laid out once more, so that nothing depends on where the pieces were cut.
    """

    BLOCKS = {**Markdown.BLOCKS, "fence": CodeBlock, "code_block": CodeBlock}  # noqa: RUF012

    def __init__(self, text: str = "") -> None:
        super().__init__(drawable(clean(text)), parser_factory=_parser, open_links=False)
        self._stream: MarkdownStream | None = None
        self._cleaner = Cleaner()

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        return self.BLOCKS[block_name]

    async def grow(self, piece: str) -> None:
        """Append a raw piece of the answer."""
        shown = self._cleaner.feed(piece)
        if not shown:
            return
        if self._stream is None:
            self._stream = Markdown.get_stream(self)
        await self._stream.write(shown)

    async def settle(self, text: str) -> None:
        """End the stream, if any, and show the whole raw ``text``."""
        stream, self._stream = self._stream, None
        self._cleaner = Cleaner()
        if stream is not None:
            await stream.stop()
        await self.update(drawable(clean(text)))

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Copy the address instead of opening it: an answer never opens a browser."""
        event.stop()
        self.app.copy_to_clipboard(clean(event.href))
        self.app.notify(one_line(event.href), title="Address copied", markup=False)


def drawable(text: str) -> str:
    """Return Markdown that draws something whenever ``text`` says something.

    Markdown can be valid and yet show nothing: an empty fence, a lone link definition. Then the
    text is shown as it is, in a fence of its own.
    """
    if not text.strip() or _visible(text):
        return text
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _visible(text: str) -> bool:
    return any(
        token.content.strip() or token.type == "hr"
        for token in _parser().parse(text)
        if token.type in ("inline", "fence", "code_block", "hr")
    )


def code_in(text: str) -> list[str]:
    """Return the code blocks of an answer, an unfinished last one too."""
    return [
        clean(token.content.rstrip("\n"))
        for token in _parser().parse(clean(text))
        if token.type in ("fence", "code_block")
    ]
