"""Leaves out what says the same, and what one label has too much of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from assistant.training.alike import answer_key, request_key
from assistant.training.example_types import E, Example, Judged, Merged, PreferencePair

MOST_TIMES = 3.0
"""How many times as many examples as the other labels have on average one label may have."""

ALWAYS = 10
"""Examples of a label that are kept however few the others have."""


def merged(examples: Sequence[E]) -> tuple[list[E], list[Merged]]:
    """Keep the newest of those that say the same; it then stands for the feedback of all of them."""
    alike: dict[tuple[object, ...], list[E]] = {}
    for one in examples:
        alike.setdefault(_key(one), []).append(one)
    kept, gone = [], []
    for some in alike.values():
        *older, newest = sorted(some, key=_age)
        if older:
            numbers = {number for one in some for number in one.feedback_ids}
            choices = {number for one in some for number in one.preference_ids}
            newest = replace(
                newest,
                feedback_ids=tuple(sorted(numbers)),
                preference_ids=tuple(sorted(choices)),
            )
            gone.append(Merged(newest.id, tuple(one.id for one in older), newest.task))
        kept.append(newest)
    return sorted(kept, key=_age), gone


def within_balance(examples: Sequence[E]) -> tuple[list[E], list[E]]:
    """Part the examples into those to train on and those whose label has too many of them.

    Of each set of labels every label may have :data:`MOST_TIMES` as many examples as the others have on
    average, and :data:`ALWAYS` in any case. The newest are kept.
    """
    have = Counter((_labels(one), label) for one in examples if (label := _label(one)))
    left = {(labels, label): _most(labels, label, have) for labels, label in have}
    kept, surplus = [], []
    for one in sorted(examples, key=_age, reverse=True):
        place = (_labels(one), _label(one))
        if place not in left:
            kept.append(one)
        elif left[place] > 0:
            left[place] -= 1
            kept.append(one)
        else:
            surplus.append(one)
    return kept[::-1], surplus[::-1]


def _most(labels: tuple[str, ...], label: str, have: Counter[tuple[tuple[str, ...], str]]) -> int:
    others = [have[labels, other] for other in labels if other != label]
    return max(ALWAYS, int(MOST_TIMES * sum(others) / max(1, len(others))))


def _label(one: Example) -> str:
    """Return the label that an example teaches, ``""`` for what is no classification."""
    if one.task != "classification":
        return ""
    if isinstance(one, Judged):
        return one.answer if one.desirable else ""
    return one.chosen if isinstance(one, PreferencePair) else one.target


def _labels(one: Example) -> tuple[str, ...]:
    return tuple(sorted(one.labels))


def _key(one: Example) -> tuple[object, ...]:
    asked = (request_key(one.task, one.input, one.context), _labels(one))
    if isinstance(one, PreferencePair):
        return (*asked, answer_key(one.chosen), answer_key(one.rejected))
    if isinstance(one, Judged):
        return (*asked, answer_key(one.answer), one.desirable)
    return (*asked, answer_key(one.target))


def _age(one: Example) -> tuple[str, tuple[int, ...], tuple[int, ...], str]:
    return one.created_at, one.feedback_ids, one.preference_ids, one.id
