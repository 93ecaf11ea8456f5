"""What was changed between an answer and its correction: word by word, Chinese by character.

Lines are matched first and words within the lines that differ, so that long texts stay quick. Texts
whose differing parts are very long are not looked into: such a part is removed and added whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Literal

Change = Literal["same", "removed", "added"]

_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKENS = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|\s+|.", re.DOTALL)
_MOST_PAIRS = 400_000
"""Comparing takes up to a time proportional to this many pairs of lines or words."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text that both have, or only the text before (removed) or after (added)."""

    change: Change
    text: str


def diff(before: str, after: str) -> tuple[Part, ...]:
    """Return the parts of both texts in order; removed ones stand before the added ones.

    The same and removed parts joined are ``before``, the same and added ones ``after``.
    """
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    parts: list[Part] = []
    for same, old, new in _blocks(*lines, _blank):
        parts += [Part("same", old)] if same else _words(old, new)
    return tuple(_joined(parts))


def changed_words(parts: Sequence[Part]) -> tuple[int, int]:
    """Return how many words (or Chinese characters) were removed and how many added."""
    removed, added = (
        sum(
            1
            for part in parts
            if part.change == change
            for token in _tokens(part.text)
            if any(map(str.isalnum, token))
        )
        for change in ("removed", "added")
    )
    return removed, added


def _words(before: str, after: str) -> Iterator[Part]:
    """Yield the parts of a place that differs."""
    for same, old, new in _blocks(_tokens(before), _tokens(after), str.isspace):
        if same:
            yield Part("same", old)
        else:
            yield Part("removed", old)
            yield Part("added", new)


def _blocks(
    old: Sequence[str], new: Sequence[str], junk: Callable[[str], bool]
) -> Iterator[tuple[bool, str, str]]:
    """Yield whether a block is the same, and its text in both. ``junk`` alone makes no match."""
    if len(old) * len(new) > _MOST_PAIRS:
        same = old == new
        yield same, "".join(old), "".join(new)
        return
    # Junk at the end of both would else be no match where nothing beside it is one.
    tail = _common_tail(old, new)
    old, new, end = old[: len(old) - tail], new[: len(new) - tail], old[len(old) - tail :]
    matcher = SequenceMatcher(junk, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        yield kind == "equal", "".join(old[a:b]), "".join(new[c:d])
    yield True, "".join(end), ""


def _common_tail(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many of the last tokens are the same in both."""
    pairs = zip(reversed(old), reversed(new), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Join what belongs together; a mere space between two changes is part of the change."""
    found: list[Part] = []
    removed = added = ""
    for place, part in enumerate(parts):
        if part.change == "removed":
            removed += part.text
        elif part.change == "added":
            added += part.text
        elif part.text == " " and (removed or added) and _changes_on(parts, place):
            removed, added = removed + part.text, added + part.text
        else:
            found += _changed(removed, added)
            removed = added = ""
            if found and found[-1].change == "same":
                part = Part("same", found.pop().text + part.text)
            found += [part] if part.text else []
    return found + _changed(removed, added)


def _changes_on(parts: Sequence[Part], place: int) -> bool:
    """Return whether the part after ``place`` is a change on both sides, so that joining reads well."""
    after = [part for part in parts[place + 1 : place + 3] if part.text]
    return len(after) == 2 and [part.change for part in after] == ["removed", "added"]


def _changed(removed: str, added: str) -> list[Part]:
    parts = Part("removed", removed), Part("added", added)
    return [part for part in parts if part.text]


def _tokens(text: str) -> list[str]:
    return _TOKENS.findall(text)


def _blank(line: str) -> bool:
    return not line.strip()
