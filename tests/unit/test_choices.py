"""One of a few answers: where they branch, and what the branches make of their probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assistant.engine.choices import Branching, branchings, log_chances

END = 9


def test_answers_that_begin_differently_part_ways_at_once() -> None:
    assert branchings([[1, 2, END], [3, END], [4, 5, 6, END]]) == [Branching((), (1, 3, 4))]


def test_answers_that_begin_alike_part_ways_where_they_differ() -> None:
    found = branchings([[1, 2, END], [1, 2, 3, END], [4, END]])
    assert found == [Branching((), (1, 4)), Branching((1, 2), (END, 3))]


def test_nothing_is_decided_where_there_is_one_answer_or_the_same_twice() -> None:
    assert branchings([[1, END]]) == branchings([[1, END], [1, END]]) == branchings([]) == []
    assert log_chances([[1, END]], [], lambda place: np.zeros(10)) == [0.0]


def test_chances_are_products_along_the_branches() -> None:
    answers = [[1, 2, END], [1, 2, 3, END], [4, END]]
    logits = {(): np.zeros(10), (1, 2): np.zeros(10)}
    logits[()][4] = math.log(3)  # three times as likely as 1
    logits[(1, 2)][3] = math.log(4)
    found = log_chances(answers, branchings(answers), lambda place: logits[place.prefix])
    assert np.exp(found) == pytest.approx([0.25 * 0.2, 0.25 * 0.8, 0.75])


def test_tokens_that_no_answer_has_and_the_length_of_an_answer_make_no_difference() -> None:
    logits = np.full(50, 30.0)
    logits[[1, 2]] = 0.0
    answers = [[1, END], [2, 11, 12, 13, 14, END]]
    found = log_chances(answers, branchings(answers), lambda place: logits)
    assert np.exp(found) == pytest.approx([0.5, 0.5])
