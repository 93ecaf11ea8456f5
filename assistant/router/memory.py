"""What users taught the router, weighed against what it knew before.

A turn is compared with every correction and with the labelled turns that ship with the classifier. Each
votes with a weight that falls off with distance (a Nadaraya-Watson estimate, as in kNN language models:
Khandelwal et al. 2020): shipped turns for what the classifier says, corrections for their own task. So
a correction counts most where few shipped turns are near, fades with distance, and adds up with others
like it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.router.head import Background, Floats

SHARPNESS = 20.0
"""How fast a vote falls off: weight exp(sharpness * (cosine - 1))."""

STRENGTH = 200.0
"""How many shipped turns at the same distance one correction outweighs."""

EXAMPLE_STRENGTH = 3.0
"""How much an example of a user's own task counts, in corrections: there are ten of them for a whole task."""

_WEAKEST = 1 / 64
_FAR = 0.5
_FAR_LIGHT = 0.65
"""A turn as far as this from a correction, and from every shipped turn, is moved half the way (n-grams
of any two turns in a language are alike to some degree)."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A turn and the task it belongs to, by the user's word; ``strength`` 1 counts in full."""

    text: str
    context: str | None
    task: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Probabilities after the lessons, and each lesson's share in them (0 to 1)."""

    scores: dict[str, float]
    shares: tuple[float, ...]

    @property
    def share(self) -> float:
        """How much all lessons together count."""
        return sum(self.shares)


def weigh(
    scores: Mapping[str, float],
    point: Floats,
    lessons: Sequence[tuple[Lesson, Floats]],
    background: Background | None,
) -> Verdict:
    """Return ``scores`` with the lessons' votes taken in.

    Args:
        scores: one probability a task, without any lesson.
        point: where the turn lies, a vector of length 1.
        lessons: each with the point of its turn.
    """
    if not lessons:
        return Verdict(dict(scores), ())
    points = np.stack([where for _, where in lessons])
    strengths = np.array([lesson.strength for lesson, _ in lessons])
    votes = STRENGTH * strengths * _fall_off(points @ point)
    shares = votes / (votes.sum() + _known(point, background))
    own = 1.0 - float(shares.sum())
    tasks = [*scores, *(lesson.task for lesson, _ in lessons if lesson.task not in scores)]
    taught = {task: own * scores.get(task, 0.0) for task in dict.fromkeys(tasks)}
    for (lesson, _), share in zip(lessons, shares, strict=True):
        taught[lesson.task] += float(share)
    return Verdict(taught, tuple(float(share) for share in shares))


def _fall_off(cosines: Floats) -> Floats:
    weights: Floats = np.exp(SHARPNESS * (cosines - 1.0))
    return weights


def _known(point: Floats, background: Background | None) -> float:
    """Return the votes for what the classifier says."""
    if background is None:
        return _floor(_FAR_LIGHT)
    return float(_fall_off(background.points @ point).sum()) + _floor(_FAR)


def _floor(far: float) -> float:
    return float(STRENGTH * np.exp(SHARPNESS * (far - 1.0)))


def crowd_of(points: Floats) -> Floats:
    """Return, for each shipped turn's point, the votes of all the others; shape (turns,)."""
    votes = [
        _fall_off(points[start : start + 512] @ points.T).sum(axis=1) - 1.0
        for start in range(0, len(points), 512)
    ]
    return np.concatenate(votes).astype(np.float32)


class Bound:
    """Admits lessons one by one, each as strong as it may be without harm to the shipped turns.

    Each shipped turn is looked at as if it came up anew: its own vote is left out.
    """

    def __init__(self, background: Background, tasks: Sequence[str], most: float = 0.0) -> None:
        """``most``: the share of shipped turns that all lessons together may take to a wrong task."""
        self._background = background
        self._right = np.array(tasks)[background.labels]
        self._most = most
        self._against: Floats = np.zeros(len(self._right), dtype=np.float32)
        self._for: Floats = np.zeros(len(self._right), dtype=np.float32)

    @property
    def harm(self) -> float:
        """The share of shipped turns that the lessons take to a wrong task."""
        return self._harm(self._against, self._for)

    def admit(self, lesson: Lesson, point: Floats) -> float:
        """Take a lesson in; return the strength it may have, 0 if any would do harm."""
        before = self.harm
        strength = lesson.strength
        while strength >= _WEAKEST and not self._fits(lesson, point, strength, before):
            strength /= 2
        if strength < _WEAKEST:
            return 0.0
        self.add(replace(lesson, strength=strength), point)
        return strength

    def add(self, lesson: Lesson, point: Floats) -> None:
        """Take a lesson in as it is."""
        self._against, self._for = self._with(lesson, point, lesson.strength)

    def _fits(self, lesson: Lesson, point: Floats, strength: float, before: float) -> bool:
        return self._harm(*self._with(lesson, point, strength)) <= max(self._most, before)

    def _with(self, lesson: Lesson, point: Floats, strength: float) -> tuple[Floats, Floats]:
        votes = _fall_off(self._background.points @ point) * np.float32(STRENGTH * strength)
        wrong = self._right != lesson.task
        return self._against + votes * wrong, self._for + votes * ~wrong

    def _harm(self, against: Floats, favour: Floats) -> float:
        return float((against > self._background.crowd + _floor(_FAR) + favour).mean())
