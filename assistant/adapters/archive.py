"""Adapters from outside and for outside: a zip or a folder in PEFT's format, read with suspicion.

An archive is unpacked into a folder of its own beside the target, checked there in full, and only
then given its name: a refused one leaves nothing behind.
"""

from __future__ import annotations

import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from assistant.adapters.card import README, WEIGHTS, Card
from assistant.adapters.names import base_folder, check_name, is_safe
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, RunRecord, read_run, write_run
from assistant.adapters.verify import Verified, check_files, here, is_part, refusal, verify_with
from assistant.adapters.weights import MAX_TEXT, MAX_WEIGHTS, read_config, technique_of
from assistant.errors import AdapterError, UsageError
from assistant.models.checksums import file_sha256
from assistant.paths import Paths

MAX_ENTRIES = 64
"""An adapter has four files; an archive with more than these is something else."""

MAX_RATIO = 200
"""Most bytes that one byte of an archive may become. Weights hardly shrink, text does ten times."""

_RATIO_FROM = 100_000
_BLOCK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user said of an adapter to import; what is left open is read from its ``run.json``.

    ``model`` is the base model's name; ``otherwise`` the one to take where neither says it.
    """

    task: str | None = None
    version: str | None = None
    model: str | None = None
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """An adapter that was let in, and what was found out about it."""

    card: Card
    verified: Verified


def import_adapter(source: Path, wanted: Wanted, registry: Registry, paths: Paths) -> Imported:
    """Check the adapter in a zip or folder and put it among the user's own; it is not put to use.

    Raises:
        AdapterError: it is unsafe, damaged, of another model, or its name is taken.
        UsageError: the task must be said.
    """
    with _staging(registry) as staging:
        if source.is_dir():
            _copy_folder(source, staging)
        elif source.is_file():
            _unpack(source, staging)
        else:
            raise AdapterError(f"There is no file or folder {source}.", "Check the path.")
        return _take_in(staging, _plain_name(source), wanted, registry, paths)


def _take_in(
    staging: Path, name: str, wanted: Wanted, registry: Registry, paths: Paths
) -> Imported:
    check_files(staging)
    run = read_run(staging)
    task, base, model = _place(run, wanted)
    version = wanted.version or _version(name, base, task)
    record = _completed(run or RunRecord(), task, model, staging)
    write_run(staging, record)
    card = Card(base, task, version, staging, True, record.size, record)
    verified = verify_with(card, here(model, paths))
    target = registry.own_root / base / task / version
    with registry.changing():
        if any(one.version == version for one in registry.cards(base, task)) or target.exists():
            raise AdapterError(
                f"There is an adapter {card.name} for {base} already; none is ever overwritten.",
                "Give this one another name: --version NAME",
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            staging.replace(target)
        except OSError as error:
            raise AdapterError(f"{target} cannot be written: {error.strerror}.") from error
    return Imported(replace(card, folder=target), verified)


def _place(run: RunRecord | None, wanted: Wanted) -> tuple[str, str, str]:
    """Return task, folder of the base model, and the base model's name."""
    recorded = run or RunRecord()
    task = wanted.task or recorded.task
    if not task:
        raise UsageError(
            "The adapter does not say which task it is for.", "Say it: --task classification"
        )
    if recorded.task and wanted.task and recorded.task != wanted.task:
        raise AdapterError(
            f"The adapter was trained for {recorded.task[:40]}, not for {wanted.task}.",
            "Leave --task out.",
        )
    model = wanted.model or recorded.base_model.name or wanted.otherwise
    return check_name(task, "task"), base_folder(model), model


def _version(name: str, base: str, task: str) -> str:
    """Return the version that a file's name gives: ``…--v3.zip`` as exported, else all of it."""
    name = name.removeprefix(f"{base}--").removeprefix(f"{task}--")
    return check_name(name, "version") if is_safe(name) else _unnamed(name)


def _unnamed(name: str) -> NoReturn:
    raise AdapterError(
        f"“{name[:80]}” cannot be the name of a version.", "Give it one: --version NAME"
    )


def _completed(run: RunRecord, task: str, model: str, folder: Path) -> RunRecord:
    """Return the record with what is seen now, so that a later change of the weights is noticed."""
    config = read_config(folder)
    return replace(
        run,
        task=task,
        technique=run.technique or technique_of(config),
        rank=run.rank or int(config.get("r", 0)),
        base_model=run.base_model if run.base_model.name else BaseModel(model, ""),
        sha256=run.sha256 or file_sha256(folder / WEIGHTS),
        size=(folder / WEIGHTS).stat().st_size,
    )


def _plain_name(source: Path) -> str:
    name = source.resolve().name
    return name.removesuffix(".zip") if source.is_file() else name


@contextmanager
def _staging(registry: Registry) -> Iterator[Path]:
    """Give a folder beside the target; whatever is left in it at the end is deleted."""
    try:
        registry.own_root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(dir=registry.own_root, prefix=".staging-"))
    except OSError as error:
        raise AdapterError(
            f"{registry.own_root} cannot be written: {error.strerror}.", "Look at its rights."
        ) from error
    try:
        yield folder
    except OSError as error:
        raise AdapterError(f"The adapter cannot be taken in: {error}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_folder(source: Path, target: Path) -> None:
    """Copy an adapter's files; nothing is followed, nothing else is taken along."""
    check_files(source)
    for path in sorted(source.iterdir()):
        if is_part(path.name):
            shutil.copyfile(path, target / path.name, follow_symlinks=False)


# -- zip files -------------------------------------------------------------------------------------


def _unpack(source: Path, target: Path) -> None:
    """Unpack an archive's adapter files, all of them or none.

    Raises:
        AdapterError: it is no zip, or holds anything that an adapter's archive must not.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for name, entry in _checked(archive.infolist()).items():
                _write(archive, entry, target / name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
        raise _bad(f"it is no zip file that can be read ({error})") from error
    except (zlib.error, struct.error, RuntimeError, ValueError, OverflowError) as error:
        raise _bad(f"it is damaged ({error})") from error


def _checked(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the files to unpack by their names; one folder around them all is allowed."""
    if len(entries) > MAX_ENTRIES:
        raise _bad(f"it holds {len(entries)} entries, an adapter has four")
    for entry in entries:
        _check_entry(entry)
    files = [
        one for one in entries if not one.is_dir() and not one.filename.startswith("__MACOSX/")
    ]
    tops = {one.filename.partition("/")[0] if "/" in one.filename else "" for one in files}
    if len(tops) > 1:
        raise _bad("its files lie in several folders")
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in files:
        name = entry.filename.partition("/")[2] if tops != {""} else entry.filename
        if "/" in name:
            raise _bad(f"{_shown(entry)} lies in a folder of a folder")
        if why := refusal(name):
            raise _bad(why[:200])
        if name.lower() in {one.lower() for one in found}:
            raise _bad(f"it holds {_shown(entry)} twice")
        found[name] = entry
    return {name: entry for name, entry in found.items() if is_part(name)}


def _check_entry(entry: zipfile.ZipInfo) -> None:
    # ``orig_filename`` is as written; in ``filename`` a NUL has already ended the name.
    name, parts = entry.orig_filename, entry.orig_filename.rstrip("/").split("/")
    if "\\" in name or "\0" in name or ":" in name or not name.isprintable():
        raise _bad(f"the name {_shown(entry)} is not one for every system")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise _bad(f"{_shown(entry)} leads out of the archive")
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad(f"{_shown(entry)} is a link or no plain file")
    if entry.flag_bits & 0x1:
        raise _bad(f"{_shown(entry)} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad(f"{_shown(entry)} is packed in a way that is not known here")
    limit = MAX_WEIGHTS if parts[-1] == WEIGHTS else MAX_TEXT
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > limit or (entry.file_size > _RATIO_FROM and ratio > MAX_RATIO):
        raise _bad(f"{_shown(entry)} would become {entry.file_size:,} bytes")


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one file, never more of it than its entry announces."""
    done = 0
    with archive.open(entry) as packed, target.open("xb") as out:
        while block := packed.read(_BLOCK):
            done += len(block)
            if done > entry.file_size:
                raise _bad(f"{_shown(entry)} is larger than it says")
            out.write(block)
    if done != entry.file_size:
        raise _bad(f"{_shown(entry)} is smaller than it says")


def _shown(entry: zipfile.ZipInfo) -> str:
    return repr(entry.orig_filename[:80])


def _bad(why: str) -> AdapterError:
    return AdapterError(
        f"The archive is refused: {why}.",
        "An adapter is adapter_config.json and adapter_model.safetensors, with run.json and README.md.",
    )


def export_adapter(card: Card, target: Path, *, force: bool = False) -> int:
    """Write an adapter as a zip that ``import_adapter``, or PEFT once unpacked, can read; return bytes.

    The same adapter gives the same bytes every time.

    Raises:
        AdapterError: it is not whole, or the file cannot be written.
        UsageError: the file is there already.
    """
    check_files(card.folder)
    if target.exists() and not force:
        raise UsageError(f"{target} is there already.", "Say another file, or --force.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        try:
            with zipfile.ZipFile(partial, "w") as archive:
                for path in sorted(card.folder.iterdir()):
                    if is_part(path.name):
                        _add(archive, path)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target.stat().st_size
    except OSError as error:
        raise AdapterError(
            f"{target} cannot be written: {error.strerror}.", "Say another file: --output FILE"
        ) from error


def _add(archive: zipfile.ZipFile, path: Path) -> None:
    entry = zipfile.ZipInfo(path.name, _EPOCH)
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.compress_type = zipfile.ZIP_STORED if path.name == WEIGHTS else zipfile.ZIP_DEFLATED
    archive.writestr(entry, path.read_bytes())


def readme_of(card: Card) -> str:
    """Return the model card; ``""`` where there is none that can be read."""
    path = card.folder / README
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:MAX_TEXT].strip()
    except OSError:
        return ""
