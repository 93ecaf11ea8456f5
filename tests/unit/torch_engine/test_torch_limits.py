"""The torch engine: windows, adapters and devices that are not there, each with a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch_engine_help import HELLO, run

from assistant.engine.base import Reading
from assistant.engine.torch_engine import TorchEngine, choose_device, load_torch_engine
from assistant.errors import AdapterError, ContextOverflow, EngineError
from assistant.types import Decoding, Message


def test_a_prompt_longer_than_the_window_is_refused(engine: TorchEngine) -> None:
    with pytest.raises(ContextOverflow, match="the model reads 2,048"):
        run(engine, [Message("user", "x" * 3000)])


def test_the_answer_ends_where_the_window_ends(engine: TorchEngine) -> None:
    used = engine.count_tokens([Message("user", "")])
    prompt = [Message("user", "x" * (engine.info.context_length - used - 4))]
    pieces = run(engine, prompt, max_tokens=50, temperature=1.5, seed=2)
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens <= 4


def test_an_adapter_it_does_not_have_is_an_error(engine: TorchEngine, tmp_path: Path) -> None:
    for ask in (
        lambda: list(engine.generate(HELLO, Decoding(), adapter="french")),
        lambda: engine.score(HELLO, ["yes"], adapter="french"),
        lambda: engine.text_logprobs("some text", adapter="french"),
        lambda: engine.complete([HELLO], Decoding(), adapter="french"),
    ):
        with pytest.raises(AdapterError, match="No adapter 'french'") as caught:
            ask()
        assert caught.value.hint
    with pytest.raises(AdapterError, match="'french'"):
        engine.hidden_states(["text"], Reading(1, "?", 20, adapter="french"))
    with pytest.raises(AdapterError, match="no adapter that can be read"):
        engine.load_adapter("french", tmp_path)
    assert engine.adapters == ()


def test_a_folder_without_a_model_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        load_torch_engine(tmp_path, name="nothing", sha256="", device="cpu")
    assert "nothing could not be loaded" in caught.value.message
    assert "assistant models verify" in caught.value.hint


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(EngineError, match="No device 'cuda' here"):
        choose_device("cuda")


def test_info_says_what_is_loaded(engine: TorchEngine) -> None:
    info = engine.info
    assert (info.model, info.layers, info.hidden_size) == ("tiny", 2, 32)
    assert (info.context_length, info.device, info.precision) == (2048, "cpu", "float32")
