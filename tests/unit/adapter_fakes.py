"""Small adapters in PEFT's format, and a base model that has nothing but shapes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from assistant.adapters.run_record import BaseModel, RunRecord, Score, write_run
from assistant.paths import user_paths

MODULES = ("q_proj", "up_proj")
_PLACES = {
    "model.layers.0.self_attn.q_proj": (8, 8),
    "model.layers.0.mlp.up_proj": (16, 8),
}


def tensors(rank: int = 2, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the tensors of a LoRA, by the names that PEFT gives them."""
    found: dict[str, np.ndarray] = {}
    for place, (out, into) in _PLACES.items():
        name = f"base_model.model.{place}"
        found[f"{name}.lora_A.weight"] = np.full((rank, into), 0.5, dtype=np.float32)
        found[f"{name}.lora_B.weight"] = np.full((out, rank), 0.25, dtype=np.float32)
    return {**found, **changed}


def write_peft(
    folder: Path,
    *,
    rank: int = 2,
    values: Mapping[str, np.ndarray] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Write what plain PEFT writes."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 4, "target_modules": list(MODULES)}
    text = json.dumps({**settings, **(config or {})})
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    save_file(dict(values or tensors(rank)), str(folder / "adapter_model.safetensors"))
    return folder


def write_adapter(
    folder: Path,
    *,
    task: str = "classification",
    base: BaseModel | None = None,
    scores: Mapping[str, Score] | None = None,
    parent: str | None = None,
    **peft: Any,
) -> RunRecord:
    """Write an adapter as this program's training does; return its record."""
    write_peft(folder, **peft)
    weights = (folder / "adapter_model.safetensors").read_bytes()
    record = RunRecord(
        task=task,
        base_model=base or BaseModel("base", "a" * 64),
        technique="lora",
        rank=2,
        seed=7,
        settings={"epochs": 1},
        scores=scores or {},
        parent=parent,
        sha256=hashlib.sha256(weights).hexdigest(),
        size=len(weights),
    )
    write_run(folder, record)
    (folder / "README.md").write_text("# A card\n", encoding="utf-8")
    return record


def own_folder(base: str, task: str, version: str) -> Path:
    """Return where one of the user's own adapters lies."""
    return user_paths().data / "adapters" / base / task / version


def write_own(
    version: str,
    *,
    task: str = "classification",
    base: str = "base",
    base_model: BaseModel | None = None,
    **more: Any,
) -> Path:
    """Write an adapter among the user's own."""
    folder = own_folder(base, task, version)
    write_adapter(folder, task=task, base=base_model, **more)
    return folder


def write_base(name: str = "base", **sizes: tuple[int, int]) -> BaseModel:
    """Install a model that has the matrices the adapters are for; return what identifies it."""
    from assistant.models.resolve import resolve

    folder = user_paths().models / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    shapes = {place: sizes.get(place.rpartition(".")[2], size) for place, size in _PLACES.items()}
    matrices = {f"{place}.weight": np.zeros(size, np.float32) for place, size in shapes.items()}
    save_file(matrices, str(folder / "model.safetensors"))
    files = resolve(name, user_paths())
    return BaseModel(files.name, files.sha256)


def changed(record: RunRecord, folder: Path, **fields: Any) -> None:
    """Write a record anew with some fields changed."""
    write_run(folder, replace(record, **fields))
