"""The packed weights of a model, in one file that is mapped into memory.

Layout: a JSON index, padded to 4096 bytes, then the matrices and vectors, each at a multiple of 64.
The first 16 bytes are a magic word and the length of the index.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from assistant.engine.lean.formats import (
    FORMATS,
    ROWS,
    Array,
    Codes,
    PanelFormat,
    pack_codes,
    pack_floats,
    padded,
)
from assistant.errors import ConversionError

_MAGIC = b"LEANW001"
_PAGE = 4096
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Matrix:
    """A packed matrix in memory; ``data`` keeps the bytes alive."""

    form: PanelFormat
    rows: int
    columns: int
    data: Array

    @property
    def panels(self) -> int:
        return padded(self.rows, ROWS) // ROWS

    @property
    def groups(self) -> int:
        """Groups a panel, those that fill up the last bundle included."""
        return padded(self.columns, self.form.group * self.form.bundle) // self.form.group

    @property
    def panel_bytes(self) -> int:
        return self.groups // self.form.bundle * self.form.bundle_bytes


@dataclass(frozen=True, slots=True)
class Weights:
    """Matrices and float32 vectors by name (``layers.3.q``, ``layers.3.q.bias``, ``head`` …)."""

    matrices: dict[str, Matrix]
    vectors: dict[str, Array]

    @property
    def bytes_a_token(self) -> int:
        """What decoding one token reads: every matrix but a separate embedding."""
        names = [n for n in self.matrices if n != "embed" or "head" not in self.matrices]
        return sum(self.matrices[n].data.nbytes for n in names)


def matrix_from(form: PanelFormat, values: Codes | Array) -> Matrix:
    """Return a packed matrix made of codes or floats."""
    if isinstance(values, Codes):
        rows, columns = values.codes.shape
        return Matrix(form, rows, columns, pack_codes(form, values).reshape(-1))
    rows, columns = values.shape
    return Matrix(form, rows, columns, pack_floats(form, values).reshape(-1))


def write_weights(file: Path, parts: Iterable[tuple[str, Matrix | Array]]) -> None:
    """Write matrices and vectors as they come, so that one at a time is in memory."""
    index: dict[str, dict[str, Any]] = {}
    body = file.with_suffix(".body")
    position = 0
    with body.open("wb") as out:
        for name, part in parts:
            data = part.data if isinstance(part, Matrix) else part.astype(np.float32)
            index[name] = {"at": position, "bytes": data.nbytes}
            if isinstance(part, Matrix):
                index[name] |= {"form": part.form.name, "shape": [part.rows, part.columns]}
            out.write(np.ascontiguousarray(data).tobytes())
            fill = -data.nbytes % _ALIGN
            out.write(bytes(fill))
            position += data.nbytes + fill
    _join(file, index, body)


def _join(file: Path, index: dict[str, Any], body: Path) -> None:
    text = json.dumps(index).encode()
    with file.open("wb") as out, body.open("rb") as source:
        out.write(_MAGIC + struct.pack("<Q", len(text)) + text)
        out.write(bytes(-(16 + len(text)) % _PAGE))
        while piece := source.read(1 << 24):
            out.write(piece)
    body.unlink()


def read_weights(file: Path) -> Weights:
    """Read a file of packed weights into memory.

    Raises:
        ConversionError: it is not such a file, or cut short.
    """
    with file.open("rb") as source:
        index, start = _read_index(source, file)
        size = file.stat().st_size - start
        if any(entry["at"] + entry["bytes"] > size for entry in index.values()):
            raise _damaged(file)
        memory = _read_into_memory(source, start, size)
    matrices, vectors = {}, {}
    for name, entry in index.items():
        data = memory[entry["at"] : entry["at"] + entry["bytes"]]
        if "form" in entry:
            rows, columns = entry["shape"]
            matrices[name] = Matrix(FORMATS[entry["form"]], rows, columns, data)
        else:
            vectors[name] = data.view(np.float32)
    return Weights(matrices, vectors)


def _read_index(source: BinaryIO, file: Path) -> tuple[dict[str, Any], int]:
    """Return the index and where the data begin."""
    head = source.read(16)
    if len(head) < 16 or head[:8] != _MAGIC:
        raise _damaged(file)
    length = struct.unpack("<Q", head[8:])[0]
    if length > file.stat().st_size:
        raise _damaged(file)
    try:
        index: dict[str, Any] = json.loads(source.read(length))
    except ValueError as error:
        raise _damaged(file) from error
    if any(entry.get("form", "f32") not in FORMATS for entry in index.values()):
        raise _damaged(file)
    return index, padded(16 + length, _PAGE)


def _read_into_memory(source: BinaryIO, start: int, size: int) -> Array:
    """Copy rather than map: memory of our own can have huge pages, which a file's cannot."""
    area = mmap.mmap(-1, max(1, padded(size, 1 << 21)))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        area.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(area, dtype=np.uint8)
    source.seek(start)
    view = memoryview(area)
    done = 0
    while done < size and (count := source.readinto(view[done : min(size, done + (1 << 26))])):  # type: ignore[attr-defined]
        done += count
    return memory


def _damaged(file: Path) -> ConversionError:
    return ConversionError(f"{file} is damaged.", "Delete it: it is made anew at the next start.")
