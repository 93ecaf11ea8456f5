"""Chooses a model among those known, on this machine or not yet."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.tui.screens.overlay import Overlay
from assistant.tui.wording import one_line, size


class ModelPicker(Overlay[str]):
    """Gives back the name of the chosen model."""

    def __init__(self, models: Sequence[tuple[str, str, bool, int]], current: str) -> None:
        super().__init__("Choose the model", "Enter use · Esc back")
        self._models = list(models)
        self._current = current

    def content(self) -> list[Widget]:
        listed = OptionList(*(Option(self._row(*row)) for row in self._models), markup=False)
        names = [name for name, *_ in self._models]
        if self._current in names:
            listed.highlighted = names.index(self._current)
        return [listed]

    def _row(self, name: str, title: str, installed: bool, size_bytes: int) -> Content:
        mark = "● " if name == self._current else "○ " if installed else "↓ "
        where = "here" if installed else f"to fetch, {size(size_bytes)}"
        return Content.assemble(
            (mark, "$success" if installed else "$dim"),
            (one_line(title), "bold" if name == self._current else ""),
            (f"  {one_line(name)} · {where}", "$dim"),
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give back the chosen name."""
        self.dismiss(self._models[event.option_index][0])
