"""How a training shows: a bar at a terminal, a line every few seconds elsewhere; tables at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.training.runs import RunFolder
    from assistant.training.settings import Progress, Report
    from assistant.training.worth import Worth

_EVERY_S = 10.0
_WAYS = (("zero_shot", "zero-shot"), ("few_shot", "few-shot"), ("adapter", "adapter"))


@contextmanager
def shown() -> Iterator[Report]:
    """Yield what to report a training's progress to."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


def _lines() -> Report:
    last = -_EVERY_S

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < _EVERY_S and progress.step < progress.total:
            return
        last = time.monotonic()
        note(f"step {progress.step} of {progress.total}, {_figures(progress)}")

    return report


def _figures(progress: Progress) -> str:
    dev = f", measured {progress.dev_loss:.3f}" if progress.dev_loss is not None else ""
    if progress.accuracy is not None:
        dev += f" ({progress.accuracy:.0%} as judged)"
    return (
        f"loss {progress.loss:.3f}{dev}, {progress.tokens_per_s:.0f} tokens/s, "
        f"{duration(progress.left_s)} left"
    )


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def report(progress: Progress) -> None:
            bars.update(
                task,
                completed=progress.step,
                total=progress.total,
                description=_figures(progress),
            )

        yield report


def duration(seconds: float) -> str:
    """Return a time in the two largest units that matter."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def print_worth(worth: Worth) -> None:
    """Print the scores of the three ways with their intervals, and the gain over few-shot."""
    for name, score in worth.scores.items():
        click.echo(f"{clean(name)}: {score.metric}, n = {score.n}")
        for way, title in _WAYS:
            value = getattr(score, way)
            low, high = score.ci95.get(way, (value, value))
            click.echo(f"  {title:<10}{value:>7.2f}   95 % [{low:.2f}, {high:.2f}]")
        gain, low, high, p = worth.gains[name]
        click.echo(f"  over few-shot {gain:+.2f}   95 % [{low:+.2f}, {high:+.2f}]   p {p:.3f}")


def run_as_dict(run: RunFolder) -> dict[str, Any]:
    """Return a run for JSON."""
    settings = run.settings()
    asked = settings["request"]["settings"]
    return {
        "id": run.id,
        "task": asked["task"],
        "method": asked["method"],
        "technique": asked["technique"],
        "model": settings["request"]["model"],
        **run.state(),
        "path": str(run.path),
    }


def print_runs(rows: list[dict[str, Any]]) -> None:
    """Print the runs as a table, the newest last."""
    if not rows:
        note("No runs yet. Start one: assistant train --task T --data FILE")
    for row in rows:
        steps = f"{row.get('step', '?')}/{row.get('total', '?')}"
        click.echo(
            clean(
                f"{row['id']:<46} {row['state']:<8} {row['task']:<14} {row['technique']:<7}"
                f"{steps:>11}  {row['model']}  {row.get('adapter', '')}"
            )
        )
        for line in str(row.get("error") or "").splitlines():
            click.echo(clean(f"    {line}"))
