"""GGUF files: their codes are kept as they are, and packed weights are written and read whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from test_lean_formats import random_codes, random_matrix, rows_of

from assistant.engine.lean.formats import FORMATS, bfloat16_bits, dequantize, quantize
from assistant.engine.lean.gguf_codes import READERS, read_codes
from assistant.engine.lean.pack import Precision, from_gguf
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.weights import (
    Matrix,
    Weights,
    matrix_from,
    read_weights,
    write_weights,
)
from assistant.errors import ConversionError

HIDDEN, INNER, HEADS, KV_HEADS, LAYERS, VOCABULARY = 256, 512, 8, 4, 2, 300
SIMPLE = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
NESTED = ("Q4_K", "Q5_K", "Q6_K")


def blocks_of(kind: str, rows: int, columns: int, seed: int = 0) -> Any:
    """Return a matrix as a file has it, (rows, bytes) uint8; every bit of K blocks is in use."""
    if kind in SIMPLE:
        made = gguf.quants.quantize(random_matrix(rows, columns, seed), Kind[kind])
        return made.view(np.uint8)
    draw = np.random.default_rng(seed)
    elements, size = gguf.GGML_QUANT_SIZES[Kind[kind]]
    blocks = draw.integers(0, 256, (rows, columns // elements, size)).astype(np.uint8)
    places = (208,) if kind == "Q6_K" else (0, 2)
    for place in places:
        halves = draw.normal(size=(*blocks.shape[:2], 1)).astype(np.float16)
        blocks[..., place : place + 2] = halves.view(np.uint8).reshape(*blocks.shape[:2], 2)
    return blocks.reshape(rows, -1)


def tensor(kind: str, data: Any, columns: int) -> Any:
    return SimpleNamespace(tensor_type=Kind[kind], shape=(columns, len(data)), data=data)


@pytest.mark.parametrize("kind", [*SIMPLE, *NESTED])
def test_codes_stand_for_exactly_what_the_gguf_package_reads(kind: str) -> None:
    data = blocks_of(kind, 37, 768)
    found = read_codes(tensor(kind, data, 768))
    assert found is not None
    name, codes = found
    expected = gguf.quants.dequantize(data, Kind[kind])
    assert np.abs(expected).max() > 1
    assert np.array_equal(dequantize(FORMATS[name], codes), expected)


@pytest.mark.parametrize("kind", [*SIMPLE, *NESTED])
def test_packing_the_codes_of_a_file_loses_nothing(kind: str) -> None:
    data = blocks_of(kind, 37, 768)
    found = read_codes(tensor(kind, data, 768))
    assert found is not None
    packed = matrix_from(FORMATS[found[0]], found[1])
    assert np.array_equal(rows_of(packed), gguf.quants.dequantize(data, Kind[kind]))


def test_every_reader_is_tested_here() -> None:
    assert set(READERS) == {*SIMPLE, *NESTED}


def test_a_type_without_a_reader_has_no_codes() -> None:
    values = random_matrix(8, 64)
    assert read_codes(tensor("F32", values, 64)) is None


# -- whole files -----------------------------------------------------------------------------------


def shape() -> Shape:
    size = HIDDEN // HEADS
    return Shape(
        LAYERS, HIDDEN, HEADS, KV_HEADS, size, INNER, VOCABULARY, 64, 1e-6, (1.0,) * (size // 2)
    )


def llama_cpp_order(values: Any, heads: int) -> Any:
    """Reorder rows as llama.cpp's converter does for the llama family."""
    rows = len(values)
    split = values.reshape(heads, 2, rows // heads // 2, *values.shape[1:])
    return split.swapaxes(1, 2).reshape(values.shape)


def as_quantized(values: Any, kind: str) -> Any:
    return gguf.quants.dequantize(gguf.quants.quantize(values, Kind[kind]), Kind[kind])


def write_gguf(file: Path, architecture: str, kind: str = "Q8_0") -> dict[str, Any]:
    """Write a model; return its matrices and vectors in transformers' order, by our names."""
    writer = gguf.GGUFWriter(str(file), architecture)
    writer.add_block_count(LAYERS)
    expected: dict[str, Any] = {}
    sizes = {
        "q": ("attn_q", HIDDEN, HIDDEN),
        "k": ("attn_k", HIDDEN // 2, HIDDEN),
        "v": ("attn_v", HIDDEN // 2, HIDDEN),
        "o": ("attn_output", HIDDEN, HIDDEN),
        "gate": ("ffn_gate", INNER, HIDDEN),
        "up": ("ffn_up", INNER, HIDDEN),
        "down": ("ffn_down", HIDDEN, INNER),
    }
    seeds = iter(range(1000))

    def add(ours: str, theirs: str, rows: int, columns: int) -> None:
        values = random_matrix(rows, columns, next(seeds))
        expected[ours] = as_quantized(values, kind)
        if architecture == "llama" and ours[-2:] in (".q", ".k"):
            values = llama_cpp_order(values, HEADS if ours[-1] == "q" else KV_HEADS)
        data = gguf.quants.quantize(values, Kind[kind])
        writer.add_tensor(f"{theirs}.weight", data, raw_dtype=Kind[kind])

    def add_vector(ours: str, theirs: str, length: int) -> None:
        values = np.random.default_rng(next(seeds)).normal(size=length).astype(np.float32)
        expected[ours] = values
        if architecture == "llama" and ours.endswith((".q.bias", ".k.bias")):
            values = llama_cpp_order(values, HEADS if ".q." in ours else KV_HEADS)
        writer.add_tensor(theirs, values)

    add("embed", "token_embd", VOCABULARY, HIDDEN)
    add("head", "output", VOCABULARY, HIDDEN)
    add_vector("norm", "output_norm.weight", HIDDEN)
    for layer in range(LAYERS):
        for name, (theirs, rows, columns) in sizes.items():
            add(f"layers.{layer}.{name}", f"blk.{layer}.{theirs}", rows, columns)
            if name in "qkv":
                add_vector(f"layers.{layer}.{name}.bias", f"blk.{layer}.{theirs}.bias", rows)
        add_vector(f"layers.{layer}.input_norm", f"blk.{layer}.attn_norm.weight", HIDDEN)
        add_vector(f"layers.{layer}.post_norm", f"blk.{layer}.ffn_norm.weight", HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def packed(file: Path, architecture: str, precision: Precision) -> dict[str, Any]:
    return dict(from_gguf(file, shape(), architecture, precision, lambda share: None))


@pytest.mark.parametrize("precision", ["auto", "accurate"])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_file_is_packed_to_the_matrices_it_stands_for(
    tmp_path: Path, architecture: str, precision: Precision
) -> None:
    expected = write_gguf(tmp_path / "model.gguf", architecture)
    found = packed(tmp_path / "model.gguf", architecture, precision)
    assert set(found) == set(expected)
    for name, part in found.items():
        if isinstance(part, Matrix):
            assert part.form.name == "q8"
            assert np.array_equal(rows_of(part), expected[name]), name
        else:
            assert np.array_equal(part[: len(expected[name])], expected[name]), name


def test_fast_makes_fewer_bits_of_a_file_with_eight(tmp_path: Path) -> None:
    expected = write_gguf(tmp_path / "model.gguf", "llama")
    found = packed(tmp_path / "model.gguf", "llama", "fast")
    forms = {name: part.form.name for name, part in found.items() if isinstance(part, Matrix)}
    assert {forms.pop("head"), forms.pop("embed")} == {"q6"}
    assert set(forms.values()) == {"q5"}
    for name in ("head", "layers.1.q"):
        right = dequantize(found[name].form, quantize(found[name].form, expected[name]))
        assert np.array_equal(rows_of(found[name]), right)


def test_fast_keeps_the_codes_of_a_file_with_few_bits(tmp_path: Path) -> None:
    expected = write_gguf(tmp_path / "model.gguf", "llama", "Q4_0")
    found = packed(tmp_path / "model.gguf", "llama", "fast")
    for name, part in found.items():
        if isinstance(part, Matrix):
            assert part.form.name == "q4"
            assert np.array_equal(rows_of(part), expected[name])


def test_packing_tells_how_far_it_is(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", "qwen2")
    told: list[float] = []
    list(from_gguf(tmp_path / "model.gguf", shape(), "qwen2", "auto", told.append))
    assert told == sorted(told)
    assert told[-1] == 1.0


# -- packed files ----------------------------------------------------------------------------------


def parts() -> dict[str, Any]:
    """A matrix of every format, and vectors."""
    made: dict[str, Any] = {"norm": np.arange(48, dtype=np.float32)}
    for form in FORMATS.values():
        values: Any = random_matrix(40, 256)
        made[form.name] = matrix_from(
            form, random_codes(form, 40, 256) if form.quantized else values
        )
    made["layers.0.q.bias"] = np.linspace(-1, 1, 16).astype(np.float32)
    return made


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "x.weights"
    write_weights(file, parts().items())
    return file


def test_packed_weights_are_read_back_as_written(written: Path) -> None:
    weights = read_weights(written)
    found = {**weights.matrices, **weights.vectors}
    wanted = parts()
    assert set(found) == set(wanted)
    for name, part in wanted.items():
        other = found[name]
        if isinstance(part, Matrix):
            assert isinstance(other, Matrix)
            assert (part.form, part.rows, part.columns) == (other.form, other.rows, other.columns)
            assert np.array_equal(part.data, other.data)
            assert other.data.ctypes.data % 64 == 0
        else:
            assert np.array_equal(part, other)


def test_nothing_but_the_file_is_left_by_writing(written: Path) -> None:
    assert [file.name for file in written.parent.glob("x*")] == ["x.weights"]


def test_a_read_float_matrix_has_the_numbers_that_were_written(written: Path) -> None:
    found = read_weights(written).matrices
    assert np.array_equal(rows_of(found["f32"]), random_matrix(40, 256))
    words = rows_of(found["bf16"]).view(np.uint32) >> 16
    assert np.array_equal(words, bfloat16_bits(random_matrix(40, 256)))


def test_a_separate_embedding_is_not_counted_as_read_for_each_token() -> None:
    matrix = matrix_from(FORMATS["f32"], random_matrix(16, 32))
    alone = Weights({"embed": matrix, "a": matrix}, {})
    both = Weights({"embed": matrix, "a": matrix, "head": matrix}, {})
    assert alone.bytes_a_token == both.bytes_a_token == 2 * matrix.data.nbytes


def refused(file: Path) -> None:
    with pytest.raises(ConversionError, match="damaged") as caught:
        read_weights(file)
    assert caught.value.hint


@pytest.mark.parametrize("kept", [0, 4, 8, 12, 16, 40, 4096, -5000, -65])
def test_a_file_cut_short_is_refused_with_a_hint(written: Path, kept: int) -> None:
    written.write_bytes(written.read_bytes()[:kept])
    refused(written)


def test_a_foreign_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "x.weights"
    file.write_bytes(b"GGUF" + bytes(10_000))
    refused(file)


def test_a_file_with_an_unknown_format_is_refused_with_a_hint(written: Path) -> None:
    data = written.read_bytes()
    length = struct.unpack("<Q", data[8:16])[0]
    index = json.loads(data[16 : 16 + length])
    index["q8"]["form"] = "q9"
    text = json.dumps(index).encode()
    assert len(text) == length
    written.write_bytes(data[:16] + text + data[16 + length :])
    refused(written)
