"""The torch engine: adapters of PEFT, loaded, switched, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from test_lean_adapters import write_adapter
from torch_engine_help import HELLO, by_hand, new_engine, run, said
from transformers import AutoModelForCausalLM

from assistant.engine.base import Reading
from assistant.engine.tiny import write_tiny_model
from assistant.engine.torch_engine import TorchEngine
from assistant.errors import AdapterError, EngineError
from assistant.types import Decoding


@pytest.fixture
def adapter(folder: Path, tmp_path: Path) -> Path:
    return write_adapter(folder, tmp_path / "adapter")


@pytest.mark.parametrize(
    "options", [{}, {"use_rslora": True, "r": 3}, {"layers_to_transform": [1]}]
)
def test_vectors_with_an_adapter_are_those_of_peft(
    engine: TorchEngine, folder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    adapter = write_adapter(folder, tmp_path / "made", **options)
    base = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, str(adapter)).eval()
    caught: list[Any] = []
    base.model.layers[1].register_forward_hook(lambda *given: caught.append(given[2]))
    with torch.no_grad():
        adapted(torch.tensor([engine._format.text_ids("What is this?")]))
    reading = Reading(2, "?", 99, adapter="mine")
    engine.load_adapter("mine", adapter)
    state = engine.hidden_states(["What is this"], reading)[0]
    expected = caught[0][0, -1].numpy()
    assert state == pytest.approx(expected, abs=1e-5 * abs(expected).max())
    bare = engine.hidden_states(["What is this"], Reading(2, "?", 99))[0]
    assert abs(state - bare).max() > 0.01


def lively(model: Any) -> Any:
    """Give every weight that an adapter adds a value that matters."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "magnitude" in name:
                parameter.mul_(1 + 0.3 * torch.rand(parameter.shape))
            elif parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.3)
    return model


KINDS = {
    "lora": LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    "dora": LoraConfig(r=4, target_modules="all-linear", use_dora=True, task_type="CAUSAL_LM"),
    "ia3": IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"],
        feedforward_modules=["down_proj"],
        task_type="CAUSAL_LM",
    ),
    "prefix": PrefixTuningConfig(num_virtual_tokens=6, task_type="CAUSAL_LM"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_answers_and_scores_with_an_adapter_are_those_of_peft(
    engine: TorchEngine, folder: Path, plain: tuple[Any, Any], tmp_path: Path, kind: str
) -> None:
    def base() -> Any:
        return AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)

    lively(get_peft_model(base(), KINDS[kind])).save_pretrained(tmp_path / "made")
    theirs = PeftModel.from_pretrained(base(), str(tmp_path / "made")).eval()
    bare = [score.logprob for score in engine.score(HELLO, ["yes", "no"])]
    engine.load_adapter("mine", tmp_path / "made")
    for _ in range(2):  # the second time from the cache
        found = engine.score(HELLO, ["yes", "no"], adapter="mine")
        for candidate, score in zip(["yes", "no"], found, strict=True):
            expected = by_hand((theirs, plain[1]), HELLO, candidate)
            assert score.logprob == pytest.approx(expected, abs=2e-3)
        assert [score.logprob for score in engine.score(HELLO, ["yes", "no"])] == bare
    assert [score.logprob for score in found] != pytest.approx(bare, abs=1e-2)
    ids = engine._format.prompt_ids(HELLO)
    chosen: list[int] = []
    while len(chosen) < 8 and (not chosen or chosen[-1] not in engine._format.end_ids):
        with torch.no_grad():
            chosen.append(int(theirs(torch.tensor([[*ids, *chosen]])).logits[0, -1].argmax()))
    expected_text = plain[1].decode(chosen, skip_special_tokens=True)
    answer = said(
        list(engine.generate(HELLO, Decoding(max_tokens=8, temperature=0.0), adapter="mine"))
    )
    assert answer.rstrip("\ufffd") == expected_text.rstrip("\ufffd")


def test_an_adapter_leaves_answers_alone_and_can_be_unloaded(
    engine: TorchEngine, folder: Path, adapter: Path
) -> None:
    expected = said(run(new_engine(folder), HELLO, max_tokens=20))
    reading = Reading(2, "?", 99, adapter="mine")
    engine.load_adapter("mine", adapter)
    assert engine.adapters == ("mine",)
    engine.hidden_states(["text"], reading)
    assert said(run(engine, HELLO, max_tokens=20)) == expected
    engine.unload_adapter("mine")
    engine.unload_adapter("mine")
    assert engine.adapters == ()
    with pytest.raises(AdapterError):
        engine.hidden_states(["text"], reading)


def test_a_reading_that_fails_switches_the_adapter_off(
    engine: TorchEngine, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Reading(2, "?", 99)
    expected = engine.hidden_states(["text"], bare)
    engine.load_adapter("mine", adapter)
    layer = engine._model.get_decoder().layers[1]
    right = layer.forward

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken pipe in the GPU")

    monkeypatch.setattr(layer, "forward", fail)
    with pytest.raises(EngineError, match="broken pipe"):
        engine.hidden_states(["text"], Reading(2, "?", 99, adapter="mine"))
    monkeypatch.setattr(layer, "forward", right)
    assert (engine.hidden_states(["text"], bare) == expected).all()


def changed_config(folder: Path, **settings: Any) -> None:
    file = folder / "adapter_config.json"
    config = {**json.loads(file.read_text()), **settings}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda f: changed_config(f, use_dora=True), "no adapter that can be read"),
        (lambda f: changed_config(f, peft_type="LOHA"), "kind not known here .LOHA"),
        (lambda f: changed_config(f, bias="all"), "kind not known here"),
        (lambda f: changed_config(f, fan_in_fan_out=True), "kind not known here"),
        (lambda f: changed_config(f, r=None), "no adapter that can be read"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "no adapter that can be read"),
        (lambda f: (f / "adapter_config.json").write_text("[]"), "no adapter that can be read"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"x"), "no adapter that can"),
        (lambda f: (f / "adapter_model.safetensors").unlink(), "no adapter that can be read"),
    ],
    ids=[
        "no magnitudes",
        "loha",
        "bias",
        "fan",
        "no rank",
        "half",
        "list",
        "damaged",
        "no weights",
    ],
)
def test_what_is_no_adapter_known_here_is_refused(
    engine: TorchEngine, adapter: Path, break_it: Callable[[Path], None], said: str
) -> None:
    break_it(adapter)
    with pytest.raises(AdapterError, match=said):
        engine.load_adapter("mine", adapter)
    assert engine.adapters == ()


def test_an_adapter_of_another_model_is_refused(engine: TorchEngine, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", family="qwen3")
    with pytest.raises(AdapterError, match="does not fit"):
        engine.load_adapter("mine", write_adapter(other, tmp_path / "foreign"))
