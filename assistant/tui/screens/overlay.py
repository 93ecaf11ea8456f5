"""A screen that lies over the chat for a moment and gives back a result."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from assistant.tui.keys import OVERLAY_KEYS, bindings
from assistant.tui.wording import one_line

Result = TypeVar("Result")


class Overlay(ModalScreen[Result | None], Generic[Result]):
    """A titled box in the middle. Escape leaves it without a result."""

    BINDINGS = bindings(OVERLAY_KEYS)

    def __init__(self, title: str, hint: str = "Esc back") -> None:
        super().__init__()
        self._title = title
        self._hint = hint

    def compose(self) -> ComposeResult:
        box = Vertical(*self.content(), classes="box")
        box.border_title = Content(one_line(self._title))
        box.border_subtitle = Content(self._hint)
        yield box

    def content(self) -> list[Widget]:
        """Return what stands in the box."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Leave without a result."""
        self.dismiss(None)


def words(text: str, classes: str = "") -> Static:
    """Return plain text as a widget."""
    return Static(Content(text), classes=classes, markup=False)
