"""What a training is started with, and what is told of it while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

METHODS = ("sft", "dpo", "kto")
RATE_SHARES = {"sft": 1.0, "dpo": 1.0, "kto": 1.0}
"""Of a technique's own peak rate (``TECHNIQUE.RATE``), what suits a method.

At the whole of LoRA's, DPO and KTO made chosen answers likelier and rejected ones less likely on rows that
were not trained on (docs/lab-notes.md, 2026-11-25).
"""
TECHNIQUES = ("lora", "dora", "ia3", "prefix", "layers")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How an adapter is trained.

    Attributes:
        rank, alpha: of LoRA and DoRA; ``rank`` is also the number of virtual tokens of prefix tuning.
        first, last: the layers adapted, counted from 1; ``None`` is the technique's own choice.
        epochs: how often the data is seen, may be a fraction; ``max_steps`` ends it earlier.
        max_minutes: shortens the training to what the speed measured at its start allows.
        rate: peak learning rate; ``None`` is the technique's own.
        beta: of DPO and KTO: how strongly the model is held to what it was before.
        anchor: of DPO: weight of the better answer's own loss, so that it does not become less likely.
        batch: examples a step; of DPO pairs.
        warmup: share of the steps in which the rate rises.
        clip: largest norm of the gradient.
        max_length: longer rows (prompt and answer, in tokens) are left out.
        pack_tokens: about how many tokens are computed side by side.
        patience: measurements on the development rows without a gain that end the training.
        augment: whether each epoch sees the examples in other wordings (SFT only).
    """

    task: str
    method: str = "sft"
    technique: str = "lora"
    rank: int = 8
    alpha: int = 16
    first: int | None = None
    last: int | None = None
    epochs: float = 2.0
    max_steps: int | None = None
    max_minutes: float | None = None
    rate: float | None = None
    batch: int = 16
    seed: int = 0
    warmup: float = 0.06
    clip: float = 1.0
    decay: float = 0.01
    max_length: int = 1024
    pack_tokens: int = 512
    patience: int = 4
    checkpoint_s: float = 120.0
    augment: bool = False
    beta: float = 0.1
    anchor: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TrainSettings:
        """Return the settings that :meth:`as_json` gave; fields of newer versions are passed over."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: given for name, given in value.items() if name in known})


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is.

    Attributes:
        loss: of the answer's tokens (nats), of DPO and KTO of a pair or an answer, smoothed over the
            last steps; ``dev_loss`` the last one measured on the development rows.
        tokens_per_s: tokens of the rows read a second, shared beginnings counted for every row.
        left_s: seconds to the end, as far as can be told.
        accuracy: share of the judged development rows that lie as they were judged, measured with
            ``dev_loss``; ``None`` for SFT.
    """

    step: int
    total: int
    epoch: float
    loss: float
    dev_loss: float | None
    tokens_per_s: float
    left_s: float
    accuracy: float | None = None


Report = Callable[[Progress], None]
Note = Callable[[str], None]
