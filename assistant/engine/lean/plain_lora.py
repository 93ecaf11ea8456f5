"""What the lean engine can run of PEFT's adapters, told from their settings alone: plain LoRA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOT_HERE = (
    "use_dora",
    "fan_in_fan_out",
    "modules_to_save",
    "layer_replication",
    "lora_bias",
    "trainable_token_indices",
    "target_parameters",
    "alora_invocation_tokens",
    "use_qalora",
)


def beyond(config: Mapping[str, Any]) -> str:
    """Return what of an adapter is more than plain LoRA, ``""`` for nothing.

    ``config`` is what stands in its ``adapter_config.json``.
    """
    wanted = [name for name in _NOT_HERE if config.get(name)]
    if config.get("peft_type") != "LORA" or wanted or config.get("bias", "none") != "none":
        return ", ".join(wanted) or f"type {config.get('peft_type')}, bias {config.get('bias')}"
    return ""
