"""Names of adapters: what is allowed in them, and what a user means by a short one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from assistant.errors import AdapterError, UsageError
from assistant.models.catalog import lookup
from assistant.models.resolve import folder_name, is_hub_id

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LONGEST = 500
_RESERVED = ("none", "off", "auto", "all")
"""Words that commands may take in place of a name."""


def is_safe(name: str) -> bool:
    """Return whether a word can be a folder's name anywhere: no separators, no dots that lead out."""
    bad_end = name.endswith((".", ".json", ".zip")) or name.lower() in _RESERVED
    return _SAFE.fullmatch(name) is not None and ".." not in name and not bad_end


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it is safe; ``what`` is "version", "task" or the like.

    Raises:
        AdapterError: it is not.
    """
    if not is_safe(name):
        raise AdapterError(
            f"“{name[:80]}” cannot be the name of a {what}.",
            "Up to 64 letters, digits, dots, dashes and underscores, with a letter or digit first.",
        )
    return name


def base_folder(model: str) -> str:
    """Return the folder in which adapters for a model lie, by the name the model is asked for with.

    That is its name in the catalogue, the hub id with dashes, or the last part of a path.

    Raises:
        AdapterError: nothing of the name can be used.
    """
    model = model.strip()
    if len(model) > _LONGEST or not model.isprintable():
        raise AdapterError(f"“{model[:80]}” cannot be the name of a base model.")
    entry = lookup(model)
    if entry is not None:
        return entry.name
    is_hub = is_hub_id(model) and not Path(model).exists()
    name = folder_name(model) if is_hub else Path(model).name.removesuffix(".gguf")
    name = re.sub(r"[^A-Za-z0-9._-]+|\.{2,}", "-", name).lstrip("-._")[:64]
    return check_name(name.rstrip("-._"), "base model")


def names_base(model: str, base: str) -> bool:
    """Return whether adapters for a model lie in the folder ``base``."""
    try:
        return base_folder(model) == base
    except AdapterError:
        return False


def canonical(model: str) -> str:
    """Return the name by which an engine and measurements know a model that a user asked for."""
    entry = lookup(model.strip())
    return entry.name if entry is not None else model.strip()


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key by which v10 comes after v9."""
    parts = re.findall(r"\d+|\D+", version)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def match(wanted: str, known: Sequence[str], task: str | None = None) -> str:
    """Return the one of ``known`` (each ``task/version``) that a user means by ``wanted``.

    It may be the whole name, a version alone, or the beginning of either, as long as only one fits;
    of several tasks, ``task`` is preferred.

    Raises:
        AdapterError: none fits; the hint lists those there are.
        UsageError: several fit.
    """
    wanted = wanted.strip()
    versions = [name.partition("/")[2] for name in known]
    pairs = list(zip(known, versions, strict=True)) if wanted else []
    for found in (
        [name for name in known if name == wanted],
        [name for name, version in pairs if version == wanted],
        [name for name in known if wanted and name.startswith(wanted)],
        [name for name, version in pairs if version.startswith(wanted)],
    ):
        if task is not None and len(found) > 1:
            of_task = [name for name in found if name.partition("/")[0] == task]
            if len(of_task) == 1:
                return of_task[0]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"“{wanted}” may be {' or '.join(found[:6])}.", "Write the name in full."
            )
    raise AdapterError(
        f"No adapter named '{wanted[:80]}' is installed for this model.", those(known)
    )


def those(known: Sequence[str]) -> str:
    """Return a hint that says which adapters there are."""
    if not known:
        return "There is none for this model yet: assistant adapters list"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"There are: {', '.join(known[:12])}{more}."
