"""LoRA on a torch model by forward hooks: switched on for a call, gone after it (Hu et al. 2021)."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from assistant.errors import AdapterError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SPECIAL = ("use_dora", "alpha_pattern", "rank_pattern", "fan_in_fan_out", "modules_to_save")


@dataclass(frozen=True, slots=True)
class TorchAdapter:
    """Adapted modules by name, each with ``down`` (rank, in) and ``up`` (out, rank), scale folded in."""

    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]


def read_torch_adapter(folder: Path, model: Any) -> TorchAdapter:
    """Read a PEFT LoRA folder for ``model``.

    Raises:
        AdapterError: it cannot be read, is more than plain LoRA, or does not fit the model.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(str(folder / WEIGHTS))
        kind, rank, alpha = config["peft_type"], int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise AdapterError(
            f"{folder} holds no adapter that can be read ({error}).", "Train or fetch it again."
        ) from error
    special = any(config.get(name) for name in _SPECIAL) or config.get("bias", "none") != "none"
    if kind != "LORA" or special:
        raise AdapterError(f"The adapter in {folder} is more than plain LoRA.")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, rest = name.removeprefix("base_model.model.").rpartition(".lora_")
        halves.setdefault(module, {})[rest[:1]] = tensor
    pairs = {}
    for name, half in halves.items():
        try:
            weight = model.get_submodule(name).weight
            down = half["A"].to(weight.device, weight.dtype)
            up = (half["B"].float() * scale).to(weight.device, weight.dtype)
            if (up.shape[0], down.shape[1]) != tuple(weight.shape):
                raise KeyError(name)
        except (AttributeError, KeyError) as error:
            raise AdapterError(
                f"The adapter in {folder} does not fit this model (at {name}).",
                "Use the base model it was trained on: see adapter_config.json.",
            ) from error
        pairs[name] = (down, up)
    return TorchAdapter(pairs)


@contextlib.contextmanager
def adapted(model: Any, adapter: TorchAdapter | None) -> Iterator[None]:
    """Let ``model`` compute with ``adapter`` inside the block; its weights stay as they are."""
    handles = []
    try:
        for name, pair in (adapter.pairs if adapter else {}).items():
            handles.append(model.get_submodule(name).register_forward_hook(_adds(*pair)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _adds(down: torch.Tensor, up: torch.Tensor) -> Any:
    def hook(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output + (inputs[0] @ down.T) @ up.T

    return hook
