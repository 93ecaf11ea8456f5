"""The torch engine: what was read once is not computed again, and nothing of it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch_engine_help import HELLO, new_engine, run, said

from assistant.engine import torch_engine
from assistant.engine.base import Reading
from assistant.engine.torch_engine import TorchEngine
from assistant.errors import EngineError
from assistant.types import Message


def test_the_second_turn_computes_only_what_is_new(engine: TorchEngine, folder: Path) -> None:
    first = run(engine, HELLO, max_tokens=20)
    second = (*HELLO, Message("assistant", said(first)), Message("user", "And now?"))
    again = run(engine, second, max_tokens=20)
    fresh = run(new_engine(folder), second, max_tokens=20)
    assert again[-1].usage is not None
    assert fresh[-1].usage is not None
    assert first[-1].usage is not None
    assert again[-1].usage.cached_prompt_tokens >= first[-1].usage.prompt_tokens
    assert again[-1].usage.prompt_tokens == fresh[-1].usage.prompt_tokens
    assert fresh[-1].usage.cached_prompt_tokens == 0
    assert said(again) == said(fresh)


def test_the_same_question_again_gives_the_same_answer(engine: TorchEngine) -> None:
    first, second = (run(engine, HELLO, max_tokens=20) for _ in range(2))
    assert said(first) == said(second)
    assert second[-1].usage is not None
    assert second[-1].usage.cached_prompt_tokens == second[-1].usage.prompt_tokens - 1


def test_another_conversation_in_between_changes_nothing(engine: TorchEngine, folder: Path) -> None:
    other = (Message("user", "Something else altogether"),)
    run(engine, HELLO, max_tokens=20)
    between = run(engine, other, max_tokens=20)
    assert said(between) == said(run(new_engine(folder), other, max_tokens=20))
    assert said(run(engine, HELLO, max_tokens=20)) == said(
        run(new_engine(folder), HELLO, max_tokens=20)
    )


def test_a_long_prompt_read_in_parts_gives_the_same_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = (Message("user", "word " * 200),)
    whole = said(run(new_engine(folder), long, max_tokens=20))
    monkeypatch.setattr(torch_engine, "_PREFILL_CHUNK", 64)
    assert said(run(new_engine(folder), long, max_tokens=20)) == whole


def test_scoring_and_reading_in_between_leave_the_cache_right(
    engine: TorchEngine, folder: Path
) -> None:
    run(engine, HELLO, max_tokens=20)
    engine.score(HELLO, ["yes", "no"])
    engine.hidden_states(["some text"], Reading(layer=1, suffix="?", max_tokens=50))
    assert said(run(engine, HELLO, max_tokens=20)) == said(
        run(new_engine(folder), HELLO, max_tokens=20)
    )


def test_a_forward_that_fails_leaves_nothing_half_in_the_cache(
    engine: TorchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(engine, HELLO, max_tokens=5)
    layer = engine._model.get_decoder().layers[1]
    right = layer.forward

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken pipe in the GPU")

    monkeypatch.setattr(layer, "forward", fail)
    with pytest.raises(EngineError, match="broken pipe in the GPU"):
        run(engine, HELLO, max_tokens=5)
    monkeypatch.setattr(layer, "forward", right)
    assert said(run(engine, HELLO, max_tokens=20)) == said(
        run(new_engine(folder), HELLO, max_tokens=20)
    )
