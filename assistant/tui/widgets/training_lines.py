"""Trainings in the words and columns that stand on the screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from assistant.sanitize import clean
from assistant.tui.widgets.evaluation_lines import number
from assistant.tui.wording import NBSP, one_line, percent, size

if TYPE_CHECKING:
    from assistant.training.following import Watched

_MUTED = "$dim"
_WIDTHS = (15, 10, 8)
"""Columns of task, technique and start."""
_BARS = (6, 40)
"""Columns of the bar in the list and, at most, of that in the details."""
_SAID = 12
_COUNTED = re.compile(r": \d+ of \d+$")
"""Lines that say how far the measuring is."""
"""Lines of what the command printed, at most."""
_MARKS = {
    "starting": ("◌", "$text-accent"),
    "training": ("●", "$text-accent"),
    "measuring": ("◍", "$text-accent"),
    "stopped": ("■", "$text-warning"),
    "done": ("✓", "$text-success"),
    "failed": ("×", "$text-error"),
    "died": ("×", "$text-error"),
}
_STATES = {"done": "finished", "measuring": "trained, being measured", "died": "ended by force"}

NONE_HERE = """\
Nothing was trained on this machine yet.

A training makes an adapter: a few megabytes that make the model better at one task. It needs
examples of your own, one JSON object a line with "input" and "target"; some hundred are a good
start. It runs on this machine and goes on when you leave the app.

Press {new} to start one, or from a shell:

  assistant train --task classification --data my-texts.jsonl"""

DIED = "Its process was ended from outside, perhaps for want of memory."
BESIDE = "You can go on chatting meanwhile, only slower. It goes on when you leave the app."

Note = tuple[str, str, Literal["information", "warning", "error"]]


def line_of(one: Watched, width: int, now: datetime) -> Content:
    """Return one training on a line of at most ``width`` columns."""
    mark, style = _MARKS[one.standing]
    cells = (one_line(one.task), _technique(one), _when(one.started, now))
    columns = [_cell(text, wide) for text, wide in zip(cells, _WIDTHS, strict=True)]
    task, *rest = columns
    muted = [column.stylize(_MUTED) for column in rest]
    line = Content.assemble((f"{mark} ", style), task, *muted, _summary(one))
    return line.truncate(width, ellipsis=True)


def _summary(one: Watched) -> Content:
    """Return how it stands in a few words."""
    if one.standing == "training" and one.last is not None:
        left = f" · {duration(one.last.left_s)} left" if one.last.left_s is not None else ""
        share = min(1.0, one.step / one.total) if one.total else 0.0
        told = f" {percent(share)} · loss {one.last.loss:.3f}{left}"
        return Content.assemble(bar(share, _BARS[0]), told)
    if one.standing == "done" and one.adapter:
        used = (" · in use", "$text-success") if one.in_use else ""
        return Content.assemble((one_line(one.adapter), "bold"), (_worth(one), _MUTED), used)
    if one.error and one.standing == "failed":
        return Content.styled(one_line(one.error[0]), "$text-error")
    steps = f" after step {one.step} of {one.total}" if one.step and one.total else ""
    word = state(one)
    return Content.styled(f"{word}{steps if one.standing in ('stopped', 'died') else ''}", _MUTED)


def state(one: Watched) -> str:
    """Return the standing in words."""
    return _STATES.get(one.standing, one.standing)


def _worth(one: Watched) -> str:
    both = _scores(one)
    if both is None:
        return " · not measured"
    few = f" (few-shot {number(both[2])})" if both[2] is not None else ""
    return f" · {both[0]} {number(both[1])}{few}"


def _scores(one: Watched) -> tuple[str, float, float | None] | None:
    """Return metric, mean score and that of few-shot (where all sets have one)."""
    scores = list(one.scores.values())
    if not scores:
        return None
    few = [score.few_shot for score in scores if score.few_shot is not None]
    mean = fmean(few) if len(few) == len(scores) else None
    return one_line(scores[0].metric), fmean(score.adapter for score in scores), mean


def facts(one: Watched, width: int, now: datetime) -> Content:
    """Return what is known of a training, above the picture of its loss."""
    lines = [_head(one, now)]
    if one.standing == "training" and one.last is not None:
        lines += _live(one, width)
    elif one.last is not None:
        steps = f"{one.step} of {one.total} steps" if one.total else f"{one.step} steps"
        lines.append(_words((steps, f"epoch {one.last.epoch:.2f}", *_losses(one))))
    if one.standing == "done" and one.adapter:
        lines.append(_result(one))
    if one.decision:
        lines += [Content(one_line(f"{one.decision}: {reason}")) for reason in one.reasons]
    lines += _errors(one)
    return Content("\n").join(lines)


def more(one: Watched) -> Content:
    """Return what it was thought to take and what it was started with, below the picture."""
    lines = [f"expected: {one_line(one.estimate)}"] if one.estimate else []
    lines.append(" · ".join(_settings(one)))
    if one.under_way:
        lines.append(BESIDE)
    return Content.styled("\n".join(lines), _MUTED)


def _head(one: Watched, now: datetime) -> Content:
    mark, style = _MARKS[one.standing]
    since = ""
    if one.started is not None:
        since = f" · started {one.started.astimezone(now.tzinfo):%Y-%m-%d %H:%M}"
    return Content.assemble(
        (f"{mark} {state(one)}", f"{style} bold"),
        (f" · {one_line(one.task)}{since}", _MUTED),
    )


def _live(one: Watched, width: int) -> list[Content]:
    last = one.last
    assert last is not None
    share = min(1.0, one.step / one.total) if one.total else 0.0
    left = f"{duration(last.left_s)} left" if last.left_s is not None else ""
    words = (f"step {one.step} of {one.total or '?'}", f"epoch {last.epoch:.2f}", left)
    told = f"  {percent(share)} · {' · '.join(filter(None, words))}"
    room = max(_BARS[0], min(_BARS[1], width - len(told)))
    speed = f"{last.tokens_per_s:.0f} tokens/s"
    memory = f"{size(one.memory)} of memory" if one.memory else ""
    return [Content.assemble(bar(share, room), told), _words((*_losses(one), speed, memory))]


def _losses(one: Watched) -> tuple[str, ...]:
    if one.last is None:
        return ()
    dev = one.last.dev_loss
    held_out = (f"on rows held out {dev:.3f}",) if dev is not None else ()
    return (f"loss {one.last.loss:.3f}", *held_out)


def _result(one: Watched) -> Content:
    used = " · in use" if one.in_use else " · not in use"
    return Content.assemble((one_line(one.adapter), "$primary bold"), _worth(one), (used, _MUTED))


def _errors(one: Watched) -> list[Content]:
    """Return why it ended early; how a stopped one goes on is no error."""
    style = "$text-error" if one.standing == "failed" else "$text-warning"
    lines = [Content.styled(one_line(line), style) for line in one.error]
    if one.standing == "died" and not lines:
        lines = [Content.styled(DIED, style)]
    return lines


def _settings(one: Watched) -> list[str]:
    given = one.settings
    wanted = one.launch.wanted if one.launch else None
    minutes = given.get("max_minutes") or (wanted.minutes if wanted else None)
    augment = given.get("augment", wanted.augment if wanted else False)
    parts = [
        "by feedback" if one.refines else "",
        _technique(one),
        f"about {minutes:g} minutes" if isinstance(minutes, int | float) else "",
        "other wordings each epoch" if augment else "",
        "put to use if better than few-shot" if wanted and wanted.promote else "",
        one_line(one.model),
        f"run {one_line(one.id)}",
    ]
    return [part for part in parts if part]


def _technique(one: Watched) -> str:
    wanted = one.launch.wanted if one.launch else None
    name = one_line(str(one.settings.get("technique") or (wanted.technique if wanted else "?")))
    rank = one.settings.get("rank")
    return f"{name} r{rank}" if isinstance(rank, int) and name != "ia3" else name


def data_lines(one: Watched) -> Content:
    """Return the files that it trains on, a line each."""
    lines = [
        Content.assemble(
            one_line(Path(name).name), (f"  {one_line(str(Path(name).parent))}", _MUTED)
        )
        for name in one.data
    ]
    return Content("\n").join(lines)


def said_lines(one: Watched) -> Content:
    """Return the last lines that the command printed, but for what stands elsewhere already."""
    said = [
        line
        for line in one.said
        if not (one.estimate and one.estimate in line) and not _COUNTED.search(line)
    ]
    # Columns stay apart: the gate's table is among them.
    return Content.styled("\n".join(clean(line.rstrip()) for line in said[-_SAID:]), _MUTED)


def news_of(one: Watched) -> Note:
    """Return title, words and weight of the note about a training that ended."""
    if one.refines and one.standing == "done" and one.decision:
        return _verdict(one)
    if one.standing == "done" and one.adapter:
        found = _scores(one)
        few = f" against {number(found[2])} few-shot" if found and found[2] is not None else ""
        worth = f"{found[0]} {number(found[1])}{few}" if found else "It was not measured"
        what = "it is in use now" if one.in_use else "/adapters to use it"
        if found is None and one.error:
            return (
                f"adapter {one_line(one.adapter)} trained",
                f"{one_line(one.error[0])} {what}",
                "warning",
            )
        return f"adapter {one_line(one.adapter)} trained", f"{worth}; {what}", "information"
    task = one_line(one.task)
    if one.standing == "stopped":
        return f"Training for {task} stopped", "Its state is saved; /train goes on.", "information"
    why = " ".join(map(one_line, one.error)) or (DIED if one.standing == "died" else "")
    title = "ended by force" if one.standing == "died" else "failed"
    if one.standing == "done":
        return f"Training for {task} finished", "Its adapter is gone.", "warning"
    return f"Training for {task} {title}", f"{why} /train shows more.".strip(), "error"


def _verdict(one: Watched) -> Note:
    """Return the note about a refinement that was decided."""
    why = " ".join(map(one_line, one.reasons))
    name = one_line(one.adapter)
    if one.decision == "promoted":
        return f"{name} is in use now", f"{why} /adapters can roll it back.", "information"
    return f"{name} was refused", f"{why} What was in use stays.", "warning"


def counts_of(all_: Sequence[Watched]) -> str:
    """Return how many there are, for the title."""
    if not all_:
        return "none yet"
    running = sum(one.under_way for one in all_)
    return f"{len(all_)} in all · {running} under way" if running else f"{len(all_)} in all"


def bar(share: float, width: int) -> Content:
    """Return a bar of ``width`` columns, filled to a share from 0 to 1."""
    full = round(share * width)
    return Content.assemble(("━" * full, "$primary"), ("━" * (width - full), "$dim 40%"))


def duration(seconds: float) -> str:
    """Return a time in the units that matter."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole}{NBSP}s"
    if whole < 5400:
        return f"{whole // 60}{NBSP}min"
    return f"{whole // 3600}{NBSP}h {whole % 3600 // 60}{NBSP}min"


def _when(started: datetime | None, now: datetime) -> str:
    if started is None:
        return ""
    local = started.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%d %b}"


def _words(words: Sequence[str]) -> Content:
    return Content(" · ".join(word for word in words if word))


def _cell(text: str, width: int) -> Content:
    cut = Content(text).truncate(width - 1, ellipsis=True)
    return Content.assemble(cut, " " * (width - cut.cell_length))
