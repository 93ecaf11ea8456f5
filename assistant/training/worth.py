"""What a trained adapter is worth: the same examples answered without, with examples, and with it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.adapters.run_record import Score
from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.evaluation.examples import Examples
from assistant.evaluation.run import EvalRequest, Evaluation, Progress, compare_stored, evaluate
from assistant.store.store import Store
from assistant.tasks import headline
from assistant.training.dataset import Source

WAYS = ("zero_shot", "few_shot", "adapter")
_LEAST = 20
"""Examples of a data set below which an interval says nothing."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Scores by data set, and by how much each is better than few-shot (difference, low, high, p)."""

    scores: Mapping[str, Score]
    gains: Mapping[str, tuple[float, float, float, float]]

    @property
    def gain(self) -> float:
        """Points over few-shot, the mean of the data sets."""
        return sum(one[0] for one in self.gains.values()) / max(1, len(self.gains))

    @property
    def beats_few_shot(self) -> bool:
        """Whether it is better than few-shot on the whole."""
        return bool(self.gains) and self.gain > 0


def measure(
    sets: Sequence[Source],
    adapter: str,
    planner: Planner,
    engine: Engine,
    store: Store,
    *,
    limit: int,
    seed: int,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Worth:
    """Answer ``limit`` examples, spread over the data sets, in the three ways.

    Raises:
        Cancelled: ``stop`` was set.
    """
    sets = [one for one in sets if one.rows]
    each = max(min(_LEAST, limit), limit // max(1, len(sets)))
    scores: dict[str, Score] = {}
    gains: dict[str, tuple[float, float, float, float]] = {}
    for data in sets:
        found: dict[str, Evaluation] = {}
        for way in WAYS:
            options = AskOptions(
                strategy=way,
                adapter=adapter if way == "adapter" else None,
                temperature=0.0,
                seed=0,
                personal=False,
            )
            file = Examples(data.rows, data.file.path, data.file.sha256)
            request = EvalRequest(file, options, each, seed)
            found[way] = evaluate(request, planner, engine, store, progress=progress, stop=stop)
        name = _name(data, scores)
        metric = headline(data.rows[0].task)
        scores[name] = _score(found, metric, data, store)
        one = compare_stored(store, found["few_shot"].number, found["adapter"].number)[metric]
        gains[name] = (one.difference, one.low, one.high, one.p)
    return Worth(scores, gains)


def _score(found: Mapping[str, Evaluation], metric: str, data: Source, store: Store) -> Score:
    few = store.evaluation(found["few_shot"].number)["setting"]
    reports = {way: one.report for way, one in found.items()}
    speed = reports["adapter"]["timing"]["examples_per_s"]
    languages = {row.lang for row in data.rows}
    return Score(
        metric=metric,
        n=int(reports["adapter"]["n"]),
        adapter=reports["adapter"]["scores"][metric],
        zero_shot=reports["zero_shot"]["scores"][metric],
        few_shot=reports["few_shot"]["scores"][metric],
        ci95={way: tuple(one["ci95"][metric]) for way, one in reports.items()},
        lang=languages.pop() if len(languages) == 1 else "",
        shots=int(few.get("shots", 4)),
        nearest=bool(few.get("nearest", False)),
        seconds=round(1 / speed, 3) if speed else 0.0,
    )


def _name(data: Source, taken: Mapping[str, Score]) -> str:
    name = data.name
    for part in (".train", ".dev", ".test"):
        name = name.removesuffix(part)
    number = 2
    while name in taken:
        name, number = f"{name.partition(' ')[0]} {number}", number + 1
    return name
