"""Intervals by the percentile bootstrap (Efron 1979), and the paired bootstrap test (Koehn 2004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from assistant.evaluation.metric import Rows

RESAMPLES = 1000
SEED = 20261124


class Scorer(Protocol):
    """What makes a score of rows: any metric."""

    def score(self, rows: Rows) -> float: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far B is above A: ``difference`` = B - A with its 95 % interval, in the metric's unit.

    ``p`` is two-sided: how often a difference so far from none would come about by chance alone.
    """

    difference: float
    low: float
    high: float
    p: float


def interval(metric: Scorer, rows: Rows, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the 95 % interval of a score; of a single row it is the score twice.

    It always holds the score itself. Resamples of an error that is an absolute value (``ece``) lie
    above it, so that the interval of a well calibrated run would begin above its own score.
    """
    rng = np.random.default_rng(SEED)
    scores = [metric.score(rows[rng.integers(0, len(rows), len(rows))]) for _ in range(resamples)]
    low, high = np.percentile(scores, [2.5, 97.5])
    found = metric.score(rows)
    return min(float(low), found), max(float(high), found)


def compare(metric: Scorer, a: Rows, b: Rows, resamples: int = RESAMPLES) -> Comparison:
    """Compare two runs over the same examples in the same order.

    Raises:
        ValueError: the runs differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} rows cannot be paired")
    rng = np.random.default_rng(SEED)
    differences = np.empty(resamples)
    for i in range(resamples):
        chosen = rng.integers(0, len(a), len(a))
        differences[i] = metric.score(b[chosen]) - metric.score(a[chosen])
    found = metric.score(b) - metric.score(a)
    low, high = np.percentile(differences, [2.5, 97.5])
    # Under "no difference" the resampled ones scatter about zero as they do about the one found.
    beyond = np.abs(differences - found) >= abs(found) - 1e-12
    p = (float(beyond.sum()) + 1) / (resamples + 1)
    return Comparison(found, float(low), float(high), min(1.0, p))
