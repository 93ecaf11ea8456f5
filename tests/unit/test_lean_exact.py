"""The lean path against transformers, in 32 bits: the same logits to rounding, the same tokens."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from assistant.engine.base import Engine, Reading
from assistant.engine.lean.engine import LeanEngine
from assistant.engine.lean.lookup import Lookup
from assistant.engine.lean.model import Rows
from assistant.engine.opening import EngineOptions, open_engine
from assistant.engine.tiny import write_tiny_model
from assistant.engine.torch_engine import TorchEngine, load_torch_engine
from assistant.types import Decoding, Generation, Message

Family = Literal["llama", "qwen2", "qwen3"]
HELLO = (Message("system", "Be brief."), Message("user", "Hello there, how are you?"))
LONG = (Message("user", "word and another word, over and over " * 20),)
TEXTS = [
    *(f"{n} {'some more words ' * (n * n % 13)}here" for n in range(38)),
    "longer than one pass: " + "".join(chr(97 + n * n % 26) for n in range(400)),
    "What is it that is wanted here?",
]


def open_lean(folder: Path, cache: Path, precision: Any = "accurate") -> LeanEngine:
    engine: Engine = open_engine(
        folder,
        "folder",
        name="tiny",
        sha256="5" * 64,
        cache=cache,
        options=EngineOptions(precision=precision, device="cpu", threads=2),
        progress=lambda message, share: None,
    )
    assert isinstance(engine, LeanEngine)
    return engine


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3"])
def family(request: pytest.FixtureRequest) -> Family:
    name: Family = request.param
    return name


@pytest.fixture(scope="module")
def folder(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model whose weights bfloat16 holds exactly, biases and norms included."""
    folder = write_tiny_model(tmp_path_factory.mktemp(family), family=family, seed=3)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7))
            # Large enough weights: with the usual small ones all logits are nearly alike.
            parameter.copy_((parameter + 0.1 * noise).to(torch.bfloat16).float())
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def plain(folder: Path) -> TorchEngine:
    return load_torch_engine(
        folder, name="tiny", sha256="", device="cpu", dtype=torch.float32, threads=2
    )


@pytest.fixture
def lean(folder: Path, tmp_path: Path) -> Any:
    engine = open_lean(folder, tmp_path)
    yield engine
    engine.close()


def run(engine: Engine, messages: Sequence[Message], **decoding: Any) -> list[Generation]:
    return list(engine.generate(messages, Decoding(**{"max_tokens": 48, **decoding})))


def said(pieces: Sequence[Generation]) -> str:
    return "".join(piece.text for piece in pieces)


def all_logits(engine: LeanEngine, ids: Sequence[int]) -> Any:
    """Return the logits after each token, shape (tokens, vocabulary), read in one pass."""
    sequence = engine._sequences.begin([], ("test",))
    engine._sequences.extend(sequence, list(ids))
    engine._model.read(engine._model.base, [Rows(sequence, 0, ids)])
    rows = [engine._model.logits(engine._model.base, [row])[0].copy() for row in range(len(ids))]
    engine._sequences.drop(sequence)
    return np.stack(rows)


def test_logits_are_those_of_transformers(lean: LeanEngine, reference: Any) -> None:
    ids = np.random.default_rng(1).integers(0, 256, 90).tolist()
    expected = reference(torch.tensor([ids])).logits[0].detach().numpy()
    found = all_logits(lean, ids)
    assert np.abs(expected).max() > 1.0
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


@pytest.mark.parametrize("messages", [HELLO, LONG], ids=["short", "long"])
def test_greedy_tokens_are_those_of_transformers(
    lean: LeanEngine, plain: TorchEngine, reference: Any, messages: tuple[Message, ...]
) -> None:
    ids = lean._format.prompt_ids(messages)
    assert ids == plain._format.prompt_ids(messages)
    expected = reference.generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=60, eos_token_id=10**6
    )[0, len(ids) :].tolist()
    sequence = lean._sequences.begin([], ("test",))
    logits = lean._read_rest(lean._model.base, sequence, ids, None)
    tokens = []
    for _ in range(60):
        assert logits is not None
        tokens.append(int(logits.argmax()))
        logits = lean._read_rest(lean._model.base, sequence, [*ids, *tokens], None)
    assert tokens == expected


def test_answers_and_scores_are_those_of_the_plain_path(
    lean: LeanEngine, plain: TorchEngine
) -> None:
    assert said(run(lean, HELLO)) == said(run(plain, HELLO))
    labels = ["good", "bad", "neither one nor the other", "x"]
    for ours, theirs in zip(lean.score(HELLO, labels), plain.score(HELLO, labels), strict=True):
        assert ours.tokens == theirs.tokens
        assert ours.logprob == pytest.approx(theirs.logprob, abs=1e-3)
        assert sum(ours.each) == pytest.approx(ours.logprob)
    text = "Some text to be read, long enough to need no more than one pass."
    assert lean.text_logprobs(text) == pytest.approx(plain.text_logprobs(text), abs=1e-3)


@pytest.mark.parametrize("mean_layer", [None, 1, 2])
def test_vectors_of_texts_are_those_of_the_plain_path(
    lean: LeanEngine, plain: TorchEngine, mean_layer: int | None
) -> None:
    reading = Reading(layer=2, suffix=" so?", max_tokens=500, mean_layer=mean_layer)
    ours, theirs = (engine.hidden_states(TEXTS, reading) for engine in (lean, plain))
    assert ours.shape == theirs.shape == (40, 32 if mean_layer is None else 64)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
    assert np.abs(theirs[1:] - theirs[:-1]).max(axis=1).min() > 0.01  # else anything would do


def test_a_vector_from_a_lower_layer_is_that_of_the_plain_path(
    lean: LeanEngine, plain: TorchEngine
) -> None:
    reading = Reading(layer=1, suffix=" so?", max_tokens=20)
    ours, theirs = (engine.hidden_states(TEXTS[-1:], reading)[0] for engine in (lean, plain))
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert np.abs(ours - lean.hidden_states(TEXTS[-1:], replace(reading, layer=2))[0]).max() > 0.01


@pytest.mark.parametrize("precision", ["auto", "accurate", "fast"])
def test_the_vector_of_a_text_does_not_depend_on_its_company(
    folder: Path, tmp_path: Path, precision: str
) -> None:
    engine = open_lean(folder, tmp_path, precision)
    reading = Reading(layer=2, suffix=" so?", max_tokens=500, mean_layer=1)
    together = engine.hidden_states(TEXTS, reading)
    backwards = engine.hidden_states(TEXTS[::-1], reading)[::-1]
    alone = np.concatenate([engine.hidden_states([text], reading) for text in TEXTS])
    assert np.abs(together - backwards).max() < 1e-5
    assert np.abs(together - alone).max() < 1e-5
    engine.close()


def test_a_text_longer_than_one_pass_is_scored_as_a_whole(
    lean: LeanEngine, plain: TorchEngine
) -> None:
    text = "".join(chr(97 + n % 26) for n in range(700))
    assert lean.text_logprobs(text) == pytest.approx(plain.text_logprobs(text), abs=2e-3)


@pytest.mark.parametrize("precision", ["auto", "accurate", "fast"])
def test_a_batch_gives_each_prompt_the_answer_it_gets_alone(
    folder: Path, tmp_path: Path, precision: str
) -> None:
    engine = open_lean(folder, tmp_path, precision)
    prompts = [(Message("user", f"Say {'some ' * (n % 7)}thing {n}"),) for n in range(21)]
    prompts += [LONG, HELLO]
    seen: list[int] = []
    together = engine.complete(prompts, Decoding(max_tokens=24), progress=seen.append)
    alone = [run(engine, prompt, max_tokens=24) for prompt in prompts]
    assert [g.text for g in together] == [said(pieces) for pieces in alone]
    assert [g.finish_reason for g in together] == [p[-1].finish_reason for p in alone]
    assert [g.usage.completion_tokens for g in together if g.usage] == [
        p[-1].usage.completion_tokens for p in alone if p[-1].usage
    ]
    assert seen == list(range(1, 24))
    engine.close()


def test_a_batch_larger_than_the_memory_for_it_waits_for_room(lean: LeanEngine) -> None:
    prompts = [(Message("user", f"{n} " + "many words " * 60),) for n in range(24)]
    decoding = Decoding(max_tokens=300, temperature=1.0, seed=4)
    together = lean.complete(prompts, decoding)
    alone = [list(lean.generate(prompt, decoding)) for prompt in prompts[:4]]
    assert [g.text for g in together[:4]] == [said(pieces) for pieces in alone]
    assert all(g.finish_reason in ("length", "stop") for g in together)


def test_a_stopped_batch_keeps_what_was_done(lean: LeanEngine) -> None:
    stop = threading.Event()
    prompts = [(Message("user", f"number {n}"),) for n in range(30)]
    results = lean.complete(
        prompts, Decoding(max_tokens=8), stop=stop, progress=lambda done: stop.set()
    )
    reasons = [result.finish_reason for result in results]
    assert "cancelled" in reasons
    assert set(reasons) - {"cancelled"}
    assert len(results) == 30


@pytest.mark.parametrize("precision", ["auto", "accurate", "fast"])
def test_prompt_lookup_changes_nothing_but_the_speed(
    folder: Path, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_lean(folder, tmp_path, precision)
    prompts = [LONG, HELLO, (Message("user", "abcabcabcabc abcabc"),)]
    drafts: list[int] = []
    right = Lookup.draft

    def counted(self: Lookup, answered: Sequence[int]) -> list[int]:
        found = right(self, answered)
        drafts.append(len(found))
        return found

    monkeypatch.setattr(Lookup, "draft", counted)
    with_lookup = [said(run(engine, p, max_tokens=200)) for p in prompts]
    assert sum(drafts) > 0
    monkeypatch.setattr(Lookup, "draft", lambda self, answered: [])
    assert [said(run(engine, p, max_tokens=200)) for p in prompts] == with_lookup
    engine.close()


def test_quantized_modes_stay_close_to_the_exact_one(
    folder: Path, tmp_path: Path, reference: Any
) -> None:
    ids = np.random.default_rng(2).integers(0, 256, 80).tolist()
    expected = torch.log_softmax(reference(torch.tensor([ids])).logits[0].detach(), -1).numpy()
    divergence = {}
    for precision in ("accurate", "auto", "fast"):
        engine = open_lean(folder, tmp_path / precision, precision)
        logits = all_logits(engine, ids)
        found = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        divergence[precision] = float((np.exp(expected) * (expected - found)).sum(-1).mean())
        engine.close()
    assert divergence["accurate"] < 1e-6
    assert divergence["auto"] < 0.01
    assert divergence["auto"] < divergence["fast"] < 0.2
