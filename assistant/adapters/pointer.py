"""The one small file that says which version of a task's adapter is in use, written in one step."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant.adapters.names import is_safe
from assistant.errors import AdapterError

POINTER = "current.json"
_REMEMBERED = 50
"""So many versions back a rollback can go."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version is in use (``None``: none is), and those before it, the latest last."""

    current: str | None
    before: tuple[str | None, ...] = ()

    def moved(self, version: str | None) -> Pointer:
        """Return the pointer after a switch to ``version``."""
        if version == self.current:
            return self
        return Pointer(version, (*self.before, self.current)[-_REMEMBERED:])


def read_pointer(folder: Path) -> Pointer | None:
    """Return the pointer of a task's folder, ``None`` where nothing was ever chosen.

    Raises:
        AdapterError: the file is damaged.
    """
    path = folder / POINTER
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(100_000))
        current, before = value["current"], value.get("before", [])
        versions = [current, *before]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    if not all(one is None or (isinstance(one, str) and is_safe(one)) for one in versions):
        raise _damaged(path)
    return Pointer(current, tuple(before))


def write_pointer(folder: Path, pointer: Pointer) -> None:
    """Switch: whoever reads meanwhile sees the old pointer or the new one, also after a power cut.

    Raises:
        AdapterError: it cannot be written.
    """
    text = json.dumps({"current": pointer.current, "before": list(pointer.before)})
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{POINTER}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(folder / POINTER)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
        _sync(folder)
    except OSError as error:
        raise AdapterError(
            f"{folder / POINTER} cannot be written: {error.strerror}.",
            "Look at the folder's rights and the free disk space.",
        ) from error


def drop_pointer(folder: Path) -> None:
    """Choose nothing any more: the newest version that ships is in use again.

    Raises:
        AdapterError: the file cannot be deleted.
    """
    try:
        (folder / POINTER).unlink(missing_ok=True)
    except OSError as error:
        raise AdapterError(f"{folder / POINTER} cannot be deleted: {error.strerror}.") from error


def _sync(folder: Path) -> None:
    """Bring the new name to the disk; where folders cannot be opened (Windows) the system sees to it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _damaged(path: Path) -> AdapterError:
    return AdapterError(
        f"{path} is damaged: it cannot be told which adapter is in use.",
        "Promote one again, or delete the file.",
    )
