"""The table of strategies: every way of answering on every data set, all on the same examples.

What was measured before with the very same setting is not measured again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.errors import UsageError
from assistant.evaluation.examples import Examples, read_examples
from assistant.evaluation.predict import plan_for
from assistant.evaluation.run import EvalRequest, Progress, evaluate, finished_like, measured_as
from assistant.measured import Measurement
from assistant.store.store import Store
from assistant.tasks import TASKS, headline
from assistant.types import Strategy

_PARTS = (".train", ".dev", ".test")


@dataclass(frozen=True, slots=True)
class Way:
    """A way of answering: a strategy, and how many examples picked how."""

    strategy: Strategy
    shots: int = 0
    nearest: bool = False
    adapter: str | None = None

    @property
    def options(self) -> AskOptions:
        """Return it as options of a turn, greedy and without the user's own answers."""
        few = self.strategy == "few_shot"
        return AskOptions(
            strategy=self.strategy,
            adapter=self.adapter,
            shots=self.shots if few else None,
            nearest=self.nearest if few else None,
            temperature=0.0,
            seed=0,
            personal=False,
        )


WAYS = (Way("zero_shot"), Way("few_shot", 4), Way("few_shot", 4, nearest=True))
"""The ways measured unless others are asked for."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: the examples of a file that are for one task, in one language."""

    name: str
    task: str
    lang: str
    examples: Examples


def read_folder(folder: Path, tasks: Sequence[str] = ()) -> list[DataSet]:
    """Read the data sets below a folder: ``*.dev.jsonl``, or every ``*.jsonl`` where there is none.

    Files whose rows are for none of the program's tasks (routing, say) are passed over.

    Raises:
        UsageError: there is no such folder, nothing usable in it, or a file is broken.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", "Give one with JSONL files: --data FOLDER")
    files = sorted(folder.rglob("*.dev.jsonl")) or sorted(folder.rglob("*.jsonl"))
    found = []
    for file in files:
        if not _is_for_tasks(file):
            continue
        examples = read_examples(file)
        task = examples.rows[0].task
        if tasks and task not in tasks:
            continue
        languages = {row.lang for row in examples.rows}
        lang = languages.pop() if len(languages) == 1 else ""
        found.append(DataSet(_name(file), task, lang, examples))
    if not found:
        raise UsageError(f"{folder} has no examples for these tasks.", "See docs/evaluation.md.")
    return found


def _is_for_tasks(file: Path) -> bool:
    import json

    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            first = next((line for line in lines if line.strip()), "{}")
        row = json.loads(first)
    except (OSError, ValueError, RecursionError):
        return True  # reading the whole file will say what is wrong
    return isinstance(row, dict) and row.get("task") in TASKS


def _name(file: Path) -> str:
    name = file.name.removesuffix(".jsonl")
    for part in _PARTS:
        name = name.removesuffix(part)
    return name


def measure(
    data: DataSet,
    way: Way,
    planner: Planner,
    engine: Engine,
    store: Store,
    *,
    limit: int | None,
    seed: int = 0,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Measurement:
    """Measure one way on one data set, or return what was measured before.

    Raises:
        Cancelled: ``stop`` was set; the same call goes on later.
    """
    request = EvalRequest(data.examples, way.options, limit, seed)
    report = finished_like(request, planner, engine, store)
    if report is None:
        found = evaluate(request, planner, engine, store, progress=progress, stop=stop)
        report = found.report
    name = headline(data.task)
    low, high = report["ci95"][name]
    speed = report["timing"]["examples_per_s"]
    return Measurement(
        model=engine.info.model,
        task=data.task,
        lang=measured_as(plan_for(data.examples.rows[0], planner, engine, way.options), data.lang),
        strategy=way.strategy,
        metric=name,
        value=report["scores"][name],
        low=low,
        high=high,
        n=report["n"],
        shots=way.shots,
        nearest=way.nearest,
        adapter=report["adapter"],
        seconds=round(1 / speed, 3) if speed else 0.0,
        data=data.name,
    )


Note = Callable[[DataSet, Way, Measurement], None]


def run_matrix(
    sets: Sequence[DataSet],
    ways: Sequence[Way],
    planner: Planner,
    engine: Engine,
    store: Store,
    *,
    limit: int | None,
    seed: int = 0,
    note: Note | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Measurement]:
    """Measure all ways on all data sets, one after the other."""
    rows = []
    for data in sets:
        for way in ways:
            row = measure(
                data,
                way,
                planner,
                engine,
                store,
                limit=limit,
                seed=seed,
                progress=progress,
                stop=stop,
            )
            rows.append(row)
            if note is not None:
                note(data, way, row)
    return rows


def merged(old: Sequence[Measurement], new: Sequence[Measurement]) -> list[Measurement]:
    """Return all rows, the new in place of old ones of the same model, data and way, in order."""
    rows = {(row.model, row.task, row.data, row.lang, row.key): row for row in (*old, *new)}
    return sorted(
        (replace(row, own=False) for row in rows.values()),
        key=lambda row: (
            row.model,
            TASKS.index(row.task) if row.task in TASKS else 9,
            row.data,
            row.lang,
            tuple(map(str, row.key)),
        ),
    )
