"""Techniques of light training, one small module each.

Each has ``config(shape, settings)``, which returns a PEFT configuration, and ``RATE``, the peak learning
rate that suits it. None changes a weight of the base model.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from assistant.errors import UsageError
from assistant.training.settings import TECHNIQUES, TrainSettings


@dataclass(frozen=True, slots=True)
class Shape:
    """What a technique has to know of a model."""

    layers: int
    hidden: int
    heads: int
    key_heads: int
    head_size: int

    @classmethod
    def of(cls, config: Any) -> Shape:
        """Return the shape that a transformers configuration describes."""
        heads = int(config.num_attention_heads)
        return cls(
            layers=int(config.num_hidden_layers),
            hidden=int(config.hidden_size),
            heads=heads,
            key_heads=int(getattr(config, "num_key_value_heads", None) or heads),
            head_size=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
        )


def peft_config(settings: TrainSettings, shape: Shape) -> Any:
    """Return the PEFT configuration of the settings' technique.

    Raises:
        UsageError: there is no such technique, or the layers are not there.
    """
    if settings.technique not in TECHNIQUES:
        raise UsageError(
            f"There is no technique '{settings.technique}'.", f"One of: {', '.join(TECHNIQUES)}."
        )
    return _module(settings.technique).config(shape, settings)


def default_rate(technique: str) -> float:
    """Return the peak learning rate that suits a technique."""
    rate: float = _module(technique).RATE
    return rate


def chosen_layers(settings: TrainSettings, shape: Shape) -> list[int] | None:
    """Return the layers adapted, counted from 0; ``None`` means all.

    Raises:
        UsageError: the model has no such layers.
    """
    if settings.first is None and settings.last is None:
        return None
    first, last = settings.first or 1, settings.last or shape.layers
    if not 1 <= first <= last <= shape.layers:
        raise UsageError(
            f"Layers {first}-{last}: the model has layers 1 to {shape.layers}.",
            f"Like: --layers {shape.layers // 2 + 1}-{shape.layers}",
        )
    return list(range(first - 1, last))


def _module(technique: str) -> Any:
    return importlib.import_module(f"assistant.training.techniques.{technique}")
