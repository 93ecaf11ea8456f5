"""From a model's own files to packed weights: GGUF codes are kept, floats are quantized here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from assistant.engine.gguf_file import read_gguf
from assistant.engine.lean.formats import FORMATS, GROUP, Array, Codes, dequantize, quantize
from assistant.engine.lean.gguf_codes import read_codes
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.weights import Matrix, matrix_from

Precision = Literal["auto", "accurate", "fast"]
Parts = Iterator[tuple[str, Matrix | Array]]

_WORKERS = 2

_LAYER = {
    "q": ("self_attn.q_proj", "attn_q"),
    "k": ("self_attn.k_proj", "attn_k"),
    "v": ("self_attn.v_proj", "attn_v"),
    "o": ("self_attn.o_proj", "attn_output"),
    "gate": ("mlp.gate_proj", "ffn_gate"),
    "up": ("mlp.up_proj", "ffn_up"),
    "down": ("mlp.down_proj", "ffn_down"),
}
_NORMS = {
    "input_norm": ("input_layernorm", "attn_norm"),
    "post_norm": ("post_attention_layernorm", "ffn_norm"),
    "q_norm": ("self_attn.q_norm", "attn_q_norm"),
    "k_norm": ("self_attn.k_norm", "attn_k_norm"),
}


def names_of(layers: int) -> dict[str, tuple[str, str]]:
    """Return, by our name, each tensor's name in transformers and in GGUF, without ``.weight``."""
    names = {
        "embed": ("model.embed_tokens", "token_embd"),
        "head": ("lm_head", "output"),
        "norm": ("model.norm", "output_norm"),
    }
    for layer in range(layers):
        for ours, (theirs, gguf) in (_LAYER | _NORMS).items():
            names[f"layers.{layer}.{ours}"] = (
                f"model.layers.{layer}.{theirs}",
                f"blk.{layer}.{gguf}",
            )
    return names


def module_name(name: str) -> str | None:
    """Return our name for a module that an adapter names (``model.layers.3.self_attn.q_proj``)."""
    parts = name.split(".")
    if "layers" not in parts:
        return None
    layer, rest = parts[parts.index("layers") + 1], ".".join(parts[parts.index("layers") + 2 :])
    found = next((ours for ours, (theirs, _) in _LAYER.items() if theirs == rest), None)
    return f"layers.{layer}.{found}" if found else None


def fewer_bits(name: str) -> str:
    """Return the format of a matrix for ``fast``: 5 bits in the layers, 6 in the head.

    4 bits in the layers would save a tenth of the bytes more and cost ten times the divergence (see
    docs/lab-notes.md).
    """
    return "q6" if name in ("head", "embed") else "q5"


def smaller(form: str, codes: Codes, name: str) -> tuple[str, Codes]:
    """Return codes of no more bits than ``fast`` wants."""
    wanted = FORMATS[fewer_bits(name)]
    if FORMATS[form].bits <= 6 and name not in ("head", "embed"):
        return form, codes  # the file's own choice where it spends more; little is to be had there
    if FORMATS[form].bits <= wanted.bits:
        return form, codes
    return wanted.name, quantize(wanted, dequantize(FORMATS[form], codes))


def _vector(values: Array) -> Array:
    flat = np.asarray(values, dtype=np.float32).reshape(-1)
    return np.pad(flat, (0, -len(flat) % 16))


def _matrix(name: str, values: Array, precision: Precision, exact: str) -> Matrix:
    """Pack floats: 8 bits by default, the least that costs nothing measurable."""
    if precision == "accurate" or values.shape[1] % GROUP:
        return matrix_from(FORMATS[exact], values)
    form = fewer_bits(name) if precision == "fast" else "q8"
    return matrix_from(FORMATS[form], quantize(FORMATS[form], values))


def from_gguf(
    file: Path,
    shape: Shape,
    architecture: str,
    precision: Precision,
    report: Callable[[float], None],
) -> Parts:
    """Yield the packed parts of a GGUF file."""
    tensors: dict[str, Any] = {t.name: t for t in read_gguf(file).tensors}

    def pack(name: str, theirs: str) -> list[tuple[str, Matrix | Array]]:
        order = _row_order(name, shape) if architecture == "llama" else None
        found: list[tuple[str, Matrix | Array]] = []
        for suffix in ("weight", "bias"):
            tensor = tensors.get(f"{theirs}.{suffix}")
            if tensor is None:
                continue
            if len(tensor.shape) == 1:
                values = _dequantized(tensor)
                values = values[order] if order is not None and suffix == "bias" else values
                found.append((name if suffix == "weight" else f"{name}.bias", _vector(values)))
            else:
                found.append((name, _from_tensor(name, tensor, order, precision)))
        return found

    yield from _side_by_side(pack, [(n, t) for n, (_, t) in names_of(shape.layers).items()], report)


def _side_by_side(
    pack: Callable[[str, str], list[tuple[str, Matrix | Array]]],
    names: Sequence[tuple[str, str]],
    report: Callable[[float], None],
) -> Parts:
    """Pack matrices on a few threads, in order, only so many ahead that memory stays small."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        coming: deque[Future[list[tuple[str, Matrix | Array]]]] = deque()
        left = deque(names)
        done = 0
        while left or coming:
            while left and len(coming) <= _WORKERS:
                coming.append(pool.submit(pack, *left.popleft()))
            yield from coming.popleft().result()
            done += 1
            report(done / len(names))


def _dequantized(tensor: Any) -> Array:
    import gguf

    values: Array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return values


def _from_tensor(name: str, tensor: Any, order: Array | None, precision: Precision) -> Matrix:
    import gguf

    read = read_codes(tensor)
    if read is None:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = values if order is None else values[order]
        exact = "bf16" if tensor.tensor_type.name == "BF16" else "f32"
        return _matrix(name, values, precision, exact)
    form, codes = read
    if order is not None:
        codes = codes.rows(order)
    if precision == "fast":
        form, codes = smaller(form, codes, name)
    return matrix_from(FORMATS[form], codes)


def _row_order(name: str, shape: Shape) -> Array | None:
    """llama.cpp stores rotary pairs of the llama family side by side; we want halves, as published."""
    kind = name.rsplit(".", 1)[-1]
    if kind not in ("q", "k"):
        return None
    heads = shape.heads if kind == "q" else shape.kv_heads
    rows = np.arange(heads * shape.head_size).reshape(heads, shape.head_size // 2, 2)
    return rows.swapaxes(1, 2).reshape(-1)


def from_tensors(
    get: Callable[[str], tuple[Array, bool] | None],
    shape: Shape,
    precision: Precision,
    report: Callable[[float], None],
) -> Parts:
    """Yield the packed parts of a model in transformers' layout.

    ``get`` returns a tensor by name as float32, and whether bfloat16 holds it exactly.
    """

    def pack(name: str, theirs: str) -> list[tuple[str, Matrix | Array]]:
        found = get(f"{theirs}.weight")
        if found is None:
            return []
        weight, short = found
        if weight.ndim == 1:
            return [(name, _vector(weight))]
        matrix = _matrix(name, weight, precision, "bf16" if short else "f32")
        bias = get(f"{theirs}.bias")
        return [(name, matrix)] + ([] if bias is None else [(f"{name}.bias", _vector(bias[0]))])

    yield from _side_by_side(pack, [(n, t) for n, (t, _) in names_of(shape.layers).items()], report)
