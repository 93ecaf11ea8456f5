"""Whether the model is right as often as it says: the reliability of classified texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.calibration import BINS, reliability
from assistant.evaluation.classes import CalibrationError
from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Prediction
from assistant.store.evaluations import EvaluatedExample


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers given with about the same probability, all shares 0 to 1.

    ``low`` and ``high`` bound the probabilities, ``said`` is their mean, ``right`` how many of the
    ``count`` answers are right. Of a bin without answers ``said`` and ``right`` are 0.
    """

    low: float
    high: float
    said: float
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """The bins from the lowest that has answers up to certainty, and how far off they are.

    Attributes:
        error: expected calibration error, 0 to 1.
        said: mean probability of the answers.
        right: share of right answers.
        count: answers with probabilities.
        without: answers that have none and are left out.
    """

    bins: tuple[Bin, ...]
    error: float
    said: float
    right: float
    count: int
    without: int = 0


def calibration(answers: Sequence[EvaluatedExample]) -> Calibration | None:
    """Return how reliable the probabilities are; ``None`` when no answer has any."""
    with_chances = [one for one in answers if one.probabilities]
    if not with_chances:
        return None
    metric = CalibrationError()
    rows = metric.rows(
        [_example(one) for one in with_chances],
        [Prediction(one.example_id, one.prediction, one.probabilities) for one in with_chances],
    )
    found = {
        min(int(said * BINS + 1e-9), BINS - 1): (said, right, count)
        for said, right, count in reliability(rows[:, 0], rows[:, 1])
    }
    return Calibration(
        bins=tuple(_bin(place, found.get(place)) for place in range(min(found), BINS)),
        error=metric.score(rows),
        said=float(rows[:, 0].mean()),
        right=float(rows[:, 1].mean()),
        count=len(rows),
        without=len(answers) - len(with_chances),
    )


def _bin(place: int, found: tuple[float, float, int] | None) -> Bin:
    said, right, count = found or (0.0, 0.0, 0)
    return Bin(place / BINS, (place + 1) / BINS, said, right, count)


def _example(stored: EvaluatedExample) -> Example:
    return Example(
        stored.example_id,
        "classification",
        stored.input,
        stored.references[0] if stored.references else "",
        stored.references,
        labels=stored.labels,
    )
