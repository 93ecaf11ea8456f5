"""One SQLite connection for one store: how it is opened, locked, and how its errors read."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.errors import StoreError

BUSY_SECONDS = 15.0
IN_MEMORY = Path(":memory:")
"""In place of a file: a database that is gone when it is closed, and touches no disk."""

Params = Sequence[object] | Mapping[str, object]


def storable(text: str) -> str:
    """Return ``text`` as SQLite can hold it: raw, but lone surrogates become U+FFFD.

    Surrogates come from terminals and files that are not UTF-8; a proper pair is joined.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Connection:
    """A connection that several threads may share, one at a time.

    Every call takes the lock and turns ``sqlite3`` errors into :class:`StoreError`. Text that is
    bound goes through :func:`storable`, so no caller can forget it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        if path != IN_MEMORY:
            _make_private(path)
        with readable_errors(path):
            self.raw = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self.raw.row_factory = sqlite3.Row
                _configure(self.raw)
            except BaseException:
                self.raw.close()
                raise

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock, readable_errors(self.path):
            self.raw.close()

    def rows(self, sql: str, params: Params = ()) -> list[sqlite3.Row]:
        """Run one statement and return all its rows."""
        with self._lock, readable_errors(self.path):
            return self.raw.execute(sql, _bound(params)).fetchall()

    def row(self, sql: str, params: Params = ()) -> sqlite3.Row | None:
        """Run one statement and return its first row."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def run(self, sql: str, params: Params = ()) -> int:
        """Run one writing statement; return how many rows it changed."""
        with self._lock, readable_errors(self.path):
            return self.raw.execute(sql, _bound(params)).rowcount

    def insert(self, table: str, values: Mapping[str, object]) -> int:
        """Insert one row (names come from this program, never from a user); return its rowid."""
        names = ", ".join(values)
        slots = ", ".join(f":{name}" for name in values)
        with self._lock, readable_errors(self.path):
            sql = f"INSERT INTO {table} ({names}) VALUES ({slots})"
            return self.raw.execute(sql, _bound(values)).lastrowid or 0

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """Hold one transaction; a nested one joins it. ``write=False`` is a stable view to read.

        A writer says so at once (``BEGIN IMMEDIATE``): one that upgraded later could be refused
        without waiting when another process wrote in between.
        """
        with self._lock, readable_errors(self.path):
            if self.raw.in_transaction:
                yield
                return
            self.raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self.raw.execute("COMMIT")
            except BaseException:
                if self.raw.in_transaction:
                    self.raw.execute("ROLLBACK")
                raise


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn what ``sqlite3`` and the file system raise into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except OverflowError as error:
        raise StoreError(f"A number is too large for the database: {error}") from error


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    code = str(getattr(error, "sqlite_errorname", "") or "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(
            f"The database {path} is in use by another program.",
            "Close the other program that writes to it and try again.",
        )
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreError(
            f"The database {path} is damaged or not a database ({error}).",
            "Move the file away and put a backup in its place; without a backup the program "
            "starts with an empty one.",
        )
    if code.startswith("SQLITE_FULL"):
        return StoreError(
            f"The disk is full: {path} could not be written.", "Free some space and try again."
        )
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return _not_writable(path, str(error))
    return StoreError(
        f"The database {path} reported: {error}.",
        "If it happens again, check the disk and keep a copy of the file.",
    )


def _not_writable(path: Path, reason: str) -> StoreError:
    return StoreError(
        f"The database {path} cannot be opened for writing ({reason}).",
        "Check the permissions of the file and its folder, or set ASSISTANT_HOME to another one.",
    )


def _make_private(path: Path) -> None:
    """Make the missing folders (0700) and the file (0600); SQLite's side files follow the file."""
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # Somebody else's file that we may write is not ours to chmod.
        with suppress(PermissionError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
    except OSError as error:
        raise _not_writable(path, error.strerror or str(error)) from error


def _configure(raw: sqlite3.Connection) -> None:
    raw.execute("PRAGMA foreign_keys = ON")
    _enter_wal(raw)
    raw.execute("PRAGMA synchronous = FULL")


def _enter_wal(raw: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait for this lock itself, so two first starts would clash."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _bound(params: Params) -> Params:
    if isinstance(params, Mapping):
        return {name: _value(value) for name, value in params.items()}
    return [_value(value) for value in params]


def _value(value: object) -> object:
    return storable(value) if isinstance(value, str) else value
