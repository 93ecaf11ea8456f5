"""The labels of a classified text as bars: how likely each is, and whether that is sure."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from assistant.classification import ranked, unsure
from assistant.tui.wording import one_line, percent
from assistant.types import Turn

_SHOWN = 6
"""How many labels get a bar; the others are counted."""
_LONGEST_LABEL = 24
_BAR = (12, 32)
"""Columns of a bar: labels are cut before it gets shorter, and it gets no longer."""
_BESIDE = 10
"""Columns of a line that are neither label nor bar: the mark, two gaps and the percentage."""
_MUTED = "$dim"


class LabelBars(Widget):
    """Bars for a turn whose labels were scored. Hidden for any other."""

    def __init__(self, turn: Turn | None = None) -> None:
        super().__init__()
        self._turn: Turn | None = None
        self.show(turn)

    def show(self, turn: Turn | None) -> None:
        """Draw the probabilities of ``turn``, if it has any."""
        self._turn = turn
        self.display = turn is not None and bool(turn.probabilities)
        self.refresh(layout=True)

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines: none is ever wrapped."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        return list(lines_of(self._turn, width)) if self._turn is not None else []


def lines_of(turn: Turn, width: int) -> Iterator[Content]:
    """Yield the lines for a turn, each at most ``width`` columns wide (at least 22 are needed).

    The label that was answered is marked. Whoever corrected the answer knows already that it may
    be another, so then nothing is said of being unsure.
    """
    best = ranked(turn.probabilities or {})
    shown = [(Content(one_line(label)), label, chance) for label, chance in best[:_SHOWN]]
    if not shown:
        return
    longest = max(name.cell_length for name, _, _ in shown)
    column = min(longest, _LONGEST_LABEL, max(8, width - _BESIDE - _BAR[0]))
    bar = max(4, min(_BAR[1], width - column - _BESIDE))
    for name, label, chance in shown:
        chosen = label == turn.answer
        yield Content.assemble(
            ("● " if chosen else "  ", "$text-primary"),
            _cell(name, column).stylize("bold" if chosen else ""),
            "  ",
            _bar(chance, bar, "$primary" if chosen else "$secondary 70%"),
            (f" {percent(chance):>5}", "bold" if chosen else _MUTED),
        )
    if len(best) > _SHOWN:
        yield Content.styled(f"  and {len(best) - _SHOWN} more", _MUTED)
    if turn.correction is None and unsure(turn.probabilities or {}):
        other = next((name for name, label, _ in shown if label != turn.answer), shown[0][0])
        said = Content.assemble(
            ("  Not sure", "$text-warning"),
            (": it may also be ", _MUTED),
            other.truncate(_LONGEST_LABEL, ellipsis=True),
            (".", _MUTED),
        )
        yield said.truncate(max(1, width), ellipsis=True)


def _bar(share: float, width: int, style: str) -> Content:
    """Return a bar of ``width`` columns, to the half column, on a thin track.

    The track has a sign of its own, so that the bar's end is seen without colours too.
    """
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    full, half = divmod(halves, 2)
    return Content.assemble(
        ("━" * full + "╸" * half, style),
        ("─" * (width - full - half), "$panel"),
    )


def _cell(text: Content, width: int) -> Content:
    """Return ``text`` cut or filled to ``width`` columns."""
    cut = text.truncate(width, ellipsis=True)
    return Content.assemble(cut, " " * (width - cut.cell_length))
