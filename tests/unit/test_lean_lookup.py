"""Prompt lookup: what it guesses, and when it guesses nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from assistant.engine.lean.lookup import DRAFT, Lookup


def test_what_followed_the_same_tokens_before_is_guessed() -> None:
    assert Lookup([1, 2, 3, 4, 5, 6]).draft([1, 2]) == [3, 4, 5]


def test_nothing_is_guessed_where_nothing_was_repeated() -> None:
    assert Lookup([1, 2, 3, 4]).draft([5, 6, 7]) == []


def test_nothing_is_guessed_before_the_answer_has_two_tokens() -> None:
    lookup = Lookup([1, 2, 3, 1, 2])
    assert lookup.draft([]) == []
    assert lookup.draft([3]) == []


def test_the_prompts_own_end_does_not_count_as_the_answers_last_tokens() -> None:
    lookup = Lookup([7, 1, 2, 9, 7, 7, 1])
    assert lookup.draft([2]) == []
    assert lookup.draft([2, 9]) == [7, 7, 1]


def test_the_longest_same_tokens_decide() -> None:
    prompt = [1, 2, 3, 4, 50, 0, 9, 2, 3, 4, 60, 0, 8, 8, 3, 4, 70]
    assert Lookup(prompt).draft([1, 2, 3, 4])[0] == 50
    assert Lookup(prompt).draft([2, 3, 4])[0] == 60
    assert Lookup(prompt).draft([3, 4])[0] == 70


def test_of_several_places_the_last_one_decides() -> None:
    assert Lookup([1, 2, 3, 0, 1, 2, 4, 0]).draft([1, 2]) == [4, 0, 1]


def test_the_end_of_what_was_said_itself_is_no_place() -> None:
    assert Lookup([1, 2, 3]).draft([5, 6]) == []
    assert Lookup([5, 6]).draft([5, 6]) == [5, 6]


def test_the_answer_itself_is_remembered() -> None:
    lookup = Lookup([0, 0])
    assert lookup.draft([1, 2]) == []
    assert lookup.draft([1, 2, 3, 4, 5, 1, 2]) == [3, 4, 5]


def test_a_guess_has_a_limited_length() -> None:
    assert len(Lookup(range(100)).draft([10, 11])) == DRAFT
    assert Lookup([1, 2, 3]).draft([1, 2]) == [3, 1, 2]


def test_a_guess_ends_with_what_was_said() -> None:
    assert Lookup([]).draft([4, 4, 4]) == [4]


def test_a_prompt_of_one_token_or_none_is_no_trouble() -> None:
    assert Lookup([]).draft([1]) == []
    assert Lookup([1]).draft([1, 1]) == [1]


def simple(said: Sequence[int], answered: int) -> list[int]:
    """The same by searching through everything."""
    for size in (4, 3, 2):
        if answered < size:
            continue
        last = list(said[-size:])
        for end in range(len(said) - 1, size - 1, -1):
            if list(said[end - size : end]) == last:
                return list(said[end : end + DRAFT])
    return []


@pytest.mark.parametrize("seed", range(5))
def test_guesses_are_those_of_a_search_through_everything(seed: int) -> None:
    draw = random.Random(seed)
    prompt = [draw.randrange(3) for _ in range(draw.randrange(60))]
    lookup, answer = Lookup(prompt), [0]
    while len(answer) < 80:
        assert lookup.draft(answer) == simple([*prompt, *answer], len(answer))
        answer += [draw.randrange(3) for _ in range(draw.randrange(1, 5))]
