"""The loss of a training over its steps, drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.tui.widgets.charts import Scale

if TYPE_CHECKING:
    from assistant.training.following import Point

_AXIS = 7
"""Columns for the numbers on the left, with the line beside them."""
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MEASURED = "●"
_AREA = "$primary 70%"
LEAST_WIDTH, LEAST_HEIGHT = 24, 5


def loss_plot(points: Sequence[Point], total: int, width: int, height: int) -> Content:
    """Return the smoothed loss as an area and each measured one (``dev_loss``) as a dot.

    ``total`` is the step at the right end; ``height`` counts the line of steps and the legend.
    """
    rows, columns = height - 2, width - _AXIS
    last = max(total, points[-1].step, 2)
    steps = Scale(1, last)
    measured = _measured(points)
    losses = _columns(points, steps, columns)
    values = [*(v for v in losses if v is not None), *(v for _, v in measured)]
    losses_scale = _scale(values)
    dots = {
        (steps.place(step, columns), rows - 1 - losses_scale.place(value, rows))
        for step, value in measured
    }
    lines = []
    for row in range(rows):
        axis = _label(losses_scale, row, rows)
        cells = [
            _with_dot(_cell(loss, losses_scale, row, rows), (column, row) in dots)
            for column, loss in enumerate(losses)
        ]
        lines.append(Content.assemble((axis, "$dim"), *cells))
    return Content("\n").join([*lines, _foot(last, width), _legend(bool(measured))])


def _measured(points: Sequence[Point]) -> list[tuple[int, float]]:
    """Return where the loss was measured anew: the log repeats the last one on every line."""
    found: list[tuple[int, float]] = []
    for point in points:
        if point.dev_loss is not None and (not found or found[-1][1] != point.dev_loss):
            found.append((point.step, point.dev_loss))
    return found


def _columns(points: Sequence[Point], steps: Scale, columns: int) -> list[float | None]:
    """Return the loss to be drawn in each column: the last one up to it, none where nothing is yet."""
    found: list[float | None] = [None] * columns
    for point in points:
        found[steps.place(point.step, columns)] = point.loss
    end = steps.place(points[-1].step, columns)
    for column in range(1, end + 1):
        if found[column] is None:
            found[column] = found[column - 1]
    return found


def _scale(values: Sequence[float]) -> Scale:
    """Return a scale round the values; it begins at 0 unless that would leave no room for them."""
    low, high = min(values), max(values)
    room = max(high - low, 0.02 * high, 1e-6)
    start = 0.0 if low < 0.5 * high else max(0.0, low - 0.2 * room)
    return Scale(start, high + 0.05 * room)


def _label(scale: Scale, row: int, rows: int) -> str:
    marked = row in (0, rows - 1) or (row == rows // 2 and rows >= 5)
    value = scale.end - (scale.end - scale.start) * row / max(1, rows - 1)
    return f"{value:>{_AXIS - 2}.2f} ┤" if marked else " " * (_AXIS - 1) + "│"


def _cell(loss: float | None, scale: Scale, row: int, rows: int) -> str:
    """Return how much of a cell lies below the loss."""
    if loss is None:
        return " "
    share = (loss - scale.start) / (scale.end - scale.start)
    filled = round(min(1.0, max(0.0, share)) * rows * 8) - 8 * (rows - 1 - row)
    least = 1 if row == rows - 1 else 0  # where a loss of nearly 0 would not be seen
    return _EIGHTHS[min(8, max(least, filled))]


def _with_dot(cell: str, dot: bool) -> tuple[str, str]:
    """Return a cell with its style; a dot lies over the area."""
    if not dot:
        return cell, _AREA
    return _MEASURED, f"$text-accent bold on {_AREA}" if cell == "█" else "$text-accent bold"


def _foot(last: int, width: int) -> Content:
    right = f"step {last:,}"
    line = "1".rjust(_AXIS + 1) + right.rjust(max(0, width - _AXIS - 1))
    return Content.styled(line, "$dim")


def _legend(measured: bool) -> Content:
    parts = [(" " * _AXIS + "█", _AREA), (" loss, smoothed", "$dim")]
    if measured:
        parts += [(f"   {_MEASURED}", "$text-accent bold"), (" on rows held out", "$dim")]
    return Content.assemble(*parts)
