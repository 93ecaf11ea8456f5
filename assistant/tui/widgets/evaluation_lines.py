"""Measurements in the words and columns that stand on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from assistant.evaluation.calibration import Bin, Calibration
from assistant.evaluation.dashboard import NOT_IN_USE, Dashboard, Row, WorstAnswer
from assistant.tui.widgets.charts import Point, Scale, interval, reliability_bar, scale_of
from assistant.tui.wording import NBSP, one_line, percent

MARK = "★"
_MUTED = "$dim"
_SHORTEST_BAR = 14
_LONGEST_BAR = 48
_GAP = 3

HOW_TO_MEASURE = """\
Measure a task on examples of your own, one JSON object a line with "input" and "target":

  assistant eval --task qa --data my-questions.jsonl --strategy zero_shot
  assistant eval --task qa --data my-questions.jsonl --strategy few_shot

or every way on every file of a folder:

  assistant eval --matrix --data my-examples

With two ways measured on the same data the program goes by the better one."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns of the table; a column of width 0 is left out."""

    way: int
    model: int
    interval: int
    n: int
    owner: int
    bar: int


def columns_for(width: int, models: int) -> Columns:
    """Return the columns that fit; the model has one where there are several of them."""
    wide = width >= 72
    way = 22 if wide or models < 2 else 19
    left = width - 2 - way - 6 - 16
    model = 0 if models < 2 else max(10, min(26, left - (9 if left >= 25 else 0)))
    left -= model
    n = 9 if left >= 9 else 0
    owner = 9 if left >= n + 9 else 0
    left -= n + owner + _GAP
    bar = min(_LONGEST_BAR, left) if left >= _SHORTEST_BAR else 0
    return Columns(way, model, 16, n, owner, bar)


def heading(rows: Sequence[Row], columns: Columns) -> Content:
    """Return the line above the ways measured on one data set."""
    first = rows[0].measured
    words = (first.lang, rows[0].data, first.metric)
    left = Content.assemble(
        (one_line(first.task), "$primary bold"),
        *[(f" · {one_line(word)}", _MUTED) for word in words if word],
    )
    if not columns.bar or not any(_has_interval(row) for row in rows):
        return left.truncate(_before_bar(columns) + columns.bar, ellipsis=True)
    scale = _scale(rows)
    low, high = f"{scale.start:.0f}", f"{scale.end:.0f}"
    ends = low + high.rjust(columns.bar - len(low))
    return Content.assemble(_cell(left, _before_bar(columns) - _GAP), " " * _GAP, (ends, _MUTED))


def line_of(row: Row, group: Sequence[Row], columns: Columns) -> Content:
    """Return one row of the table; ``group`` are the rows that it is compared with."""
    measured = row.measured
    mark = (f"{MARK} ", "$text-success") if row.chosen else ("  ", "")
    parts = [Content.styled(*mark), _cell(one_line(row.way), columns.way - 1), Content(" ")]
    if columns.model:
        parts += [_cell(one_line(measured.model), columns.model - 1, _MUTED), Content(" ")]
    strong = "$text-success bold" if row.chosen else "bold"
    parts.append(Content.styled(f"{number(row.value):>6}", strong))
    owner = "yours" if measured.own else "record" if row.recorded else "shipped"
    for text, width in (
        (ends_of(row), columns.interval),
        (f"n {measured.n:,}", columns.n),
        (owner, columns.owner),
    ):
        parts.append(_cell(f"  {text}", width, _MUTED))
    if columns.bar and row.value is not None and _has_interval(row):
        point = Point(row.value, measured.low, measured.high, main=row.chosen)
        parts += [Content(" " * _GAP), interval(point, _scale(group), columns.bar)]
    return Content.assemble(*parts)


def number(value: float | None) -> str:
    """Return a score with one digit, or a dash."""
    return "–" if value is None else f"{value:.1f}"


def ends_of(row: Row) -> str:
    """Return the interval of a row, as in ``[78.1, 86.0]``; nothing when it has none."""
    low, high = row.measured.low, row.measured.high
    return f"[{low:.1f}, {high:.1f}]" if _has_interval(row) else ""


def verdict(row: Row) -> Content:
    """Return what the program makes of a row, and where its numbers come from."""
    if row.chosen:
        said = Content.styled(f"{MARK} Chosen: ", "$text-success")
    elif row.counts and row.reason != NOT_IN_USE:
        said = Content.styled("Chosen instead: ", "$text-warning")
    else:
        said = Content("")
    return Content.assemble(said, one_line(row.reason), "\n", (facts(row), _MUTED))


def facts(row: Row) -> str:
    """Return what stands in no column: model, speed, when and how often it was measured."""
    measured = row.measured
    parts = [one_line(measured.model), f"n {measured.n:,}"]
    if measured.seconds:
        parts.append(f"{measured.seconds:.2f}{NBSP}s an answer")
    if row.number is not None:
        parts.append(f"evaluation {row.number}, {when(row)}")
    if row.recorded:
        parts.append("measured when its adapter was trained")
    if row.version:
        parts.append(f"version {one_line(row.version)}")
    if row.runs > 1:
        parts.append(f"measured {row.runs} times")
    return " · ".join(part for part in parts if part)


def when(row: Row) -> str:
    """Return the time of an evaluation as the lists of the command line write it."""
    return one_line(row.when)[:16].replace("T", " ") or "time not on record"


def title_of(row: Row) -> Content:
    """Return the line that says which evaluation is meant."""
    unnumbered = "record" if row.recorded else "shipped"
    name = f"evaluation {row.number}" if row.number is not None else unnumbered
    words = [name, one_line(row.way), one_line(row.data), one_line(row.measured.model)]
    return Content.assemble(
        (one_line(row.measured.task), "$primary bold"),
        *[(f" · {word}", _MUTED) for word in words if word],
    )


def run_line(run: Row, main: bool, models: int, width: int) -> Content:
    """Return one evaluation in the list below the trend."""
    measured = run.measured
    version = measured.adapter or run.version
    mark = ("● ", "$text-primary") if main else ("○ ", _MUTED)
    time = when(run) if width >= 90 else when(run)[5:]
    parts = [
        Content.styled(*mark),
        Content.styled(f"{time}  ", _MUTED),
        Content.styled(f"{number(run.value):>5} ", "bold"),
        _cell(ends_of(run), 14, _MUTED),
        _cell(one_line(version), 8, _MUTED),
        _cell(one_line(run.way), 21),
    ]
    if models > 1:
        parts.append(Content.styled(f" {one_line(measured.model)}", _MUTED))
    return Content.assemble(*parts).truncate(width, ellipsis=True)


def reliability_lines(found: Calibration, width: int) -> Content:
    """Return the calibration as bars, one a bin, with what it comes to."""
    off = found.said - found.right
    if abs(off) < 0.02:
        verdict_ = ("about as sure as it may be", "$text-success")
    elif off > 0:
        verdict_ = (f"too sure, by {points(off)}", "$text-error")
    else:
        verdict_ = (f"not sure enough, by {points(-off)}", "$text-warning")
    summary = Content.assemble(
        f"It is {percent(found.said)} sure on average and right in {percent(found.right)}: ",
        verdict_,
        ".",
    )
    error = Content.assemble(
        ("Expected calibration error ", _MUTED),
        (f"{found.error:.3f}", "bold"),
        (f", {found.count:,} answers", _MUTED),
        (f", {found.without:,} without probabilities left out" if found.without else "", _MUTED),
    )
    bar = max(10, min(80, width - 34))
    ruler = Content.styled(
        f"{'sure':>10}  {'0':<{bar // 2}}{'50':<{bar - bar // 2 - 5}}100{NBSP}%"
        f"{'right':>8}{'answers':>9}",
        _MUTED,
    )
    bins = [_bin_line(one, bar) for one in reversed(found.bins)]
    return Content("\n").join(
        [summary, error, Content(""), ruler, *bins, Content(""), *_legend(width)]
    )


def _legend(width: int) -> list[Content]:
    """Return what the signs of the bars mean, on as many lines as it takes."""
    signs = (
        ("━", "$text-primary", "how often right"),
        ("┃", "$text-accent bold", "how sure"),
        ("╌", "$text-error", "promised too much"),
        ("━", "$text-success", "better than promised"),
    )
    found = [Content("")]
    for sign, style, meaning in signs:
        part = Content.assemble((sign, style), (f" {meaning}  ", _MUTED))
        if found[-1].cell_length + part.cell_length > width + 2:
            found.append(Content(""))
        found[-1] = Content.assemble(found[-1], part)
    return found


def points(share: float) -> str:
    """Return a difference of shares as people say it: ``1 point``, ``7 points``."""
    count = round(share * 100)
    return f"{count} point" if count == 1 else f"{count} points"


def _bin_line(one: Bin, width: int) -> Content:
    name = f"{one.low * 100:.0f}–{one.high * 100:.0f}{NBSP}%"
    if not one.count:
        return Content.styled(f"{name:>10}  {'':<{width}}{'–':>8}{0:>9}", _MUTED)
    return Content.assemble(
        f"{name:>10}  ",
        reliability_bar(one.said, one.right, width),
        (f"{percent(one.right):>8}", "bold"),
        (f"{one.count:>9,}", _MUTED),
    )


def worst_lines(bad: WorstAnswer, width: int) -> Content:
    """Return one of the worst answers on three lines."""
    more = f"  (or {len(bad.wanted) - 1} more)" if len(bad.wanted) > 1 else ""
    sure = max(bad.probabilities.values(), default=0.0)
    said = f"  ({percent(sure)} sure)" if sure else ""
    wanted = bad.wanted[0] if bad.wanted else "–"
    rows = (
        (
            f"{bad.score:>6.1f}  ",
            "$text-error" if bad.score < 50 else "$text-warning",
            bad.input,
            "",
            "bold",
        ),
        ("wanted  ", _MUTED, wanted, more, "$text-success"),
        ("  said  ", _MUTED, bad.said or "nothing", said, ""),
    )
    lines = []
    for name, style, text, after, text_style in rows:
        room = max(8, width - 8 - len(after))
        shown = Content.styled(one_line(text[: 4 * room]), text_style).truncate(room, ellipsis=True)
        lines.append(Content.assemble((name, style), shown, (after, _MUTED)))
    return Content("\n").join(lines)


def counts_of(dashboard: Dashboard) -> str:
    """Return how much was measured, for the title."""
    recorded = sum(row.recorded for row in dashboard.rows)
    shipped = sum(not row.measured.own for row in dashboard.rows) - recorded
    parts = [f"{len(dashboard.runs)} yours"] if dashboard.runs else []
    parts += [f"{shipped} shipped"] if shipped else []
    parts += [f"{recorded} from adapters' records"] if recorded else []
    return " · ".join(parts) or "nothing yet"


def _has_interval(row: Row) -> bool:
    return row.value is not None and row.measured.low < row.measured.high


def _before_bar(columns: Columns) -> int:
    """Return the columns before the drawn intervals."""
    before = 2 + columns.way + columns.model + 6 + columns.interval
    return before + columns.n + columns.owner + _GAP


def _scale(rows: Sequence[Row]) -> Scale:
    known = [(row.measured.low, row.measured.high) for row in rows if row.value is not None]
    return scale_of(known) if known else Scale(0.0, 100.0)


def _cell(text: str | Content, width: int, style: str = "") -> Content:
    """Return ``text`` cut or filled to ``width`` columns."""
    content = Content.styled(text, style) if isinstance(text, str) else text
    cut = content.truncate(width, ellipsis=True)
    return Content.assemble(cut, " " * (width - cut.cell_length))
