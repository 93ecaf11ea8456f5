"""How the lean engine behaves: stopping, limits, errors, several callers; what it says is noise here."""

from __future__ import annotations

import contextlib
import functools
import gc
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from choosing import among
from test_lean_exact import HELLO, LONG, TEXTS, all_logits, open_lean, run, said
from transformers import AutoModelForCausalLM

from assistant.engine.base import Reading
from assistant.engine.lean import batch
from assistant.engine.lean import engine as lean_engine
from assistant.engine.lean.engine import LeanEngine
from assistant.engine.lean.lookup import Lookup
from assistant.engine.lean.model import LeanModel
from assistant.engine.sampling import Logits
from assistant.engine.tiny import write_tiny_model
from assistant.errors import AdapterError, ContextOverflow, EngineError
from assistant.types import Decoding, Generation, Message

CONTEXT = 2048


def lively_model(folder: Path, seed: int = 3) -> Path:
    """Write a tiny model whose answers depend on every token before them (random ones hardly do)."""
    write_tiny_model(folder, seed=seed)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=noise))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively_model(tmp_path_factory.mktemp("lively"))


@pytest.fixture
def engine(folder: Path, tmp_path: Path) -> Iterator[LeanEngine]:
    made = open_lean(folder, tmp_path / "cache", "auto")
    yield made
    made.close()


@pytest.fixture
def small(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeanEngine]:
    """An engine whose pool holds 12 pages, 192 tokens, far fewer than its context."""
    made = functools.partial(LeanModel, pool_tokens=128, sequences=4)
    monkeypatch.setattr("assistant.engine.lean.model.LeanModel", made)
    engine = open_lean(folder, tmp_path / "cache", "auto")
    yield engine
    engine.close()


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def long(tokens: int) -> tuple[Message, ...]:
    """A prompt of about so many tokens (bytes), nothing of it repeated soon."""
    return user("".join(chr(97 + (n * n + n // 26) % 26) for n in range(tokens)))


def script(monkeypatch: pytest.MonkeyPatch, tokens: Sequence[int]) -> None:
    """Make engines answer given tokens whatever the logits are."""

    class Scripted:
        greedy = False

        def __init__(self, decoding: Decoding) -> None:
            self._left = list(tokens)

        def next(self, logits: Logits, answered: Sequence[int]) -> int:
            return self._left[len(answered)]

    for module in (lean_engine, batch):
        monkeypatch.setattr(module, "Sampler", Scripted)


def test_the_answer_depends_on_the_whole_prompt(engine: LeanEngine) -> None:
    """What makes the other tests worth something: wrong keys and values would be seen."""
    texts = [said(run(engine, user(f"{first} and so on"))) for first in "abcd"]
    assert len(set(texts)) == 4


# -- stopping --------------------------------------------------------------------------------------


def test_a_stopped_answer_ends_within_one_token(engine: LeanEngine) -> None:
    stop = threading.Event()
    pieces = []
    for piece in engine.generate(HELLO, Decoding(max_tokens=500, temperature=1, seed=1), stop=stop):
        pieces.append(piece)
        if len(pieces) == 5:
            stop.set()
    assert pieces[-1].finish_reason == "cancelled"
    assert len(pieces) <= 7
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens <= 20


@pytest.mark.parametrize("at", [1, 2, 3, 5, 7])
def test_a_stopped_answer_ends_within_one_token_where_it_repeats_something(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Several tokens are found in one step there."""
    right = engine._step

    def repeating(*arguments: Any) -> list[int]:
        right(*arguments)
        return engine._format.text_ids("abcd")

    monkeypatch.setattr(engine, "_step", repeating)
    stop = threading.Event()
    seen = 0
    for piece in engine.generate(HELLO, Decoding(max_tokens=40), stop=stop):
        if stop.is_set() and piece.text:
            seen += 1
        if piece.text:
            at -= 1
            if at == 0:
                stop.set()
    assert piece.finish_reason == "cancelled"
    assert seen <= 1


def test_stopping_before_it_begins_reads_nothing(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(engine._model, "read", lambda *_, **__: pytest.fail("it was read"))
    pieces = list(engine.generate(HELLO, Decoding(), stop=stop))
    assert [piece.finish_reason for piece in pieces] == ["cancelled"]
    assert pieces[0].usage is not None
    assert pieces[0].usage.completion_tokens == 0


def test_a_long_prompt_is_stopped_while_it_is_read(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    passes = []
    right = engine._model.read

    def counted(*arguments: Any, **options: Any) -> None:
        passes.append(arguments)
        right(*arguments, **options)
        stop.set()

    monkeypatch.setattr(engine._model, "read", counted)
    pieces = list(engine.generate(long(1500), Decoding(), stop=stop))
    assert pieces[-1].finish_reason == "cancelled"
    assert len(passes) == 1
    monkeypatch.undo()
    assert run(engine, long(1500))[-1].usage.cached_prompt_tokens == 256  # type: ignore[union-attr]


def test_what_was_stopped_while_reading_is_answered_rightly_later(
    engine: LeanEngine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    right = engine._model.read
    monkeypatch.setattr(engine._model, "read", lambda *a, **o: (right(*a, **o), stop.set()))
    list(engine.generate(long(700), Decoding(), stop=stop))
    monkeypatch.undo()
    fresh = open_lean(folder, tmp_path / "fresh", "auto")
    assert said(run(engine, long(700))) == said(run(fresh, long(700)))
    fresh.close()


def test_a_generator_abandoned_half_way_leaves_the_engine_usable(engine: LeanEngine) -> None:
    expected = said(run(engine, HELLO))
    answer = engine.generate(HELLO, Decoding(max_tokens=200))
    next(answer)
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert said(run(engine, HELLO)) == expected
    half = engine.generate(LONG, Decoding(max_tokens=200))
    next(half)
    del half
    gc.collect()
    assert said(run(engine, HELLO)) == expected


def test_an_abandoned_answer_leaves_right_keys_and_values(
    engine: LeanEngine, folder: Path, tmp_path: Path
) -> None:
    """Whatever place it was left at, within several tokens found at once too."""
    fresh = open_lean(folder, tmp_path / "fresh", "auto")
    for count in (1, 2, 3, 5, 8, 13, 21):
        pieces = []
        answer = engine.generate(LONG, Decoding(max_tokens=100))
        for piece in answer:
            pieces.append(piece)
            if len(pieces) == count:
                break
        answer.close()  # type: ignore[attr-defined]
        following = (*LONG, Message("assistant", said(pieces)), *user("go on"))
        fresh._sequences.forget_all()
        assert said(run(engine, following)) == said(run(fresh, following))
    fresh.close()


def test_no_page_is_held_when_nothing_is_kept(engine: LeanEngine) -> None:
    run(engine, HELLO)
    run(engine, LONG, max_tokens=100)
    engine.score(HELLO, ["yes", "no", "neither"])
    engine.text_logprobs("some text")
    engine.hidden_states(TEXTS, Reading(layer=1, suffix="?", max_tokens=500))
    engine.complete([HELLO, LONG, *[user(str(n)) for n in range(20)]], Decoding(max_tokens=8))
    engine._sequences.forget_all()
    assert engine._model.pages.free == engine._model.pages.count
    assert len(engine._sequences._rows) == len(engine._model.pages.tables)


# -- limits ----------------------------------------------------------------------------------------


def test_no_more_tokens_than_allowed_are_answered(engine: LeanEngine) -> None:
    for most in (1, 2, 7):
        last = run(engine, LONG, max_tokens=most)[-1]
        assert last.usage is not None
        assert (last.finish_reason, last.usage.completion_tokens) == ("length", most)


def test_no_token_at_all_may_be_wanted(engine: LeanEngine) -> None:
    last = run(engine, HELLO, max_tokens=0)[-1]
    assert last.usage is not None
    assert (last.text, last.finish_reason, last.usage.completion_tokens) == ("", "length", 0)


def test_an_answer_ends_where_the_window_does(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = long(CONTEXT - 40)
    script(monkeypatch, [97] * 500)
    last = run(engine, prompt, max_tokens=500)[-1]
    assert last.usage is not None
    assert last.finish_reason == "length"
    assert last.usage.prompt_tokens + last.usage.completion_tokens == CONTEXT


def test_guesses_do_not_go_beyond_the_window(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    right = engine._model.read

    def noted(program: Any, parts: Any, **options: Any) -> None:
        ends.extend(part.position + len(part.tokens) for part in parts)
        right(program, parts, **options)

    monkeypatch.setattr(engine._model, "read", noted)
    monkeypatch.setattr(Lookup, "draft", lambda self, answered: [97, 98, 99])
    monkeypatch.setattr(engine._format, "end_ids", frozenset())
    last = run(engine, long(CONTEXT - 45), max_tokens=500)[-1]
    assert last.usage is not None
    assert last.finish_reason == "length"
    assert last.usage.prompt_tokens + last.usage.completion_tokens == CONTEXT
    assert max(ends) <= CONTEXT


def test_a_prompt_longer_than_the_window_is_refused(engine: LeanEngine) -> None:
    too_long = long(CONTEXT)
    for ask in (
        lambda: list(engine.generate(too_long, Decoding())),
        lambda: engine.score(too_long, ["a"]),
        lambda: engine.complete([HELLO, too_long], Decoding()),
        lambda: engine.text_logprobs(too_long[0].content),
    ):
        with pytest.raises(ContextOverflow, match="2,048") as caught:
            ask()
        assert caught.value.hint
    assert said(run(engine, HELLO))


def test_preparing_more_than_the_window_holds_is_no_traceback(engine: LeanEngine) -> None:
    with contextlib.suppress(EngineError):
        engine.prepare([*long(CONTEXT + 300), Message("user", "")])
    assert said(run(engine, HELLO))


def test_a_conversation_longer_than_the_pool_is_refused_with_a_hint(small: LeanEngine) -> None:
    for _ in range(3):
        with pytest.raises(EngineError, match="full") as caught:
            run(small, long(400))
        assert caught.value.hint


def test_an_answer_that_outgrows_the_pool_is_refused_with_a_hint(
    small: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, [97] * 500)
    for _ in range(3):
        with pytest.raises(EngineError, match="full"):
            run(small, long(100), max_tokens=400)


@pytest.mark.parametrize("kind", ["score", "text", "hidden", "prepare", "complete"])
def test_whatever_needs_more_than_the_pool_is_refused_with_a_hint(
    small: LeanEngine, kind: str
) -> None:
    text = long(400)[0].content
    ask: Callable[[], Any] = {
        "score": lambda: small.score(long(400), ["a", "b"]),
        "text": lambda: small.text_logprobs(text),
        "hidden": lambda: small.hidden_states([text], Reading(layer=1, suffix="", max_tokens=400)),
        "prepare": lambda: small.prepare([*long(400), Message("user", "")]),
        "complete": lambda: small.complete([long(400)], Decoding(max_tokens=4)),
    }[kind]
    for _ in range(10):  # nothing is used up by it
        with pytest.raises(EngineError):
            ask()
    assert said(run(small, HELLO))


def test_after_a_full_pool_shorter_prompts_are_answered_rightly(
    small: LeanEngine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be read but was not must not be taken for known."""
    with pytest.raises(EngineError):
        run(small, long(400))
    found = said(run(small, long(90), max_tokens=20))
    monkeypatch.undo()
    fresh = open_lean(folder, tmp_path / "fresh", "auto")
    assert found == said(run(fresh, long(90), max_tokens=20))
    fresh.close()


def test_labels_that_do_not_fit_in_the_pool_use_nothing_up(small: LeanEngine) -> None:
    labels = ["one", "another", "a third"]
    expected = small.score(user("short"), labels)
    refused = 0
    for size in range(90, 170, 3):  # each page in turn is the one that is missing
        try:
            small.score(long(size), labels)
        except EngineError:
            refused += 1
    assert refused > 0
    small._sequences.forget_all()
    assert small._model.pages.free == small._model.pages.count
    assert small.score(user("short"), labels) == expected


def test_a_batch_that_needs_more_than_the_pool_at_once_is_answered_all_the_same(
    folder: Path, tmp_path: Path
) -> None:
    """Sixteen prompts run side by side, each of them well within the window."""
    engine = open_lean(folder, tmp_path / "cache", "auto")
    prompts = [user(f"{n:02} " + long(600)[0].content) for n in range(16)]
    found = engine.complete(prompts, Decoding(max_tokens=4))
    assert [g.text for g in found] == [said(run(engine, p, max_tokens=4)) for p in prompts]
    engine.close()


# -- what is said ----------------------------------------------------------------------------------


def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = engine._format.text_ids("one\n\nQ: two")
    script(monkeypatch, [*ids, *ids])
    pieces = run(engine, HELLO, stop=("\nQ:", "never"))
    assert (said(pieces), pieces[-1].finish_reason) == ("one\n", "stop")
    assert said(run(engine, HELLO, stop=("Q", "two"))) == "one\n\n"
    (whole,) = engine.complete([HELLO], Decoding(stop=("\nQ:",)))
    assert (whole.text, whole.finish_reason) == ("one\n", "stop")


def test_the_beginning_of_a_stop_string_is_shown_when_it_goes_on_otherwise(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = engine._format.text_ids("a\nQ and on")
    end = next(iter(engine._format.end_ids))
    script(monkeypatch, [*ids, end])
    pieces = run(engine, HELLO, stop=("\nQ:", "only"))
    assert (said(pieces), pieces[-1].finish_reason) == ("a\nQ and on", "stop")


def test_characters_of_several_tokens_come_out_whole(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "é 谢谢 🙂‍↔️ ok"
    end = next(iter(engine._format.end_ids))
    script(monkeypatch, [*engine._format.text_ids(text), end])
    pieces = run(engine, HELLO)
    assert said(pieces) == text
    assert not any("\ufffd" in piece.text for piece in pieces)
    assert engine.complete([HELLO], Decoding())[0].text == text


def test_the_same_seed_gives_the_same_answer_and_another_one_another(engine: LeanEngine) -> None:
    sampling = {"temperature": 1.0, "top_p": 0.9, "max_tokens": 30}
    first = said(run(engine, HELLO, seed=11, **sampling))
    assert said(run(engine, HELLO, seed=11, **sampling)) == first
    others = {said(run(engine, HELLO, seed=seed, **sampling)) for seed in range(4)}
    assert len(others | {first}) > 2
    (together,) = engine.complete([HELLO], Decoding(seed=11, **sampling))  # type: ignore[arg-type]
    assert together.text == first


@pytest.mark.parametrize("right", [0, 1, 2, 3])
def test_a_guess_that_is_wrong_leaves_no_trace(
    engine: LeanEngine, monkeypatch: pytest.MonkeyPatch, right: int
) -> None:
    """Neither in the answer nor in what the next turn finds in memory."""
    chosen: list[int] = []
    monkeypatch.setattr(Lookup, "draft", lambda self, answered: chosen.extend(answered[-1:]) or [])
    expected = said(run(engine, HELLO, max_tokens=40))
    following = (*HELLO, Message("assistant", expected), *user("go on"))
    next_expected = said(run(engine, following))
    tokens = [*chosen[:40], 0, 0, 0, 0]

    def guess(self: Lookup, answered: Sequence[int]) -> list[int]:
        known = tokens[len(answered) : len(answered) + right]
        return [*known, *((token + 1) % 256 for token in tokens[len(answered) + right :])][:3]

    monkeypatch.setattr(Lookup, "draft", guess)
    engine._sequences.forget_all()
    assert said(run(engine, HELLO, max_tokens=40)) == expected
    monkeypatch.setattr(Lookup, "draft", lambda self, answered: [])
    assert said(run(engine, following)) == next_expected


def test_a_repetition_penalty_is_kept_to(engine: LeanEngine) -> None:
    usual = said(run(engine, LONG, max_tokens=60))
    penalized = said(run(engine, LONG, max_tokens=60, repetition_penalty=5.0))
    assert len(set(penalized)) > len(set(usual))


# -- scoring ---------------------------------------------------------------------------------------


def alone(engine: LeanEngine, labels: Sequence[str]) -> list[Any]:
    found = []
    for label in labels:
        engine._sequences.forget_all()
        found += engine.score(HELLO, [label])
    return found


def test_more_labels_than_one_pass_holds_are_scored_as_one_by_one(engine: LeanEngine) -> None:
    labels = [f"label {n}" * (1 + n % 3) for n in range(40)]
    together = engine.score(HELLO, labels)
    assert together == alone(engine, labels)
    assert len({score.logprob for score in together}) == 40


def test_many_short_labels_are_scored_as_one_by_one(engine: LeanEngine) -> None:
    labels = [chr(33 + n) for n in range(60)]
    together = engine.score(HELLO, labels)
    assert together == alone(engine, labels)
    assert len({score.logprob for score in together}) == 60


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
    engine: LeanEngine, labels: list[str]
) -> None:
    found = engine.choose(HELLO, labels)
    assert found == pytest.approx(among(engine, HELLO, labels), abs=2e-3)
    assert sum(math.exp(one) for one in found) == pytest.approx(1.0)
    assert engine.choose(HELLO, labels) == pytest.approx(found, abs=2e-3)


def test_long_labels_are_scored_as_one_by_one(engine: LeanEngine) -> None:
    labels = ["x" * 200, "y" * 100, "", "z" * 254, "w" * 60, "v"]
    together = engine.score(HELLO, labels)
    assert [score.tokens for score in together] == [201, 101, 1, 255, 61, 2]
    assert together == alone(engine, labels)


def test_a_label_of_more_than_one_pass_is_refused_with_a_hint(engine: LeanEngine) -> None:
    with pytest.raises(EngineError, match="301 tokens") as caught:
        engine.score(HELLO, ["a", "x" * 300])
    assert caught.value.hint
    assert engine.score(HELLO, ["a"])


def test_scores_are_those_of_the_logits(engine: LeanEngine) -> None:
    prompt = engine._format.prompt_ids(HELLO)
    answer = engine._format.answer_ids("yes")
    logits = torch.from_numpy(all_logits(engine, [*prompt, *answer])).double()
    wanted = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    expected = [float(row[token]) for row, token in zip(wanted, answer, strict=True)]
    (score,) = engine.score(HELLO, ["yes"])
    assert score.each == pytest.approx(expected, abs=1e-4)


# -- vectors of texts ------------------------------------------------------------------------------


@pytest.mark.parametrize("mean_layer", [None, 1])
def test_reading_texts_uses_up_no_page_and_forgets_nothing(
    engine: LeanEngine, mean_layer: int | None
) -> None:
    run(engine, HELLO)
    cached = run(engine, HELLO)[-1].usage.cached_prompt_tokens  # type: ignore[union-attr]
    free, rows = engine._model.pages.free, list(engine._sequences._rows)
    assert cached > 0
    for _ in range(3):
        engine.hidden_states(TEXTS, Reading(1, "?", max_tokens=500, mean_layer=mean_layer))
        assert engine._model.pages.free == free
        assert sorted(engine._sequences._rows) == sorted(rows)
    assert run(engine, HELLO)[-1].usage.cached_prompt_tokens == cached  # type: ignore[union-attr]


def test_progress_ends_with_all_texts_and_never_falls(engine: LeanEngine) -> None:
    seen: list[int] = []
    engine.hidden_states(TEXTS, Reading(1, "?", max_tokens=500), progress=seen.append)
    assert len(seen) > 2
    assert seen == sorted(set(seen))
    assert seen[-1] == len(TEXTS)


def test_no_texts_no_vectors(engine: LeanEngine) -> None:
    assert engine.hidden_states([], Reading(1, "?", max_tokens=20)).shape == (0, 32)
    assert engine.hidden_states([], Reading(2, "?", 20, mean_layer=1)).shape == (0, 64)


def test_an_adapter_that_is_not_loaded_is_an_error(engine: LeanEngine) -> None:
    with pytest.raises(AdapterError, match="'router'") as caught:
        engine.hidden_states(["a"], Reading(1, "?", max_tokens=20, adapter="router"))
    assert caught.value.hint
    assert said(run(engine, HELLO))


def test_reading_more_than_the_window_holds_is_refused(engine: LeanEngine) -> None:
    with pytest.raises(ContextOverflow, match="2,048"):
        engine.hidden_states(["a", "b" * 3000], Reading(1, "?", max_tokens=3000))
    assert engine.hidden_states(["a"], Reading(1, "?", max_tokens=3000)).shape == (1, 32)


# -- several callers, and the end ------------------------------------------------------------------


def test_several_threads_get_the_answers_they_get_alone(engine: LeanEngine) -> None:
    prompts = [user(f"Question {n}: {'why ' * n}?") for n in range(6)]
    expected = [said(run(engine, prompt)) for prompt in prompts]
    scores = engine.score(HELLO, ["a", "b"])
    engine._sequences.forget_all()
    found: dict[int, list[Any]] = {}

    def ask(number: int) -> None:
        found[number] = [said(run(engine, prompts[number])) for _ in range(3)]
        found[number] += engine.score(HELLO, ["a", "b"])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {n: [*[expected[n]] * 3, *scores] for n in range(6)}


def test_a_closed_engine_says_so(engine: LeanEngine, folder: Path) -> None:
    engine.close()
    for ask in (
        lambda: run(engine, HELLO),
        lambda: engine.score(HELLO, ["a"]),
        lambda: engine.complete([HELLO], Decoding()),
        lambda: engine.text_logprobs("some text"),
        lambda: engine.hidden_states(["some text"], Reading(layer=1, suffix="?", max_tokens=20)),
        lambda: engine.prepare([*LONG, Message("user", "")]),
    ):
        with pytest.raises(EngineError, match="unloaded") as caught:
            ask()
        assert caught.value.hint


def test_loading_an_adapter_into_a_closed_engine_says_so(engine: LeanEngine, folder: Path) -> None:
    engine.close()
    with pytest.raises(EngineError) as caught:
        engine.load_adapter("mine", folder)
    assert caught.value.hint


def test_closing_twice_is_nothing_to_complain_about(engine: LeanEngine) -> None:
    engine.close()
    engine.close()
    engine.unload_adapter("unknown")
    assert engine.count_tokens(HELLO) > 0


def test_a_closed_engine_ends_its_threads(folder: Path, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    engine = open_lean(folder, tmp_path / "cache", "auto")
    run(engine, HELLO)
    assert set(threading.enumerate()) > before
    engine.close()
    assert not {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}


def test_the_last_piece_alone_has_reason_and_usage(engine: LeanEngine) -> None:
    pieces: list[Generation] = run(engine, HELLO, max_tokens=10)
    assert all(piece.finish_reason is None and piece.usage is None for piece in pieces[:-1])
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.prompt_tokens == engine.count_tokens(HELLO)
