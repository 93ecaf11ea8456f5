"""From a name to the files of a model on this machine."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.errors import ChecksumError, ConversionError, ModelNotFound, ModelNotInstalled
from assistant.models.catalog import CatalogEntry, find, lookup
from assistant.models.checksums import identity
from assistant.models.hubcache import cached_file, cached_repo
from assistant.paths import Paths

Kind = Literal["gguf", "folder"]
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that is here. ``path`` is a GGUF file or a folder; ``sha256`` identifies it.

    For a folder ``sha256`` is one hash over its files (see ``checksums``).
    """

    name: str
    path: Path
    kind: Kind
    sha256: str
    entry: CatalogEntry | None = None


def is_hub_id(name: str) -> bool:
    """Return whether ``name`` has the shape of a hub id, ``organisation/name``."""
    return _HUB_ID.fullmatch(name) is not None and ".." not in name


def folder_name(name: str) -> str:
    """Return the folder below ``paths.models`` for a catalogue name or hub id."""
    return name.replace("/", "--")


def memo_for(path: Path, paths: Paths) -> Path:
    """Return where a checksum is remembered: beside our own files, in the cache for others'."""
    if path.is_relative_to(paths.models):
        return (
            path / ".sha256.json" if path.is_dir() else path.with_name(f"{path.name}.sha256.json")
        )
    key = hashlib.sha256(str(path).encode()).hexdigest()[:32]
    return paths.cache / "checksums" / f"{key}.json"


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConversionError(f"{index} cannot be read.", "Fetch the model again.") from error
    missing = sorted(str(name) for name in shards if not (folder / str(name)).is_file())
    if missing:
        raise ConversionError(
            f"The model in {folder} lacks {len(missing)} of {len(shards)} weight files, "
            f"{missing[0]} first.",
            "Fetch the model again.",
        )


def model_in_folder(folder: Path) -> tuple[Path, Kind]:
    """Return the model of a folder: itself (safetensors) or the one GGUF file in it.

    Raises:
        ConversionError: there is none, several, or only weights in an unsafe format.
    """
    names = [path.name for path in folder.iterdir() if path.is_file()]
    if any(name.endswith(".safetensors") for name in names):
        if "config.json" not in names:
            raise ConversionError(
                f"{folder} has weights but no config.json.",
                "Give the folder of a whole model; an adapter is given with --adapter.",
            )
        _check_shards(folder)
        return folder, "folder"
    files = sorted(name for name in names if name.lower().endswith(".gguf"))
    if len(files) == 1:
        return folder / files[0], "gguf"
    if files:
        raise ConversionError(
            f"{folder} holds {len(files)} GGUF files.", f"Name one of them, such as {files[0]}."
        )
    if any(name.endswith(_PICKLED) for name in names):
        raise ConversionError(
            f"{folder} has its weights in pickled files only, which can run any code when read.",
            "Use the model's safetensors or GGUF files.",
        )
    raise ConversionError(
        f"{folder} holds no model.", "A model is a GGUF file, or config.json and *.safetensors."
    )


def _files(name: str, path: Path, paths: Paths, entry: CatalogEntry | None) -> ModelFiles:
    found, kind = model_in_folder(path) if path.is_dir() else (path, "gguf")
    try:
        sha256 = identity(found, memo_for(found, paths))
    except OSError as error:
        raise ConversionError(f"{found} cannot be read: {error.strerror}.", "") from error
    return ModelFiles(name, found, kind, sha256, entry)


def locate(entry: CatalogEntry, paths: Paths) -> Path | None:
    """Return where a catalogued model lies (our folder, else the hub's cache), or ``None``.

    Nothing is read or checked, so that listing stays quick.
    """
    folder = paths.models / entry.name
    if entry.hub_file is not None:
        path = folder / Path(entry.hub_file).name
        return path if path.is_file() else cached_file(entry.hub_repo, entry.hub_file)
    return folder if (folder / "config.json").is_file() else cached_repo(entry.hub_repo)


def resolve_entry(entry: CatalogEntry, paths: Paths) -> ModelFiles:
    """Return the files of a catalogued model.

    Raises:
        ModelNotInstalled: it is not on this machine.
        ChecksumError: its file is not the catalogued one.
        ConversionError: its folder holds no model that can be read safely.
    """
    place = locate(entry, paths)
    if place is None:
        raise _not_installed(entry.name)
    files = _files(entry.name, place, paths, entry)
    if entry.sha256 is not None and files.sha256 != entry.sha256:
        raise ChecksumError(
            f"{place} is not the file that {entry.name} should be (its checksum is wrong).",
            f"`assistant models pull {entry.name}` fetches it again.",
        )
    return files


def _not_installed(name: str) -> ModelNotInstalled:
    return ModelNotInstalled(
        f"The model {name} is not on this machine.", f"assistant models pull {name}"
    )


def _path(name: str, paths: Paths) -> ModelFiles | None:
    path = Path(name).expanduser()
    if path.is_dir():
        return _files(name, path.resolve(), paths, None)
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise ConversionError(
                f"{path} is not a GGUF file.", "Give a .gguf file, or the folder of a model."
            )
        return _files(name, path.resolve(), paths, None)
    if is_hub_id(name) and not name.lower().endswith(".gguf"):
        return None
    if path.is_absolute() or name.startswith((".", "~")) or name.lower().endswith(".gguf"):
        raise ModelNotFound(f"There is no file or folder {path}.", "Check the path.")
    return None


def _hub(repo: str, paths: Paths) -> ModelFiles | None:
    folder = paths.models / folder_name(repo)
    place = folder if folder.is_dir() else cached_repo(repo)
    return None if place is None else _files(repo, place, paths, None)


def resolve(name: str, paths: Paths) -> ModelFiles:
    """Return the files of the model called ``name``; nothing is downloaded.

    ``name`` is a catalogue name (in any case), a GGUF file, a model folder, a hub id
    (``organisation/name``) or the name of a folder below ``paths.models``.

    Raises:
        ModelNotFound: the name means nothing here.
        ModelNotInstalled: known, but not on this machine.
        ChecksumError: the installed file is not the catalogued one.
        ConversionError: the place holds no model that can be read safely.
    """
    name = name.strip()
    if (entry := lookup(name)) is not None:
        return resolve_entry(entry, paths)
    if (files := _path(name, paths)) is not None:
        return files
    if is_hub_id(name):
        if (files := _hub(name, paths)) is not None:
            return files
        raise _not_installed(name)
    own = paths.models / name
    if not (name and own.parent == paths.models and own.is_dir()):
        find(name)  # raises, with the closest names
    return _files(name, own, paths, None)
