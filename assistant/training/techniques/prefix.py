"""Prefix tuning: learned keys and values in front of every turn, in each layer (Li and Liang 2021).

The settings' rank is the number of virtual tokens.
"""

from __future__ import annotations

from typing import Any

from assistant.errors import UsageError
from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, chosen_layers

RATE = 1e-2


def config(shape: Shape, settings: TrainSettings) -> Any:
    """Return the configuration for PEFT."""
    from peft import PrefixTuningConfig

    if chosen_layers(settings, shape) is not None:
        raise UsageError(
            "Prefix tuning works on all layers.", "Leave --layers out, or use --technique layers."
        )
    return PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=settings.rank,
        token_dim=shape.key_heads * shape.head_size,
        num_attention_heads=shape.key_heads,
        num_layers=shape.layers,
        num_transformer_submodules=1,
    )
