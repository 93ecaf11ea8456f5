"""What a training makes smaller: the loss of a pack's rows, and how it is measured on others."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from assistant.training.batches import Pack, Step, packs
from assistant.training.dataset import Row
from assistant.training.packed import PackedModel, tensors_of
from assistant.training.processes import Processes

MEASURED_TOGETHER = 32
"""Rows of a pack, at most, where nothing is learned from it."""

Stop = threading.Event | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the development rows gave: the mean loss, and the share of judgements that are met, if any."""

    loss: float
    accuracy: float | None = None


class Objective(Protocol):
    """What the loop asks of a method."""

    def begin(self, stop: Stop) -> None:
        """Compute what has to be known of the model before it learns, where it is not known yet.

        Raises:
            Cancelled: ``stop`` was set.
        """

    def size(self, step: Step, rows: Sequence[Row]) -> int:
        """Return what the sum of a step's losses is divided by."""

    def survey(self, step: Step, processes: Processes) -> None:
        """Compute what has to be known of a whole step before any pack of it is learned from."""

    def loss(self, pack: Pack, rows: Sequence[Row], lower: torch.Tensor | None) -> torch.Tensor:
        """Return the losses of a pack, summed; ``lower`` as in :meth:`PackedModel.loss`."""

    def measured(self) -> Measured:
        """Return what the development rows give now."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what :meth:`begin` computed, by name, for a checkpoint."""

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what :meth:`tensors` gave.

        Raises:
            KeyError: something is missing.
        """


class Answers:
    """Supervised training: the answer's tokens are made more likely, those of the prompt do not count.

    Its loss is the mean of the answers' tokens in a step (nats).
    """

    def __init__(self, model: PackedModel, dev: Sequence[Row], pack_tokens: int) -> None:
        self._model, self._dev, self._pack_tokens = model, dev, pack_tokens

    def begin(self, stop: Stop) -> None:
        """Nothing has to be known."""

    def size(self, step: Step, rows: Sequence[Row]) -> int:
        """Return how many tokens the answers have."""
        return sum(len(rows[at].answer) for pack in step.packs for at in pack.rows)

    def survey(self, step: Step, processes: Processes) -> None:
        """Nothing has to be known."""

    def loss(self, pack: Pack, rows: Sequence[Row], lower: torch.Tensor | None) -> torch.Tensor:
        """Return the loss of the answers' tokens, summed."""
        return self._model.loss(tensors_of(pack, rows, self._model.device), lower)

    def measured(self) -> Measured:
        """Return the loss a token."""
        with torch.no_grad():
            total = sum(
                float(self._model.loss(tensors_of(pack, self._dev, self._model.device)))
                for pack in packs(self._dev, self._pack_tokens, None, MEASURED_TOGETHER)
            )
        return Measured(total / sum(len(row.answer) for row in self._dev))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return nothing."""
        return {}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Nothing is kept."""
