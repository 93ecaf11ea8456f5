"""Whether a candidate may take the place of what answers now: better where it should be, worse nowhere.

The comparison is paired, example by example, and tested by flipping the signs of the differences at random
(approximate randomization: Noreen 1989; exact where there are few). Unlike the bootstrap it does not take
five examples that all got better for proof of more than five examples can prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

ALPHA = 0.05
"""Chance of error of each of the tests, one-sided."""

GUARD_MARGIN = 1.0
"""Points (of 100) that the whole of a guard may fall: below that it is one answer more or less."""

GROUP_LEAST = 5
"""Examples below which a part of a guard is not looked at by itself."""

_EXACT = 14
_FLIPS = 20_000
_SEED = 20261125

Kind = Literal["own", "guard", "part"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the gate's table: the same examples answered in three ways, scores from 0 to 100.

    Attributes:
        kind: ``own`` is the held-out part of the user's feedback, ``guard`` a shipped check, ``part`` those
            of its examples that the feedback touches most.
        few_shot: ``None`` where it was not measured.
        better, worse: one-sided chances of so large a gain, or loss, where there is none.
    """

    name: str
    kind: Kind
    metric: str
    n: int
    few_shot: float | None
    current: float
    candidate: float
    better: float
    worse: float

    @property
    def gain(self) -> float:
        """Points that the candidate is above what answers now."""
        return self.candidate - self.current

    @property
    def verdict(self) -> Literal["better", "worse", "same"]:
        """What the tests say of it."""
        if self.gain > 0 and self.better < ALPHA:
            return "better"
        if self.gain < 0 and self.worse < ALPHA:
            return "worse"
        if self.kind == "guard" and self.gain < -GUARD_MARGIN:
            return "worse"
        return "same"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate decided and why, a sentence each."""

    promote: bool
    reasons: tuple[str, ...]


def compare(
    name: str,
    kind: Kind,
    metric: str,
    *,
    few_shot: Sequence[float] | None,
    current: Sequence[float],
    candidate: Sequence[float],
) -> Row:
    """Return the line of the table for the scores of single examples, in the same order.

    Raises:
        ValueError: there are none, or not the same number in each way.
    """
    if not current or len(current) != len(candidate):
        raise ValueError(f"{len(current)} and {len(candidate)} scores cannot be paired")
    differences = np.asarray(candidate, float) - np.asarray(current, float)
    return Row(
        name,
        kind,
        metric,
        len(current),
        float(np.mean(few_shot)) if few_shot else None,
        float(np.mean(current)),
        float(np.mean(candidate)),
        chance(differences),
        chance(-differences),
    )


def chance(differences: np.ndarray) -> float:
    """Return how often a mean as high comes about when each difference might as well be reversed.

    Of at most fourteen differences that are not zero all combinations of signs are counted.
    """
    moved = differences[np.abs(differences) > 1e-9]
    if len(moved) == 0:
        return 1.0
    found = float(moved.sum())
    if len(moved) <= _EXACT:
        numbers = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))
        sums = (1 - 2 * (numbers & 1)) @ moved
        return float(np.mean(sums >= found - 1e-9))
    rng = np.random.default_rng(_SEED)
    signs = rng.integers(0, 2, (_FLIPS, len(moved))) * 2 - 1
    return float(((signs @ moved >= found - 1e-9).sum() + 1) / (_FLIPS + 1))


def decide(rows: Sequence[Row]) -> Decision:
    """Return whether the candidate is put to use.

    It is where the user's own held-out feedback says that it is better, few-shot is not better still, and
    no guard says that it is worse.
    """
    own = [row for row in rows if row.kind == "own"]
    against = [_too_weak(row) for row in own if row.verdict != "better"]
    against += [
        f"Few-shot answers your held-out feedback better: {row.few_shot:.1f} against {row.candidate:.1f}."
        for row in own
        if row.few_shot is not None and row.few_shot > row.candidate
    ]
    against += [
        f"{row.name} got worse: {row.metric} {row.current:.1f} → {row.candidate:.1f} (n = {row.n})."
        for row in rows
        if row.kind != "own" and row.verdict == "worse"
    ]
    if not own:
        against.append("None of your feedback could be held out to measure on.")
    if against:
        return Decision(False, tuple(against))
    gains = ", ".join(f"{row.gain:+.1f} points of {row.metric} (n = {row.n})" for row in own)
    guards = [row for row in rows if row.kind == "guard"]
    kept = f"nothing got worse on {len(guards)} shipped check{'s' if len(guards) != 1 else ''}"
    return Decision(True, (f"Better on your held-out feedback: {gains}; {kept}.",))


def _too_weak(row: Row) -> str:
    if row.gain <= 0:
        return (
            f"It is no better on your held-out feedback: {row.metric} {row.current:.1f} → "
            f"{row.candidate:.1f} (n = {row.n})."
        )
    return (
        f"{row.gain:+.1f} points on {row.n} held-out answers of yours may be chance "
        f"(p = {row.better:.2f}); more feedback would tell."
    )
