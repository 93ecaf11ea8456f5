"""The measurements that the gate decides by: what answers now, few-shot and the candidate, side by side.

They are made on the user's held-out feedback and on the shipped check of the task. Other tasks need none:
an adapter answers its own task only, and the base model stays as it is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.evaluation.examples import Example, Examples, read_examples, sample
from assistant.evaluation.gate import GROUP_LEAST, Kind, Row, compare
from assistant.evaluation.measures import metrics_for
from assistant.evaluation.metric import Prediction
from assistant.evaluation.report import answer_language
from assistant.evaluation.run import EvalRequest, Progress, evaluate
from assistant.paths import shipped
from assistant.store.store import Store
from assistant.tasks import headline

HELD_OUT = "your held-out feedback"
"""So it is called in the table, and in a candidate's record: the strategy chooses by the scores on it."""
OWN_FILE, GUARD_FILE = "held-out.jsonl", "check.jsonl"
_GUARDED: Mapping[str, int] = {
    "classification": 333,
    "qa": 100,
    "translation": 100,
    "summarization": 55,
}
"""Examples of each shipped check that are answered: labels are quick, texts are not."""
_SEED = 0

Ways = Mapping[str, AskOptions]


@dataclass(frozen=True, slots=True)
class Gauge:
    """Measures a candidate; ``folder`` is where its files lie, and makes its evaluations its own."""

    task: str
    folder: Path
    planner: Planner
    engine: Engine
    store: Store
    progress: Callable[[str], Progress | None]
    stop: threading.Event | None = None

    def rows(self, candidate: str) -> list[Row]:
        """Return the gate's table.

        Raises:
            Cancelled: ``stop`` was set; what was answered is kept.
        """
        own = read_examples(self.folder / OWN_FILE, self.task)
        found = [self._row(HELD_OUT, "own", own.rows, self._own(own, candidate))]
        if not (self.folder / GUARD_FILE).is_file():
            return found
        guard = read_examples(self.folder / GUARD_FILE, self.task)
        scores = self._guard(guard, candidate)
        name = f"shipped check of {self.task}"
        found.append(self._row(name, "guard", guard.rows, scores))
        near = touched(guard.rows, own.rows)
        if GROUP_LEAST <= len(near) < len(guard.rows):
            some = {way: [values[at] for at in near] for way, values in scores.items()}
            rows = [guard.rows[at] for at in near]
            found.append(self._row(f"{name}, what is like your feedback", "part", rows, some))
        return found

    def _own(self, data: Examples, candidate: str) -> dict[str, list[float]]:
        return self._scores(
            data,
            {
                "few_shot": _fixed(strategy="few_shot", personal=True),
                "current": _fixed(strategy="auto", personal=True),
                "candidate": _fixed(strategy="adapter", adapter=candidate, personal=True),
            },
        )

    def _guard(self, data: Examples, candidate: str) -> dict[str, list[float]]:
        return self._scores(
            data,
            {
                "current": _fixed(strategy="auto"),
                "candidate": _fixed(strategy="adapter", adapter=candidate),
            },
        )

    def _scores(self, data: Examples, ways: Ways) -> dict[str, list[float]]:
        found = {}
        for way, options in ways.items():
            done = evaluate(
                EvalRequest(data, options),
                self.planner,
                self.engine,
                self.store,
                progress=self.progress(way),
                stop=self.stop,
            )
            found[way] = single_scores(self.task, done.examples, done.predictions)
        return found

    def _row(
        self,
        name: str,
        kind: Kind,
        rows: Sequence[Example],
        scores: Mapping[str, list[float]],
    ) -> Row:
        return compare(
            name,
            kind,
            headline(rows[0].task),
            few_shot=scores.get("few_shot"),
            current=scores["current"],
            candidate=scores["candidate"],
        )


def _fixed(*, strategy: str, adapter: str | None = None, personal: bool = False) -> AskOptions:
    return AskOptions(
        strategy=strategy, adapter=adapter, temperature=0.0, seed=_SEED, personal=personal
    )


def single_scores(
    task: str, examples: Sequence[Example], predictions: Sequence[Prediction]
) -> list[float]:
    """Return the headline score of each answer by itself, from 0 to 100."""
    wanted = headline(task)
    (metric,) = [one for one in metrics_for(task, answer_language(examples)) if one.name == wanted]
    rows = metric.rows(examples, predictions)
    return [float(metric.score(rows[at : at + 1])) for at in range(len(rows))]


def touched(guard: Sequence[Example], own: Sequence[Example]) -> list[int]:
    """Return the positions of the check's examples that the feedback is most like.

    Of a classification that is what shares a label with it, of a translation what goes in one of its
    directions, else what is in one of its languages.
    """
    labels = {label.casefold() for row in own for label in row.labels}
    languages = {row.lang for row in own if row.lang}
    return [
        at
        for at, row in enumerate(guard)
        if (
            labels & {label.casefold() for label in row.labels} if labels else row.lang in languages
        )
    ]


def write_guard(task: str, folder: Path) -> None:
    """Put the shipped check of a task into a folder, as far as it is answered; none for other tasks."""
    file = shipped("benchmarks/texts") / f"{task}_check.jsonl"
    if task not in _GUARDED or not file.is_file():
        return
    rows = sample(read_examples(file, task).rows, _GUARDED[task], _SEED)
    write_examples(rows, folder / GUARD_FILE)


def write_examples(rows: Iterable[Example], path: Path) -> None:
    """Write examples as JSONL, in the format of docs/cli.md."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(_as_json(row), ensure_ascii=False) + "\n")


def _as_json(row: Example) -> dict[str, object]:
    found: dict[str, object] = {
        "id": row.id,
        "task": row.task,
        "input": row.input,
        "target": row.target,
    }
    if len(row.references) > 1:
        found["answers"] = list(row.references)
    if row.context:
        found["context"] = row.context
    if row.labels:
        found["labels"] = list(row.labels)
    return found | {"lang": row.lang, "source": row.source}
