"""What an adapter's two files must be like: PEFT's settings, and tensors that fit them and the model.

The weights are mapped, never unpickled; a header is checked by the safetensors library before
anything in it is believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from assistant.adapters.card import CONFIG, WEIGHTS
from assistant.adapters.shapes import Shapes
from assistant.errors import AdapterError

MAX_WEIGHTS = 1_000_000_000
MAX_TEXT = 2_000_000
"""Most bytes of the weights, and of any other file."""

_KINDS = {"F32": 4, "F16": 2, "BF16": 2}
_TYPES = ("LORA", "IA3", "PREFIX_TUNING")
_MAX_RANK = 4096
_AGAIN = "Train or fetch it again."


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor by its place in the file: bytes ``begin`` to ``end`` behind the header."""

    name: str
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_config(folder: Path) -> dict[str, Any]:
    """Return PEFT's settings of an adapter.

    Raises:
        AdapterError: the file is missing, damaged, or for a kind of adapter that is not known here.
    """
    path = folder / CONFIG
    try:
        if path.stat().st_size > MAX_TEXT:
            raise AdapterError(f"{path.name} is too large to hold PEFT's settings.", _AGAIN)
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterError(
            f"{folder} holds no adapter: {CONFIG} is missing.", "Give a folder in PEFT's format."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} cannot be read: {error}", _AGAIN) from error
    if not isinstance(config, dict) or config.get("peft_type") not in _TYPES:
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise AdapterError(
            f"{path.name} is for no kind of adapter that is known here ({str(kind)[:40]}).",
            f"Known: {', '.join(_TYPES)}.",
        )
    if config["peft_type"] == "LORA":
        rank = config.get("r")
        if not isinstance(rank, int) or isinstance(rank, bool) or not 0 < rank <= _MAX_RANK:
            raise AdapterError(f"{path.name}: the rank “{str(rank)[:40]}” is none.", _AGAIN)
    return config


def technique_of(config: Mapping[str, Any]) -> str:
    """Return the technique by the name that ``RunRecord.technique`` has for it."""
    if config["peft_type"] == "LORA":
        if config.get("use_dora"):
            return "dora"
        return "layers" if config.get("layers_to_transform") else "lora"
    return {"IA3": "ia3", "PREFIX_TUNING": "prefix"}[config["peft_type"]]


def read_tensors(path: Path) -> list[Tensor]:
    """Return what a safetensors file holds, from its header.

    Raises:
        AdapterError: it is damaged, too large, or holds numbers of another kind than floats.
    """
    from safetensors import SafetensorError, safe_open

    try:
        size = path.stat().st_size
        if size > MAX_WEIGHTS:
            raise AdapterError(f"{path.name} is larger than any adapter ({size / 1e9:.1f} GB).")
        with safe_open(str(path), framework="numpy"):  # checks that all of it is in bounds
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except FileNotFoundError as error:
        raise AdapterError(
            f"The adapter has no {WEIGHTS}.", "Pickled weights are not read; save as safetensors."
        ) from error
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} is damaged: {error}", _AGAIN) from error
    header.pop("__metadata__", None)
    found = [
        Tensor(
            name,
            each["dtype"],
            tuple(each["shape"]),
            *(8 + length + n for n in each["data_offsets"]),
        )
        for name, each in header.items()
    ]
    wrong = [one for one in found if one.kind not in _KINDS]
    if wrong or not found:
        what = f"{wrong[0].name} is of kind {wrong[0].kind}" if wrong else "there is nothing in it"
        raise AdapterError(f"{path.name} is no adapter's: {what}.", _AGAIN)
    return found


def check_finite(path: Path, tensors: list[Tensor]) -> None:
    """Check that every number is one.

    Raises:
        AdapterError: a tensor has infinities or what is no number.
    """
    import numpy as np

    # float32, float16 and bfloat16 with all bits of the exponent set are infinite or no number.
    bits = {"F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80)}
    data = np.memmap(path, dtype=np.uint8, mode="r")
    for one in tensors:
        kind, exponent = bits[one.kind]
        values = np.frombuffer(data[one.begin : one.end].tobytes(), dtype=kind)
        if bool(((values & exponent) == exponent).any()):
            raise AdapterError(f"{path.name}: {one.name} has values that are no numbers.", _AGAIN)


def check_fit(config: Mapping[str, Any], tensors: list[Tensor], base: Shapes | None) -> None:
    """Check that the tensors are those the settings speak of, and fit the model where it is known.

    Raises:
        AdapterError: one does not; the message names it.
    """
    kind = config["peft_type"]
    if kind == "PREFIX_TUNING":
        if [one.name for one in tensors] != ["prompt_embeddings"] or len(tensors[0].shape) != 2:
            _unfit(tensors[0].name, "is not what a prefix has")
        return
    modules: dict[str, dict[str, Tensor]] = {}
    for one in tensors:
        module, part = _place(one.name, kind)
        modules.setdefault(module, {})[part] = one
    _check_targets(config, list(modules))
    ranks = {config.get("r"), *_numbers(config.get("rank_pattern"))}
    for module, parts in modules.items():
        shape = None
        if base is not None:
            shape = base.get(module)
            if shape is None:
                _unfit(module, "is no layer of this model")
        if kind == "IA3":
            _check_ia3(module, parts, shape)
        else:
            _check_lora(module, parts, ranks, shape)


def _place(name: str, kind: str) -> tuple[str, str]:
    """Return the module that a tensor adapts, and which part of its adapter it is."""
    mark = ".ia3_" if kind == "IA3" else ".lora_"
    module, found, rest = name.removeprefix("base_model.model.").rpartition(mark)
    part = rest.removesuffix(".weight")
    if not found or part not in (("l",) if kind == "IA3" else ("A", "B", "magnitude_vector")):
        _unfit(name, f"is not what {kind} has")
    return module, part


def _check_targets(config: Mapping[str, Any], modules: list[str]) -> None:
    targets = config.get("target_modules")
    if not isinstance(targets, list):
        return  # a pattern, or all linear layers
    for module in modules:
        if not any(module == one or module.endswith(f".{one}") for one in targets):
            _unfit(module, f"is not among the target modules of {CONFIG}")
    for one in targets:
        if not any(module == one or module.endswith(f".{one}") for module in modules):
            _unfit(str(one)[:80], f"has no weights, though {CONFIG} names it")


def _check_lora(
    module: str,
    parts: Mapping[str, Tensor],
    ranks: set[Any],
    base: tuple[int, int] | None,
) -> None:
    if "A" not in parts or "B" not in parts:
        _unfit(module, "has one half of a LoRA only")
    down, up = parts["A"].shape, parts["B"].shape
    if len(down) != 2 or len(up) != 2 or up[1] != down[0]:
        _unfit(module, f"has halves that do not go together, {down} and {up}")
    if down[0] not in ranks:
        _unfit(module, f"has rank {down[0]}, which {CONFIG} does not say")
    if base is not None and (up[0], down[1]) != base:
        _unfit(module, f"is {base[0]} × {base[1]} in this model, the adapter {up[0]} × {down[1]}")


def _check_ia3(module: str, parts: Mapping[str, Tensor], base: tuple[int, int] | None) -> None:
    shape = parts["l"].shape
    if len(shape) != 2 or 1 not in shape:
        _unfit(module, f"has a vector of shape {shape}")
    if base is not None and max(shape) not in base:
        _unfit(module, f"is {base[0]} × {base[1]} in this model, the adapter has {max(shape)}")


def _numbers(patterns: object) -> list[Any]:
    return list(patterns.values()) if isinstance(patterns, dict) else []


def _unfit(what: str, why: str) -> NoReturn:
    raise AdapterError(
        f"The adapter's weights do not fit: {what[:120]} {why}.",
        "Use the base model it was trained on, or train or fetch it again.",
    )
