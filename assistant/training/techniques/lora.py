"""LoRA: a product of two thin matrices beside every linear layer (Hu et al. 2021). The default."""

from __future__ import annotations

from typing import Any

from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, chosen_layers

RATE = 3e-4
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def config(shape: Shape, settings: TrainSettings, **more: Any) -> Any:
    """Return the configuration for PEFT."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=list(LINEAR),
        layers_to_transform=chosen_layers(settings, shape),
        task_type="CAUSAL_LM",
        **more,
    )
