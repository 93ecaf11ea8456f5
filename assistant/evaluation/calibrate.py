"""Fits corrections for label probabilities to labelled examples, one for each label set and way."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from assistant.answering import AskOptions, Planner
from assistant.calibration import LEAST_EXAMPLES, Calibration, fit, label_set
from assistant.engine.base import Engine
from assistant.errors import Cancelled, UsageError
from assistant.evaluation.examples import Example
from assistant.evaluation.predict import plan_for
from assistant.evaluation.run import Progress
from assistant.label_scoring import VIEWS, views, way_of

_Views = Sequence[Mapping[str, float]]
_Group = tuple[tuple[str, ...], str, str | None]
"""Labels, way and adapter: what a correction belongs to, with the model."""


def calibrate(
    examples: Sequence[Example],
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    *,
    data: str = "",
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Calibration]:
    """Score the labels of all examples in all views, and fit one correction a label set.

    Raises:
        UsageError: no label set has enough examples, or of two labels at least.
        Cancelled: ``stop`` was set.
    """
    options = replace(options, personal=False)  # they change from day to day
    groups: dict[_Group, list[tuple[_Views, str]]] = defaultdict(list)
    for done, example in enumerate(examples):
        if stop is not None and stop.is_set():
            raise Cancelled("Stopped; nothing was fitted.")
        plan = plan_for(example, planner, engine, options)
        if not plan.request.labels:
            continue
        group = (label_set(plan.request.labels), way_of(plan), plan.choice.adapter)
        # An adapter was trained on its prompt; another one would double its time and say little.
        count = 1 if plan.choice.adapter else VIEWS
        groups[group].append((views(plan, engine, count), example.target))
        if progress is not None:
            progress(done + 1, len(examples))
    found = [
        fit(
            [seen for seen, _ in rows],
            [target for _, target in rows],
            model=engine.info.model,
            adapter=adapter,
            way=way,
            data=data,
        )
        for (labels, way, adapter), rows in groups.items()
        if len(rows) >= LEAST_EXAMPLES
        and _can_be_told_apart(labels, [target for _, target in rows])
    ]
    if not found:
        raise UsageError(
            f"No label set has {LEAST_EXAMPLES} examples whose target is one of its labels, "
            "with two targets at least.",
            "Give more labelled examples, all with the same labels.",
        )
    return found


def _can_be_told_apart(labels: Sequence[str], targets: Sequence[str]) -> bool:
    """Tell whether all targets are labels, and not one and the same: that would be preferred always."""
    named = set(label_set(targets))
    return len(named) > 1 and named <= set(labels)
