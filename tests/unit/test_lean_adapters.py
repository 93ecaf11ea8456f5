"""PEFT adapters on the lean path: the same logits as PEFT's own, switched by name, refused when wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from test_lean_exact import HELLO, TEXTS, all_logits, open_lean, run, said
from transformers import AutoModelForCausalLM

from assistant.engine.base import Reading
from assistant.engine.lean.engine import LeanEngine
from assistant.engine.tiny import write_tiny_model
from assistant.engine.torch_engine import load_torch_engine
from assistant.errors import AdapterError

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def write_adapter(base: Path, folder: Path, *, seed: int = 0, **options: Any) -> Path:
    """Write a PEFT adapter with random weights on both sides."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = {"r": 8, "lora_alpha": 16, "target_modules": ALL, "task_type": "CAUSAL_LM"}
    adapted = get_peft_model(model, LoraConfig(**{**settings, **options}))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    adapted.save_pretrained(folder)
    return folder


def peft_logits(base: Path, adapter: Path, ids: list[int]) -> Any:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(model, str(adapter)).eval()
    return adapted(input_ids=torch.tensor([ids])).logits[0].detach().numpy()


def adapted_logits(engine: LeanEngine, name: str, ids: list[int]) -> Any:
    base = engine._model.base
    engine._model.base = engine._adapters[name].program
    try:
        return all_logits(engine, ids)
    finally:
        engine._model.base = base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture
def engine(base: Path, tmp_path: Path) -> Any:
    engine = open_lean(base, tmp_path / "cache")
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"r": 3, "lora_alpha": 5},
        {"r": 16, "use_rslora": True},
        {"r": 24, "target_modules": ["q_proj", "v_proj"]},
        {"rank_pattern": {"q_proj": 4, "layers.1.mlp.up_proj": 2}, "alpha_pattern": {"k_proj": 3}},
        {"layers_to_transform": [1]},
    ],
    ids=["all", "odd rank", "rslora", "two modules", "patterns", "one layer"],
)
def test_logits_are_those_of_peft(
    engine: LeanEngine, base: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    folder = write_adapter(base, tmp_path / "adapter", **options)
    engine.load_adapter("mine", folder)
    ids = np.random.default_rng(5).integers(0, 256, 40).tolist()
    expected = peft_logits(base, folder, ids)
    found = adapted_logits(engine, "mine", ids)
    plain = all_logits(engine, ids)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(found - plain).max() > 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("mean_layer", [None, 1])
@pytest.mark.parametrize("layer", [0, 1])
def test_vectors_of_texts_with_an_adapter_are_those_of_the_plain_path(
    engine: LeanEngine, base: Path, tmp_path: Path, layer: int, mean_layer: int | None
) -> None:
    folder = write_adapter(base, tmp_path / "adapter", layers_to_transform=[layer])
    plain = load_torch_engine(base, name="tiny", sha256="", device="cpu", dtype=torch.float32)
    reading = Reading(layer=2, suffix="?", max_tokens=500, adapter="mine", mean_layer=mean_layer)
    for one in (engine, plain):
        one.load_adapter("mine", folder)
    ours, theirs = (one.hidden_states(TEXTS, reading) for one in (engine, plain))
    size = np.abs(theirs).max()
    assert np.abs(ours - theirs).max() < 1e-4 * size
    without = dataclasses.replace(reading, adapter=None)
    for one in (engine, plain):
        bare = one.hidden_states(TEXTS, without)
        assert np.abs(bare - theirs)[:, :32].max(axis=1).min() > 0.01 * size
        below = np.abs(bare - theirs)[:, 32:].max(initial=0.0)  # the mean, after the first layer
        assert (below > 0.01 * size) == (layer == 0 and mean_layer is not None)
    plain.close()


def test_in_the_default_mode_an_adapter_is_rounded_but_close(base: Path, tmp_path: Path) -> None:
    folder = write_adapter(base, tmp_path / "adapter")
    engine = open_lean(base, tmp_path / "cache", "auto")
    engine.load_adapter("mine", folder)
    ids = np.random.default_rng(6).integers(0, 256, 40).tolist()
    expected = peft_logits(base, folder, ids)
    error = adapted_logits(engine, "mine", ids) - expected
    assert np.sqrt((error**2).mean()) < 0.03 * expected.std()
    engine.close()


def test_several_stay_loaded_and_do_not_share_what_they_computed(
    engine: LeanEngine, base: Path, tmp_path: Path
) -> None:
    for seed, name in enumerate(("first", "first-2")):
        engine.load_adapter(name, write_adapter(base, tmp_path / name, seed=seed))
    assert engine.adapters == ("first", "first-2")
    alone = {name: said(list(_ask(engine, name))) for name in (None, "first", "first-2")}
    assert len(set(alone.values())) == 3
    for name in ("first-2", None, "first", "first-2", None):
        assert said(list(_ask(engine, name))) == alone[name]
    engine.unload_adapter("first")
    assert engine.adapters == ("first-2",)
    with pytest.raises(AdapterError, match="first"):
        list(_ask(engine, "first"))
    assert said(list(_ask(engine, "first-2"))) == alone["first-2"]


def test_a_retrained_adapter_of_the_same_name_meets_no_old_keys_and_values(
    engine: LeanEngine, base: Path, tmp_path: Path
) -> None:
    engine.load_adapter("mine", write_adapter(base, tmp_path / "1", seed=1))
    first = said(list(_ask(engine, "mine")))
    engine.load_adapter("mine", write_adapter(base, tmp_path / "2", seed=2))
    pieces = list(_ask(engine, "mine"))
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.cached_prompt_tokens == 0
    assert said(pieces) != first


def test_switching_takes_no_time(engine: LeanEngine, base: Path, tmp_path: Path) -> None:
    """A switch is a look into a table: nothing is merged, copied or computed."""
    for name in ("a", "b"):
        engine.load_adapter(name, write_adapter(base, tmp_path / name))
    before = engine._model.weights.matrices["layers.0.q"].data.copy()
    started = time.perf_counter()
    programs = {id(engine._way(name)[0]) for name in ("a", "b", None) * 100}
    assert time.perf_counter() - started < 0.3  # a millisecond each, on any machine
    assert len(programs) == 3
    assert (engine._model.weights.matrices["layers.0.q"].data == before).all()


def _ask(engine: LeanEngine, adapter: str | None) -> Any:
    from assistant.types import Decoding

    return engine.generate(HELLO, Decoding(max_tokens=24), adapter=adapter)


# -- refusals --------------------------------------------------------------------------------------


def refusal(engine: LeanEngine, folder: Path) -> str:
    with pytest.raises(AdapterError) as caught:
        engine.load_adapter("bad", folder)
    assert caught.value.hint
    assert "bad" not in engine.adapters
    return str(caught.value)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return write_adapter(base, tmp_path / "adapter")


def change(folder: Path, **settings: Any) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def test_pickled_weights_are_refused(engine: LeanEngine, adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "pickled" in refusal(engine, adapter)


def test_what_is_no_adapter_is_refused(engine: LeanEngine, tmp_path: Path) -> None:
    assert "adapter_config.json" in refusal(engine, tmp_path)


@pytest.mark.parametrize(
    "settings", [{"use_dora": True}, {"peft_type": "IA3"}, {"bias": "all"}], ids=str
)
def test_more_than_plain_lora_is_refused(
    engine: LeanEngine, adapter: Path, settings: dict[str, Any]
) -> None:
    change(adapter, **settings)
    assert "more than plain LoRA" in refusal(engine, adapter)


def test_a_damaged_file_is_refused(engine: LeanEngine, adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert "damaged" in refusal(engine, adapter)


def test_an_adapter_of_another_model_is_refused(
    engine: LeanEngine, adapter: Path, tmp_path: Path
) -> None:
    other = write_tiny_model(tmp_path / "other", family="qwen3")
    foreign = write_adapter(other, tmp_path / "foreign")
    assert "does not fit" in refusal(engine, foreign)
    shutil.rmtree(foreign)


def test_the_engine_goes_on_after_a_refusal(engine: LeanEngine, adapter: Path) -> None:
    before = said(run(engine, HELLO))
    change(adapter, peft_type="LOHA")
    refusal(engine, adapter)
    assert said(run(engine, HELLO)) == before


def test_an_adapter_saved_in_bfloat16_is_read(base: Path, tmp_path: Path) -> None:
    folder = write_adapter(base, tmp_path / "made")
    file = folder / "adapter_model.safetensors"
    halves = {name: one.bfloat16() for name, one in load_file(str(file)).items()}
    save_file(halves, str(file))
    engine = open_lean(base, tmp_path / "cache", "accurate")
    engine.load_adapter("mine", folder)
    ids = engine._format.text_ids(TEXTS[0])
    found = adapted_logits(engine, "mine", ids)
    assert found == pytest.approx(peft_logits(base, folder, ids), abs=2e-3)
    engine.close()
