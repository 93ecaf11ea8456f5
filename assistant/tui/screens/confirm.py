"""Asks before something is done that cannot be undone."""

from __future__ import annotations

from textual.widget import Widget

from assistant.sanitize import clean
from assistant.tui.keys import CONFIRM_KEYS, bindings
from assistant.tui.screens.overlay import Overlay, words


class ConfirmScreen(Overlay[bool]):
    """Yes by Enter or ``y``, no by Escape or ``n``."""

    BINDINGS = bindings(CONFIRM_KEYS)

    def __init__(self, question: str, detail: str, verb: str) -> None:
        super().__init__(verb, f"Enter {verb.lower()} · Esc back")
        self._question = question
        self._detail = detail

    def content(self) -> list[Widget]:
        return [words(clean(self._question)), words(clean(self._detail), "muted gap")]

    def action_yes(self) -> None:
        """Go on."""
        self.dismiss(True)
