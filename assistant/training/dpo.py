"""Direct preference optimization: of two answers the better one becomes likelier than the worse one.

After Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a Reward
Model", equation 7. How much likelier counts against how the model was before: by its own, DPO is content
when both become less likely and the worse one more so. ``anchor`` adds the supervised loss of the better
answer, as Pang et al. 2024, "Iterative Reasoning Preference Optimization", do.

It is the loss of TRL's ``DPOTrainer`` (``loss_type="sigmoid"``), computed on the same log-probabilities.
``anchor`` is a mean over each answer's tokens first and then over pairs, as in the paper; TRL's ``"sft"``
beside ``"sigmoid"`` is one mean over all tokens of a batch, so that long answers weigh more in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import logsigmoid

from assistant.training.batches import Pack, Step
from assistant.training.dataset import Row
from assistant.training.objective import Measured, Stop
from assistant.training.packed import PackedModel, tensors_of
from assistant.training.processes import Processes
from assistant.training.reference import Reference, log_probabilities
from assistant.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class PairLoss:
    """The loss of pairs of answers.

    Attributes:
        beta: how strongly the model is held to what it was before.
        anchor: weight of the better answer's own loss, a token.
    """

    beta: float
    anchor: float = 0.0

    def __call__(
        self, now: torch.Tensor, before: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of each pair.

        Args:
            now, before: log-probabilities of the better and the worse answer, shape (pairs, 2).
            lengths: tokens of the better answers.
        """
        losses = -logsigmoid(self.beta * margins(now, before))
        if self.anchor:
            losses = losses - self.anchor * now[:, 0] / lengths
        return losses


def margins(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return by how much each better answer gained on the worse one (nats)."""
    gained = now - before
    return gained[:, 0] - gained[:, 1]


class Pairs:
    """DPO on rows that have two answers. Its loss is the mean of a step's pairs."""

    def __init__(
        self,
        model: PackedModel,
        rows: Sequence[Row],
        dev: Sequence[Row],
        settings: TrainSettings,
        *,
        fresh: bool,
    ) -> None:
        self._model, self._dev, self._pack_tokens = model, dev, settings.pack_tokens
        self._losses = PairLoss(settings.beta, settings.anchor)
        sets = {"train": rows, "dev": dev}
        self._before = Reference(model, sets, settings.pack_tokens, fresh=fresh)

    def begin(self, stop: Stop) -> None:
        """Compute what the model says of all answers before it learns."""
        self._before.compute(stop)

    def size(self, step: Step, rows: Sequence[Row]) -> int:
        """Return how many pairs a step has."""
        return step.examples

    def survey(self, step: Step, processes: Processes) -> None:
        """Nothing has to be known."""

    def loss(self, pack: Pack, rows: Sequence[Row], lower: torch.Tensor | None) -> torch.Tensor:
        """Return the losses of a pack's pairs, summed."""
        now = self._model.answers(tensors_of(pack, rows, self._model.device), lower).view(-1, 2)
        before = self._before["train"][list(pack.rows)]
        lengths = _lengths([rows[at] for at in pack.rows], now)
        return self._losses(now, before, lengths).sum()

    def measured(self) -> Measured:
        """Return the mean loss, and the share of pairs whose better answer gained on the worse one."""
        now = log_probabilities(self._model, self._dev, self._pack_tokens)
        before = self._before["dev"]
        losses = self._losses(now, before, _lengths(self._dev, now))
        gained = margins(now, before) > 0
        return Measured(float(losses.mean()), float(gained.float().mean()))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what the model said before it learned."""
        return self._before.tensors()

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what the model said before it learned."""
        self._before.restore(tensors)


def _lengths(rows: Sequence[Row], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor([len(row.answer) for row in rows], dtype=like.dtype, device=like.device)
