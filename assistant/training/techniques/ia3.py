"""IA³: one factor for each output of keys and values and each inner value of the feed-forward part
(Liu et al. 2022). The smallest of all."""

from __future__ import annotations

from typing import Any

from assistant.errors import UsageError
from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, chosen_layers

RATE = 5e-3


def config(shape: Shape, settings: TrainSettings) -> Any:
    """Return the configuration for PEFT."""
    from peft import IA3Config

    if chosen_layers(settings, shape) is not None:
        raise UsageError("IA³ adapts all layers.", "Leave --layers out, or use --technique layers.")
    return IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"],
        feedforward_modules=["down_proj"],
        task_type="CAUSAL_LM",
    )
