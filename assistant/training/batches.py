"""Packs: rows that are computed side by side, without padding, what they begin with only once.

Rows of one kind begin alike (the instruction, the labels). As no row looks at another one, the states of
the common beginning are the same for all of them, and its gradient is the sum of theirs: computing it once
a pack changes nothing but the time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.training.dataset import Row

_WINDOW = 16
"""Packs among whose rows lengths are sorted: alike enough to need little padding, still well mixed."""
_SMALL = 4
"""Kinds with fewer rows are put together."""
_KEY = 16


Group = tuple[int, ...]
"""Rows, by their positions in the data, that belong into one pack."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows by their positions in the data, and how many first ids all of them share."""

    rows: tuple[int, ...]
    shared: int

    def tokens(self, rows: Sequence[Row]) -> int:
        """Return how many tokens are computed."""
        return self.shared + sum(rows[at].length - self.shared for at in self.rows)


@dataclass(frozen=True, slots=True)
class Step:
    """The packs of one step of the optimizer."""

    packs: tuple[Pack, ...]

    @property
    def examples(self) -> int:
        return sum(len(pack.rows) for pack in self.packs)


def packs(
    rows: Sequence[Row],
    budget: int,
    seed: int | None,
    most: int,
    groups: Sequence[Group] | None = None,
) -> list[Pack]:
    """Return packs of about ``budget`` tokens and at most ``most`` rows, that hold every row once.

    They come in random order by ``seed``; without one, in the order of lengths, always the same.
    ``groups`` hold every row once too: those of one are never parted, even if a pack grows for it.
    """
    rng = random.Random(seed) if seed is not None else None
    together = groups if groups is not None else [(at,) for at in range(len(rows))]
    found: list[Pack] = []
    for kind in kinds([rows[group[0]] for group in together]):
        order = [together[at] for at in kind]
        if rng is not None:
            rng.shuffle(order)
        window = _WINDOW * most if rng is not None else len(order)
        for start in range(0, len(order), window):
            some = sorted(
                order[start : start + window],
                key=lambda group: (sum(rows[at].length for at in group), group),
            )
            found += _cut(some, rows, budget, most)
    if rng is not None:
        rng.shuffle(found)
    return found


def steps(
    rows: Sequence[Row],
    budget: int,
    seed: int,
    batch: int,
    groups: Sequence[Group] | None = None,
) -> list[Step]:
    """Return one epoch's steps of at least ``batch`` examples (the last one may have fewer)."""
    found: list[Step] = []
    waiting: list[Pack] = []
    # Half a batch a pack, so that a step never sees one kind only where there are several.
    for pack in packs(rows, budget, seed, max(1, -(-batch // 2)), groups):
        waiting.append(pack)
        if sum(len(one.rows) for one in waiting) >= batch:
            found.append(Step(tuple(waiting)))
            waiting = []
    if waiting:
        found.append(Step(tuple(waiting)))
    return found


def kinds(rows: Sequence[Row]) -> list[list[int]]:
    """Return the positions of rows that begin alike, in the order in which the kinds first appear."""
    by_start: dict[tuple[int, ...], list[int]] = {}
    for at, row in enumerate(rows):
        by_start.setdefault(row.prompt[: row.shared], []).append(at)
    found: dict[tuple[int, ...], list[int]] = {}
    for start, group in by_start.items():
        key = start if len(group) >= _SMALL else (-1, *start[:_KEY])
        found.setdefault(key, []).extend(group)
    return list(found.values())


def _cut(order: Sequence[Group], rows: Sequence[Row], budget: int, most: int) -> Iterator[Pack]:
    """Yield packs of groups of rows in the order given."""
    current: list[int] = []
    for group in order:
        pack = _pack([*current, *group], rows)
        if current and (pack.tokens(rows) > budget or len(pack.rows) > most):
            yield _pack(current, rows)
            current = []
        current += group
    if current:
        yield _pack(current, rows)


def _pack(order: Sequence[int], rows: Sequence[Row]) -> Pack:
    """Return the pack of some rows; the last id of a prompt is never shared: the answer follows it."""
    prompts = [rows[at].prompt for at in order]
    shared = 0
    if len(prompts) > 1:
        low, high = min(prompts), max(prompts)
        end = min(len(prompt) for prompt in prompts) - 1
        while shared < end and low[shared] == high[shared]:
            shared += 1
    return Pack(tuple(order), shared)
