"""The gate: only what is better on held-out feedback, and worse nowhere, gets through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assistant.evaluation.gate import Row, chance, compare, decide

GOOD, BAD = [100.0], [0.0]


def own(current: list[float], candidate: list[float], few: list[float] | None = None) -> Row:
    return compare("own", "own", "accuracy", few_shot=few, current=current, candidate=candidate)


def guard(current: list[float], candidate: list[float]) -> Row:
    return compare("g", "guard", "accuracy", few_shot=None, current=current, candidate=candidate)


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([1, 1, 1, 1, 1], 1 / 32),
        ([1, 1, 1, 1], 1 / 16),
        ([1, -1], 3 / 4),
        ([0, 0, 0], 1.0),
        ([2, 1, 1, -1], 4 / 16),
    ],
)
def test_few_differences_are_tested_exactly(gains: list[float], expected: float) -> None:
    assert chance(np.asarray(gains, float)) == pytest.approx(expected)


def test_differences_of_nothing_prove_nothing() -> None:
    few = np.asarray([1.0, 1, 1, 1, 1])
    assert chance(np.concatenate([few, np.zeros(95)])) == pytest.approx(chance(few))


def test_many_differences_are_drawn_and_always_alike() -> None:
    rng = np.random.default_rng(1)
    none = rng.normal(0, 1, 200)
    found = chance(none - none.mean())
    assert 0.4 < found < 0.6
    assert chance(none - none.mean()) == found
    assert chance(none - none.mean() + 0.5) < 0.001


def test_a_clear_gain_that_costs_nothing_gets_through() -> None:
    rows = [own(BAD * 8, GOOD * 8, BAD * 8), guard(GOOD * 50, GOOD * 50)]
    found = decide(rows)
    assert found.promote
    assert "+100.0 points of accuracy (n = 8)" in found.reasons[0]


def test_four_answers_are_too_few_whatever_they_say() -> None:
    found = decide([own(BAD * 4, GOOD * 4)])
    assert not found.promote
    assert "may be chance" in found.reasons[0]


def test_no_gain_is_refused() -> None:
    found = decide([own(GOOD * 9, GOOD * 9)])
    assert not found.promote
    assert "no better" in found.reasons[0]


def test_few_shot_that_is_better_still_is_not_given_up() -> None:
    found = decide([own(BAD * 12, GOOD * 8 + BAD * 4, GOOD * 12)])
    assert not found.promote
    assert "Few-shot answers" in found.reasons[0]


def test_flipped_labels_are_caught_by_the_check_of_the_same_kind() -> None:
    """What the user says is better by all that they held out; the shipped check knows otherwise."""
    part = replace(guard(GOOD * 12, BAD * 10 + GOOD * 2), kind="part", name="check, like yours")
    found = decide([own(BAD * 20, GOOD * 20), guard(GOOD * 333, GOOD * 333), part])
    assert not found.promote
    assert "check, like yours got worse" in found.reasons[0]


@pytest.mark.parametrize(("lost", "passes"), [(1, True), (2, True), (3, False)])
def test_a_guard_may_fall_by_one_point(lost: int, passes: bool) -> None:
    rows = [own(BAD * 20, GOOD * 20), guard(GOOD * 200, BAD * lost + GOOD * (200 - lost))]
    assert decide(rows).promote is passes


def test_without_held_out_feedback_nothing_gets_through() -> None:
    assert not decide([guard(BAD * 20, GOOD * 20)]).promote


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="paired"):
        own(GOOD * 2, GOOD * 3)
    with pytest.raises(ValueError, match="paired"):
        own([], [])
