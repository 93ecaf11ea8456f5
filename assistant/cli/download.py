"""How a download shows on stderr: a bar at a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assistant.cli.common import note

if TYPE_CHECKING:
    from assistant.models.progress import PullProgress, Report

_EVERY_S = 5.0


@contextmanager
def shown(name: str) -> Iterator[Report]:
    """Yield what to report the progress of ``name`` to."""
    if sys.stderr.isatty():
        with _bar(name) as report:
            yield report
    else:
        yield _lines(name)


def _lines(name: str) -> Report:
    last = -_EVERY_S

    def report(progress: PullProgress) -> None:
        nonlocal last
        if time.monotonic() - last < _EVERY_S:
            return
        last = time.monotonic()
        done, total = progress.bytes_done / 1e6, progress.bytes_total
        figures = f"{done:.0f} of {total / 1e6:.0f} MB, " if total else ""
        note(f"{name}: {figures}{progress.message}")

    return report


@contextmanager
def _bar(name: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from assistant.sanitize import clean

    columns = (
        TextColumn("{task.fields[model]}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", model=escape(clean(name)), total=None)

        def report(progress: PullProgress) -> None:
            bars.update(
                task,
                completed=progress.bytes_done,
                total=progress.bytes_total,
                description=escape(clean(progress.message)),
            )

        yield report
