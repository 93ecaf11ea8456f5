"""Fixtures of the tests of the torch engine: a tiny model with random weights, and that engine on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_engine_help import Scripted, new_engine
from transformers import AutoModelForCausalLM, AutoTokenizer

from assistant.engine import torch_engine
from assistant.engine.torch_engine import TorchEngine
from assistant.testing import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def plain(folder: Path) -> tuple[Any, Any]:
    """The same model and tokenizer as transformers gives them."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(str(folder))


@pytest.fixture
def engine(folder: Path) -> Iterator[TorchEngine]:
    made = new_engine(folder)
    yield made
    made.close()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, plain: tuple[Any, Any]) -> Callable[..., None]:
    """Return a function that makes the engine answer a text, token by token."""
    tokenizer = plain[1]

    def answer(text: str, on_token: Callable[[int], None] = lambda position: None) -> None:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        made = type("Made", (Scripted,), {"ids": [*ids, tokenizer.eos_token_id]})
        made.on_token = staticmethod(on_token)
        monkeypatch.setattr(torch_engine, "Sampler", made)

    return answer
