"""Which keys and values are in memory, for which tokens, and how a new prompt uses them.

What was read stays until room is needed: a conversation goes on where it was, an edited or regenerated
turn shares what stands before it, and every turn of a task shares the task's few-shot prefix.
"""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field

import numpy as np

from assistant.engine.lean.formats import Array, padded
from assistant.engine.lean.pages import TOKENS, Pages

Key = tuple[str, ...]
"""What keys and values depend on beside the tokens: the adapter's name and version."""


@dataclass(slots=True, eq=False)
class Sequence:
    """Tokens with their pages, and the row of the page table it occupies while it runs."""

    key: Key
    ids: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    row: int = -1
    used: int = 0


class Sequences:
    """The sequences in a pool of pages; those that run, and those kept for later."""

    def __init__(self, pages: Pages, *, kept_tokens: int) -> None:
        self.pages = pages
        self._kept_tokens = kept_tokens
        self._kept: list[Sequence] = []
        self._rows = list(range(len(pages.tables) - 1, -1, -1))
        self._clock = 0

    @property
    def kept(self) -> tuple[Sequence, ...]:
        """What is kept, the longest unused first."""
        return tuple(sorted(self._kept, key=lambda s: s.used))

    def known(self, ids: Tokens[int], key: Key) -> int:
        """Return how many tokens at the beginning of ``ids`` are in memory."""
        return self._best(np.asarray(ids), key)[1]

    def begin(self, ids: Tokens[int], key: Key) -> Sequence:
        """Return a running sequence that holds what is known of the beginning of ``ids``."""
        best, common = self._best(np.asarray(ids), key)
        made = Sequence(key, row=self._rows.pop())
        if best is not None and common:
            best.used = self._tick()
            try:
                self._adopt(made, best, common)
            except MemoryError:  # no room for a copy: what fills whole pages is shared all the same
                self.cut(made, common // TOKENS * TOKENS)
        return made

    def fork(self, parent: Sequence) -> Sequence:
        """Return a running sequence with the same contents as another.

        Raises:
            MemoryError: the pool is full, even without anything kept.
        """
        made = Sequence(parent.key, row=self._rows.pop())
        try:
            self._adopt(made, parent, len(parent.ids))
        except MemoryError:
            self.drop(made)
            raise
        return made

    def extend(self, sequence: Sequence, ids: Tokens[int]) -> None:
        """Make room for tokens about to be read.

        Raises:
            MemoryError: the pool is full, even without anything kept.
        """
        before, length = len(sequence.ids), len(sequence.ids) + len(ids)
        try:
            while len(sequence.pages) < padded(length, TOKENS) // TOKENS:
                self._make_room()
                self._put(sequence, self.pages.take())
        except MemoryError:
            self.cut(sequence, before)
            raise
        sequence.ids += ids

    def cut(self, sequence: Sequence, length: int) -> None:
        """Forget what comes after ``length`` tokens."""
        del sequence.ids[length:]
        for page in sequence.pages[padded(length, TOKENS) // TOKENS :]:
            self.pages.drop(page)
        del sequence.pages[padded(length, TOKENS) // TOKENS :]

    def keep(self, sequence: Sequence) -> None:
        """End a running sequence but keep what it read."""
        self._rows.append(sequence.row)
        sequence.row, sequence.used = -1, self._tick()
        if not sequence.ids:
            return
        for other in [s for s in self._kept if _within(s, sequence)]:
            self._forget(other)
        self._kept.append(sequence)
        while (
            sum(len(s.pages) for s in self._kept) * TOKENS > self._kept_tokens
            and len(self._kept) > 1
        ):
            self._forget(self.kept[0])

    def drop(self, sequence: Sequence) -> None:
        """End a running sequence and forget what it read."""
        self._rows.append(sequence.row)
        self.cut(sequence, 0)

    def forget_all(self) -> None:
        """Forget everything kept."""
        for sequence in list(self._kept):
            self._forget(sequence)

    def _best(self, ids: Array, key: Key) -> tuple[Sequence | None, int]:
        found: tuple[Sequence | None, int] = (None, 0)
        for sequence in self._kept:
            if sequence.key == key and (common := _common(sequence.ids, ids)) > found[1]:
                found = (sequence, common)
        return found

    def _adopt(self, made: Sequence, source: Sequence, count: int) -> None:
        """Share full pages; the page that will be written on is copied."""
        made.ids = source.ids[:count]
        full = count // TOKENS
        for page in source.pages[:full]:
            self._put(made, self.pages.share(page))
        if count % TOKENS:
            self._make_room(but=source)
            self._put(made, self.pages.copy(source.pages[full]))

    def _put(self, sequence: Sequence, page: int) -> None:
        self.pages.tables[sequence.row, len(sequence.pages)] = page
        sequence.pages.append(page)

    def _make_room(self, but: Sequence | None = None) -> None:
        while not self.pages.free and (left := [s for s in self.kept if s is not but]):
            self._forget(left[0])

    def _forget(self, sequence: Sequence) -> None:
        self._kept.remove(sequence)
        self.cut(sequence, 0)

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def _common(known: list[int], ids: Array) -> int:
    length = min(len(known), len(ids))
    differ = np.nonzero(np.asarray(known[:length], dtype=np.int64) != ids[:length])[0]
    return int(differ[0]) if len(differ) else length


def _within(inner: Sequence, outer: Sequence) -> bool:
    """Whether ``outer`` begins with all of ``inner``, pages shared: keeping both gains nothing."""
    return (
        inner.key == outer.key
        and len(inner.ids) <= len(outer.ids)
        and outer.ids[: len(inner.ids)] == inner.ids
    )
