"""From label scores to probabilities, and when those say that the best label may well be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.classification import probabilities, ranked, unsure
from assistant.explain import explain_turn, unsure_note
from assistant.types import Route, Turn

TURN = Turn("t1", "c1", 1, "x", route=Route("classification", 1.0, {"classification": 1.0}))


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ((0.9, 0.1), False),
        ((0.1, 0.9), False),
        ((0.56, 0.44), False),
        ((0.52, 0.48), True),  # too close
        ((0.5, 0.5), True),
        ((0.45, 0.3, 0.25), True),  # less than half, though well ahead
        ((0.52, 0.25, 0.23), False),
        ((0.5, 0.3, 0.2), False),
        ((0.04, 0.5, 0.46), True),
        ((1.0,), False),
        ((0.0,), False),
        ((), False),
    ],
)
def test_unsure_below_half_or_with_a_short_lead(chances: tuple[float, ...], expected: bool) -> None:
    assert unsure({f"label {n}": chance for n, chance in enumerate(chances)}) is expected


def test_scores_that_are_equal_are_unsure_and_far_apart_are_not() -> None:
    same = probabilities({"a": -3.0, "b": -3.0})
    apart = probabilities({"a": -900.0, "b": -3.0})
    assert unsure(same)
    assert not unsure(apart)


def test_ranked_keeps_the_order_of_equals() -> None:
    assert ranked({"b": 0.2, "a": 0.2, "c": 0.6}) == [("c", 0.6), ("b", 0.2), ("a", 0.2)]


def test_the_note_names_the_two_likeliest() -> None:
    said = unsure_note({"neutral": 0.21, "not\nso good": 0.38, "negative": 0.41})
    assert said == "Not sure: negative 41%, not so good 38%."


def test_an_explanation_says_when_labels_are_not_sure() -> None:
    close = replace(TURN, probabilities={"positive": 0.38, "a|b": 0.41, "neutral": 0.21})
    told = explain_turn(close).split("\n")
    assert "| a\\|b | 41.0% |" in told
    assert told[told.index("| neutral | 21.0% |") + 1 :][:2] == [
        "",
        "Not sure: a|b 41%, positive 38%.",
    ]
    clear = replace(TURN, probabilities={"positive": 0.9, "negative": 0.1})
    assert "Not sure" not in explain_turn(clear)
    assert "Not sure" not in explain_turn(TURN)
