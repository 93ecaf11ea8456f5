"""Shows a text to read, Markdown or laid out already."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from assistant.tui.screens.overlay import Overlay


class TextScreen(Overlay[None]):
    """A text over the chat; Escape closes it."""

    def __init__(self, title: str, text: str | Content) -> None:
        super().__init__(title)
        self._text = text

    def content(self) -> list[Widget]:
        if isinstance(self._text, Content):
            return [Static(self._text, markup=False)]
        from assistant.tui.widgets.answer import Answer

        return [VerticalScroll(Answer(self._text), classes="reading")]
