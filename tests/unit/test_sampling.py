"""From logits to tokens."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from assistant.engine.sampling import Sampler
from assistant.types import Decoding

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def drawn(count: int, logits: torch.Tensor = LOGITS, **decoding: float | int) -> Counter[int]:
    sampler = Sampler(Decoding(**{"temperature": 1.0, "seed": 7, **decoding}))  # type: ignore[arg-type]
    return Counter(sampler.next(logits, ()) for _ in range(count))


def test_temperature_zero_is_the_best_token() -> None:
    assert drawn(20, temperature=0.0) == {0: 20}


def test_samples_follow_the_probabilities() -> None:
    found = drawn(4000)
    for token, chance in enumerate([0.5, 0.3, 0.15, 0.05]):
        assert found[token] / 4000 == pytest.approx(chance, abs=0.03)


def test_a_high_temperature_flattens_and_a_low_one_sharpens() -> None:
    assert drawn(2000, temperature=0.3)[0] > drawn(2000)[0] > drawn(2000, temperature=2.0)[0]


@pytest.mark.parametrize(
    ("top_p", "left"),
    [(0.01, {0}), (0.49, {0}), (0.7, {0, 1}), (0.9, {0, 1, 2}), (0.99, {0, 1, 2, 3})],
)
def test_top_p_keeps_the_smallest_set_that_holds_it(top_p: float, left: set[int]) -> None:
    assert set(drawn(2000, top_p=top_p)) == left


def test_top_p_over_a_flat_vocabulary_larger_than_the_shortlist() -> None:
    found = drawn(3000, torch.zeros(5000), top_p=0.9)
    assert len(found) > 1024 * 1.5
    assert max(found) < 5000


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    def sequence(seed: int) -> list[int]:
        sampler = Sampler(Decoding(temperature=1.0, seed=seed))
        return [sampler.next(LOGITS, ()) for _ in range(50)]

    assert sequence(3) == sequence(3)
    assert sequence(3) != sequence(4)


def test_without_a_seed_each_sampler_draws_its_own() -> None:
    flat = torch.zeros(10_000)
    draws = [Sampler(Decoding(temperature=1.0)).next(flat, ()) for _ in range(8)]
    assert len(set(draws)) > 1


def test_a_seed_does_not_touch_the_global_generator() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    drawn(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_repetition_penalty_lowers_what_was_said() -> None:
    greedy = Sampler(Decoding(repetition_penalty=2.0))
    assert greedy.next(torch.tensor([3.0, 2.0, -1.0]), [0, 0]) == 1
    assert greedy.next(torch.tensor([3.0, 2.0, -1.0]), []) == 0
    # A negative logit is lowered too: -1 becomes -2, below -1.5.
    assert greedy.next(torch.tensor([-1.0, -1.5]), [0]) == 1


def test_a_repetition_penalty_leaves_the_logits_as_they_were() -> None:
    logits = torch.tensor([3.0, 2.0, -1.0])
    Sampler(Decoding(repetition_penalty=2.0)).next(logits, [0])
    assert logits.tolist() == [3.0, 2.0, -1.0]


def test_a_repetition_penalty_works_on_logits_made_in_inference_mode() -> None:
    with torch.inference_mode():
        logits = torch.tensor([3.0, 2.0])
    assert Sampler(Decoding(repetition_penalty=2.0)).next(logits, [0]) == 1


def test_half_precision_logits_are_fine() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        assert sum(drawn(50, LOGITS.to(dtype), top_p=0.9).values()) == 50
