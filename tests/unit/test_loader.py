"""Loading an engine in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from assistant.engine.base import Engine
from assistant.engine.loader import EngineLoader, LoadState, LoadStatus, as_progress
from assistant.errors import Cancelled, ConversionError, EngineError
from assistant.testing import FakeEngine

Report = Callable[[LoadState, str, float | None], None]


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    loader = EngineLoader(lambda report: pytest.fail("loaded"), initial="missing")
    assert loader.status == LoadStatus("missing")
    assert loader.engine is None


def test_the_engine_is_loaded_once_for_all_who_wait() -> None:
    gate, calls = threading.Event(), []

    def load(report: Report) -> Engine:
        calls.append(threading.current_thread().name)
        gate.wait(10)
        return FakeEngine()

    loader = EngineLoader(load)
    found: list[Engine] = []
    threads = [threading.Thread(target=lambda: found.append(loader.get())) for _ in range(5)]
    for thread in threads:
        thread.start()
    loader.start()
    assert loader.engine is None
    gate.set()
    for thread in threads:
        thread.join(10)
    assert calls == ["engine-loader"]
    assert found == [loader.engine] * 5
    assert loader.status.state == "ready"
    assert loader.get() is found[0]


class SlowToLeave(threading.Event):
    """Wakes those who wait, then keeps the thread that woke them alive for a while."""

    def set(self) -> None:
        super().set()
        time.sleep(0.05)


def test_a_failure_is_raised_and_the_next_call_tries_again_at_once() -> None:
    failure = ConversionError("broken file", "get another")
    answers: list[ConversionError | FakeEngine] = [failure, failure, FakeEngine()]

    def load(report: Report) -> Engine:
        answer = answers.pop(0)
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    loader = EngineLoader(load)
    loader._done = SlowToLeave()
    for left in (2, 1):  # the thread that failed is still there: nobody may get its failure twice
        with pytest.raises(ConversionError, match="broken file"):
            loader.get()
        assert len(answers) == left
        assert (loader.status.state, loader.status.message) == ("failed", "broken file")
    assert isinstance(loader.get(), FakeEngine)
    assert loader.status.error is None


def test_what_is_done_meanwhile_is_done_once_and_a_failure_during_it_is_not_tried_twice() -> None:
    answers: list[ConversionError | FakeEngine] = [ConversionError("broken file"), FakeEngine()]

    def load(report: Report) -> Engine:
        answer = answers.pop(0)
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    loader = EngineLoader(load)
    left: list[int] = []

    def meanwhile() -> None:  # takes longer than the loading
        assert loader._done.wait(10)
        left.append(len(answers))

    with pytest.raises(ConversionError, match="broken file"):
        loader.get(meanwhile=meanwhile)
    assert left == [1]
    assert isinstance(loader.get(meanwhile=meanwhile), FakeEngine)
    assert isinstance(loader.get(meanwhile=meanwhile), FakeEngine)
    assert left == [1, 0, 0]


def test_an_unforeseen_failure_becomes_an_error_that_says_what_to_do() -> None:
    def load(report: Report) -> Engine:
        raise KeyError("tensor")

    with pytest.raises(EngineError, match="Loading the model failed: 'tensor'") as caught:
        EngineLoader(load).get()
    assert "assistant doctor" in caught.value.hint
    assert isinstance(caught.value.__cause__, KeyError)


def test_stop_ends_the_waiting_but_not_the_loading() -> None:
    gate, stop = threading.Event(), threading.Event()

    def load(report: Report) -> Engine:
        stop.set()
        gate.wait(10)
        return FakeEngine()

    loader = EngineLoader(load)
    with pytest.raises(Cancelled):
        loader.get(stop)
    gate.set()
    assert isinstance(loader.get(), FakeEngine)


def test_subscribers_hear_every_change_until_they_leave() -> None:
    def load(report: Report) -> Engine:
        report("downloading", "half", 0.5)
        as_progress(report, "loading")("nearly", None)
        return FakeEngine()

    loader = EngineLoader(load)
    heard: list[tuple[str, str, float | None]] = []
    unsubscribe = loader.subscribe(lambda s: heard.append((s.state, s.message, s.fraction)))
    loader.get()
    expected = [("downloading", "half", 0.5), ("loading", "nearly", None), ("ready", "", 1.0)]
    assert heard == expected
    unsubscribe()
    unsubscribe()
    loader.close()
    loader.get()
    assert heard == expected


def test_closing_frees_the_engine_and_the_next_call_loads_anew() -> None:
    loader = EngineLoader(lambda report: FakeEngine())
    first = loader.get()
    loader.close()
    loader.close()
    assert isinstance(first, FakeEngine)
    assert first.closed
    assert loader.engine is None
    assert loader.get() is not first
