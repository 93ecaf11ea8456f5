"""Reading and writing the files of imports and exports, with errors that a person can use."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import cast

from assistant.errors import StoreError


def read_json(path: str) -> object:
    """Return the parsed content of a JSON file; ``-`` is stdin."""
    return _parsed(_read(path), path)


def read_json_lines(path: str) -> list[object]:
    """Return the parsed lines of a JSON Lines file; empty lines are skipped; ``-`` is stdin."""
    return [
        _parsed(line, f"{path}, line {number}")
        for number, line in enumerate(_read(path).split("\n"), start=1)
        if line.strip()
    ]


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only (it holds private talk)."""
    try:
        # mkstemp makes the file 0600; the rename replaces the old one in a single step.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}).", "Choose another file."
        ) from error


def _read(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise StoreError(
            f"{path} is not UTF-8 text (byte {error.start}).", "Is it the right file?"
        ) from error


def _parsed(text: str, where: str) -> object:
    try:
        return cast(object, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: not JSON ({error}).", "Is it the right file?") from error
