"""Kernels of the attention: rotary embedding, storing keys and values in their pages, attending.

A page of 16 tokens holds, per layer and head, keys as (size, 16 tokens) and values as (16 tokens, size),
where size is the head size padded to 16; see ``pages``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from assistant.engine.lean.compiler import carray, cfunc, njit, types
from assistant.engine.lean.native import fetch_add, floats_at, ints32_at, ints_at, store_half
from assistant.engine.lean.runtime import OPERATION_WORDS, ROWS, SIGNATURE, STATE_WORDS, THREADS
from assistant.engine.lean.vectors import attention_mix, attention_scores, softmax_in_place

_ADDRESS = types.intp


@njit(types.void(_ADDRESS, _ADDRESS, _ADDRESS, types.intp), nogil=True, cache=True)
def _norm_head(vector: int, weight: int, eps: int, size: int) -> None:
    """RMSNorm of one head in place (Qwen3 norms queries and keys)."""
    values, weights = carray(floats_at(vector), (size,)), carray(floats_at(weight), (size,))
    total = np.float32(0.0)
    for i in range(size):
        total += values[i] * values[i]
    epsilon = carray(floats_at(eps), (1,))[0]
    factor = np.float32(1.0) / np.sqrt(total / np.float32(size) + epsilon)
    for i in range(size):
        values[i] = weights[i] * (values[i] * factor)


@njit(types.void(_ADDRESS, _ADDRESS, types.intp, types.float32), nogil=True, cache=True)
def _rotate_head(vector: int, angles: int, size: int, factor: float) -> None:
    """Rotary position embedding (Su et al. 2021), halves paired as in GPT-NeoX, then a factor."""
    values, turn = carray(floats_at(vector), (size,)), carray(floats_at(angles), (size,))
    half = size // 2
    for i in range(half):
        cosine, sine = turn[i], turn[half + i]
        left, right = values[i], values[half + i]
        values[i] = (left * cosine - right * sine) * factor
        values[half + i] = (right * cosine + left * sine) * factor


@njit(types.void(_ADDRESS, _ADDRESS, types.intp, types.intp), nogil=True, cache=True)
def _copy_padded(source: int, target: int, size: int, padded: int) -> None:
    values, out = carray(floats_at(source), (size,)), carray(floats_at(target), (padded,))
    for i in range(size):
        out[i] = values[i]
    for i in range(size, padded):
        out[i] = np.float32(0.0)


_STORE = types.void(_ADDRESS, _ADDRESS, _ADDRESS, types.intp, types.intp, types.intp)


@njit(_STORE, nogil=True, cache=True)
def _store_halves(page: int, key: int, value: int, slot: int, size: int, padded: int) -> None:
    """Write one token's key and value of one head into its page, in half precision."""
    keys, values = carray(floats_at(key), (size,)), carray(floats_at(value), (size,))
    for i in range(size):
        store_half(page + (i * 16 + slot) * 2, keys[i])
        store_half(page + (padded * 16 + slot * padded + i) * 2, values[i])


@njit(_STORE, nogil=True, cache=True)
def _store_floats(page: int, key: int, value: int, slot: int, size: int, padded: int) -> None:
    """The same in 32 bits."""
    keys, values = carray(floats_at(key), (size,)), carray(floats_at(value), (size,))
    out = carray(floats_at(page), (2 * padded * 16,))
    for i in range(size):
        out[i * 16 + slot] = keys[i]
        out[padded * 16 + slot * padded + i] = values[i]


def _rotate(wide: bool) -> Any:
    item = 4 if wide else 2

    @cfunc(SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        qkv, stride, heads, kv_heads, size, padded = o[3], o[4], o[5], o[6], o[7], o[8]
        position = carray(ints_at(o[9]), (shared[ROWS],))
        sequence = carray(ints_at(o[10]), (shared[ROWS],))
        angles, pages, tables, table_words, page_bytes = o[11], o[12], o[13], o[14], o[15]
        query_norm, key_norm, eps, queries = o[16], o[17], o[18], o[19]
        key_at, value_at, query_stride = o[20], o[21], o[22]
        scale = np.float32(1.0) / np.sqrt(np.float32(size))
        each = heads + kv_heads
        for work in range(thread, shared[ROWS] * each, shared[THREADS]):
            row, head = work // each, work % each
            place, start = position[row], qkv + row * stride
            turn = angles + place * size * 4
            if head < heads:
                query = start + head * size * 4
                if query_norm != 0:
                    _norm_head(query, query_norm, eps, size)
                _rotate_head(query, turn, size, scale)
                target = queries + row * query_stride + head * padded * 4
                _copy_padded(query, target, size, padded)
            else:
                head -= heads
                key, value = start + key_at + head * size * 4, start + value_at + head * size * 4
                if key_norm != 0:
                    _norm_head(key, key_norm, eps, size)
                _rotate_head(key, turn, size, np.float32(1.0))
                table = carray(ints32_at(tables + sequence[row] * table_words * 4), (table_words,))
                page = pages + np.int64(table[place // 16]) * page_bytes
                page += head * 2 * padded * 16 * item
                if wide:
                    _store_floats(page, key, value, place % 16, size, padded)
                else:
                    _store_halves(page, key, value, place % 16, size, padded)

    return kernel


def _attend(wide: bool, vectors: int) -> Any:
    kind, item = (1, 4) if wide else (0, 2)

    @cfunc(SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        queries, query_stride, heads, kv_heads, size, padded = o[3], o[4], o[5], o[6], o[7], o[8]
        position = carray(ints_at(o[9]), (shared[ROWS],))
        sequence = carray(ints_at(o[10]), (shared[ROWS],))
        row_scores, pages, tables, table_words, page_bytes = o[12] * 4, o[13], o[14], o[15], o[16]
        out, out_stride = o[17], o[18]
        shared_by, step = heads // kv_heads, padded * 4
        scores = o[11] + thread * shared_by * row_scores
        mixed = o[19] + thread * shared_by * step
        while True:
            work = fetch_add(o[2], 1)
            if work >= shared[ROWS] * kv_heads:
                return
            # Late rows have the most keys behind them: they go first, so that threads end together.
            row, head = shared[ROWS] - 1 - work // kv_heads, work % kv_heads
            count = position[row] + 1
            blocks = (count + 15) // 16
            table = tables + sequence[row] * table_words * 4
            keys = pages + head * 2 * padded * 16 * item
            values = keys + padded * 16 * item
            query = queries + row * query_stride + head * shared_by * step
            attention_scores(
                kind, shared_by, query, step, keys, table, page_bytes, blocks, size,
                scores, row_scores,
            )  # fmt: skip
            for r in range(shared_by):
                softmax_in_place(scores + r * row_scores, count)
            for chunk in range(padded // (16 * vectors)):
                attention_mix(
                    kind, vectors, shared_by, scores, row_scores,
                    values + chunk * 16 * vectors * item, table, page_bytes, blocks, padded * item,
                    mixed + chunk * 64 * vectors, step,
                )  # fmt: skip
            for r in range(shared_by):
                target = out + row * out_stride + (head * shared_by + r) * size * 4
                _copy_padded(mixed + r * step, target, size, size)

    return kernel


@cache
def rotate(wide: bool) -> int:
    """Rotary embedding of queries and keys; keys and values go to their pages (``wide``: float32).

    Arguments: queries-keys-values, their stride, heads, key heads, head size, the same padded,
    positions, sequences, angles, pages of the layer, page tables, words a table, bytes a page, weights
    of the query and key norms (0: none), epsilon, queries out, offset of keys and of values in a row,
    stride of the queries.
    """
    return int(_rotate(wide).address)


@cache
def attend(wide: bool, padded_size: int) -> int:
    """Causal attention of every row over its own sequence.

    Arguments: queries, their stride, heads, key heads, head size, the same padded, positions, sequences,
    room for scores, words of it a head, pages of the layer, page tables, words a table, bytes a page,
    output, its stride, room for results.
    """
    return int(_attend(wide, 4 if padded_size % 64 == 0 else 1).address)
