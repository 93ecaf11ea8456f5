"""The router: what it reads, when it looks back, and what it ships with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.router import Router
from assistant.router.head import Head, load_head, save_head
from assistant.router.ngrams import BUCKETS, ngram_features
from assistant.router.reading import may_follow_up, turn_text
from assistant.router.router import HEADS
from assistant.tasks import TASKS
from assistant.testing import FakeEngine
from assistant.training.router_head import LabelledTurn, fit_head, ngram_matrix, train_head

CONTEXT = "User: Translate to French: hello\nAssistant: Bonjour"


class Reader(FakeEngine):
    """An engine that notes what it was given to read, and answers with one-hot states."""

    def __init__(self, tasks: list[int]) -> None:
        super().__init__()
        self.tasks = tasks
        self.read: list[str] = []

    def hidden_state(self, text: str, *, layer: int, suffix: str, max_tokens: int) -> list[float]:
        self.read.append(text)
        state = [0.0] * self.info.hidden_size
        state[self.tasks.pop(0)] = 1.0
        return state


def router_with(tmp_path: Path, strength: float) -> Router:
    """Return a router whose head maps one-hot state i to task i, as surely as ``strength``."""
    weight = np.zeros((len(TASKS), 8), dtype=np.float32)
    weight[:, : len(TASKS)] = np.eye(len(TASKS)) * strength
    router = Router(cache=tmp_path)
    save_head(
        Head(TASKS, weight, np.zeros(len(TASKS), dtype=np.float32)), router.save_file("0" * 64)
    )
    return router


def test_scores_are_probabilities_of_all_tasks() -> None:
    route = Router().route("Wie heißt die Hauptstadt von Peru?")
    assert set(route.scores) == set(TASKS)
    assert sum(route.scores.values()) == pytest.approx(1.0)
    assert route.confidence == route.scores[route.task] == max(route.scores.values())
    assert route.source == "light"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Translate this sentence into Spanish: The shop is closed.", "translation"),
        ("把这句话翻译成英文：商店关门了。", "translation"),
        ("Is this review positive or negative? The soup was cold.", "classification"),
        ("Summarize the following article in one sentence.", "summarization"),
        ("Write a short poem about the sea.", "chat"),
    ],
)
def test_the_light_stage_knows_plain_requests(text: str, task: str) -> None:
    assert Router().route(text).task == task


def test_a_plain_turn_is_read_alone(tmp_path: Path) -> None:
    engine = Reader([1, 0])
    route = router_with(tmp_path, 20.0).route("Translate to German: hello", CONTEXT, engine)
    assert (route.task, route.source) == ("translation", "model")
    assert engine.read == ["Translate to German: hello"]


def test_an_unclear_short_turn_is_read_again_with_the_turn_before(tmp_path: Path) -> None:
    engine = Reader([0, 1])
    route = router_with(tmp_path, 2.0).route("and in German?", CONTEXT, engine)
    assert route.task == "translation"
    assert engine.read == ["and in German?", turn_text("and in German?", CONTEXT)]


def test_an_unclear_long_turn_is_not(tmp_path: Path) -> None:
    engine = Reader([0, 1])
    router_with(tmp_path, 2.0).route("so " * 40, CONTEXT, engine)
    assert len(engine.read) == 1


def test_a_chinese_character_counts_more_than_a_latin_one() -> None:
    assert may_follow_up("a" * 60)
    assert not may_follow_up("a" * 61)
    assert may_follow_up("短" * 20)
    assert not may_follow_up("短" * 21)


def test_a_long_previous_turn_is_shortened() -> None:
    assert len(turn_text("why?", "x" * 10_000)) < 500


def test_the_previous_turn_has_ngrams_of_its_own() -> None:
    assert ngram_features("hello").shape == (BUCKETS,)
    assert not np.allclose(ngram_features("hello"), ngram_features("hello", "hello"))


def test_a_head_is_read_back_as_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    head = Head(
        TASKS,
        rng.normal(size=(5, 8)).astype(np.float32),
        rng.normal(size=5).astype(np.float32),
        1.5,
        {"data": "own"},
    )
    save_head(head, tmp_path / "a" / "head.safetensors")
    again = load_head(tmp_path / "a" / "head.safetensors")
    assert (again.tasks, again.temperature, again.about) == (TASKS, 1.5, {"data": "own"})
    features = rng.normal(size=8).astype(np.float32)
    assert again.predict(features) == pytest.approx(head.predict(features), abs=1e-2)


def test_training_separates_what_can_be_separated() -> None:
    words = {"qa": "why", "translation": "french", "summarization": "gist", "chat": "poem"}
    words["classification"] = "label"
    turns = [
        LabelledTurn(f"{word} number {i}", None, task)
        for task, word in words.items()
        for i in range(12)
    ]
    head = fit_head(ngram_matrix(turns), turns, penalty=10.0, scale=False)
    assert head.about["cross_validated_accuracy"] == 1.0
    scores = head.predict(ngram_features("gist number 99"))
    assert max(scores, key=lambda task: scores[task]) == "summarization"


def test_training_for_a_model_reads_every_turn_once() -> None:
    turns = [LabelledTurn(f"turn {i}", None, task) for task in TASKS for i in range(6)]
    engine = Reader([TASKS.index(turn.task) for turn in turns])
    head = train_head(engine, turns)
    assert len(engine.read) == len(turns)
    assert head.weight.shape == (len(TASKS), engine.info.hidden_size)


def test_the_default_models_head_ships() -> None:
    from assistant.models.catalog import default_entry

    entry = default_entry()
    assert entry.sha256 is not None
    head = load_head(HEADS / f"{entry.sha256[:16]}.safetensors")
    assert head.tasks == TASKS
    assert "Apache-2.0" in head.about["data"]
