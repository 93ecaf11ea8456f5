"""What the screens of adapters and of trainings share: a list above all that is known of the marked one."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.errors import as_shown
from assistant.tui.keys import shown_key
from assistant.tui.wording import one_line

EDGE = 5
"""Columns at the sides that no line can use: padding and the scroll bar."""

Result = TypeVar("Result")
Severity = Literal["information", "warning", "error"]

_log = logging.getLogger(__name__)


class ListScreen(Screen[Result]):
    """A title, a list, the details of its marked row, and the keys that do something for it.

    Whatever takes time is done beside the screen, one thing at a time, and its errors are shown, never
    raised. ``remapped`` are the user's own keys. A subclass makes ``details`` and draws.

    Attributes:
        HEADING: the name in the title.
        SECTION: what the ids of its keys begin with.
        body: stands in place of the list where there is nothing to list.
    """

    HEADING: ClassVar[str] = ""
    SECTION: ClassVar[str] = ""

    def __init__(self, remapped: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._remapped = remapped or {}
        self._busy = False
        self._title = Static("", markup=False, classes="bar")
        self._footer = Static("", markup=False, classes="bar")
        self.body = Static("", markup=False, classes="none")
        self.list = OptionList(markup=False)
        self.details: VerticalScroll

    def compose(self) -> ComposeResult:
        yield self._title
        yield self.body
        yield self.list
        yield self.details
        yield self._footer

    def on_mount(self) -> None:
        """Show that something is being read."""
        self.body.display = self.details.display = False
        self.say("reading…")

    def on_resize(self, event: events.Resize) -> None:
        """Lay everything out for the new width."""
        self.set_class(event.size.width < 80, "narrow")
        self.draw()

    # -- drawing ---------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw everything for the width there is."""

    @property
    def room(self) -> int:
        """Return the columns that a line can use."""
        return self.app.size.width - EDGE

    def say(self, text: str) -> None:
        """Write a text at the right end of the title."""
        name = Content.styled(self.HEADING, "$foreground bold")
        right = Content.styled(one_line(text), "$dim")
        gap = max(2, self.app.size.width - 4 - name.cell_length - right.cell_length)
        self._title.update(Content.assemble(name, " " * gap, right))

    def name_keys(self, parts: Sequence[str]) -> None:
        """Write into the footer what keys do, as much as there is room for, and how to get back."""
        last, said = f"{self.key('close')} back", ""
        for part in parts:
            if len(said) + len(part) + 3 + len(last) <= self.app.size.width - 4:
                said += f"{part} · "
        self._footer.update(Content.styled(said + last, "$dim"))

    def key(self, name: str) -> str:
        """Return the key for something, as the user has it."""
        shown = shown_key(f"{self.SECTION}.{name}", self._remapped)
        return shown.lower() if len(shown) == 1 else shown

    # -- working ---------------------------------------------------------------------------------

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one thing at a time without holding up the screen."""
        if self._busy:
            work.close()
            return
        self._busy = True
        self.run_worker(self._guarded(work), group=self.SECTION, exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as raised:  # the boundary of the worker
            self.complain(raised)
        finally:
            self._busy = False
            self.settle()

    def settle(self) -> None:
        """Called after each piece of work, however it ended."""

    def complain(self, raised: Exception) -> None:
        """Show an error."""
        if not isinstance(raised, AssistantError):
            _log.error("%s: something failed unexpectedly", self.HEADING, exc_info=raised)
        error = as_shown(raised)
        self.note(error.hint or error.message, error.message if error.hint else "", "error")

    def note(self, text: str, title: str = "", severity: Severity = "information") -> None:
        """Show a note; it goes by itself."""
        timeout = 5 if severity == "information" else 9
        self.notify(
            clean(text), title=clean(title), severity=severity, timeout=timeout, markup=False
        )

    def action_leave(self) -> None:
        """Back to the chat."""
        self.dismiss(None)
