"""The losses of DPO and KTO beside those of TRL, on the same log-probabilities.

The expected values were computed with TRL 1.16.0: ``DPOTrainer`` and ``KTOTrainer`` were given these
log-probabilities in place of a model's (``precompute_ref_logps``), and their own code made the loss.
"""

from __future__ import annotations

import pytest
import torch

from assistant.training.dpo import PairLoss
from assistant.training.kto import JudgedLoss

NOW = torch.tensor([[-12.5, -14.0], [-30.25, -22.0], [-3.0, -9.5], [-41.0, -40.0]])
BEFORE = torch.tensor([[-13.0, -13.5], [-28.0, -26.5], [-4.75, -6.0], [-41.0, -40.0]])
LENGTHS = torch.tensor([5, 12, 2, 20])

GOOD = torch.tensor([True, False, True, True, False])
GAINED = torch.tensor([1.5, -1.0, -0.5, 3.0, 3.0])
OTHERS = {
    "moved": torch.tensor([1.0, 2.5, 1.0, -0.5, 3.0]),
    "back": torch.tensor([-1.0, -1.5, 0.0, -0.5, -1.0]),
}
"""What answers behind other prompts gained: by 1.4 nats on average, or they lost, which counts as nothing."""


@pytest.mark.parametrize(("beta", "expected"), [(0.1, 0.7222016), (0.5, 1.1614516)])
def test_the_loss_of_pairs_is_that_of_trl(beta: float, expected: float) -> None:
    losses = PairLoss(beta)(NOW, BEFORE, LENGTHS)
    assert float(losses.mean()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("at", "expected"), [(0, 1.1443968), (1, 1.5907177), (2, 0.7647117), (3, 1.1031469)]
)
def test_the_anchor_of_one_pair_is_the_supervised_loss_of_trl(at: int, expected: float) -> None:
    """With ``loss_type=["sigmoid", "sft"]``; of more pairs at once TRL averages over all their tokens."""
    losses = PairLoss(0.1, anchor=0.2)(NOW, BEFORE, LENGTHS)
    assert float(losses[at]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("others", "beta", "good", "bad", "expected"),
    [
        ("moved", 0.1, 1.0, 1.0, 0.4970288),
        ("moved", 0.1, 5 / 6, 5 / 4, 0.4958741),
        ("moved", 0.5, 1.0, 1.0, 0.4880186),
        ("moved", 0.5, 5 / 6, 5 / 4, 0.4834697),
        ("back", 0.1, 1.0, 1.0, 0.4900177),
        ("back", 0.1, 5 / 6, 5 / 4, 0.4958033),
        ("back", 0.5, 1.0, 1.0, 0.4521077),
        ("back", 0.5, 5 / 6, 5 / 4, 0.4763493),
    ],
)
def test_the_loss_of_judged_answers_is_that_of_trl(
    others: str, beta: float, good: float, bad: float, expected: float
) -> None:
    moved = OTHERS[others].mean().clamp(min=0)
    losses = JudgedLoss(beta, good, bad)(GAINED, GOOD, moved)
    assert float(losses.mean()) == pytest.approx(expected, abs=1e-6)
