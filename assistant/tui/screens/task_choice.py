"""Asks which task a turn is or was: one digit picks."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.wording import one_line, percent
from assistant.types import Route


class TaskChoice(Overlay[str]):
    """The tasks with the scores the router gave them.

    ``about`` is the turn in question, where the chat does not make it plain. ``leaving`` says what
    Escape does.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        route: Route | None,
        title: str = "Which task was it?",
        *,
        about: str = "",
        leaving: str = "back",
    ) -> None:
        super().__init__(title, f"1–{min(9, len(tasks))} pick · Esc {leaving}")
        self._tasks = list(tasks)
        self._route = route
        self._about = one_line(about)

    def content(self) -> list[Widget]:
        options = [Option(self._row(n, task), id=task) for n, task in enumerate(self._tasks, 1)]
        listed = OptionList(*options, markup=False)
        if self._route is not None and self._route.task in self._tasks:
            listed.highlighted = self._tasks.index(self._route.task)
        return [words(self._about, "muted one-line"), listed] if self._about else [listed]

    def _row(self, number: int, task: str) -> Content:
        score = self._route.scores.get(task, 0.0) if self._route else 0.0
        digit = str(number) if number <= 9 else " "
        now = self._route is not None and task == self._route.task
        return Content.assemble(
            (f" {digit}  ", "$text-accent bold"),
            (one_line(task).ljust(16), "bold" if now else ""),
            (f"{percent(score):>6}  ", "$dim"),
            ("█" * round(score * 14), "$primary"),
        )

    def on_key(self, event: events.Key) -> None:
        """Pick by digit."""
        if event.character and event.character.isdecimal():
            number = int(event.character)
            if 1 <= number <= len(self._tasks):
                event.stop()
                self._pick(number - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Pick with Enter or the mouse."""
        self._pick(event.option_index)

    def _pick(self, index: int) -> None:
        # A key that repeats arrives a second time when the box is closed already.
        if self.is_current:
            self.dismiss(self._tasks[index])
