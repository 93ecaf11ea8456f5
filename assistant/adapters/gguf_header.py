"""The tensors' shapes in a GGUF file, without reading its vocabulary entry by entry into objects.

The ``gguf`` package takes seconds for that; here everything before the shapes is stepped over. The
format is described in ggml's docs/gguf.md.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value by its type; 8 is a string, 9 a list."""

_STRING, _LIST = 8, 9
_MOST_DIMENSIONS = 4
_count = struct.Struct("<Q").unpack_from
_small = struct.Struct("<I").unpack_from


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by its name, the outermost dimension first.

    Raises:
        ValueError, struct.error, OSError: it is no GGUF file, or ends too early.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF" or _small(data, 4)[0] not in (2, 3):
            raise ValueError("no GGUF file of version 2 or 3")
        (tensors,), (values,) = _count(data, 8), _count(data, 16)
        at = 24
        for _ in range(values):
            at = _after_string(data, at)
            at = _after_value(data, at + 4, _small(data, at)[0])
        found = {}
        for _ in range(tensors):
            end = _after_string(data, at)
            name = data[at + 8 : end].decode("utf-8", "replace")
            (dimensions,) = _small(data, end)
            if dimensions > _MOST_DIMENSIONS:
                raise ValueError(f"{name} has {dimensions} dimensions")
            shape = struct.unpack_from(f"<{dimensions}Q", data, end + 4)
            found[name] = tuple(reversed(shape))
            at = end + 4 + 8 * dimensions + 12  # its type and its place
        return found


def _after_string(data: mmap.mmap, at: int) -> int:
    return at + 8 + int(_count(data, at)[0])


def _after_value(data: mmap.mmap, at: int, kind: int) -> int:
    if kind == _STRING:
        return _after_string(data, at)
    if kind != _LIST:
        return at + _SIZES[kind]
    inner, count = int(_small(data, at)[0]), int(_count(data, at + 4)[0])
    at += 12
    if inner in _SIZES:
        return at + count * _SIZES[inner]
    for _ in range(count):
        at = _after_value(data, at, inner)
    return at
