"""Keys and values in pages of 16 tokens, shared between sequences (Kwon et al. 2023, vLLM).

A page holds 16 tokens of every layer. Per layer and head come the keys, (head size, 16 tokens), then the
values, (16 tokens, head size), in half precision (``wide``: float32). A sequence is a list of pages; a
full page can belong to several sequences.
"""

from __future__ import annotations

import mmap

import numpy as np

from assistant.engine.lean.formats import Array, padded
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.team import address, aligned, copy_bytes

TOKENS = 16


class Pages:
    """A pool of pages; the memory is reserved at once and taken up only as it is used."""

    def __init__(self, shape: Shape, *, tokens: int, sequences: int, wide: bool) -> None:
        self.wide = wide
        item = 4 if wide else 2
        self._head_bytes = 2 * padded(shape.head_size, 16) * TOKENS * item
        self._layer_bytes = shape.kv_heads * self._head_bytes
        self.page_bytes = shape.layers * self._layer_bytes
        self.count = padded(tokens, TOKENS) // TOKENS + sequences
        self.table_words = padded(shape.context, TOKENS) // TOKENS + 1
        self._area = mmap.mmap(-1, self.count * self.page_bytes)
        self._memory: Array = np.frombuffer(self._area, dtype=np.uint8)
        self.tables = aligned(sequences * self.table_words, "int32").reshape(sequences, -1)
        self._free = list(range(self.count - 1, -1, -1))
        self._owners = [0] * self.count

    @property
    def free(self) -> int:
        """How many pages nobody holds."""
        return len(self._free)

    def layer_address(self, layer: int) -> int:
        return address(self._memory) + layer * self._layer_bytes

    def bytes_of(self, page: int) -> Array:
        """Return the memory of a page, shape (page bytes,)."""
        return self._memory[page * self.page_bytes : (page + 1) * self.page_bytes]

    def take(self) -> int:
        """Return a page of one's own.

        Raises:
            MemoryError: none is free.
        """
        if not self._free:
            raise MemoryError("no free page")
        page = self._free.pop()
        self._owners[page] = 1
        return page

    def share(self, page: int) -> int:
        """Hold a page that somebody holds already."""
        self._owners[page] += 1
        return page

    def drop(self, page: int) -> None:
        """Let go of a page; it is free when nobody holds it any more."""
        self._owners[page] -= 1
        if self._owners[page] == 0:
            self._free.append(page)

    def copy(self, page: int) -> int:
        """Return a page of one's own with the same contents."""
        mine = self.take()
        start = address(self._memory)
        copy_bytes(start + page * self.page_bytes, start + mine * self.page_bytes, self.page_bytes)
        return mine
