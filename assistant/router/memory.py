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

from assistant.router.guard import SAME, Guard
from assistant.router.head import Background, Floats

SHARPNESS = 20.0
"""How fast a vote falls off: weight exp(sharpness * (cosine - 1))."""

STRENGTH = 200.0
"""How many shipped turns at the same distance one correction outweighs."""

EXAMPLE_STRENGTH = 3.0
"""How much an example of a user's own task counts, in corrections: there are ten of them for a whole task."""

HARMED_FROM = 0.35
"""Votes of lessons against a turn, per vote for what was known there, from which on it counts as harmed.

At 1 a shipped turn would be lost. Turns like it that the classifier is less sure of are lost before.
"""

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
    shares = votes / (votes.sum() + known_votes(point, background))
    own = 1.0 - float(shares.sum())
    tasks = [*scores, *(lesson.task for lesson, _ in lessons if lesson.task not in scores)]
    taught = {task: own * scores.get(task, 0.0) for task in dict.fromkeys(tasks)}
    for (lesson, _), share in zip(lessons, shares, strict=True):
        taught[lesson.task] += float(share)
    return Verdict(taught, tuple(float(share) for share in shares))


def _fall_off(cosines: Floats) -> Floats:
    weights: Floats = np.exp(SHARPNESS * (cosines - 1.0))
    return weights


def known_votes(point: Floats, background: Background | None) -> float:
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
    """Admits lessons one by one, each as strong as it may be without harm to what was right before.

    Two sets are looked at: the turns that ship with the classifier, each as if it came up anew (its own vote is
    left out), and a guard, on which what is lost is counted as it would be lost.
    """

    def __init__(
        self,
        background: Background | None,
        tasks: Sequence[str],
        most: float = 0.0,
        guard: Guard | None = None,
    ) -> None:
        """``most``: the share of either set's turns that all lessons together may harm."""
        self._background = background
        self._tasks = list(tasks)
        self._most = most
        self._guard = guard
        count = 0 if background is None else len(background.labels)
        self._right = np.array(tasks)[background.labels] if background is not None else None
        self._now = _Votes(
            np.zeros(count, dtype=np.float32),
            np.zeros(count, dtype=np.float32),
            np.zeros((0 if guard is None else len(guard), len(tasks)), dtype=np.float32),
        )

    @property
    def harm(self) -> float:
        """The share of shipped turns that the lessons harm, or of the guard's, whichever is more."""
        return max(self._harms(self._now))

    def admit(self, lesson: Lesson, point: Floats) -> float:
        """Take a lesson in; return the strength it may have, 0 if any would do harm."""
        before = self._harms(self._now)
        strength = lesson.strength
        while strength >= _WEAKEST and not self._fits(lesson, point, strength, before):
            strength /= 2
        if strength < _WEAKEST:
            return 0.0
        self.add(replace(lesson, strength=strength), point)
        return strength

    def add(self, lesson: Lesson, point: Floats) -> None:
        """Take a lesson in as it is."""
        self._now = self._with(lesson, point, lesson.strength)

    def _fits(
        self, lesson: Lesson, point: Floats, strength: float, before: tuple[float, float]
    ) -> bool:
        after = self._harms(self._with(lesson, point, strength))
        return all(now <= max(self._most, then) for now, then in zip(after, before, strict=True))

    def _with(self, lesson: Lesson, point: Floats, strength: float) -> _Votes:
        against, favour, on_guard = self._now.against, self._now.favour, self._now.on_guard
        if self._background is not None:
            votes = _fall_off(self._background.points @ point) * np.float32(STRENGTH * strength)
            wrong = self._right != lesson.task
            against, favour = against + votes * wrong, favour + votes * ~wrong
        if self._guard is not None:
            cosines = self._guard.cosines(point)
            votes = _fall_off(cosines) * np.float32(STRENGTH * strength) * (cosines < SAME)
            at = self._column(lesson.task)
            on_guard = np.pad(on_guard, ((0, 0), (0, max(0, at + 1 - on_guard.shape[1]))))
            on_guard[:, at] += votes
        return _Votes(against, favour, on_guard)

    def _column(self, task: str) -> int:
        if task not in self._tasks:
            self._tasks.append(task)
        return self._tasks.index(task)

    def _harms(self, votes: _Votes) -> tuple[float, float]:
        shipped = lost = 0.0
        if self._background is not None:
            held = self._background.crowd + _floor(_FAR) + votes.favour
            shipped = float((votes.against > HARMED_FROM * held).mean())
        if self._guard is not None:
            lost = self._guard.lost(votes.on_guard)
        return shipped, lost


@dataclass(frozen=True, slots=True)
class _Votes:
    """The lessons' votes: on each shipped turn against and for its task, on the guard's by task."""

    against: Floats
    favour: Floats
    on_guard: Floats
