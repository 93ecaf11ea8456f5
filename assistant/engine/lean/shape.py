"""What the lean path needs to know of a model: sizes, angles of the rotary embedding, variants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.engine.lean.formats import Array

FAMILIES = ("llama", "qwen2", "qwen3")


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a decoder. ``head_size`` is the width of one attention head."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    vocabulary: int
    context: int
    eps: float
    frequencies: tuple[float, ...]

    @property
    def queries(self) -> int:
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        return self.kv_heads * self.head_size

    def angles(self, positions: int) -> Array:
        """Return cosines then sines, shape (positions, head size) float32."""
        turns = np.arange(positions, dtype=np.float32)[:, None] * np.array(
            self.frequencies, dtype=np.float32
        )
        return np.concatenate([np.cos(turns), np.sin(turns)], axis=-1).astype(np.float32)


def read_shape(config: dict[str, Any]) -> Shape | None:
    """Return the shape of a model's ``config.json``, ``None`` when the lean path cannot run it."""
    if config.get("model_type") not in FAMILIES or config.get("hidden_act", "silu") != "silu":
        return None
    if config.get("use_sliding_window") or config.get("mlp_bias"):
        return None
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    size = int(config.get("head_dim") or hidden // heads)
    frequencies = _frequencies(config, size)
    if frequencies is None or size % 2 or hidden % 32 or (heads * size) % 32:
        return None
    inner = int(config["intermediate_size"])
    if inner % 32:
        return None
    return Shape(
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_size=size,
        inner=inner,
        vocabulary=int(config["vocab_size"]),
        context=int(config["max_position_embeddings"]),
        eps=float(config["rms_norm_eps"]),
        frequencies=frequencies,
    )


def _frequencies(config: dict[str, Any], size: int) -> tuple[float, ...] | None:
    """Rotary frequencies, plain or stretched as Llama 3 does; ``None`` for other kinds."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    theta = float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if (
        float(rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0)
        != 1.0
    ):
        return None
    # In 32 bits, as transformers computes them: the last bits matter at far positions.
    exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
    plain = (np.float32(1.0) / np.power(np.float32(theta), exponents)).astype(np.float32)
    if kind == "default":
        return tuple(float(f) for f in plain)
    if kind == "linear":
        return tuple(float(f) for f in plain / np.float32(rope["factor"]))
    if kind == "llama3":
        return tuple(_stretched(float(f), rope) for f in plain)
    return None


def _stretched(frequency: float, rope: dict[str, Any]) -> float:
    """Llama 3.1's long context: low frequencies divided by a factor, a smooth passage between."""
    factor, original = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    length = 2 * math.pi / frequency
    if length < original / high:
        return frequency
    if length > original / low:
        return frequency / factor
    smooth = (original / length - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency
