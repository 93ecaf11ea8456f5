"""Kahneman-Tversky optimization: answers judged good become likelier, those judged bad less likely.

After Ethayarajh et al. 2024, "KTO: Model Alignment as Prospect Theoretic Optimization", equations 7 and 8.
What an answer gained counts against how far the model has moved as a whole. That is estimated from answers
behind prompts that they do not belong to, over all of a step, and no gradient goes through it.

On the same log-probabilities it is the loss of TRL's ``KTOTrainer``. Two things are chosen differently.
TRL estimates how far the model has moved from each batch on its device; here it is from the whole step,
whatever packs it is computed in. TRL leaves the weights of good and bad answers to the user; here they
make up for unequal numbers: the ratio of equation 8 is 1, the lower end of what the paper recommends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from assistant.training.batches import Group, Pack, Step
from assistant.training.dataset import Row
from assistant.training.objective import Measured, Stop
from assistant.training.packed import PackedModel, tensors_of
from assistant.training.partners import mismatched, partners
from assistant.training.processes import Processes
from assistant.training.reference import Reference, log_probabilities
from assistant.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class JudgedLoss:
    """The loss of judged answers.

    Attributes:
        beta: how strongly the model is held to what it was before.
        good, bad: weights of answers judged good and bad.
    """

    beta: float
    good: float = 1.0
    bad: float = 1.0

    @classmethod
    def balanced(cls, beta: float, rows: Sequence[Row]) -> JudgedLoss:
        """Return the loss in which good and bad answers weigh the same in all, and one on average."""
        good = sum(row.good for row in rows)
        bad = len(rows) - good
        if not good or not bad:
            return cls(beta)
        return cls(beta, len(rows) / (2 * good), len(rows) / (2 * bad))

    def __call__(
        self, gained: torch.Tensor, good: torch.Tensor, moved: torch.Tensor | float
    ) -> torch.Tensor:
        """Return the loss of each answer.

        Args:
            gained: by how much log-probabilities rose since before the training (nats).
            good: which answers were judged good.
            moved: the estimate of how far the model has moved, at least 0 (nats).
        """
        ahead = torch.where(good, gained - moved, moved - gained)
        weights = torch.where(good, self.good, self.bad)
        return weights * (1 - torch.sigmoid(self.beta * ahead))


class JudgedAnswers:
    """KTO on judged rows, those of ``groups`` in one step. Its loss is the mean of a step's rows."""

    def __init__(
        self,
        model: PackedModel,
        rows: Sequence[Row],
        groups: Sequence[Group],
        dev: Sequence[Row],
        settings: TrainSettings,
        *,
        fresh: bool,
    ) -> None:
        self._model, self._dev, self._pack_tokens = model, dev, settings.pack_tokens
        self._losses = JudgedLoss.balanced(settings.beta, rows)
        self._others = mismatched(rows, groups)
        self._dev_others = mismatched(dev, partners(dev, settings.seed))
        self._moved = torch.zeros((), device=model.device)
        sets = {
            "train": rows,
            "train-others": self._others,
            "dev": dev,
            "dev-others": self._dev_others,
        }
        self._before = Reference(model, sets, settings.pack_tokens, fresh=fresh)

    def begin(self, stop: Stop) -> None:
        """Compute what the model says of all answers before it learns."""
        self._before.compute(stop)

    def size(self, step: Step, rows: Sequence[Row]) -> int:
        """Return how many answers a step has."""
        return step.examples

    def survey(self, step: Step, processes: Processes) -> None:
        """Estimate how far the model has moved, from all of a step's mismatched rows."""
        total = torch.zeros((), device=self._model.device)
        for pack in processes.share(step.packs):
            with torch.no_grad():
                now = self._model.answers(tensors_of(pack, self._others, self._model.device))
            total += (now - self._before["train-others"][list(pack.rows), 0]).sum()
        processes.add_up(total, ())
        self._moved = (total / step.examples).clamp(min=0)

    def loss(self, pack: Pack, rows: Sequence[Row], lower: torch.Tensor | None) -> torch.Tensor:
        """Return the losses of a pack's answers, summed; :meth:`survey` saw its step."""
        now = self._model.answers(tensors_of(pack, rows, self._model.device), lower)
        gained = now - self._before["train"][list(pack.rows), 0]
        return self._losses(gained, _good([rows[at] for at in pack.rows], now), self._moved).sum()

    def measured(self) -> Measured:
        """Return the mean loss, and the share of answers that moved to the side they belong on."""
        gained, others = (
            log_probabilities(self._model, rows, self._pack_tokens)[:, 0] - self._before[name][:, 0]
            for name, rows in (("dev", self._dev), ("dev-others", self._dev_others))
        )
        good = _good(self._dev, gained)
        moved = others.mean().clamp(min=0)
        met = torch.where(good, gained > moved, gained < moved)
        return Measured(float(self._losses(gained, good, moved).mean()), float(met.float().mean()))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what the model said before it learned."""
        return self._before.tensors()

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what the model said before it learned."""
        self._before.restore(tensors)


def _good(rows: Sequence[Row], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor([row.good for row in rows], dtype=torch.bool, device=like.device)
