"""What a training will take: memory from the model's shape, time from a few packs computed on trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.errors import AdapterError
from assistant.training.batches import Step
from assistant.training.dataset import Row
from assistant.training.techniques import Shape

if TYPE_CHECKING:
    from assistant.training.packed import PackedModel

_OVERHEAD = 700_000_000
"""The libraries, and the buffers of their products, in bytes."""
_LOGIT_BYTES = 10
"""A logit is held in 16 bits, in 32 bits, and as a gradient."""
_LOGITS = 256
_TRIED = 3
_FORWARD = 0.4
"""Of the time that learning from a pack takes: computing it without learning."""


@dataclass(frozen=True, slots=True)
class Passes:
    """How often a method computes rows without learning: in each step its own, ``once`` all of them."""

    step: int = 0
    once: int = 0

    def seconds(self, total: int, one: float, epoch: float) -> float:
        """Return what ``total`` steps take if learning alone takes ``one`` a step, ``epoch`` an epoch."""
        return total * one * (1 + _FORWARD * self.step) + _FORWARD * self.once * epoch

    def steps_in(self, seconds: float, one: float, epoch: float) -> int:
        """Return how many steps fit into a time, at least one."""
        rest = seconds - self.seconds(0, one, epoch)
        return max(1, int(rest / self.seconds(1, one, 0.0)))


PASSES = {"sft": Passes(), "dpo": Passes(once=1), "kto": Passes(step=1, once=2)}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training needs at its peak, with and without computing layers twice."""

    weights: int
    trained: int
    activations: int
    fewer_activations: int

    @property
    def peak(self) -> int:
        return self.weights + self.trained + self.activations + _OVERHEAD

    @property
    def peak_checkpointing(self) -> int:
        return self.weights + self.trained + self.fewer_activations + _OVERHEAD


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds and bytes expected; ``tokens_per_s`` as it was measured on a few packs."""

    steps: int
    seconds: float
    memory_bytes: int
    tokens_per_s: float
    checkpointing: bool

    def as_json(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "memory_bytes": self.memory_bytes,
            "tokens_per_s": round(self.tokens_per_s, 1),
            "checkpointing": self.checkpointing,
        }


def memory(config: Any, shape: Shape, trained: int, tokens: int) -> Memory:
    """Return what a training needs.

    Args:
        config: the model's transformers configuration.
        trained: parameters that are trained, roughly.
        tokens: of the largest pack.
    """
    inner = int(config.intermediate_size)
    layer = shape.hidden * (
        2 * shape.heads * shape.head_size + 2 * shape.key_heads * shape.head_size
    )
    layer += 3 * shape.hidden * inner
    vocabulary = int(config.vocab_size) * shape.hidden
    weights = 2 * (shape.layers * layer + 2 * vocabulary)
    # What autograd keeps of a token in a layer, counted in numbers of 16 bits.
    kept = 2 * (12 * shape.hidden + 5 * inner + 4 * shape.heads * shape.head_size)
    logits = _LOGITS * int(config.vocab_size) * _LOGIT_BYTES
    return Memory(
        weights,
        trained * 16,
        tokens * kept * shape.layers + logits,
        tokens * (2 * shape.hidden * shape.layers + kept) + logits,
    )


def choose_checkpointing(need: Memory, free: int) -> bool:
    """Return whether layers are to be computed twice for want of memory.

    Raises:
        AdapterError: it does not fit even so.
    """
    if need.peak <= free:
        return False
    if need.peak_checkpointing <= free:
        return True
    raise AdapterError(
        f"This training needs about {need.peak_checkpointing / 1e9:.1f} GB of memory; "
        f"{free / 1e9:.1f} GB are free.",
        "Close other programs, take a smaller model (-m), or shorter rows (--max-length).",
    )


def measure_speed(model: PackedModel, rows: Sequence[Row], steps: Sequence[Step]) -> float:
    """Return the seconds that a token of a pack takes, from a few packs; the model is left as it was.

    The largest pack comes first: what is too much for the memory is too much now.
    """
    from assistant.training.packed import tensors_of

    every = sorted(
        (pack for step in steps for pack in step.packs), key=lambda pack: -pack.tokens(rows)
    )
    tried = [every[0], *every[len(every) // 3 :: max(1, len(every) // 3)]][: _TRIED + 1]
    seconds = tokens = 0.0
    for number, pack in enumerate(tried):
        began = time.perf_counter()
        model.loss(tensors_of(pack, rows, model.device)).backward()  # type: ignore[no-untyped-call]
        for parameter in model.trainable().values():
            parameter.grad = None
        if number or len(tried) == 1:  # the first one pays for starting up
            seconds += time.perf_counter() - began
            tokens += pack.tokens(rows)
    return seconds / tokens


def seconds_of(steps: Sequence[Step], rows: Sequence[Row], total: int, token_s: float) -> float:
    """Return the seconds that ``total`` steps take, at so many seconds a token of a pack."""
    tokens = sum(pack.tokens(rows) for step in steps for pack in step.packs)
    return total * tokens / len(steps) * token_s


def in_words(estimate: Estimate) -> str:
    """Return an estimate in a sentence."""
    minutes = estimate.seconds / 60
    took = f"{minutes:.0f} minutes" if minutes >= 2 else f"{estimate.seconds:.0f} seconds"
    twice = ", layers computed twice to save memory" if estimate.checkpointing else ""
    return (
        f"{estimate.steps} steps, about {took} at {estimate.tokens_per_s:.0f} tokens a second, "
        f"{estimate.memory_bytes / 1e9:.1f} GB of memory{twice}"
    )
