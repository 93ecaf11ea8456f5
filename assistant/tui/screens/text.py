"""Shows a text to read, Markdown or laid out already."""

from __future__ import annotations

import asyncio

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from assistant.tui.screens.overlay import Overlay, words


class TextScreen(Overlay[None]):
    """A text over the chat; Escape closes it.

    ``working`` says what is still being done for the rest of a Markdown text; :meth:`settle` ends it.
    """

    def __init__(self, title: str, text: str | Content, working: str = "") -> None:
        super().__init__(title)
        self._text = text
        self._working = words(working, "working")
        self._working.display = bool(working)
        self.shown = asyncio.Event()

    def content(self) -> list[Widget]:
        if isinstance(self._text, Content):
            return [Static(self._text, markup=False)]
        from assistant.tui.widgets.answer import Answer

        return [VerticalScroll(Answer(self._text), classes="reading"), self._working]

    def on_mount(self) -> None:
        """From now on the text can be changed."""
        self.shown.set()

    async def settle(self, text: str | None) -> None:
        """Show the whole Markdown; ``None`` leaves what there is."""
        from assistant.tui.widgets.answer import Answer

        self._working.display = False
        if text is not None:
            await self.query_one(Answer).settle(text)
