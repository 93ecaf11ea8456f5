"""DoRA: LoRA for the direction of the weights, and a factor for the length of each row (Liu et al. 2024)."""

from __future__ import annotations

from typing import Any

from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, lora

RATE = 3e-4


def config(shape: Shape, settings: TrainSettings) -> Any:
    """Return the configuration for PEFT."""
    return lora.config(shape, settings, use_dora=True)
