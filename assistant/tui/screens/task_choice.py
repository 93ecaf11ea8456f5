"""Asks which task a turn was: one digit picks."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.tui.screens.overlay import Overlay
from assistant.tui.wording import one_line, percent
from assistant.types import Route


class TaskChoice(Overlay[str]):
    """The tasks with the scores the router gave them."""

    def __init__(self, tasks: Sequence[str], route: Route | None) -> None:
        super().__init__("Which task was it?", f"1–{min(9, len(tasks))} pick · Esc back")
        self._tasks = list(tasks)
        self._route = route

    def content(self) -> list[Widget]:
        options = [Option(self._row(n, task), id=task) for n, task in enumerate(self._tasks, 1)]
        listed = OptionList(*options, markup=False)
        if self._route is not None and self._route.task in self._tasks:
            listed.highlighted = self._tasks.index(self._route.task)
        return [listed]

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
        if event.character and event.character.isdigit():
            number = int(event.character)
            if 1 <= number <= len(self._tasks):
                event.stop()
                self.dismiss(self._tasks[number - 1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Pick with Enter or the mouse."""
        self.dismiss(self._tasks[event.option_index])
