"""GGUF files read quickly.

The ``gguf`` package slices a numpy memory map once for each of some 300,000 vocabulary entries, and
transformers reads the whole header again for every part it wants. Here slices are plain arrays, and a
header is read once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any


class _PlainSlices:
    """Stands for numpy inside ``gguf.gguf_reader``: a memory map that slices like a plain array."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numpy, name)

    def memmap(self, *arguments: Any, **options: Any) -> Any:
        return self._numpy.asarray(self._numpy.memmap(*arguments, **options))


@contextlib.contextmanager
def quick_reading() -> Iterator[None]:
    """Make everything that reads GGUF headers inside this block quick."""
    from gguf import gguf_reader
    from transformers import modeling_gguf_pytorch_utils as reader

    numpy, load = gguf_reader.np, reader.load_gguf_checkpoint
    header = lru_cache(maxsize=1)(lambda path: load(path, return_tensors=False))

    def remembered(path: Any, return_tensors: bool = False, *rest: Any, **options: Any) -> Any:
        if return_tensors or rest or options:
            return load(path, return_tensors, *rest, **options)
        return header(str(path))

    gguf_reader.np, reader.load_gguf_checkpoint = _PlainSlices(numpy), remembered
    try:
        yield
    finally:
        gguf_reader.np, reader.load_gguf_checkpoint = numpy, load


def read_gguf(file: Path) -> Any:
    """Return a ``gguf.GGUFReader`` of a file.

    Raises:
        ValueError: it is no GGUF file.
    """
    from gguf import GGUFReader, gguf_reader

    numpy = gguf_reader.np
    gguf_reader.np = _PlainSlices(numpy)
    try:
        return GGUFReader(str(file))
    finally:
        gguf_reader.np = numpy
