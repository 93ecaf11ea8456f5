"""PEFT LoRA folders, read for the lean path (Hu et al. 2021; rank-stabilized: Kalajdzievski 2023)."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from assistant.engine.lean.formats import FORMATS, Array
from assistant.engine.lean.pack import module_name
from assistant.engine.lean.plain_lora import beyond
from assistant.engine.lean.program import RANK_WIDTH, LowRank
from assistant.engine.lean.weights import Weights, matrix_from
from assistant.errors import AdapterError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter ready to run: its layers by our names, and the checksum of its weights."""

    layers: dict[str, LowRank]
    sha256: str


def read_adapter(folder: Path, weights: Weights, *, exact: bool = False) -> AdapterFile:
    """Read a PEFT LoRA folder.

    ``exact`` keeps its numbers in 32 bits; otherwise they are rounded to bfloat16.

    Raises:
        AdapterError: it is no LoRA folder, needs something the lean path has not, is in a pickled
            format, or does not fit the model.
    """
    config = _config(folder)
    tensors, sha256 = _tensors(folder)
    pairs: dict[str, dict[str, Array]] = {}
    for name, tensor in tensors.items():
        module, _, rest = name.rpartition(".lora_")
        ours, kind = module_name(module), rest.split(".")[0]
        if ours is None or kind not in ("A", "B"):
            raise AdapterError(
                f"The adapter in {folder} adapts {name}, which this engine cannot.",
                "Train it on the linear layers of attention and feed-forward only.",
            )
        pairs.setdefault(ours, {"module": np.array(module)})[kind] = tensor
    layers = {n: _low_rank(folder, config, n, p, weights, exact=exact) for n, p in pairs.items()}
    if not layers:
        raise AdapterError(f"The adapter in {folder} holds no layers.", "Train or fetch it again.")
    return AdapterFile(layers, sha256)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(
            f"{folder} holds no adapter that can be read ({CONFIG}: {error}).",
            "Give a folder in PEFT's format.",
        ) from error
    if what := beyond(config):
        raise AdapterError(
            f"The adapter in {folder} is more than plain LoRA ({what}).",
            "Run it on plain transformers: assistant config set engine plain",
        )
    return config


def _tensors(folder: Path) -> tuple[dict[str, Array], str]:
    file = folder / WEIGHTS
    if not file.is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        why = (
            "its weights are pickled, which can run any code when read" if pickled else "no weights"
        )
        raise AdapterError(
            f"The adapter in {folder} cannot be used: {why}.", f"It needs {WEIGHTS}."
        )
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        with safe_open(str(file), framework="numpy") as opened:
            names = opened.keys()
            return {name: _floats(opened, name, file) for name in names}, sha256
    except (OSError, SafetensorError, TypeError) as error:
        raise AdapterError(f"{file} is damaged: {error}", "Train or fetch it again.") from error


def _floats(opened: Any, name: str, file: Path) -> Array:
    """Return a tensor as float32; numpy has no bfloat16, so its bits are widened by hand."""
    if opened.get_slice(name).get_dtype() != "BF16":
        return np.asarray(opened.get_tensor(name), dtype=np.float32)
    with safe_open(str(file), framework="pt") as widened:  # rare: PEFT saves float32
        tensor: Array = widened.get_tensor(name).float().numpy()
    return tensor


def _low_rank(
    folder: Path,
    config: dict[str, Any],
    name: str,
    pair: dict[str, Array],
    weights: Weights,
    *,
    exact: bool,
) -> LowRank:
    base = weights.matrices.get(name)
    down, up = pair.get("A"), pair.get("B")
    fits = (
        base is not None
        and down is not None
        and up is not None
        and down.shape[1] == base.columns
        and up.shape == (base.rows, down.shape[0])
        and down.shape[0] <= RANK_WIDTH // 4
    )
    if not fits or down is None or up is None:
        raise AdapterError(
            f"The adapter in {folder} does not fit this model (at {name}).",
            "Use the base model it was trained on: see adapter_config.json.",
        )
    module = str(pair["module"])
    rank = int(down.shape[0])
    alpha = _of_pattern(config.get("alpha_pattern"), module, float(config.get("lora_alpha", rank)))
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    kind = "f32" if exact else "bf16"
    return LowRank(
        matrix_from(FORMATS[kind], down), matrix_from(FORMATS[f"{kind}x8"], up * np.float32(scale))
    )


def _of_pattern(patterns: dict[str, float] | None, module: str, default: float) -> float:
    for pattern, value in (patterns or {}).items():
        if module == pattern or module.endswith(f".{pattern}"):
            return float(value)
    return default
