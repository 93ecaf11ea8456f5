"""Small charts of characters. Every function returns text of the width that it was given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

_AXIS = 6
"""Columns for the numbers on the left of a plot."""
_STEP = (3, 12)
"""Fewest and most columns for one point of a plot."""
_LABEL = 5


@dataclass(frozen=True, slots=True)
class Scale:
    """What the first and the last column (or row) of a chart stand for."""

    start: float
    end: float

    def place(self, value: float, cells: int) -> int:
        """Return the cell of ``value``, the nearest one for values outside."""
        share = (value - self.start) / (self.end - self.start)
        return round(min(1.0, max(0.0, share)) * (cells - 1))


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its interval. Main ones stand out.

    ``label`` (5 characters) stands below it, and ``version`` below that.
    """

    value: float
    low: float
    high: float
    label: str = ""
    version: str = ""
    main: bool = True
    selected: bool = False


def scale_of(points: Sequence[tuple[float, float]]) -> Scale:
    """Return a scale from a whole number to another round all intervals, within 0 to 100."""
    low = min(low for low, _ in points)
    high = max(high for _, high in points)
    room = max(1.0, (high - low) * 0.04)
    start, end = math.floor(max(0.0, low - room)), math.ceil(min(100.0, high + room))
    return Scale(start, end) if end > start else Scale(start - 1, start + 1)


def interval(point: Point, scale: Scale, width: int) -> Content:
    """Return one interval on a line, as in ``··├──●────┤··``."""
    low, at, high = (scale.place(v, width) for v in (point.low, point.value, point.high))
    line = ["─" if low <= cell <= high else " " for cell in range(width)]
    line[low], line[high], line[at] = "├", "┤", "●"
    strong = "$text-success" if point.main else "$text-secondary"
    return Content.assemble(
        ("".join(line[:at]), "$dim"), (line[at], strong), ("".join(line[at + 1 :]), "$dim")
    )


def plot(points: Sequence[Point], width: int, height: int) -> Content:
    """Return the points from left to right in time; where they are too many, the newest of them.

    ``height`` counts the two lines of labels too; it needs at least five.
    """
    room = max(1, width - _AXIS - 1)
    shown = points[-max(1, room // _STEP[0]) :]
    step = max(_STEP[0], min(_STEP[1], room // len(shown)))
    rows = height - 3
    scale = scale_of([(point.low, point.high) for point in shown])
    columns = [_column(point, scale, rows) for point in shown]
    lines = []
    for row in range(rows):
        marked = row in (0, rows - 1) or (row == rows // 2 and rows >= 5)
        value = scale.end - (scale.end - scale.start) * row / max(1, rows - 1)
        axis = f"{value:>{_AXIS - 2}.1f} ┤" if marked else " " * (_AXIS - 1) + "│"
        cells = [_spread(column[row], step) for column in columns]
        lines.append(Content.assemble((axis, "$dim"), *cells))
    lines.append(Content.styled(" " * (_AXIS - 1) + "└" + "─" * (step * len(shown)), "$dim"))
    lines.append(_labels(shown, step, [point.label for point in shown]))
    lines.append(_labels(shown, step, [point.version for point in shown]))
    return Content("\n").join(lines)


def _column(point: Point, scale: Scale, rows: int) -> list[tuple[str, str]]:
    """Return the characters of one point from the top down, each with its style."""
    top, at, bottom = (
        rows - 1 - scale.place(v, rows) for v in (point.high, point.value, point.low)
    )
    style = "$text-accent" if point.selected else "$text-primary" if point.main else "$dim"
    column = [(" ", "")] * rows
    for row in range(top, bottom + 1):
        column[row] = ("│", style)
    if top != bottom:
        column[top], column[bottom] = ("┬", style), ("┴", style)
    column[at] = ("●" if point.main else "○", f"{style} bold" if point.selected else style)
    return column


def _spread(cell: tuple[str, str], step: int) -> Content:
    text, style = cell
    left = (step - 1) // 2
    return Content.assemble(" " * left, (text, style), " " * (step - 1 - left))


def _labels(points: Sequence[Point], step: int, texts: Sequence[str]) -> Content:
    """Return texts below the columns, as many as there is room for, the last one always."""
    every = -(-(_LABEL + 1) // step)
    line = Content("")
    for number, (point, text) in enumerate(zip(points, texts, strict=True)):
        if (len(points) - 1 - number) % every == 0:
            middle = _AXIS + number * step + (step - 1) // 2
            gap = " " * max(0, middle - _LABEL // 2 - line.cell_length)
            style = "$text-accent" if point.selected else "$dim"
            cut = Content(text.center(_LABEL)).truncate(_LABEL, ellipsis=True)
            line = Content.assemble(line, gap, cut.stylize(style))
    return line


def reliability_bar(said: float, right: float, width: int) -> Content:
    """Return how often answers are right against how sure they were, both 0 to 1.

    The full part is how often they are right, ``┃`` how sure they were; what lies between is
    shaded: promised too much when the mark is to the right of it, too little when to the left.
    """
    scale = Scale(0.0, 1.0)
    mark, end = scale.place(said, width), scale.place(right, width)
    parts = []
    for cell in range(width):
        if cell == mark:
            parts.append(("┃", "$text-accent bold"))
        elif cell <= end and right > 0:
            parts.append(("━", "$text-success" if cell > mark else "$text-primary"))
        elif cell < mark:
            parts.append(("╌", "$text-error"))
        else:
            parts.append((" ", ""))
    return Content.assemble(*parts)
