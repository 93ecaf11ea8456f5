"""The models of this machine: listed, checked in full, removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from assistant.errors import AssistantError, ChecksumError, ModelNotInstalled, UsageError
from assistant.models.catalog import load_catalog, lookup
from assistant.models.checksums import file_sha256, folder_sha256, note
from assistant.models.resolve import (
    ModelFiles,
    folder_name,
    is_hub_id,
    memo_for,
    model_in_folder,
    resolve,
)
from assistant.paths import Paths

_RECORD = ".pulled.json"


def _name_of(folder: Path) -> str:
    """Return the name a folder below ``models`` answers to."""
    hub_id = folder.name.replace("--", "/", 1)
    return hub_id if is_hub_id(hub_id) else folder.name


def installed_names(paths: Paths) -> list[str]:
    """Return the names of the models below ``paths.models``, without reading their contents."""
    if not paths.models.is_dir():
        return []
    names = []
    for folder in sorted(paths.models.iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            model_in_folder(folder)
        except AssistantError:
            continue  # an empty or unfinished folder is no model
        names.append(_name_of(folder))
    return names


def installed(paths: Paths) -> list[ModelFiles]:
    """Return the models of this machine, those of the catalogue first, in its order.

    A catalogued model with a wrong checksum is left out: `assistant models verify` names it.
    """
    order = [entry.name for entry in load_catalog()]
    found = []
    for name in installed_names(paths):
        try:
            found.append(resolve(name, paths))
        except AssistantError:
            continue
    known = len(order)
    return sorted(found, key=lambda m: (order.index(m.name) if m.name in order else known, m.name))


def write_record(folder: Path, origin: str, checksums: dict[str, str]) -> None:
    """Write beside pulled files where they are from and what their checksums were then."""
    record = {"origin": origin, "sha256": checksums}
    (folder / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def _recorded(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return {str(name): str(sha256) for name, sha256 in record["sha256"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def verify(name: str, paths: Paths) -> ModelFiles:
    """Read a model's files in full and compare them with what they should be.

    That is the catalogue's checksum, the ones recorded when the model was pulled, or else the one
    noted when it was first seen.

    Raises:
        ModelNotFound, ModelNotInstalled: there is nothing to verify.
        ChecksumError: the content has changed, or a file is gone.
    """
    files = resolve(name, paths)
    folder = files.path if files.kind == "folder" else files.path.parent
    for part, sha256 in _recorded(folder).items():
        path = folder / part
        if not path.is_file():
            raise _changed(files.name, f"{part} is gone")
        if file_sha256(path) != sha256:
            raise _changed(files.name, f"{part} is not what was pulled")
    now = folder_sha256(files.path) if files.kind == "folder" else file_sha256(files.path)
    if now != files.sha256:
        raise _changed(files.name, f"its checksum is {now[:16]}…, not {files.sha256[:16]}…")
    note(files.path, memo_for(files.path, paths), now)
    return files


def _changed(name: str, how: str) -> ChecksumError:
    return ChecksumError(
        f"{name} has changed on the disk: {how}.",
        f"`assistant models remove {name} --yes`, then `assistant models pull {name}`.",
    )


def remove(name: str, paths: Paths) -> int:
    """Delete a model below ``paths.models`` and what is left of its pulls; return bytes freed.

    Raises:
        UsageError: ``name`` is no name of such a model.
        ModelNotInstalled: it is not there.
    """
    entry = lookup(name)
    plain = entry.name if entry else folder_name(name)
    folder, partial = paths.models / plain, paths.models / ".partial" / plain
    if not plain or plain.startswith(".") or folder.parent != paths.models:
        raise UsageError(
            f"“{name}” names no model of this program.", "See `assistant models list`."
        )
    if not folder.is_dir() and not partial.is_dir():
        raise ModelNotInstalled(f"The model {name} is not on this machine.", "Nothing to remove.")
    freed = sum(
        path.stat().st_size
        for place in (folder, partial)
        for path in place.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    # Renaming first makes it vanish at once, however long deleting takes.
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        doomed = paths.models / f".removed-{plain}"
        shutil.rmtree(doomed, ignore_errors=True)
        folder.replace(doomed)
        shutil.rmtree(doomed)
    shutil.rmtree(partial, ignore_errors=True)
    return freed
