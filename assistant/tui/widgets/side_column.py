"""One of two answers that are compared: it grows like an answer of the chat, with a name on top."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.label_bars import LabelBars
from assistant.tui.wording import NBSP, badge, one_line, way
from assistant.types import Turn


class SideColumn(VerticalScroll):
    """Draws one answer. While it is ``blinded`` nothing tells in which way it came about."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.blinded = False
        self.turn: Turn | None = None
        self._waiting = ""
        self._answer = Answer()
        self._bars = LabelBars()
        self._badge = Static("", markup=False, classes="badge")

    def compose(self) -> ComposeResult:
        yield self._answer
        yield self._bars
        yield self._badge

    def on_mount(self) -> None:
        """Draw once the theme's colours are known."""
        self._draw()

    async def clear(self, hidden: bool) -> None:
        """Begin anew."""
        self.blinded, self.turn, self._waiting = hidden, None, ""
        self.remove_class("chosen")
        await self._answer.settle("")
        self._draw()
        self.scroll_home(animate=False)

    def wait(self, words: str) -> None:
        """Say what this answer is waiting for (empty: for nothing any more)."""
        self._waiting = words
        self._draw()

    def show(self, turn: Turn, doing: str) -> None:
        """Take note of what is known of the answer now; its text is not touched."""
        self.turn = turn
        self.wait(doing)

    async def grow(self, piece: str) -> None:
        """Append a piece of the answer."""
        if self._waiting:
            self.wait("")
        await self._answer.grow(piece)

    async def settle(self) -> None:
        """Draw the whole answer once more, as it ended."""
        if self.turn is not None:
            await self._answer.settle(self.turn.answer)
        self.wait("")

    def reveal(self, chosen: bool) -> None:
        """Tell in which way the answer came about, now that the choice is made."""
        self.blinded = False
        self.set_class(chosen, "chosen")
        self._draw()

    def _draw(self) -> None:
        turn = self.turn
        name = "" if self.blinded or turn is None or turn.choice is None else way(turn.choice)
        self.border_title = Content(f"{self.number}{f' · {one_line(name)}' if name else ''}")
        line = Content("")
        if self._waiting:
            line = Content.styled(self._waiting, "$dim italic")
        elif turn is not None and turn.state != "running":
            line = self._told(turn)
        self._bars.show(turn)
        self._badge.display = bool(line.plain)
        self._badge.update(line)

    def _told(self, turn: Turn) -> Content:
        """Return how the answer came about; of a hidden one only whether it came to its end."""
        if self.blinded:
            hidden = {"done": "", "cancelled": "■ stopped"}.get(turn.state, turn.state)
            return Content.styled(hidden, "$text-warning")
        took = f" · {turn.timing.total_s:.1f}{NBSP}s" if turn.timing.total_s else ""
        return Content.assemble(badge(turn), (took, "$dim"))
