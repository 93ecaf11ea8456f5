"""Adapters that the lean engine does not run: they answer on plain transformers only."""

from __future__ import annotations

from assistant.adapters.card import Card
from assistant.adapters.weights import read_config
from assistant.engine.lean.plain_lora import beyond
from assistant.errors import AdapterError

NOTE = "It answers on plain transformers only, which is slower: assistant config set engine plain"
LEAN = ("lora", "layers")
"""Techniques whose adapters the lean engine runs."""


def needs_plain(card: Card) -> bool:
    """Whether an adapter answers on plain transformers only.

    Where PEFT's settings of it cannot be read, the record says; without one it counts as plain LoRA.
    """
    try:
        return bool(beyond(read_config(card.folder)))
    except AdapterError:
        return card.run.technique not in (*LEAN, "")
