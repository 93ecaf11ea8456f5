"""Whether said probabilities are kept: bins, error, and what is left out."""

from __future__ import annotations

import pytest

from assistant.evaluation.calibration import calibration
from assistant.store.evaluations import EvaluatedExample


def answer(number: int, sure: float | None, right: bool) -> EvaluatedExample:
    """Return a classified text; ``sure`` is the probability of the label that was given."""
    chances = None if sure is None else {"yes": sure, "no": 1 - sure}
    wanted = "yes" if right else "no"
    return EvaluatedExample(str(number), "text", (wanted,), "yes", "en", ("yes", "no"), chances)


def test_no_probabilities_no_calibration() -> None:
    assert calibration([]) is None
    assert calibration([answer(1, None, True)]) is None


def test_bins_say_how_sure_and_how_often_right() -> None:
    answers = [answer(i, 0.7, i < 2) for i in range(4)]
    answers += [answer(10 + i, 0.95, True) for i in range(4)]
    found = calibration(answers)
    assert found is not None
    assert [(one.low, one.high) for one in found.bins] == [(0.7, 0.8), (0.8, 0.9), (0.9, 1.0)]
    first, empty, last = found.bins
    assert (first.said, first.right, first.count) == (pytest.approx(0.7), 0.5, 4)
    assert (empty.said, empty.right, empty.count) == (0.0, 0.0, 0)
    assert (last.said, last.right, last.count) == (pytest.approx(0.95), 1.0, 4)
    assert found.error == pytest.approx((0.2 + 0.05) / 2)
    assert found.said == pytest.approx(0.825)
    assert found.right == 0.75
    assert (found.count, found.without) == (8, 0)


def test_certainty_falls_into_the_last_bin_and_answers_without_are_left_out() -> None:
    found = calibration([answer(1, 1.0, True), answer(2, None, False)])
    assert found is not None
    assert [one.count for one in found.bins] == [1]
    assert found.right == 1.0
    assert (found.count, found.without) == (1, 1)


def test_an_answer_without_a_reference_is_wrong() -> None:
    lost = EvaluatedExample("1", "text", (), "yes", "en", (), {"yes": 0.6, "no": 0.4})
    found = calibration([lost])
    assert found is not None
    assert found.right == 0.0
