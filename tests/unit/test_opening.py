"""Which engine a model is opened with, and why."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from test_lean_exact import HELLO, run, said
from transformers import AutoConfig, AutoModelForCausalLM

from assistant.engine import opening
from assistant.engine.base import Engine
from assistant.engine.lean.engine import LeanEngine
from assistant.engine.lean.shape import read_shape
from assistant.engine.opening import EngineOptions, lean_shape, open_engine, why_plain
from assistant.engine.tiny import write_tiny_model
from assistant.engine.torch_engine import TorchEngine
from assistant.errors import ConversionError, EngineError


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_accelerator", lambda: "")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("opening"))


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """Return a function that opens a folder; what it opened is closed."""
    engines: list[Engine] = []

    def make(folder: Path, **options: Any) -> Engine:
        engine = open_engine(
            folder,
            "folder",
            name="tiny",
            sha256="5" * 64,
            cache=tmp_path / "cache",
            options=EngineOptions(**{"threads": 1, **options}),
            progress=lambda message, share: None,
        )
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.close()


def config_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return value


def change(folder: Path, settings: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config_of(folder) | settings))


# -- why not -----------------------------------------------------------------------------------------


def test_nothing_speaks_against_the_lean_path_by_default() -> None:
    assert why_plain(EngineOptions()) is None
    assert why_plain(EngineOptions(device="cpu", precision="fast", threads=3)) is None


def test_the_setting_engine_decides_first() -> None:
    reason = why_plain(EngineOptions(engine="plain", device="cuda"))
    assert reason == "the setting `engine` says plain"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_another_device_than_the_cpu_is_for_the_plain_path(device: str) -> None:
    reason = why_plain(EngineOptions(device=device))
    assert reason is not None
    assert device in reason


def test_an_accelerator_is_used_unless_the_cpu_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_accelerator", lambda: "cuda")
    reason = why_plain(EngineOptions())
    assert reason is not None
    assert "cuda" in reason
    assert why_plain(EngineOptions(device="cpu")) is None


def test_without_numba_the_plain_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    right = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "numba" else right(name, *rest),
    )
    assert why_plain(EngineOptions()) == "numba is not installed"


def test_a_build_of_torch_for_the_cpu_has_no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert opening._accelerator() == ""


def test_torch_is_asked_where_there_may_be_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    for device, expected in (("cuda", "cuda"), ("cpu", "")):
        monkeypatch.setattr("assistant.engine.torch_engine.choose_device", lambda _, d=device: d)
        assert opening._accelerator() == expected


# -- what the lean path can run --------------------------------------------------------------------


def test_the_shape_of_a_model_is_read_from_its_settings(original: Path) -> None:
    shape = lean_shape(config_of(original))
    assert shape is not None
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads) == (2, 32, 4, 2)
    assert (shape.head_size, shape.inner, shape.context) == (8, 64, 2048)
    assert (shape.queries, shape.keys) == (32, 16)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "default", "rope_theta": 10_000.0},
        {"rope_type": "linear", "factor": 4.0, "rope_theta": 500_000.0},
        {
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ],
    ids=lambda rope: str(rope["rope_type"]),
)
def test_rotary_frequencies_are_those_of_transformers(rope: dict[str, Any]) -> None:
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = AutoConfig.for_model(
        "llama",
        hidden_size=256,
        num_attention_heads=4,
        max_position_embeddings=512,
        rope_parameters=rope,
    )
    shape = lean_shape(config.to_dict())
    assert shape is not None
    expected = LlamaRotaryEmbedding(config).inv_freq
    assert torch.allclose(torch.tensor(shape.frequencies), expected, rtol=1e-6)


def test_the_older_way_to_write_rotary_settings_is_read_too(original: Path) -> None:
    config = config_of(original)
    config.pop("rope_parameters", None)
    new = read_shape(config | {"rope_parameters": {"rope_type": "linear", "factor": 2.0}})
    old = read_shape(config | {"rope_scaling": {"type": "linear", "factor": 2.0}})
    assert new is not None
    assert new == old
    assert new != read_shape(config)


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "sliding window": {"use_sliding_window": True, "sliding_window": 64},
    "unknown family": {"model_type": "gemma3_text"},
    "no family": {"model_type": None},
    "yarn": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}},
    "yarn, written the older way": {
        "rope_parameters": None,
        "rope_scaling": {"type": "yarn", "factor": 4.0},
    },
    "dynamic": {"rope_parameters": {"rope_type": "dynamic", "factor": 4.0}},
    "longrope": {"rope_parameters": {"rope_type": "longrope"}},
    "llama3 that lacks its numbers": {"rope_parameters": {"rope_type": "llama3"}},
    "half rotary": {"partial_rotary_factor": 0.5},
    "odd hidden size": {"hidden_size": 40, "head_dim": 8},
    "odd head size": {"head_dim": 7},
    "odd width of all heads": {"head_dim": 6},
    "odd inner size": {"intermediate_size": 65},
    "another activation": {"hidden_act": "gelu"},
    "biases in the feed-forward part": {"mlp_bias": True},
    "a size that is missing": {"hidden_size": None},
    "a size that is text": {"vocab_size": "many"},
}


@pytest.mark.parametrize("name", list(UNSUPPORTED))
def test_what_the_lean_path_cannot_run_is_opened_on_the_plain_one(
    folder: Path, name: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, UNSUPPORTED[name])
    assert lean_shape(config_of(folder)) is None

    class Plain:
        def close(self) -> None: ...

    monkeypatch.setattr(opening, "_open_plain", lambda *arguments: Plain())
    assert isinstance(opened(folder), Plain)


@pytest.mark.parametrize("missing", ["hidden_size", "num_attention_heads", "rms_norm_eps"])
def test_settings_that_lack_something_are_for_the_plain_path(original: Path, missing: str) -> None:
    config = config_of(original)
    del config[missing]
    assert lean_shape(config) is None


# -- engines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["auto", "accurate", "fast"])
def test_the_lean_path_is_taken_where_it_can(original: Path, opened: Any, precision: str) -> None:
    engine = opened(original, precision=precision)
    assert isinstance(engine, LeanEngine)
    assert (engine.info.path, engine.info.precision) == ("lean", precision)
    assert (engine.info.device, engine.info.context_length) == ("cpu", 2048)
    assert said(run(engine, HELLO))


def test_the_setting_engine_opens_the_plain_one(original: Path, opened: Any) -> None:
    engine = opened(original, engine="plain")
    assert isinstance(engine, TorchEngine)
    assert engine.info.path == "plain"


def test_accurate_means_32_bits_on_the_plain_path(
    original: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.engine.torch_engine.choose_dtype", lambda device: torch.bfloat16)
    accurate = opened(original, engine="plain", precision="accurate")
    assert accurate.info.precision == "float32"
    assert opened(original, engine="plain").info.precision == "bfloat16"


@pytest.mark.parametrize("name", ["sliding window", "yarn"])
def test_a_variant_that_is_not_lean_runs_on_the_plain_path(
    folder: Path, opened: Any, name: str
) -> None:
    change(folder, UNSUPPORTED[name])
    engine = opened(folder)
    assert isinstance(engine, TorchEngine)
    assert run(engine, HELLO, max_tokens=4)[-1].finish_reason is not None


def test_another_family_runs_on_the_plain_path(folder: Path, opened: Any) -> None:
    config = AutoConfig.for_model(
        "mistral",
        vocab_size=259,
        hidden_size=40,
        intermediate_size=60,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=10,
        max_position_embeddings=256,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    engine = opened(folder)
    assert isinstance(engine, TorchEngine)
    assert run(engine, HELLO, max_tokens=4)[-1].finish_reason is not None


def test_a_model_is_packed_once(original: Path, opened: Any, tmp_path: Path) -> None:
    first = said(run(opened(original), HELLO))
    (file,) = (tmp_path / "cache" / "packed").iterdir()
    before = file.stat().st_mtime_ns
    assert said(run(opened(original), HELLO)) == first
    assert [f.stat().st_mtime_ns for f in (tmp_path / "cache" / "packed").iterdir()] == [before]


def test_a_model_without_readable_weights_leaves_nothing_half_packed(
    folder: Path, opened: Any, tmp_path: Path
) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ConversionError, match="cannot be packed") as caught:
        opened(folder)
    assert caught.value.hint
    assert list((tmp_path / "cache" / "packed").iterdir()) == []


def test_a_damaged_packed_file_is_an_error_with_a_hint(
    original: Path, opened: Any, tmp_path: Path
) -> None:
    opened(original)
    (file,) = (tmp_path / "cache" / "packed").iterdir()
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(ConversionError, match="damaged") as caught:
        opened(original)
    assert caught.value.hint


def test_a_folder_without_a_tokenizer_is_an_error_with_a_hint(folder: Path, opened: Any) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EngineError, match="tokenizer") as caught:
        opened(folder)
    assert caught.value.hint
