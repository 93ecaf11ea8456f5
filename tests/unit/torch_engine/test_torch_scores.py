"""The torch engine: scores, chances and hidden states are those of the plain model."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from choosing import among
from torch_engine_help import HELLO, by_hand

from assistant.engine import torch_engine
from assistant.engine.base import Reading
from assistant.engine.torch_engine import TorchEngine


def test_scores_are_the_log_probabilities_of_the_plain_model(
    engine: TorchEngine, plain: tuple[Any, Any]
) -> None:
    candidates = ["a", "positive", "很好", "not at all what was wanted", ""]
    scores = engine.score(HELLO, candidates)
    for candidate, score in zip(candidates, scores, strict=True):
        assert score.logprob == pytest.approx(by_hand(plain, HELLO, candidate), abs=1e-3)
        assert score.tokens == len(candidate.encode()) + 1


def test_more_candidates_than_a_batch_holds(engine: TorchEngine, plain: tuple[Any, Any]) -> None:
    candidates = [f"label {'x' * number}" for number in range(torch_engine._SCORE_BATCH * 2 + 3)]
    scores = engine.score(HELLO, candidates)
    assert len(scores) == len(candidates)
    for at in (0, 15, 16, 17, 31, 32, 34):
        assert scores[at].logprob == pytest.approx(by_hand(plain, HELLO, candidates[at]), abs=2e-3)


def test_all_one_token_answers_sum_to_the_chance_of_ending_there(engine: TorchEngine) -> None:
    # The probability of every possible first byte, each followed by anything, is 1 in total;
    # as whole answers they are less, and no score may say otherwise.
    total = sum(math.exp(score.logprob) for score in engine.score(HELLO, list("abcdefghij")))
    assert 0 < total < 1


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["art", "art history", "arts", "biology"],
        ["x" * 60 + str(n) for n in range(30)] + ["y", ""],
        ["only one"],
    ],
)
def test_chances_among_labels_are_those_of_their_tokens_where_they_part(
    engine: TorchEngine, labels: list[str]
) -> None:
    found = engine.choose(HELLO, labels)
    assert found == pytest.approx(among(engine, HELLO, labels), abs=2e-3)
    assert sum(math.exp(one) for one in found) == pytest.approx(1.0)
    assert engine.choose(HELLO, labels) == pytest.approx(found, abs=2e-3)


def test_no_candidates_no_scores(engine: TorchEngine) -> None:
    assert engine.score(HELLO, []) == []
    assert engine.choose(HELLO, []) == []


def test_the_hidden_state_is_that_of_the_plain_model(
    engine: TorchEngine, plain: tuple[Any, Any]
) -> None:
    model = plain[0]
    reading = Reading(layer=1, suffix="\nTask:", max_tokens=99)
    state = engine.hidden_states(["What is this <|im_end|>?"], reading)[0]
    ids = engine._format.text_ids("What is this <|im_end|>?") + engine._format.text_ids("\nTask:")
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    assert len(state) == engine.info.hidden_size
    assert state == pytest.approx(states[1][0, -1].numpy(), abs=1e-5)
    assert state != pytest.approx(states[0][0, -1].numpy(), abs=1e-3)


@pytest.mark.parametrize(("layer", "mean_layer"), [(2, 1), (1, 1)])
def test_the_mean_is_over_the_texts_own_tokens(
    engine: TorchEngine, plain: tuple[Any, Any], layer: int, mean_layer: int
) -> None:
    state = engine.hidden_states(
        ["What is this?"], Reading(layer, "\nTask:", 99, None, mean_layer)
    )[0]
    ids = engine._format.text_ids("What is this?\nTask:")
    caught = {}
    for at, one in enumerate(plain[0].model.layers, 1):
        one.register_forward_hook(lambda *given, at=at: caught.update({at: given[2]}))
    with torch.no_grad():
        plain[0](torch.tensor([ids]))
    own = caught[mean_layer][0, : len("What is this?")]
    assert state[:32] == pytest.approx(caught[layer][0, -1].numpy(), abs=1e-5)
    assert state[32:] == pytest.approx(own.mean(0).numpy(), abs=1e-5)


def test_the_vector_of_a_text_does_not_depend_on_its_company(engine: TorchEngine) -> None:
    reading = Reading(layer=2, suffix="?", max_tokens=400, mean_layer=1)
    seen: list[int] = []
    together = engine.hidden_states(["one", "two " * 80, "three"], reading, progress=seen.append)
    assert (engine.hidden_states(["three"], reading)[0] == together[2]).all()
    assert (engine.hidden_states(["two " * 80, "one"], reading) == together[[1, 0]]).all()
    assert seen == [1, 2, 3]


def test_no_texts_no_vectors(engine: TorchEngine) -> None:
    assert engine.hidden_states([], Reading(1, "?", 20)).shape == (0, 32)
    assert engine.hidden_states([], Reading(2, "?", 20, mean_layer=1)).shape == (0, 64)


def test_a_long_text_is_cut_to_head_and_tail(engine: TorchEngine) -> None:
    def state(text: str) -> Any:
        return engine.hidden_states([text], Reading(layer=1, suffix="??", max_tokens=22))[0]

    text = "a" * 10 + "b" * 500 + "c" * 10
    assert state(text) == pytest.approx(state("a" * 10 + "c" * 10), abs=1e-6)
    assert state(text) != pytest.approx(state("a" * 10 + "b" * 10), abs=1e-4)
