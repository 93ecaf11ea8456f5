"""Feedback on the same request that says different things, and which of it still counts.

What the user wrote counts more than a thumb on another answer; between equals the newer counts, if it
is clearly a change of mind: both its turn and its judgement are later. Where a later judgement is about an
earlier turn, or where times are missing, nobody can tell, and neither is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assistant.training.alike import answer_key, request_key
from assistant.training.example_types import PreferencePair
from assistant.training.judgements import Word

T = TypeVar("T", Word, PreferencePair)


@dataclass(frozen=True, slots=True)
class Overruled(Generic[T]):
    """``item`` does not count because of ``other``; ``clear`` tells whether that one does instead."""

    item: T
    other: T
    clear: bool


def among_words(words: Sequence[Word]) -> list[Overruled[Word]]:
    """Return the judgements that do not count, of those on one and the same request."""
    return _overruled(words, _words_differ, _strength)


def among_pairs(pairs: Sequence[PreferencePair]) -> list[Overruled[PreferencePair]]:
    """Return the pairs that do not count, of those on one and the same request."""
    return _overruled(pairs, _pairs_differ, lambda _: 0)


def _words_differ(one: Word, other: Word) -> bool:
    wanted, wanted_too = _key(one.wanted), _key(other.wanted)
    if wanted and wanted_too and wanted != wanted_too:
        # Two answers may both be good; what was written, and a label, leave room for one only.
        return one.written or other.written or one.task == "classification"
    return bool(
        (wanted and wanted == _key(other.unwanted))
        or (wanted_too and wanted_too == _key(one.unwanted))
    )


def _strength(word: Word) -> int:
    """A label that was found right says as much as one that was written."""
    return int(word.written or (word.task == "classification" and word.wanted is not None))


def _pairs_differ(one: PreferencePair, other: PreferencePair) -> bool:
    return (_key(one.chosen), _key(one.rejected)) == (_key(other.rejected), _key(other.chosen))


def _overruled(
    items: Sequence[T], differ: Callable[[T, T], bool], strength: Callable[[T], int]
) -> list[Overruled[T]]:
    """Return what does not count, request by request and in order."""
    requests: dict[tuple[object, ...], list[T]] = {}
    for item in items:
        key: tuple[object, ...] = request_key(item.task, item.input, item.context)
        # With other labels to choose from it is another question.
        labels: list[str] = sorted(item.labels)
        requests.setdefault((*key, *labels), []).append(item)
    found: dict[int, Overruled[T]] = {}
    for some in requests.values():
        if len(some) > 1:
            found |= _within(some, differ, strength)
    return [found[id(item)] for item in items if id(item) in found]


def _within(
    items: Sequence[T], differ: Callable[[T, T], bool], strength: Callable[[T], int]
) -> dict[int, Overruled[T]]:
    """Go from the strongest and newest down; each must agree with all that were found to stand."""
    standing: list[T] = []
    found: dict[int, Overruled[T]] = {}
    for item in sorted(
        items, key=lambda one: (strength(one), one.created_at, one.asked_at), reverse=True
    ):
        against = [one for one in standing if differ(one, item)]
        if not against:
            standing.append(item)
            continue
        unclear = [
            one for one in against if strength(one) == strength(item) and not _later(one, item)
        ]
        found[id(item)] = Overruled(item, (unclear or against)[0], not unclear)
        for one in unclear:
            found.setdefault(id(one), Overruled(one, item, False))
    return found


def _later(one: T, other: T) -> bool:
    """Return whether ``one`` was both asked and judged after ``other``.

    When the other was asked may not be known (an import); then it was before it was judged.
    """
    before = other.asked_at or other.created_at
    return bool(one.asked_at) and one.asked_at > before and one.created_at > other.created_at


def _key(text: str | None) -> str:
    return answer_key(text or "")
