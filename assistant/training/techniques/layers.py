"""LoRA on the upper half of the layers, or on those chosen: the ones below are computed only once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, lora

RATE = 3e-4


def config(shape: Shape, settings: TrainSettings) -> Any:
    """Return the configuration for PEFT."""
    if settings.first is None and settings.last is None:
        settings = replace(settings, first=shape.layers // 2 + 1, last=shape.layers)
    return lora.config(shape, settings)
