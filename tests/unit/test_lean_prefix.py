"""Stored prefixes: met again after a restart, never by anything else, and the answers are the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_lean_adapters import write_adapter
from test_lean_engine import lively_model
from test_lean_exact import said

from assistant.engine.lean.engine import LeanEngine
from assistant.engine.lean.pages import TOKENS
from assistant.engine.lean.prefix_store import PrefixStore, prefix_usage
from assistant.engine.opening import EngineOptions, open_engine
from assistant.types import Decoding, Generation, Message

PAGE_BYTES = 256
SYSTEM = Message("system", "You are asked for colours. Name one, in one word, in small letters.")
SHOTS = (SYSTEM, Message("user", "Grass?"), Message("assistant", "green"))
QUESTION = Message("user", "The sky?")
OTHER = Message("user", "And a ripe tomato?")


# -- the store by itself ----------------------------------------------------------------------------


def pages_of(tokens: int, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (tokens // TOKENS, PAGE_BYTES)).astype(np.uint8)


def numbers(count: int) -> list[int]:
    return list(range(count))


@pytest.fixture
def store(tmp_path: Path) -> PrefixStore:
    return PrefixStore(tmp_path / "prefixes", "model")


def test_what_was_saved_is_found_and_loaded(store: PrefixStore) -> None:
    store.save(numbers(32), (), pages_of(32))
    stored = store.find(numbers(50), ())
    assert stored is not None
    assert stored.ids.tolist() == numbers(32)
    assert np.array_equal(store.load(stored, PAGE_BYTES), pages_of(32))  # type: ignore[arg-type]


def test_another_store_on_the_same_folder_finds_it(store: PrefixStore, tmp_path: Path) -> None:
    store.save(numbers(32), ("a", "1"), pages_of(32))
    again = PrefixStore(tmp_path / "prefixes", "model")
    assert again.find(numbers(32), ("a", "1")) is not None


def test_the_longest_stored_prefix_is_found(store: PrefixStore) -> None:
    for count in (48, 16, 32):
        store.save(numbers(count), (), pages_of(count))
    sizes = []
    for tokens in (15, 16, 40, 48, 100):
        stored = store.find(numbers(tokens), ())
        sizes.append(0 if stored is None else len(stored.ids))
    assert sizes == [0, 16, 32, 48, 48]


def test_a_prompt_that_differs_anywhere_within_it_does_not_meet_it(store: PrefixStore) -> None:
    store.save(numbers(32), (), pages_of(32))
    for place in (0, 15, 31):
        changed = numbers(40)
        changed[place] += 1
        assert store.find(changed, ()) is None


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        ("other model", ("a", "1")),
        ("model", ()),
        ("model", ("a", "2")),
        ("model", ("a",)),
        ("model", ("b", "1")),
        ("model", ("a", "1", "")),
    ],
)
def test_another_model_or_adapter_never_meets_it(
    tmp_path: Path, identity: str, key: tuple[str, ...]
) -> None:
    PrefixStore(tmp_path, "model").save(numbers(32), ("a", "1"), pages_of(32))
    assert PrefixStore(tmp_path, identity).find(numbers(32), key) is None


def test_pages_of_another_size_are_not_loaded(store: PrefixStore) -> None:
    store.save(numbers(32), (), pages_of(32))
    stored = store.find(numbers(32), ())
    assert stored is not None
    assert store.load(stored, PAGE_BYTES * 2) is None


def test_fewer_pages_than_tokens_are_not_loaded(store: PrefixStore) -> None:
    store.save(numbers(32), (), pages_of(16))
    stored = store.find(numbers(32), ())
    assert stored is None or store.load(stored, PAGE_BYTES) is None


@pytest.mark.parametrize("kept", [0, 7, 50, -1])
def test_a_damaged_file_is_ignored_and_deleted(
    store: PrefixStore, tmp_path: Path, kept: int
) -> None:
    store.save(numbers(32), (), pages_of(32))
    (file,) = (tmp_path / "prefixes").iterdir()
    file.write_bytes(file.read_bytes()[:kept])
    again = PrefixStore(tmp_path / "prefixes", "model")
    assert again.find(numbers(32), ()) is None
    assert not file.exists()
    again.save(numbers(32), (), pages_of(32))
    assert again.find(numbers(32), ()) is not None


def test_a_file_that_lacks_its_tokens_is_ignored(store: PrefixStore, tmp_path: Path) -> None:
    store.save(numbers(32), (), pages_of(32))
    (file,) = (tmp_path / "prefixes").iterdir()
    save_file({"pages": pages_of(32)}, str(file))
    assert PrefixStore(tmp_path / "prefixes", "model").find(numbers(32), ()) is None


def test_a_file_deleted_meanwhile_is_only_gone(store: PrefixStore, tmp_path: Path) -> None:
    store.save(numbers(32), (), pages_of(32))
    stored = store.find(numbers(32), ())
    assert stored is not None
    stored.file.unlink()
    assert store.load(stored, PAGE_BYTES) is None


def test_beyond_the_limit_the_longest_unused_is_deleted(tmp_path: Path) -> None:
    one = PrefixStore(tmp_path / "one", "model")
    one.save(numbers(64), (), pages_of(64))
    size = prefix_usage(tmp_path / "one")[1]
    store = PrefixStore(tmp_path / "many", "model", limit_bytes=3 * size)
    prompts = {name: [name, *numbers(63)] for name in range(4)}
    for age, name in enumerate((0, 1, 2)):
        store.save(prompts[name], (), pages_of(64))
        os.utime(store._folder / store.name(prompts[name], ()), (1000 + age, 1000 + age))
    first = store.find(prompts[0], ())
    assert first is not None
    store.load(first, PAGE_BYTES)  # used again: now the latest
    store.save(prompts[3], (), pages_of(64))
    assert [name for name, ids in prompts.items() if store.find(ids, ())] == [0, 2, 3]
    again = PrefixStore(tmp_path / "many", "model")
    assert [name for name, ids in prompts.items() if again.find(ids, ())] == [0, 2, 3]
    count, total = prefix_usage(tmp_path / "many")
    assert count == 3
    assert total <= 3 * size


def test_nothing_half_written_is_left_behind(store: PrefixStore, tmp_path: Path) -> None:
    store.save(numbers(32), (), pages_of(32))
    assert [file.suffix for file in (tmp_path / "prefixes").iterdir()] == [".safetensors"]


def test_a_folder_that_cannot_be_made_only_means_that_nothing_is_stored(tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("a file stands where the folder should be")
    store = PrefixStore(tmp_path / "prefixes", "model")
    assert store.find(numbers(32), ()) is None
    store.save(numbers(32), (), pages_of(32))
    assert store.find(numbers(32), ()) is None


def test_a_full_disk_only_means_that_nothing_is_stored(
    store: PrefixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: Any, file: str) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assistant.engine.lean.prefix_store.save_file", full)
    store.save(numbers(32), (), pages_of(32))
    assert store.find(numbers(32), ()) is None
    assert list((tmp_path / "prefixes").iterdir()) == []


def test_in_a_read_only_folder_what_is_stored_is_still_used(
    store: PrefixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(numbers(32), (), pages_of(32))
    read_only(monkeypatch)
    stored = PrefixStore(tmp_path / "prefixes", "model").find(numbers(32), ())
    assert stored is not None
    assert store.load(stored, PAGE_BYTES) is not None


def test_in_a_read_only_folder_a_damaged_file_is_only_ignored(
    store: PrefixStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(numbers(32), (), pages_of(32))
    (file,) = (tmp_path / "prefixes").iterdir()
    file.write_bytes(b"damaged")
    read_only(monkeypatch)
    assert PrefixStore(tmp_path / "prefixes", "model").find(numbers(32), ()) is None


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse changes as a read-only disk does (the tests may run as root, whom no mode stops)."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)


def test_usage_counts_files_and_bytes(store: PrefixStore, tmp_path: Path) -> None:
    assert prefix_usage(tmp_path / "nowhere") == (0, 0)
    store.save(numbers(32), (), pages_of(32))
    count, total = prefix_usage(tmp_path / "prefixes")
    assert count == 1
    assert total > 2 * PAGE_BYTES


# -- the engine on top -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively_model(tmp_path_factory.mktemp("prefix"), seed=4)


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Any]:
    """Return a function that opens an engine as a fresh start of the program does."""
    opened: list[LeanEngine] = []

    def make(sha256: str = "5" * 64, precision: Any = "auto", cache: str = "cache") -> LeanEngine:
        engine = open_engine(
            folder,
            "folder",
            name="tiny",
            sha256=sha256,
            cache=tmp_path / cache,
            options=EngineOptions(precision=precision, device="cpu", threads=2),
            progress=lambda message, share: None,
        )
        assert isinstance(engine, LeanEngine)
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()


def ask(
    engine: LeanEngine, *messages: Message, stable: int = 3, adapter: str | None = None
) -> list[Generation]:
    decoding = Decoding(max_tokens=16)
    return list(engine.generate(messages, decoding, stable=stable, adapter=adapter))


def cached(pieces: list[Generation]) -> int:
    assert pieces[-1].usage is not None
    return pieces[-1].usage.cached_prompt_tokens


def shared(engine: LeanEngine) -> int:
    """Return how many tokens of the prompt a prefix file of its stable messages holds."""
    return len(engine._format.shared_ids([*SHOTS, QUESTION])) // TOKENS * TOKENS


@pytest.mark.parametrize("precision", ["auto", "accurate", "fast"])
def test_a_prefix_is_met_again_after_a_restart(start: Any, precision: str) -> None:
    first = ask(start(precision=precision), *SHOTS, QUESTION)
    engine = start(precision=precision)
    second = ask(engine, *SHOTS, QUESTION)
    assert cached(first) == 0
    assert cached(second) == shared(engine) > 100
    assert said(second) == said(first)


def test_another_question_meets_it_too(start: Any) -> None:
    ask(start(), *SHOTS, QUESTION)
    pieces = ask(start(), *SHOTS, OTHER)
    assert cached(pieces) == shared(start())
    assert said(pieces) == said(ask(start(cache="fresh"), *SHOTS, OTHER))


@pytest.mark.parametrize("precision", ["auto", "accurate"])
def test_stored_keys_and_values_give_the_same_bits_as_computed_ones(
    start: Any, precision: str
) -> None:
    ask(start(precision=precision), *SHOTS, QUESTION)
    computed, recalled = start(precision=precision, cache="fresh"), start(precision=precision)
    ids = computed._format.prompt_ids([*SHOTS, OTHER])
    recalled._recall(ids, ())
    found = []
    for engine, known in ((computed, 0), (recalled, shared(computed))):
        sequence = engine._sequences.begin(ids[:-1], ())
        assert len(sequence.ids) == known
        found.append(engine._read_rest(engine._model.base, sequence, ids, None).copy())
        found.append(engine._model.pages_of(sequence, len(ids) // TOKENS * TOKENS))
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1], found[3])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_prompt_meets_nothing_old(start: Any, place: int) -> None:
    ask(start(), *SHOTS, QUESTION)
    changed = list(SHOTS)
    changed[place] = Message(SHOTS[place].role, SHOTS[place].content + "!")
    pieces = ask(start(), *changed, QUESTION)
    assert cached(pieces) == 0
    assert said(pieces) == said(ask(start(cache="fresh"), *changed, QUESTION))


def test_within_one_start_a_changed_prompt_shares_only_what_is_before_the_change(
    start: Any,
) -> None:
    engine = start()
    ask(engine, *SHOTS, QUESTION)
    changed = (*SHOTS[:2], Message("assistant", "blue"))
    pieces = ask(engine, *changed, QUESTION)
    assert cached(pieces) == len(engine._format.shared_ids(SHOTS))
    assert said(pieces) == said(ask(start(cache="fresh"), *changed, QUESTION))


@pytest.mark.parametrize(
    "other", [{"sha256": "6" * 64}, {"precision": "fast"}, {"precision": "accurate"}], ids=str
)
def test_another_model_or_precision_meets_nothing(start: Any, other: dict[str, Any]) -> None:
    ask(start(), *SHOTS, QUESTION)
    pieces = ask(start(**other), *SHOTS, QUESTION)
    assert cached(pieces) == 0
    assert said(pieces) == said(ask(start(**other, cache="fresh"), *SHOTS, QUESTION))


def test_only_the_same_version_of_an_adapter_meets_it(
    start: Any, folder: Path, tmp_path: Path
) -> None:
    versions = [write_adapter(folder, tmp_path / f"adapter{n}", seed=n) for n in (1, 2)]

    def answer(version: Path) -> list[Generation]:
        engine = start()
        engine.load_adapter("mine", version)
        return ask(engine, *SHOTS, QUESTION, adapter="mine")

    ask(start(), *SHOTS, QUESTION)
    first = answer(versions[0])
    assert cached(first) == 0
    again = answer(versions[0])
    assert cached(again) > 100
    assert said(again) == said(first)
    other = answer(versions[1])
    assert cached(other) == 0
    assert said(other) != said(first)


def test_without_stable_messages_nothing_is_stored(start: Any, tmp_path: Path) -> None:
    ask(start(), *SHOTS, QUESTION, stable=0)
    assert prefix_usage(tmp_path / "cache" / "prefixes") == (0, 0)
    assert cached(ask(start(), *SHOTS, QUESTION)) == 0


def test_a_short_beginning_is_not_worth_a_file(start: Any, tmp_path: Path) -> None:
    ask(start(), Message("system", "Hi"), QUESTION, stable=0)
    ask(start(), Message("user", "Hi"), stable=0)
    start().prepare([Message("user", "Hi")])
    assert prefix_usage(tmp_path / "cache" / "prefixes") == (0, 0)


def test_preparing_stores_what_prompts_of_that_kind_share(start: Any, tmp_path: Path) -> None:
    engine = start()
    engine.prepare([*SHOTS, Message("user", "")])
    assert prefix_usage(tmp_path / "cache" / "prefixes")[0] == 1
    assert cached(ask(engine, *SHOTS, QUESTION)) >= shared(engine)
    pieces = ask(start(), *SHOTS, QUESTION)
    assert cached(pieces) == shared(engine)
    assert said(pieces) == said(ask(start(cache="fresh"), *SHOTS, QUESTION))


def test_the_same_prefix_is_stored_once(start: Any, tmp_path: Path) -> None:
    for question in (QUESTION, OTHER):
        ask(start(), *SHOTS, question)
    start().prepare([*SHOTS, QUESTION])
    assert prefix_usage(tmp_path / "cache" / "prefixes")[0] == 1


def test_scoring_stores_and_meets_prefixes_too(start: Any, tmp_path: Path) -> None:
    labels = ["blue", "red", "dark green"]
    first = start().score([*SHOTS, QUESTION], labels, stable=3)
    assert prefix_usage(tmp_path / "cache" / "prefixes")[0] == 1
    assert start().score([*SHOTS, QUESTION], labels, stable=3) == first


def test_a_stopped_reading_stores_nothing(start: Any, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    pieces = list(start().generate([*SHOTS, QUESTION], Decoding(), stop=stop, stable=3))
    assert pieces[-1].finish_reason == "cancelled"
    assert prefix_usage(tmp_path / "cache" / "prefixes") == (0, 0)


def test_a_damaged_prefix_costs_nothing_but_time(start: Any, tmp_path: Path) -> None:
    first = ask(start(), *SHOTS, QUESTION)
    (file,) = (tmp_path / "cache" / "prefixes").iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    second = ask(start(), *SHOTS, QUESTION)
    assert (cached(second), said(second)) == (0, said(first))
    assert cached(ask(start(), *SHOTS, QUESTION)) > 0


def test_a_prefix_with_too_few_pages_is_not_used(start: Any, tmp_path: Path) -> None:
    engine = start()
    first = ask(engine, *SHOTS, QUESTION)
    (file,) = (tmp_path / "cache" / "prefixes").iterdir()
    ids = engine._format.shared_ids([*SHOTS, QUESTION])[: shared(engine)]
    pages = np.zeros((2, engine._model.pages.page_bytes), np.uint8)
    save_file({"ids": np.array(ids, np.int32), "pages": pages}, str(file))
    second = start()
    assert said(ask(second, *SHOTS, QUESTION)) == said(first)


def test_a_folder_that_cannot_be_written_is_no_hindrance(start: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "prefixes").write_text("")
    pieces = ask(start(), *SHOTS, QUESTION)
    assert pieces[-1].finish_reason in ("length", "stop")


# -- within one conversation -----------------------------------------------------------------------


def test_a_regenerated_answer_reads_only_the_last_token(start: Any) -> None:
    engine = start()
    first = ask(engine, *SHOTS, QUESTION)
    second = ask(engine, *SHOTS, QUESTION)
    assert cached(second) == engine.count_tokens([*SHOTS, QUESTION]) - 1
    assert said(second) == said(first)


def test_an_edited_turn_shares_what_stands_before_it(start: Any) -> None:
    engine = start()
    ask(engine, *SHOTS, QUESTION, stable=0)
    pieces = ask(engine, *SHOTS, OTHER, stable=0)
    assert cached(pieces) == len(engine._format.shared_ids([*SHOTS, OTHER]))
    assert said(pieces) == said(ask(start(cache="fresh"), *SHOTS, OTHER))


def test_the_next_turn_goes_on_where_the_answer_ended(start: Any) -> None:
    engine = start()
    answer = said(ask(engine, *SHOTS, QUESTION))
    turn = (*SHOTS, QUESTION, Message("assistant", answer), OTHER)
    pieces = ask(engine, *turn)
    assert cached(pieces) >= engine.count_tokens([*SHOTS, QUESTION])
    assert said(pieces) == said(ask(start(cache="fresh"), *turn))
