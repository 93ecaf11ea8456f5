"""Quantized tensors of a GGUF file, as codes: nothing is dequantized and rounded again.

Block layouts are those of ggml's ``block_q*`` structures (the GGUF specification); each function takes
raw blocks (rows, blocks a row, bytes a block) and returns the codes they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assistant.engine.lean.formats import Array, Codes


def _half(blocks: Array, start: int) -> Array:
    raw = np.ascontiguousarray(blocks[..., start : start + 2])
    return raw.view(np.float16)[..., 0].astype(np.float32)


def _codes(parts: Array, rows: int) -> Array:
    return np.ascontiguousarray(parts, dtype=np.uint8).reshape(rows, -1)


def _nibbles(blocks: Array) -> Array:
    """(…, n) bytes -> (…, 2n): the low nibbles, then the high ones."""
    return np.concatenate([blocks & 15, blocks >> 4], axis=-1)


def _fifth_bits(blocks: Array, start: int) -> Array:
    return np.unpackbits(blocks[..., start : start + 4], axis=-1, bitorder="little") << 4


def q4_0(blocks: Array) -> Codes:
    return Codes(_codes(_nibbles(blocks[..., 2:]), len(blocks)), _half(blocks, 0)[..., None])


def q4_1(blocks: Array) -> Codes:
    codes = _codes(_nibbles(blocks[..., 4:]), len(blocks))
    return Codes(codes, _half(blocks, 0)[..., None], _half(blocks, 2))


def q5_0(blocks: Array) -> Codes:
    codes = _nibbles(blocks[..., 6:]) | _fifth_bits(blocks, 2)
    return Codes(_codes(codes, len(blocks)), _half(blocks, 0)[..., None])


def q5_1(blocks: Array) -> Codes:
    codes = _nibbles(blocks[..., 8:]) | _fifth_bits(blocks, 4)
    return Codes(_codes(codes, len(blocks)), _half(blocks, 0)[..., None], _half(blocks, 2))


def q8_0(blocks: Array) -> Codes:
    return Codes(_codes(blocks[..., 2:] ^ 128, len(blocks)), _half(blocks, 0)[..., None])


def _six_bit_scales(packed: Array) -> tuple[Array, Array]:
    """Unpack the 12 bytes that hold eight scales and eight minima of 6 bits each."""
    low, middle, high = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=-1)
    minima = np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=-1)
    return scales, minima


def _with_minima(blocks: Array, codes: Array) -> Codes:
    rows = len(blocks)
    scales, minima = _six_bit_scales(blocks[..., 4:16])
    heads = np.stack([_half(blocks, 0), -_half(blocks, 2)], axis=-1)
    return Codes(
        _codes(codes, rows),
        scales.astype(np.int8).reshape(rows, -1, 1),
        minima.astype(np.int8).reshape(rows, -1),
        heads,
    )


def q4_k(blocks: Array) -> Codes:
    quarters = blocks[..., 16:].reshape(*blocks.shape[:-1], 4, 32)
    return _with_minima(blocks, _nibbles(quarters))


def q5_k(blocks: Array) -> Codes:
    quarters = blocks[..., 48:].reshape(*blocks.shape[:-1], 4, 32)
    high = blocks[..., 16:48]
    bits = np.stack([(high >> bit) & 1 for bit in range(8)], axis=-2)
    bits = bits.reshape(*blocks.shape[:-1], 4, 64)
    return _with_minima(blocks, _nibbles(quarters) | (bits << 4))


def q6_k(blocks: Array) -> Codes:
    rows = len(blocks)
    low = blocks[..., :128].reshape(*blocks.shape[:-1], 2, 2, 32)
    high = blocks[..., 128:192].reshape(*blocks.shape[:-1], 2, 1, 32)
    nibbles = np.concatenate([low & 15, low >> 4], axis=-2)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[:, None]
    codes = nibbles | (((high >> shifts) & 3) << 4)
    scales = np.ascontiguousarray(blocks[..., 192:208]).view(np.int8)
    heads = _half(blocks, 208)[..., None]
    return Codes(_codes(codes, rows), scales.reshape(rows, -1, 2), None, heads)


READERS: dict[str, tuple[str, Callable[[Array], Codes]]] = {
    "Q4_0": ("q4", q4_0),
    "Q4_1": ("q4m", q4_1),
    "Q5_0": ("q5", q5_0),
    "Q5_1": ("q5m", q5_1),
    "Q8_0": ("q8", q8_0),
    "Q4_K": ("q4k", q4_k),
    "Q5_K": ("q5k", q5_k),
    "Q6_K": ("q6k", q6_k),
}
"""GGUF type -> name of the panel format, and what reads its blocks."""


def read_codes(tensor: Any) -> tuple[str, Codes] | None:
    """Return format name and codes of a ``gguf`` tensor, ``None`` for a type without a reader."""
    from gguf import GGML_QUANT_SIZES

    reader = READERS.get(tensor.tensor_type.name)
    columns, rows = (int(n) for n in tensor.shape)
    if reader is None or columns % 32:
        return None
    elements, size = GGML_QUANT_SIZES[tensor.tensor_type]
    blocks = np.asarray(tensor.data).view(np.uint8).reshape(rows, columns // elements, size)
    return reader[0], reader[1](blocks)
