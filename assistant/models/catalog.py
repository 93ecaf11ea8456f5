"""The catalogue: models known by name, read from ``catalog.toml``."""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import ModelNotFound

_FILE = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Wheels on the Python package index that carry a model file, whole or in parts.

    ``wheels`` are exact requirements (``name==version``) in the order of their parts;
    ``part_pattern`` is a regular expression for the member inside, its group the part's number.
    """

    wheels: tuple[str, ...]
    part_pattern: str


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model. Sizes are in bytes, ``context_length`` in tokens, languages in ISO 639-1.

    ``sha256`` is that of the one GGUF file (``None`` for a whole repository); ``memory_bytes`` is
    an estimate of what running takes; ``hub_file`` ``None`` means the whole safetensors repository.
    """

    name: str
    title: str
    role: str
    family: str
    parameters: int
    bytes: int
    context_length: int
    languages: tuple[str, ...]
    licence: str
    memory_bytes: int
    hub_repo: str
    summary: str
    sha256: str | None = None
    hub_file: str | None = None
    mirror: Mirror | None = None
    default: bool = False

    @property
    def gguf(self) -> bool:
        """Whether the model is one GGUF file rather than a folder of safetensors."""
        return self.hub_file is not None and self.hub_file.lower().endswith(".gguf")


def _entry(row: dict[str, Any]) -> CatalogEntry:
    fields = dict(row)
    mirror = fields.pop("mirror", None)
    languages = tuple(fields.pop("languages"))
    wheels = Mirror(tuple(mirror["wheels"]), mirror["part_pattern"]) if mirror else None
    return CatalogEntry(languages=languages, mirror=wheels, **fields)


@functools.cache
def load_catalog() -> tuple[CatalogEntry, ...]:
    """Return all entries, in the order of the file."""
    with _FILE.open("rb") as file:
        return tuple(_entry(row) for row in tomllib.load(file)["model"])


def default_entry() -> CatalogEntry:
    """Return the model a fresh installation starts with."""
    return next(entry for entry in load_catalog() if entry.default)


def lookup(name: str) -> CatalogEntry | None:
    """Return the entry of that name or hub repository (in any case), or ``None``."""
    wanted = name.strip().casefold()
    for entry in load_catalog():
        if wanted in (entry.name.casefold(), entry.hub_repo.casefold()):
            return entry
    return None


def find(name: str) -> CatalogEntry:
    """Return the entry of that name, in any case.

    Raises:
        ModelNotFound: no such entry; the hint names the closest ones.
    """
    entry = lookup(name)
    if entry is not None:
        return entry
    names = [each.name for each in load_catalog()]
    close = difflib.get_close_matches(name.strip().casefold(), names, n=3, cutoff=0.4)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise ModelNotFound(
        f"There is no model called “{name}”.",
        f"{meant}See `assistant models list`, or give a GGUF file, a model folder or a hub id "
        "(organisation/name).",
    )


def catalog_table(entries: tuple[CatalogEntry, ...] | None = None) -> str:
    """Return the catalogue as a Markdown table, as ``docs/models.md`` shows it."""
    lines = [
        "| name | parameters | download | memory | context | languages | licence | mirror |",
        "|---|---:|---:|---:|---:|---|---|---|",
    ]
    for entry in load_catalog() if entries is None else entries:
        name = f"**{entry.name}** (default)" if entry.default else entry.name
        lines.append(
            f"| {name} | {entry.parameters / 1e6:,.0f} M | {entry.bytes / 1e9:.2f} GB "
            f"| {entry.memory_bytes / 1e9:.1f} GB | {entry.context_length:,} "
            f"| {' '.join(entry.languages)} | {entry.licence} | {'yes' if entry.mirror else 'no'} |"
        )
    return "\n".join(lines)
