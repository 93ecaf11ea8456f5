"""The torch engine: stopped in the middle, left halfway, asked by two threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch_engine_help import HELLO, new_engine, run, said

from assistant.engine import torch_engine
from assistant.engine.torch_engine import TorchEngine
from assistant.types import Decoding, Message


def test_stop_ends_the_answer_within_one_token(
    engine: TorchEngine, script: Callable[..., None]
) -> None:
    stop = threading.Event()
    script("abcdefghij", on_token=lambda position: stop.set() if position == 3 else None)
    pieces = list(engine.generate(HELLO, Decoding(), stop=stop))
    assert said(pieces) == "abcd"
    assert pieces[-1].finish_reason == "cancelled"
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 4


def test_stop_ends_the_reading_of_a_long_prompt(
    engine: TorchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_engine, "_PREFILL_CHUNK", 64)
    stop = threading.Event()
    forward, read = engine._forward, []

    def counted(ids: list[int]) -> torch.Tensor:
        read.append(len(ids))
        if len(read) == 2:
            stop.set()
        return forward(ids)

    monkeypatch.setattr(engine, "_forward", counted)
    long = (Message("user", "word " * 200),)
    pieces = list(engine.generate(long, Decoding(max_tokens=20), stop=stop))
    assert read == [64, 64]
    assert [(piece.text, piece.finish_reason) for piece in pieces] == [("", "cancelled")]
    # What was read counts for the next time, and the answer is right.
    again = run(engine, long, max_tokens=20)
    assert again[-1].usage is not None
    assert again[-1].usage.cached_prompt_tokens == 128
    assert said(again) == said(run(new_engine(folder), long, max_tokens=20))


def test_a_stop_set_beforehand_reads_nothing(engine: TorchEngine) -> None:
    stop = threading.Event()
    stop.set()
    pieces = list(engine.generate(HELLO, Decoding(), stop=stop))
    assert [(piece.text, piece.finish_reason) for piece in pieces] == [("", "cancelled")]
    assert engine._cached_ids == []


def test_an_answer_left_halfway_frees_the_engine(engine: TorchEngine) -> None:
    half = engine.generate(HELLO, Decoding(max_tokens=50))
    next(half)
    assert engine._lock.locked()
    del half
    gc.collect()
    assert not engine._lock.locked()
    assert run(engine, HELLO, max_tokens=3)[-1].finish_reason == "length"


def test_two_threads_wait_for_each_other_and_both_get_their_answer(
    engine: TorchEngine, folder: Path
) -> None:
    questions = [(Message("user", f"Question {number}?"),) for number in range(2)]
    expected = [said(run(new_engine(folder), q, max_tokens=40)) for q in questions]
    results: dict[int, list[str]] = {0: [], 1: []}
    start = threading.Barrier(2)

    def work(number: int) -> None:
        start.wait()
        for _ in range(4):
            results[number].append(said(run(engine, questions[number], max_tokens=40)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {0: [expected[0]] * 4, 1: [expected[1]] * 4}
