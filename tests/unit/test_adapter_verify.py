"""Adapters are checked before they are used: every way to be wrong has its own sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_fakes import changed, tensors, write_adapter, write_base, write_peft
from gguf import GGUFWriter
from safetensors.numpy import save_file

from assistant.adapters.card import Card
from assistant.adapters.run_record import BaseModel, RunRecord, Score, read_run, write_run
from assistant.adapters.shapes import module_shapes
from assistant.adapters.verify import base_model_of, here, verify, verify_with
from assistant.errors import AdapterError, ConversionError
from assistant.models.resolve import ModelFiles
from assistant.paths import user_paths

Q = "base_model.model.model.layers.0.self_attn.q_proj"


def card(folder: Path, record: RunRecord | None = None, problem: str = "") -> Card:
    run = record or read_run(folder) or RunRecord()
    return Card("base", "classification", "v1", folder, True, 0, run, problem)


@pytest.fixture
def base() -> BaseModel:
    return write_base()


def good(folder: Path, base: BaseModel, **more: Any) -> Card:
    write_adapter(folder, base=base, **more)
    return card(folder)


def test_a_good_adapter_passes_without_notes(tmp_path: Path, base: BaseModel) -> None:
    made = good(tmp_path / "a", base)
    found = verify_with(made, here("base", user_paths()))
    assert (found.sha256, found.tensors, found.notes) == (made.run.sha256, 4, ())


def test_what_cannot_be_compared_is_told(tmp_path: Path, base: BaseModel) -> None:
    bare = write_peft(tmp_path / "bare")
    notes = verify_with(card(bare), here("base", user_paths())).notes
    assert notes == (
        "no checksum of its weights is recorded in run.json",
        "which base model it was trained on is not recorded",
    )
    assert verify(good(tmp_path / "b", base)).notes == (
        "its base model is not here, so nothing was compared with it",
    )
    assert here("nowhere", user_paths()) is None


def test_a_wrong_base_is_refused(tmp_path: Path, base: BaseModel) -> None:
    made = good(tmp_path / "a", BaseModel("other", "b" * 64))
    with pytest.raises(
        AdapterError, match="trained on another base model: other with checksum bbb"
    ):
        verify_with(made, here("base", user_paths()))


def test_changed_weights_are_noticed(tmp_path: Path, base: BaseModel) -> None:
    made = good(tmp_path / "a", base)
    values = tensors()
    values[f"{Q}.lora_A.weight"][0, 0] = 9
    save_file(values, str(made.folder / "adapter_model.safetensors"))
    with pytest.raises(AdapterError, match="not those that were recorded"):
        verify(made)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("adapter_model.bin", "pickled format"),
        ("optimizer.pt", "pickled format"),
        ("evil.PKL", "pickled format"),
        ("run.sh", "run.sh does not belong into an adapter"),
        ("model.safetensors", "model.safetensors does not belong"),
    ],
)
def test_files_that_must_not_be_there(tmp_path: Path, base: BaseModel, name: str, why: str) -> None:
    made = good(tmp_path / "a", base)
    (made.folder / name).write_bytes(b"x")
    with pytest.raises(AdapterError, match=why):
        verify(made)


def test_links_and_folders_are_refused(tmp_path: Path, base: BaseModel) -> None:
    made = good(tmp_path / "a", base)
    (made.folder / "notes.txt").symlink_to("/etc/hostname")
    with pytest.raises(AdapterError, match=r"notes.txt in .* is a link"):
        verify(made)
    (made.folder / "notes.txt").unlink()
    (made.folder / "checkpoint").mkdir()
    with pytest.raises(AdapterError, match=r"checkpoint in .* is no plain file"):
        verify(made)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, base: BaseModel, name: str) -> None:
    made = good(tmp_path / "a", base)
    (made.folder / name).unlink()
    with pytest.raises(AdapterError, match=f"{name} is missing"):
        verify(made)


def test_a_record_that_cannot_be_read_or_is_of_another_task(
    tmp_path: Path, base: BaseModel
) -> None:
    made = good(tmp_path / "a", base)
    with pytest.raises(AdapterError, match="no number"):
        verify(card(made.folder, made.run, problem="run.json: no number."))
    with pytest.raises(AdapterError, match="was trained for qa, not for classification"):
        verify(good(tmp_path / "b", base, task="qa"))


HEADER = json.dumps({"t": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04K\x01.",
        struct.pack("<Q", 1 << 40) + b"{}",
        struct.pack("<Q", len(HEADER)) + HEADER + b"\0" * 8,
        struct.pack("<Q", len(HEADER)) + HEADER + b"\0" * 32,
        struct.pack("<Q", 3) + b"{x}",
    ],
    ids=["empty", "pickle", "endless header", "too short", "too long", "no JSON"],
)
def test_damaged_weights(tmp_path: Path, base: BaseModel, data: bytes) -> None:
    made = good(tmp_path / "a", base)
    (made.folder / "adapter_model.safetensors").write_bytes(data)
    changed(made.run, made.folder, sha256="")
    with pytest.raises(AdapterError, match=r"adapter_model.safetensors is damaged"):
        verify(card(made.folder))


def test_values_that_are_no_numbers(tmp_path: Path, base: BaseModel) -> None:
    for value in (np.nan, np.inf, -np.inf):
        values = tensors()
        values[f"{Q}.lora_B.weight"][3, 1] = value
        with pytest.raises(AdapterError, match=r"lora_B.weight has values that are no numbers"):
            verify(good(tmp_path / str(value), base, values=values))
    halves = {name: one.astype(np.float16) for name, one in tensors().items()}
    verify(good(tmp_path / "half", base, values=halves))
    halves[f"{Q}.lora_A.weight"][0, 0] = np.inf
    with pytest.raises(AdapterError, match="no numbers"):
        verify(good(tmp_path / "bad half", base, values=halves))


def test_bfloat16_is_read_bit_by_bit(tmp_path: Path, base: BaseModel) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    values = {name: torch.from_numpy(one).bfloat16() for name, one in tensors().items()}
    folder = write_peft(tmp_path / "a")
    save_torch(values, str(folder / "adapter_model.safetensors"))
    verify(card(folder))
    values[f"{Q}.lora_A.weight"][1, 1] = float("nan")
    save_torch(values, str(folder / "adapter_model.safetensors"))
    with pytest.raises(AdapterError, match="no numbers"):
        verify(card(folder))


@pytest.mark.parametrize(
    ("values", "config", "why"),
    [
        ({"other.weight": np.zeros((2, 2), np.float32)}, {}, "other.weight is not what LORA has"),
        ({f"{Q}.lora_B.weight": np.zeros((8, 3), np.float32)}, {}, "do not go together"),
        ({f"{Q}.lora_A.weight": np.zeros((2, 2), np.int8)}, {}, "is of kind I8"),
        ({}, {"r": 4}, "has rank 2, which adapter_config.json does not say"),
        ({}, {"r": 0}, "the rank “0” is none"),
        ({}, {"r": "8"}, "the rank “8” is none"),
        ({}, {"peft_type": "OFT"}, r"no kind of adapter that is known here \(OFT\)"),
        ({}, {"target_modules": ["q_proj"]}, "up_proj is not among the target modules"),
        ({}, {"target_modules": ["q_proj", "up_proj", "k_proj"]}, "k_proj has no weights"),
    ],
)
def test_weights_and_settings_that_do_not_go_together(
    tmp_path: Path, base: BaseModel, values: dict[str, Any], config: dict[str, Any], why: str
) -> None:
    with pytest.raises(AdapterError, match=why):
        verify(good(tmp_path / "a", base, values=tensors(**values), config=config))


def test_one_half_alone(tmp_path: Path, base: BaseModel) -> None:
    values = tensors()
    del values[f"{Q}.lora_B.weight"]
    with pytest.raises(AdapterError, match="one half of a LoRA only"):
        verify(good(tmp_path / "a", base, values=values))


def test_shapes_are_compared_with_the_base_model(tmp_path: Path) -> None:
    other = write_base("base", q_proj=(8, 12))
    with pytest.raises(AdapterError, match="q_proj is 8 × 12 in this model, the adapter 8 × 8"):
        verify_with(good(tmp_path / "a", other), here("base", user_paths()))
    values = {name.replace("layers.0", "layers.7"): one for name, one in tensors().items()}
    with pytest.raises(AdapterError, match=r"layers.7.* is no layer of this model"):
        verify_with(good(tmp_path / "b", other, values=values), here("base", user_paths()))


def test_other_techniques_have_their_own_tensors(tmp_path: Path, base: BaseModel) -> None:
    scales = {f"{Q}.ia3_l": np.ones((8, 1), np.float32)}
    config = {"peft_type": "IA3", "target_modules": ["q_proj"]}
    files = here("base", user_paths())
    verify_with(good(tmp_path / "a", base, values=scales, config=config), files)
    wrong = {f"{Q}.ia3_l": np.ones((5, 1), np.float32)}
    with pytest.raises(AdapterError, match="the adapter has 5"):
        verify_with(good(tmp_path / "b", base, values=wrong, config=config), files)
    prefix = {"prompt_embeddings": np.ones((4, 16), np.float32)}
    verify_with(
        good(tmp_path / "c", base, values=prefix, config={"peft_type": "PREFIX_TUNING"}), files
    )
    dora = tensors(**{f"{Q}.lora_magnitude_vector": np.ones(8, np.float32)})
    verify_with(good(tmp_path / "d", base, values=dora, config={"use_dora": True}), files)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '"x"', "\xff"])
def test_settings_that_are_no_settings(tmp_path: Path, base: BaseModel, text: str) -> None:
    made = good(tmp_path / "a", base)
    (made.folder / "adapter_config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(AdapterError, match=r"adapter_config.json"):
        verify(made)


def test_shapes_of_a_folder(base: BaseModel) -> None:
    files = here("base", user_paths())
    assert files is not None
    assert module_shapes(files) == {
        "model.layers.0.self_attn.q_proj": (8, 8),
        "model.layers.0.mlp.up_proj": (16, 8),
    }


def test_shapes_of_a_gguf_file(tmp_path: Path) -> None:
    writer = GGUFWriter(str(tmp_path / "m.gguf"), "qwen2")
    for name, shape in {
        "token_embd": (40, 32),
        "blk.0.attn_q": (32, 32),
        "blk.1.attn_k": (16, 32),
        "blk.1.ffn_down": (32, 64),
        "blk.1.attn_norm": (32,),
    }.items():
        writer.add_tensor(f"{name}.weight", np.zeros(shape, dtype=np.float32))
    writer.add_array("words", ["", "ä", "x" * 300])
    writer.add_array("numbers", [1.5, 2.5])
    writer.add_uint64("large", 1 << 40)
    writer.add_bool("yes", True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert module_shapes(ModelFiles("m", tmp_path / "m.gguf", "gguf", "")) == {
        "model.embed_tokens": (40, 32),
        "model.layers.0.self_attn.q_proj": (32, 32),
        "model.layers.1.self_attn.k_proj": (16, 32),
        "model.layers.1.mlp.down_proj": (32, 64),
    }
    header = (tmp_path / "m.gguf").read_bytes()[:600]
    for data in (b"", b"GGUFnothing", b"PK\3\4", *(header[:n] for n in range(0, 600, 37))):
        (tmp_path / "m.gguf").write_bytes(data)
        with pytest.raises(ConversionError, match="cannot be read as a model"):
            module_shapes(ModelFiles("m", tmp_path / "m.gguf", "gguf", ""))


def test_the_base_model_is_found_by_what_is_recorded(tmp_path: Path, base: BaseModel) -> None:
    made = good(tmp_path / "a", base)
    assert base_model_of(made, "qwen2.5-coder-0.5b-instruct", user_paths()) is not None
    for name in ("~nobody-here/base", "x" * 5000, "a\0b", "/etc/base"):
        record = RunRecord(base_model=BaseModel(name))
        assert (
            base_model_of(Card("other", "qa", "v1", tmp_path, True, 0, record), name, user_paths())
            is None
        )


# -- the record ------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = write_adapter(
        tmp_path / "a",
        scores={"d": Score("accuracy", 10, 90.0, 80.0, None, {"adapter": (85.0, 95.0)}, "en")},
    )
    assert read_run(tmp_path / "a") == record
    assert read_run(tmp_path) is None


def test_an_unknown_or_missing_field_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"task": "qa", "future": {"x": 1}}')
    assert read_run(tmp_path) == RunRecord(task="qa")


@pytest.mark.parametrize(
    "text",
    ['{"rank": "many"}', "[]", "{", '{"seed": NaN}', '{"scores": {"d": {"n": 1}}}', "[" * 99_999],
)
def test_a_broken_record_is_an_error_with_the_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(AdapterError, match=r"run.json"):
        read_run(tmp_path)


def test_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="cannot be written"):
        write_run(tmp_path / "nowhere", RunRecord())
    assert list(tmp_path.iterdir()) == []
