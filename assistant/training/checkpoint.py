"""Checkpoints: all that a training needs to go on as if it had never stopped.

A checkpoint is a folder that appears under its name in one step, complete; the one before is deleted
after that. Tensors are safetensors, the rest is JSON: reading one runs no code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from assistant.errors import AdapterError, DiskSpaceError

_TENSORS, _STATE, _NAME = "tensors.safetensors", "state.json", "step-"


@dataclass(slots=True)
class Position:
    """Where a training is, and what it has seen so far.

    Attributes:
        step: steps done; ``epoch`` and ``index`` name the next one in the data.
        loss: smoothed loss of the steps, ``None`` before the first.
        dev: the last loss on the development rows; ``best`` the lowest, at ``best_step``.
        accuracy: the share of judgements that were met there, where the method has judgements.
        stale: measurements since then.
        seconds: time spent; ``tokens`` read by then.
        finished: nothing is left to do.
    """

    step: int = 0
    epoch: int = 0
    index: int = 0
    loss: float | None = None
    dev: float | None = None
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    seconds: float = 0.0
    tokens: int = 0
    finished: bool = False
    accuracy: float | None = None


def write_checkpoint(folder: Path, position: Position, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write a checkpoint below ``folder`` and delete older ones; return its place.

    Raises:
        DiskSpaceError: it cannot be written.
    """
    target = folder / f"{_NAME}{position.step:08d}{'-end' if position.finished else ''}"
    staging = folder / f".{target.name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (target / _STATE).is_file():
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                str(staging / _TENSORS),
            )
            (staging / _STATE).write_text(json.dumps(asdict(position)) + "\n", encoding="utf-8")
            for file in staging.iterdir():
                _to_disk(file)
            staging.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise DiskSpaceError(
            f"The checkpoint {target} cannot be written: {error}.",
            "Free some space; the training goes on from the checkpoint before with --resume.",
        ) from error
    for old in folder.iterdir():
        if old.name != target.name:
            shutil.rmtree(old, ignore_errors=True)
    return target


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below ``folder``."""
    found = sorted(path for path in folder.glob(f"{_NAME}*") if (path / _STATE).is_file())
    return found[-1] if found else None


def read_checkpoint(place: Path) -> tuple[Position, dict[str, torch.Tensor]]:
    """Return what :func:`write_checkpoint` wrote.

    Raises:
        AdapterError: it is damaged.
    """
    try:
        state: dict[str, Any] = json.loads((place / _STATE).read_text(encoding="utf-8"))
        return Position(**state), load_file(str(place / _TENSORS))
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise AdapterError(
            f"The checkpoint {place} is damaged: {error}", "Start the training anew."
        ) from error


def _to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
