"""Answers put behind other prompts, by which KTO tells how far a model has moved as a whole."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from assistant.training.batches import Group, kinds
from assistant.training.dataset import Row


def partners(rows: Sequence[Row], seed: int) -> list[Group]:
    """Part rows into twos, or threes where one would be left over; those of one group begin alike.

    They stay together in every step, so that the answers of its mismatched rows are those of its rows.
    """
    rng = random.Random(f"partners:{seed}")
    found: list[Group] = []
    single: list[int] = []
    for kind in kinds(rows):
        order = list(kind)
        rng.shuffle(order)
        if len(order) == 1:
            single += order
        else:
            found += _twos(order)
    if len(single) == 1 and found:
        found[-1] = (*found[-1], *single)
    elif single:
        found += _twos(single)
    return found


def _twos(order: Sequence[int]) -> list[Group]:
    found = [tuple(order[at : at + 2]) for at in range(0, len(order), 2)]
    if len(found) > 1 and len(found[-1]) == 1:
        last = found.pop()
        found[-1] += last
    return found


def mismatched(rows: Sequence[Row], groups: Sequence[Group]) -> list[Row]:
    """Return each row's prompt with the answer of the row before it in its group."""
    found = list(rows)
    for group in groups:
        for place, at in enumerate(group):
            found[at] = replace(rows[at], answer=rows[group[place - 1]].answer)
    return found
