"""Whether an adapter is what it says: its files, its weights, and the model it belongs to.

Every check ends in one clear sentence. What cannot be compared (no record, no model here) is told
as a note, so that nobody takes silence for a pass.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from assistant.adapters.card import CONFIG, README, WEIGHTS, Card
from assistant.adapters.names import names_base
from assistant.adapters.run_record import RUN, BaseModel
from assistant.adapters.shapes import Shapes, module_shapes
from assistant.adapters.weights import (
    MAX_TEXT,
    MAX_WEIGHTS,
    check_finite,
    check_fit,
    read_config,
    read_tensors,
)
from assistant.errors import AdapterError, ModelError
from assistant.models.checksums import file_sha256
from assistant.models.resolve import ModelFiles, resolve
from assistant.paths import Paths

PARTS = (CONFIG, WEIGHTS, RUN, README)
"""The files of an adapter, those that are needed first."""

_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "NOTICE", "NOTICE.txt", "NOTICE.md")
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")


@dataclass(frozen=True, slots=True)
class Verified:
    """An adapter that passed: the checksum of its weights, how many tensors, and what was left open."""

    sha256: str
    tensors: int
    notes: tuple[str, ...] = ()


def is_part(name: str) -> bool:
    """Return whether a file of this name belongs into an adapter's folder."""
    return name in PARTS or name in _LICENCES


def refusal(name: str) -> str:
    """Return why a file is not let in; ``""`` for those that belong, or do no harm and are left out."""
    if is_part(name):
        return ""
    if name.lower().endswith(_PICKLED):
        return f"{name} is in a pickled format, which can run any code when it is read"
    if name.lower().endswith((".json", ".md", ".txt", ".jinja", ".gitattributes", ".ds_store")):
        return ""
    return f"{name} does not belong into an adapter"


def check_files(folder: Path) -> None:
    """Check that a folder holds an adapter's files and nothing else.

    Raises:
        AdapterError: it names the file that must not be there, or is missing.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise AdapterError(f"{folder} cannot be read: {error.strerror}.") from error
    for path in entries:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no plain file"
            raise AdapterError(f"{path.name[:80]} in {folder} is {kind}.", "Delete it.")
        if why := refusal(path.name):
            raise AdapterError(f"{why[:200]}.", f"Delete it from {folder}.")
        if path.stat().st_size > (MAX_WEIGHTS if path.name == WEIGHTS else MAX_TEXT):
            raise AdapterError(f"{path.name} in {folder} is too large for what it is.")
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise AdapterError(f"{name} is missing in {folder}.", "Train or fetch it again.")


def verify(card: Card, base: BaseModel | None = None, shapes: Shapes | None = None) -> Verified:
    """Check an adapter in full, against ``base`` and its ``shapes`` where they are known.

    Raises:
        AdapterError: the first thing that is wrong with it.
    """
    check_files(card.folder)
    if card.problem:
        raise AdapterError(card.problem)
    notes = []
    path = card.folder / WEIGHTS
    sha256 = file_sha256(path)
    if not card.run.sha256:
        notes.append(f"no checksum of its weights is recorded in {RUN}")
    elif sha256 != card.run.sha256:
        raise AdapterError(
            f"The weights of {card.name} are not those that were recorded (their checksum is "
            f"{sha256[:16]}…, not {card.run.sha256[:16]}…).",
            "Train or fetch it again.",
        )
    if card.run.task and card.run.task != card.task:
        raise AdapterError(
            f"{card.name} was trained for {card.run.task[:40]}, not for {card.task}.",
            "Import it again, for its own task.",
        )
    config = read_config(card.folder)
    tensors = read_tensors(path)
    check_base(card, base)
    check_fit(config, tensors, shapes)
    check_finite(path, tensors)
    if not card.run.base_model.sha256:
        notes.append("which base model it was trained on is not recorded")
    elif base is None:
        notes.append("its base model is not here, so nothing was compared with it")
    return Verified(sha256, len(tensors), tuple(notes))


def check_base(card: Card, base: BaseModel | None) -> None:
    """Check that an adapter was trained on this very model, as far as that is recorded.

    Raises:
        AdapterError: it was trained on another one.
    """
    trained = card.run.base_model
    if base is None or not trained.sha256 or not base.sha256 or trained.sha256 == base.sha256:
        return
    raise AdapterError(
        f"{card.name} was trained on another base model: {trained.name[:80] or 'one'} with checksum "
        f"{trained.sha256[:16]}…; {base.name[:80]} here has {base.sha256[:16]}….",
        "Use the model it was trained on (-m), or train an adapter for this one.",
    )


def here(model: str, paths: Paths) -> ModelFiles | None:
    """Return the base model's files, ``None`` where it is not on this machine."""
    try:
        return resolve(model, paths)
    except (ModelError, OSError, RuntimeError, ValueError):  # the name may come from a record
        return None


def base_model_of(card: Card, model: str, paths: Paths) -> ModelFiles | None:
    """Return the files of an adapter's base model, looked for by ``model`` and by what is recorded.

    ``None`` where it is not on this machine.
    """
    for name in (model, card.run.base_model.name, card.base.replace("--", "/", 1)):
        if names_base(name, card.base) and (files := here(name, paths)) is not None:
            return files
    return None


def verify_with(card: Card, files: ModelFiles | None) -> Verified:
    """Check an adapter in full, with everything that can be known of its base model.

    Raises:
        AdapterError: it is not what it says.
        ConversionError: the model's own files cannot be read.
    """
    if files is None:
        return verify(card)
    check_base(card, BaseModel(files.name, files.sha256))  # before the work of reading shapes
    return verify(card, BaseModel(files.name, files.sha256), module_shapes(files))
