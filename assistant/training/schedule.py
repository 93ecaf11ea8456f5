"""Which rows come when: one epoch's steps after the other, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from assistant.training.batches import Group, Step, steps
from assistant.training.dataset import Row
from assistant.training.settings import TrainSettings

EpochRows = Callable[[int], Sequence[Row]]
"""Returns the rows of an epoch, counted from 0; the same whenever they are the same."""
_EPOCH_SEEDS = 100_003


class Schedule:
    """Hands out steps; only the epoch under way is held.

    ``groups`` are rows that stay together, see :func:`~assistant.training.batches.packs`.
    """

    def __init__(
        self,
        rows: EpochRows,
        settings: TrainSettings,
        pack_tokens: int,
        groups: Sequence[Group] | None = None,
    ) -> None:
        self._rows = rows
        self._groups = groups
        self._settings = settings
        self._pack_tokens = pack_tokens
        self._epoch = -1
        self._steps: list[Step] = []
        self.rows: Sequence[Row] = ()

    def at(self, epoch: int) -> list[Step]:
        """Return the steps of an epoch; ``rows`` are then the rows that they speak of."""
        if epoch != self._epoch:
            seed = self._settings.seed * _EPOCH_SEEDS + epoch
            self.rows = self._rows(epoch)
            self._steps = steps(
                self.rows, self._pack_tokens, seed, self._settings.batch, self._groups
            )
            self._epoch = epoch
        return self._steps

    def total(self) -> int:
        """Return how many steps the settings ask for."""
        total = max(1, math.ceil(len(self.at(0)) * self._settings.epochs))
        if self._settings.max_steps is not None:
            total = min(total, self._settings.max_steps)
        return total


def rate_share(step: int, total: int, warmup: float) -> float:
    """Return the share of the peak rate at a step: it rises, then falls as half a cosine."""
    rise = max(1, round(total * warmup))
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, total - rise)
    return 0.5 * (1 + math.cos(math.pi * done))
