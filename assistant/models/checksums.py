"""What identifies a model: the sha256 of its file, or one hash over the files of its folder.

Reading half a gigabyte takes about a second, so results are kept in a small JSON with the size and
time of every file read; they are computed anew when either changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

_BLOCK = 1 << 20
_FOLDER_SUFFIXES = (".safetensors", ".json", ".model", ".txt", ".jinja")


def file_sha256(path: Path, tick: Callable[[int], None] | None = None) -> str:
    """Return the sha256 of a file, always by reading it; ``tick`` gets the bytes read so far."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            if tick is not None:
                tick(done)
    return digest.hexdigest()


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model folder that make it what it is, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in _FOLDER_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def folder_sha256(folder: Path) -> str:
    """Return one hash over names, sizes and contents of a model folder's files."""
    digest = hashlib.sha256()
    for path in model_files(folder):
        line = f"{path.name}\0{path.stat().st_size}\0{file_sha256(path)}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def _stamp(path: Path) -> dict[str, list[int]]:
    files = model_files(path) if path.is_dir() else [path]
    stamps = {}
    for file in files:
        state = file.stat()
        stamps[file.name] = [state.st_size, state.st_mtime_ns]
    return stamps


def note(path: Path, memo: Path, sha256: str) -> None:
    """Remember a checksum just computed. A folder that cannot be written is no error."""
    _write(memo, {"sha256": sha256, "files": _stamp(path)})


def _write(memo: Path, value: dict[str, object]) -> None:
    temporary = memo.with_name(f"{memo.name}.{os.getpid()}.tmp")
    # Where it cannot be written only the memory is lost: the next caller reads the file again.
    with contextlib.suppress(OSError):
        memo.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(memo)


def identity(path: Path, memo: Path) -> str:
    """Return the sha256 of a file or folder, from ``memo`` when nothing changed since.

    Raises:
        OSError: it cannot be read.
    """
    stamp = _stamp(path)
    try:
        kept = json.loads(memo.read_text(encoding="utf-8"))
        if kept["files"] == stamp:
            return str(kept["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no memory of it, or a broken one: read the file
    sha256 = folder_sha256(path) if path.is_dir() else file_sha256(path)
    # The stamp from before reading: a change while reading must not pass as known.
    _write(memo, {"sha256": sha256, "files": stamp})
    return sha256
