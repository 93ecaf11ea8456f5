"""What a model says before it learns: the log-probabilities that preferences are measured against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from assistant.errors import Cancelled
from assistant.training.batches import packs
from assistant.training.dataset import Row
from assistant.training.objective import MEASURED_TOGETHER, Stop
from assistant.training.packed import PackedModel, tensors_of

_PREFIX = "reference/"


def log_probabilities(
    model: PackedModel, rows: Sequence[Row], pack_tokens: int, stop: Stop = None
) -> torch.Tensor:
    """Return the log-probabilities of the rows' answers (nats, summed over their tokens).

    The shape is (rows, answers of a row). They are computed in packs that depend on the rows alone.

    Raises:
        Cancelled: ``stop`` was set.
    """
    each = 2 if rows and rows[0].other else 1
    found = torch.zeros(len(rows), each, device=model.device)
    for pack in packs(rows, pack_tokens, None, MEASURED_TOGETHER):
        if stop is not None and stop.is_set():
            raise Cancelled("Stopped.")
        with torch.no_grad():
            sums = model.answers(tensors_of(pack, rows, model.device))
        found[list(pack.rows)] = sums.view(-1, each)
    return found


class Reference:
    """The log-probabilities of several sets of rows, by name, as they were before the training.

    They are computed once and kept in checkpoints, so that a training that goes on has the same bits.
    ``fresh`` says that there is no adapter to start from: the model without any is what it began as.
    """

    def __init__(
        self,
        model: PackedModel,
        sets: Mapping[str, Sequence[Row]],
        pack_tokens: int,
        *,
        fresh: bool,
    ) -> None:
        self._model, self._sets, self._pack_tokens = model, sets, pack_tokens
        self._fresh = fresh
        self._found: dict[str, torch.Tensor] = {}

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return those of a set, shape (rows, answers of a row)."""
        return self._found[name]

    def compute(self, stop: Stop) -> None:
        """Compute those that are not known yet.

        Raises:
            Cancelled: ``stop`` was set.
        """
        with _without_prefix(self._model, self._fresh):
            for name, rows in self._sets.items():
                if name not in self._found:
                    self._found[name] = log_probabilities(
                        self._model, rows, self._pack_tokens, stop
                    )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that is known, for a checkpoint."""
        return {_PREFIX + name: value for name, value in self._found.items()}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what :meth:`tensors` gave.

        Raises:
            KeyError: something is missing.
        """
        device = self._model.device
        self._found = {name: tensors[_PREFIX + name].to(device) for name in self._sets}


@contextmanager
def _without_prefix(model: PackedModel, fresh: bool) -> Iterator[None]:
    """A new prefix is noise, unlike any other new adapter, which changes nothing: leave it out."""
    virtual = model.virtual
    if fresh:
        model.virtual = 0
    try:
        yield
    finally:
        model.virtual = virtual
