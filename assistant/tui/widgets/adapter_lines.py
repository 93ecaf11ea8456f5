"""Trained adapters in the words and columns that stand on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.adapters.plain import NOTE
from assistant.tui.widgets.charts import Point, Scale, interval, scale_of
from assistant.tui.widgets.evaluation_lines import number
from assistant.tui.wording import NBSP, one_line

if TYPE_CHECKING:
    from assistant.adapters.keeper import Kept, Switched
    from assistant.adapters.run_record import RunRecord, Score

IN_USE, NOT_IN_USE = "●", "○"
_MUTED = "$dim"
_WIDTHS = (15, 8, 11, 9)
"""Columns of version, origin, technique and size."""
_BEFORE_BAR = 40
"""Columns of a score line before its interval is drawn."""
_BAR = (14, 48)
_WAYS = (("zero_shot", "zero-shot"), ("few_shot", "few-shot"), ("adapter", "adapter"))

NONE_HERE = """\
No adapter is on this machine yet.

Train one for a task, on examples of your own, one JSON object a line with "input" and "target":

  assistant train --task classification --data my-texts.jsonl

or take one in that was exported elsewhere, in PEFT's format:

  assistant adapters import FILE"""


def heading(kept: Kept) -> Content:
    """Return the line above the adapters for one task of one base model."""
    base = one_line(kept.card.base)
    return Content.assemble(
        (one_line(kept.card.task), "$primary bold"),
        (f" · {base}", _MUTED),
        ("" if kept.current else " · not the model that answers now", _MUTED),
    )


def line_of(kept: Kept, width: int) -> Content:
    """Return one adapter on a line of at most ``width`` columns."""
    card = kept.card
    mark = (f"{IN_USE} ", "$text-success") if kept.in_use else (f"{NOT_IN_USE} ", _MUTED)
    cells = (
        one_line(card.version),
        "yours" if card.own else "shipped",
        technique(card.run),
        megabytes(card.size),
    )
    styles = ("bold" if kept.in_use else "", _MUTED, _MUTED, _MUTED)
    parts = [
        _cell(text, wide, style) for text, wide, style in zip(cells, _WIDTHS, styles, strict=True)
    ]
    return Content.assemble(mark, *parts, _summary(kept)).truncate(width, ellipsis=True)


def technique(run: RunRecord) -> str:
    """Return how it was trained, short: ``lora r8``."""
    name = one_line(run.technique)[:8] or "?"
    return f"{name} r{run.rank}" if run.rank else name


def megabytes(count: int) -> str:
    """Return a number of bytes with one digit behind the point: adapters are small."""
    return f"{count / 1e6:.1f}{NBSP}MB"


def _summary(kept: Kept) -> Content:
    """Return what it is worth in a few words: its mean, and that of few-shot on the same data."""
    if kept.card.problem:
        return Content.styled("its record cannot be read", "$text-error")
    scores = list(kept.card.run.scores.values())
    if not scores:
        return Content.styled("not measured", _MUTED)
    both = [(one.adapter, one.few_shot) for one in scores if one.few_shot is not None]
    if not both:
        return Content.assemble((number(fmean(one.adapter for one in scores)), "bold"))
    mine, few = fmean(a for a, _ in both), fmean(f for _, f in both)
    sets = f", {len(both)} sets" if len(both) > 1 else ""
    style = "$text-success bold" if mine > few else "$text-warning bold"
    return Content.assemble((number(mine), style), (f" (few-shot {number(few)}{sets})", _MUTED))


def facts(kept: Kept) -> Content:
    """Return what is known of an adapter beside its scores and its card."""
    card, run = kept.card, kept.card.run
    state = "in use" if kept.in_use else "not in use"
    origin = "yours" if card.own else "ships with the program"
    rank = f", rank {run.rank}" if run.rank else ""
    made = f"made {one_line(run.created)[:16].replace('T', ' ')}" if run.created else ""
    program = f"version {one_line(run.program)}" if run.program else ""
    first = (f"{one_line(run.technique) or 'technique not recorded'}{rank}", megabytes(card.size))
    trained = one_line(run.base_model.name) or "a model that is not recorded"
    checksum = f" ({run.base_model.sha256[:12]}…)" if run.base_model.sha256 else ""
    lines = [
        Content.assemble((one_line(card.name), "$primary bold"), (f" · {state} · {origin}", "")),
        _muted((*first, f"seed {run.seed}" if run.created else "", made, program)),
        Content.styled(f"trained on {trained}{checksum}", _MUTED),
    ]
    if kept.needs_plain:
        lines.append(Content.styled(NOTE, "$text-warning"))
    if kept.parents:
        names = (f"{one_line(p.name)}{'' if p.here else ' (gone)'}" for p in kept.parents)
        lines.append(Content.styled(f"goes on from {' ← '.join(names)}", _MUTED))
    for problem in filter(None, (card.problem, kept.problem)):
        lines.append(Content.styled(one_line(problem), "$text-error"))
    return Content("\n").join(lines)


def score_lines(run: RunRecord, width: int) -> Content:
    """Return the scores, a block a data set: each way with its interval, drawn where there is room."""
    if not run.scores:
        return Content.styled(
            "It has no scores yet: it answers only when it is asked for (/strategy adapter). To "
            "measure it: assistant eval --task … --data FILE --adapter NAME",
            _MUTED,
        )
    blocks = [_block(name, one, width) for name, one in run.scores.items()]
    return Content("\n\n").join(blocks)


def _block(name: str, score: Score, width: int) -> Content:
    words = (score.metric, score.lang, f"n {score.n:,}")
    head = Content.assemble(
        (one_line(name), "bold"), *[(f" · {one_line(w)}", _MUTED) for w in words if w]
    )
    values = {
        way: value for way, _ in _WAYS if (value := getattr(score, way)) is not None
    }  # those that were measured
    ends = [score.ci95.get(way, (value, value)) for way, value in values.items()]
    room = min(_BAR[1], width - _BEFORE_BAR)
    scale = scale_of(ends) if room >= _BAR[0] and any(a < b for a, b in ends) else None
    lines = [head]
    for way, title in _WAYS:
        if way in values:
            lines.append(_score_line(way, title, values[way], score, scale, room))
    return Content("\n").join(lines)


def _score_line(
    way: str, title: str, value: float, score: Score, scale: Scale | None, room: int
) -> Content:
    low, high = score.ci95.get(way, (value, value))
    ends = f"[{low:.1f}, {high:.1f}]" if low < high else ""
    mine = way == "adapter"
    examples = f" ({score.shots})" if way == "few_shot" and score.shots else ""
    parts = [
        _cell(f"  {title}{examples}", 16, "" if mine else _MUTED),
        Content.styled(f"{number(value):>5}", "$text-success bold" if mine else "bold"),
        _cell(f"  {ends}", 19, _MUTED),
    ]
    if scale is not None and ends:
        parts.append(interval(Point(value, low, high, main=mine), scale, room))
    return Content.assemble(*parts)


def data_lines(run: RunRecord) -> Content:
    """Return the training data, a line a file: rows, sources, licences."""
    lines = []
    for file in run.data:
        sources = ", ".join(map(one_line, file.sources)) or "source not recorded"
        licences = ", ".join(map(one_line, file.licences)) or "licence not recorded"
        lines.append(
            Content.assemble(
                one_line(file.file), (f" · {file.rows:,} rows · {sources} ({licences})", _MUTED)
            )
        )
    return Content("\n").join(lines)


def counts_of(all_: Sequence[Kept]) -> str:
    """Return how many there are, for the title."""
    if not all_:
        return "none here"
    used = sum(kept.in_use and kept.current for kept in all_)
    return f"{len(all_)} here · {used} in use for this model"


def switched(found: Switched, task: str) -> tuple[str, str]:
    """Return title and words of the note about a switch."""
    was = one_line(found.before.name) if found.before else "no adapter"
    title = f"{found.now.name} is in use" if found.now else f"No adapter is in use for {task}"
    notes = "".join(f" Note: {one_line(note)}." for note in found.notes)
    if found.now is not None and not found.now.run.scores:
        notes += " It has no scores yet, so it answers only with /strategy adapter."
    return one_line(title), f"Before: {was}.{notes}"


def _muted(words: Sequence[str]) -> Content:
    return Content.styled(" · ".join(word for word in words if word), _MUTED)


def _cell(text: str, width: int, style: str = "") -> Content:
    cut = Content.styled(text, style).truncate(width - 1, ellipsis=True)
    return Content.assemble(cut, " " * (width - cut.cell_length))
