"""From logits to tokens."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from assistant.engine.sampling import Logits, Sampler, log_softmax
from assistant.types import Decoding

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))


def drawn(count: int, logits: Logits = LOGITS, **decoding: float | int) -> Counter[int]:
    sampler = Sampler(Decoding(**{"temperature": 1.0, "seed": 7, **decoding}))  # type: ignore[arg-type]
    return Counter(sampler.next(logits, ()) for _ in range(count))


def row(*logits: float) -> Logits:
    return np.array(logits, dtype=np.float32)


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
    found = drawn(3000, np.zeros(5000, dtype=np.float32), top_p=0.9)
    assert len(found) > 1024 * 1.5
    assert max(found) < 5000


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    def sequence(seed: int) -> list[int]:
        sampler = Sampler(Decoding(temperature=1.0, seed=seed))
        return [sampler.next(LOGITS, ()) for _ in range(50)]

    assert sequence(3) == sequence(3)
    assert sequence(3) != sequence(4)


def test_without_a_seed_each_sampler_draws_its_own() -> None:
    flat = np.zeros(10_000, dtype=np.float32)
    draws = [Sampler(Decoding(temperature=1.0)).next(flat, ()) for _ in range(8)]
    assert len(set(draws)) > 1


def test_a_seed_does_not_touch_the_global_generator() -> None:
    np.random.seed(0)
    first, second = np.random.random(2)
    np.random.seed(0)
    assert np.random.random() == first
    drawn(5)
    assert np.random.random() == second


def test_a_repetition_penalty_lowers_what_was_said() -> None:
    greedy = Sampler(Decoding(repetition_penalty=2.0))
    assert greedy.next(row(3.0, 2.0, -1.0), [0, 0]) == 1
    assert greedy.next(row(3.0, 2.0, -1.0), []) == 0
    # A negative logit is lowered too: -1 becomes -2, below -1.5.
    assert greedy.next(row(-1.0, -1.5), [0]) == 1


def test_a_repetition_penalty_leaves_the_logits_as_they_were() -> None:
    logits = row(3.0, 2.0, -1.0)
    Sampler(Decoding(repetition_penalty=2.0)).next(logits, [0])
    assert logits.tolist() == [3.0, 2.0, -1.0]


def test_logits_that_must_not_be_written_to_are_fine() -> None:
    logits = row(3.0, 2.0)
    logits.flags.writeable = False
    assert Sampler(Decoding(repetition_penalty=2.0)).next(logits, [0]) == 1
    assert drawn(50, logits, top_p=0.9, repetition_penalty=2.0).total() == 50


def test_half_precision_logits_are_fine() -> None:
    logits = LOGITS.astype(np.float16)
    assert drawn(50, logits, top_p=0.9).total() == 50
    assert Sampler(Decoding(repetition_penalty=2.0)).next(logits, [0]) in (0, 1)


def test_greedy_means_that_the_next_token_follows_from_the_logits_alone() -> None:
    assert Sampler(Decoding()).greedy
    assert not Sampler(Decoding(temperature=0.1)).greedy
    assert not Sampler(Decoding(repetition_penalty=1.1)).greedy


def test_log_probabilities_are_exact_whatever_the_size_of_the_logits() -> None:
    found = log_softmax(np.stack([LOGITS, LOGITS + 500.0, row(0.0, -2000.0, 1.0, 0.0)]))
    assert np.exp(found).sum(axis=-1) == pytest.approx([1.0, 1.0, 1.0], abs=1e-5)
    assert found[0] == pytest.approx(LOGITS, abs=1e-5)
    assert found[1] == pytest.approx(LOGITS, abs=1e-3)
