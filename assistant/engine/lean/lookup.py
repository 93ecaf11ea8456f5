"""Prompt lookup: guess the next tokens from what was said before (Saxena 2023; n-gram speculation).

Where an answer repeats its input, the tokens after the last same few tokens are likely to follow. A draft
is read in one pass and kept only as far as the model itself chooses the same tokens. On the lean path a
row's result does not depend on the rows beside it, bit for bit, so the answer is exactly the one that
decoding token by token gives.
"""

from __future__ import annotations

from collections.abc import Sequence

DRAFT = 3
"""Tokens a draft: four rows are read at once in hardly more time than one."""

_LONGEST, _SHORTEST = 4, 2


def draft(prompt: Sequence[int], answered: Sequence[int]) -> list[int]:
    """Return up to ``DRAFT`` tokens that followed the same last tokens before, ``[]`` if none did."""
    said = [*prompt, *answered]
    for length in range(_LONGEST, _SHORTEST - 1, -1):
        if len(answered) < length:
            continue
        tail = said[-length:]
        at = _last_occurrence(said, tail)
        if at is not None:
            return said[at + length : at + length + DRAFT]
    return []


def _last_occurrence(said: list[int], tail: list[int]) -> int | None:
    """Return where ``tail`` occurs last before the end itself."""
    first, length = tail[0], len(tail)
    end = len(said) - length
    for at in range(end - 1, -1, -1):
        if said[at] == first and said[at : at + length] == tail:
            return at
    return None
