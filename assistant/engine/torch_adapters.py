"""PEFT adapters on a torch model, switched on for a call by hooks: the model's weights stay as they are.

LoRA (Hu et al. 2021), DoRA (Liu et al. 2024) and IA3 (Liu et al. 2022) change what a module puts out; a
prefix (Li and Liang 2021) is keys and values that stand before the first token.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from assistant.errors import AdapterError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SPECIAL = ("alpha_pattern", "rank_pattern", "fan_in_fan_out", "modules_to_save")

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From a module's input and output, both (..., width), to what it puts out with the adapter."""


@dataclass(frozen=True, slots=True)
class Lowrank:
    """``down`` (rank, in), ``up`` (out, rank) with the scale folded in.

    With DoRA each output is scaled by ``magnitude`` (out,), after the bias is taken off.
    """

    down: torch.Tensor
    up: torch.Tensor
    magnitude: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def __call__(self, given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        added = (given @ self.down.T) @ self.up.T
        if self.magnitude is None:
            return output + added
        if self.bias is None:
            return self.magnitude * (output + added)
        return self.magnitude * (output - self.bias + added) + self.bias


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Each output times its factor (out,)."""

    factor: torch.Tensor

    def __call__(self, given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return output * self.factor


@dataclass(frozen=True, slots=True)
class TorchAdapter:
    """What an adapter does to a model.

    Attributes:
        changes: to the outputs of modules, by name.
        factors: (in,) to the inputs of modules, by name.
        prefix: keys and values (layers, 2, heads, tokens, width) before the first token.
    """

    changes: Mapping[str, Change] = field(default_factory=dict)
    factors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    prefix: torch.Tensor | None = None


def read_torch_adapter(folder: Path, model: Any) -> TorchAdapter:
    """Read a PEFT folder for ``model``.

    Raises:
        AdapterError: it cannot be read, is of a kind not known here, or does not fit the model.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(str(folder / WEIGHTS))
        kind = config["peft_type"]
        special = [name for name in _SPECIAL if config.get(name)]
        if special or config.get("bias", "none") != "none" or kind not in _READERS:
            raise AdapterError(
                f"The adapter in {folder} is of a kind not known here "
                f"({', '.join([str(kind), *special])}).",
                "LoRA, DoRA, IA3 and prefix tuning can be used, without per-module settings.",
            )
        return _READERS[kind](config, tensors, model)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise AdapterError(
            f"{folder} holds no adapter that can be read ({error}).", "Train or fetch it again."
        ) from error
    except (AttributeError, RuntimeError) as error:
        raise AdapterError(
            f"The adapter in {folder} does not fit this model ({error}).",
            "Use the base model it was trained on: see adapter_config.json.",
        ) from error


@contextlib.contextmanager
def adapted(model: Any, adapter: TorchAdapter | None) -> Iterator[None]:
    """Let ``model`` compute with ``adapter`` inside the block (a prefix is the caller's to put in)."""
    handles = []
    try:
        if adapter is not None:
            for name, change in adapter.changes.items():
                handles.append(
                    model.get_submodule(name).register_forward_hook(
                        lambda _module, given, output, change=change: change(given[0], output)
                    )
                )
            for name, factor in adapter.factors.items():
                handles.append(
                    model.get_submodule(name).register_forward_pre_hook(
                        lambda _module, given, factor=factor: (given[0] * factor, *given[1:])
                    )
                )
        yield
    finally:
        for handle in handles:
            handle.remove()


def _lora(
    config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], model: Any
) -> TorchAdapter:
    rank = int(config["r"])
    scale = float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    parts = _by_module(tensors, ".lora_")
    found: dict[str, Change] = {}
    for name, part in parts.items():
        module = model.get_submodule(name)
        weight = module.weight
        down, up = part["A"].to(weight.device), part["B"].to(weight.device).float() * scale
        _check_fit((up.shape[0], down.shape[1]), tuple(weight.shape), name)
        magnitude = None
        if config.get("use_dora"):
            whole = torch.linalg.norm(weight.float() + up @ down.float(), dim=1)
            magnitude = (part["m"].to(weight.device).float() / whole).to(weight.dtype)
        found[name] = Lowrank(
            down.to(weight.dtype),
            up.to(weight.dtype),
            magnitude,
            module.bias if magnitude is not None else None,
        )
    return TorchAdapter(found)


def _ia3(
    config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], model: Any
) -> TorchAdapter:
    changes: dict[str, Change] = {}
    factors: dict[str, torch.Tensor] = {}
    inner = tuple(config.get("feedforward_modules") or ())
    for name, part in _by_module(tensors, ".ia3_").items():
        weight = model.get_submodule(name).weight
        factor = part["l"].to(weight.device, weight.dtype).flatten()
        feedforward = name.endswith(inner) if inner else False
        _check_fit((len(factor),), (weight.shape[1] if feedforward else weight.shape[0],), name)
        if feedforward:
            factors[name] = factor
        else:
            changes[name] = _Scaled(factor)
    return TorchAdapter(changes, factors)


def _prefix(
    config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], model: Any
) -> TorchAdapter:
    layers, tokens = int(config["num_layers"]), int(config["num_virtual_tokens"])
    heads = int(config["num_attention_heads"])
    width = int(config["token_dim"]) // heads
    own = model.config
    own_heads = getattr(own, "num_key_value_heads", None) or own.num_attention_heads
    own_width = getattr(own, "head_dim", None) or own.hidden_size // own.num_attention_heads
    _check_fit((layers, heads, width), (own.num_hidden_layers, own_heads, own_width), "its prefix")
    weight = next(model.parameters())
    values = tensors["prompt_embeddings"].to(weight.device, weight.dtype)
    return TorchAdapter(
        prefix=values.view(tokens, layers, 2, heads, width).permute(1, 2, 3, 0, 4).contiguous()
    )


_READERS = {"LORA": _lora, "IA3": _ia3, "PREFIX_TUNING": _prefix}


def _by_module(
    tensors: Mapping[str, torch.Tensor], mark: str
) -> dict[str, dict[str, torch.Tensor]]:
    """Return tensors by the module they belong to, each by the letter that follows ``mark``."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, rest = name.removeprefix("base_model.model.").rpartition(mark)
        found.setdefault(module, {})[rest[:1]] = tensor
    return found


def _check_fit(own: tuple[int, ...], wanted: tuple[int, ...], name: str) -> None:
    if own != wanted:
        raise RuntimeError(f"{name} has {own}, the model {wanted}")
