"""An answer and the one before it beside each other: which is better?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from assistant.sanitize import clean
from assistant.tui.keys import PICK_KEYS, bindings, shown_key
from assistant.tui.widgets.side_column import SideColumn
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.store.preferences import Verdict

_NARROW = 80
_REQUEST = 600
"""Characters of a request that are shown."""


class PickScreen(Screen["Verdict"]):
    """Gives back which answer is better, or nothing; the earlier one stands on the left."""

    BINDINGS = bindings(PICK_KEYS)

    def __init__(self, earlier: Turn, new: Turn, remapped: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._turns = (earlier, new)
        self._remapped = remapped or {}
        self._footer = Static("", markup=False, classes="bar")
        self.columns = (SideColumn(1), SideColumn(2))

    def compose(self) -> ComposeResult:
        yield Static(Content.styled("Which answer is better?", "bold"), classes="bar", markup=False)
        text = clean(self._turns[0].user_text.strip())
        shown = text if len(text) <= _REQUEST else f"{text[:_REQUEST]}…"
        yield Static(Content(shown), classes="request", markup=False)
        yield Container(*self.columns, id="sides")
        yield self._footer

    async def on_mount(self) -> None:
        """Draw both answers."""
        self.columns[0].focus()
        for column, turn in zip(self.columns, self._turns, strict=True):
            column.show(turn, "")
            await column.settle()

    def on_resize(self, event: events.Resize) -> None:
        """Put the answers below each other in a narrow terminal."""
        self.set_class(event.size.width < _NARROW, "narrow")
        key = self._key
        told = (
            f"{key('left')} the earlier one · {key('right')} the new one · "
            f"{key('both_good')} both good · {key('both_bad')} both bad · {key('close')} back"
        )
        self._footer.update(Content.styled(told, "$dim"))

    def _key(self, name: str) -> str:
        shown = shown_key(f"pick.{name}", self._remapped)
        return shown.lower() if len(shown) == 1 else shown

    def action_choose(self, choice: Verdict) -> None:
        """Give the choice back."""
        self.dismiss(choice)

    def action_leave(self) -> None:
        """Back without choosing."""
        self.dismiss(None)
