"""Asks for one line of text."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Input

from assistant.tui.screens.overlay import Overlay
from assistant.tui.wording import one_line


class LineScreen(Overlay[str]):
    """One line, with a value to begin with; an empty one counts only where it ``may_be_empty``."""

    def __init__(self, title: str, value: str = "", *, may_be_empty: bool = False) -> None:
        super().__init__(title, "Enter save · Esc back")
        self._value = value
        self._may_be_empty = may_be_empty

    def content(self) -> list[Widget]:
        return [Input(one_line(self._value), select_on_focus=True)]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give back what was typed."""
        text = one_line(event.value)
        self.dismiss(text if text or self._may_be_empty else None)
