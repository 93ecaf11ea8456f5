"""The operations of a model program, compiled by numba, and the loop that runs them on each thread.

Every kernel has the signature ``kernel(operation, state, thread)``: the address of its operation (a row
of 64-bit integers, see ``program``), the address of the shared state, and the number of the thread.
Threads share an operation's work by a counter (whoever is free takes the next piece) or by position.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from assistant.engine.lean.compiler import carray, cfunc, njit, types
from assistant.engine.lean.formats import GROUP, PanelFormat
from assistant.engine.lean.native import (
    attention_mix,
    attention_scores,
    bytes_at,
    call_kernel,
    exchange,
    fetch_add,
    floats_at,
    gated_silu,
    ints32_at,
    ints_at,
    load_bfloat,
    load_half,
    pause,
    peek,
    quantize_group,
    scale_vectors,
    softmax_in_place,
    square_sum,
    store_half,
    yield_processor,
)
from assistant.engine.lean.panel import META_BYTES, float_panel, integer_panel

OPERATION_WORDS = 24
"""Length of an operation in 64-bit words: kernel, barrier, counter, then arguments."""

# The shared state, one word each; what several threads write has a cache line of its own.
ROWS, OUT_ROWS, THREADS, FIRST, LAST, PROGRAM, COUNTERS, COUNTER_COUNT = range(8)
ARRIVED, GENERATION, JOB, QUIT, PARKED, SEEN = 16, 24, 32, 40, 48, 304
STATE_WORDS = 560
MOST_THREADS = 256

_SIGNATURE = types.void(types.intp, types.intp, types.intp)
_SPINS_BEFORE_YIELD = 3000
_SPINS_BEFORE_PARKING = 2_000_000


@njit(_SIGNATURE, nogil=True, cache=True)
def barrier(state: int, _unused: int, _thread: int) -> None:
    """Wait until every thread is here."""
    generation = peek(state + 8 * GENERATION)
    shared = carray(ints_at(state), (STATE_WORDS,))
    if fetch_add(state + 8 * ARRIVED, 1) == shared[THREADS] - 1:
        exchange(state + 8 * ARRIVED, 0)
        fetch_add(state + 8 * GENERATION, 1)
        return
    spins = 0
    while peek(state + 8 * GENERATION) == generation:
        pause()
        spins += 1
        if spins > _SPINS_BEFORE_YIELD:
            yield_processor()


@njit(_SIGNATURE, nogil=True, cache=True)
def execute(state: int, _unused: int, thread: int) -> None:
    """Run operations FIRST to LAST of the program; returns when every thread is through."""
    shared = carray(ints_at(state), (STATE_WORDS,))
    for index in range(shared[FIRST], shared[LAST]):
        operation = shared[PROGRAM] + index * 8 * OPERATION_WORDS
        words = carray(ints_at(operation), (OPERATION_WORDS,))
        call_kernel(words[0], operation, state, thread)
        if words[1] != 0:
            barrier(state, 0, thread)
    barrier(state, 0, thread)


@njit(_SIGNATURE, nogil=True, cache=True)
def serve(state: int, seen: int, thread: int) -> None:
    """A helper's life: run each new job; return (parked) when none has come for a while, or to quit."""
    shared = carray(ints_at(state), (STATE_WORDS,))
    spins = 0
    while True:
        job = peek(state + 8 * JOB)
        if job != shared[SEEN + thread]:
            shared[SEEN + thread] = job
            execute(state, 0, thread)
            spins = 0
        if peek(state + 8 * QUIT) != 0:
            return
        pause()
        spins += 1
        if spins > _SPINS_BEFORE_YIELD:
            yield_processor()
            spins += 100
        if spins > _SPINS_BEFORE_PARKING:
            exchange(state + 8 * (PARKED + thread), 1)
            unseen = peek(state + 8 * JOB) != shared[SEEN + thread]
            if not unseen or exchange(state + 8 * (PARKED + thread), 0) == 0:
                return
            spins = 0


@njit(types.void(types.intp), nogil=True, cache=True)
def announce(state: int) -> None:
    """Make a new job known to the helpers."""
    fetch_add(state + 8 * JOB, 1)


@njit(types.intp(types.intp, types.intp), nogil=True, cache=True)
def unpark(state: int, thread: int) -> int:
    """Return 1 when the helper had parked and has to be woken."""
    return exchange(state + 8 * (PARKED + thread), 0)


@cache
def linear(form: PanelFormat, integer: bool) -> int:
    """Return the address of the kernel for a linear layer over ``form``.

    Arguments: weights, panels, groups, activations, their stride, meta, its stride, output, its
    stride, bias, bytes of bias a panel (64 or 0), add to output (0 or 1), state word of the row
    count, panels a piece, bytes a panel, panels a piece of many rows. ``integer`` says whether activations are quantized or float.
    """
    if integer:
        return int(_integer_linear(form).address)
    return int(_float_linear(form).address)


def _integer_linear(form: PanelFormat) -> Any:
    bits, minimum, halves, nested = form.bits, int(form.minimum), int(form.halves), int(form.nested)

    @cfunc(_SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        weights, panels, groups, codes, codes_stride = o[3], o[4], o[5], o[6], o[7]
        meta, meta_stride, out, stride, bias, bias_step = o[8], o[9], o[10], o[11], o[12], o[13]
        add, rows, panel_bytes = o[14], shared[o[15]], o[17]
        # Rows outside, panels inside: a tile of rows stays in the nearest cache for a whole piece.
        piece = o[16] if rows < 16 else o[18]
        while True:
            first = fetch_add(o[2], piece)
            if first >= panels:
                return
            last = min(first + piece, panels)
            r = 0
            while r < rows:
                a, m, y = codes + r * codes_stride, meta + r * meta_stride, out + r * stride
                left = rows - r
                if left >= 16:
                    for p in range(first, last):
                        integer_panel(
                            bits,
                            minimum,
                            halves,
                            nested,
                            16,
                            weights + p * panel_bytes,
                            groups,
                            a,
                            codes_stride,
                            m,
                            meta_stride,
                            y + p * 64,
                            stride,
                            bias + p * bias_step,
                            add,
                        )
                    r += 16
                elif left >= 4:
                    for p in range(first, last):
                        integer_panel(
                            bits,
                            minimum,
                            halves,
                            nested,
                            4,
                            weights + p * panel_bytes,
                            groups,
                            a,
                            codes_stride,
                            m,
                            meta_stride,
                            y + p * 64,
                            stride,
                            bias + p * bias_step,
                            add,
                        )
                    r += 4
                else:
                    for p in range(first, last):
                        integer_panel(
                            bits,
                            minimum,
                            halves,
                            nested,
                            1,
                            weights + p * panel_bytes,
                            groups,
                            a,
                            codes_stride,
                            m,
                            meta_stride,
                            y + p * 64,
                            stride,
                            bias + p * bias_step,
                            add,
                        )
                    r += 1

    return kernel


def _float_linear(form: PanelFormat) -> Any:
    bits, minimum, halves, nested = form.bits, int(form.minimum), int(form.halves), int(form.nested)
    columns = form.group

    @cfunc(_SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        weights, panels, groups, x, x_stride = o[3], o[4], o[5], o[6], o[7]
        out, stride, bias, bias_step = o[10], o[11], o[12], o[13]
        add, rows, panel_bytes = o[14], shared[o[15]], o[17]
        piece = o[16] if rows < 16 else o[18]
        while True:
            first = fetch_add(o[2], piece)
            if first >= panels:
                return
            last = min(first + piece, panels)
            r = 0
            while r < rows:
                a, y = x + r * x_stride, out + r * stride
                if rows - r >= 8:
                    for p in range(first, last):
                        float_panel(
                            bits,
                            minimum,
                            halves,
                            nested,
                            columns,
                            8,
                            weights + p * panel_bytes,
                            groups,
                            a,
                            x_stride,
                            y + p * 64,
                            stride,
                            bias + p * bias_step,
                            add,
                        )
                    r += 8
                else:
                    for p in range(first, last):
                        float_panel(
                            bits,
                            minimum,
                            halves,
                            nested,
                            columns,
                            1,
                            weights + p * panel_bytes,
                            groups,
                            a,
                            x_stride,
                            y + p * 64,
                            stride,
                            bias + p * bias_step,
                            add,
                        )
                    r += 1

    return kernel


@cache
def embed(form: PanelFormat) -> int:
    """Return the address of the kernel that looks up rows of a packed embedding matrix.

    Arguments: weights, groups, token ids (i64), output, its stride, bytes a panel.
    """
    bits, minimum, halves, nested = form.bits, form.minimum, form.halves, form.nested
    bundle, bundle_bytes, offset, last = (
        form.bundle,
        form.bundle_bytes,
        form.offset,
        halves + minimum,
    )
    code_bytes, number_bytes, codes_at, scales_at = (
        form.code_bytes,
        form.number_bytes,
        form.codes_at,
        form.scales_at,
    )

    @cfunc(_SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        tokens = carray(ints_at(o[5]), (shared[ROWS],))
        for row in range(thread, shared[ROWS], shared[THREADS]):
            panel, lane = tokens[row] // 16, tokens[row] % 16
            out = carray(floats_at(o[6] + row * o[7]), (o[4] * GROUP,))
            for group in range(o[4]):
                head = o[3] + panel * o[8] + group // bundle * bundle_bytes
                block = head + codes_at + group % bundle * code_bytes
                numbers = head + scales_at + group % bundle * number_bytes
                codes = carray(bytes_at(block), (code_bytes,))
                small = carray(bytes_at(numbers), (max(1, number_bytes),))
                for k in range(GROUP):
                    if bits == 32:
                        value = carray(floats_at(block), (512,))[k * 16 + lane]
                    elif bits == 16:
                        value = load_bfloat(block + (k * 16 + lane) * 2)
                    else:
                        v, place = k // 4, lane * 4 + k % 4
                        if bits == 8:
                            code = np.int64(codes[v * 64 + place])
                        else:
                            code = np.int64(codes[(v % 4) * 64 + place])
                            code = code >> 4 if v >= 4 else code & 15
                            for plane in range(bits - 4):
                                mask = codes[256 + plane * 64 + v * 8 + place // 8]
                                code += ((np.int64(mask) >> (place % 8)) & 1) << (4 + plane)
                        half = 1 if halves and k >= 16 else 0
                        least = np.float32(0.0)
                        if nested:
                            scale = load_half(head + lane * 2) * np.float32(
                                np.int8(small[half * 16 + lane])
                            )
                            if minimum:
                                least = load_half(head + 32 + lane * 2) * np.float32(
                                    np.int8(small[last * 16 + lane])
                                )
                        else:
                            scale = load_half(numbers + half * 32 + lane * 2)
                            if minimum:
                                least = load_half(numbers + last * 32 + lane * 2)
                        value = scale * np.float32(code - offset) + least
                    out[group * GROUP + k] = value

    return int(kernel.address)


@cfunc(_SIGNATURE, cache=True)
def _norm(operation: int, state: int, thread: int) -> None:
    o = carray(ints_at(operation), (OPERATION_WORDS,))
    shared = carray(ints_at(state), (STATE_WORDS,))
    x, stride, weight, width, eps, out, out_stride = o[3], o[4], o[5], o[6], o[7], o[8], o[9]
    codes, codes_stride, meta, meta_stride, rows_word, chosen = (
        o[10],
        o[11],
        o[12],
        o[13],
        o[14],
        o[15],
    )
    for row in range(thread, shared[rows_word], shared[THREADS]):
        source = carray(ints_at(chosen), (row + 1,))[row] if chosen != 0 else row
        start, target = x + source * stride, out + row * out_stride
        epsilon = carray(floats_at(eps), (1,))[0]
        mean = square_sum(start, (width + 15) // 16) / np.float32(width)
        factor = np.float32(1.0) / np.sqrt(mean + epsilon)
        scale_vectors(start, weight, factor, target, (width + 15) // 16)
        if codes == 0:
            continue
        for group in range((width + GROUP - 1) // GROUP):
            quantize_group(
                target + group * GROUP * 4,
                codes + row * codes_stride + group * GROUP,
                meta + row * meta_stride + group * META_BYTES,
            )


@cfunc(_SIGNATURE, cache=True)
def _quantize(operation: int, state: int, thread: int) -> None:
    o = carray(ints_at(operation), (OPERATION_WORDS,))
    shared = carray(ints_at(state), (STATE_WORDS,))
    x, stride, groups, codes, codes_stride, meta, meta_stride = (
        o[3],
        o[4],
        o[5],
        o[6],
        o[7],
        o[8],
        o[9],
    )
    total = shared[ROWS] * groups
    share = (total + shared[THREADS] - 1) // shared[THREADS]
    for item in range(thread * share, min(total, (thread + 1) * share)):
        row, group = item // groups, item % groups
        quantize_group(
            x + row * stride + group * GROUP * 4,
            codes + row * codes_stride + group * GROUP,
            meta + row * meta_stride + group * META_BYTES,
        )


@cfunc(_SIGNATURE, cache=True)
def _gate(operation: int, state: int, thread: int) -> None:
    o = carray(ints_at(operation), (OPERATION_WORDS,))
    shared = carray(ints_at(state), (STATE_WORDS,))
    gate, up, stride, groups, out, out_stride = o[3], o[4], o[5], o[6], o[7], o[8]
    codes, codes_stride, meta, meta_stride = o[9], o[10], o[11], o[12]
    total = shared[ROWS] * groups
    share = (total + shared[THREADS] - 1) // shared[THREADS]
    for item in range(thread * share, min(total, (thread + 1) * share)):
        row, group = item // groups, item % groups
        offset, target = (
            row * stride + group * GROUP * 4,
            out + row * out_stride + group * GROUP * 4,
        )
        gated_silu(gate + offset, up + offset, target, 2)
        if codes != 0:
            quantize_group(
                target,
                codes + row * codes_stride + group * GROUP,
                meta + row * meta_stride + group * META_BYTES,
            )


@njit(
    types.void(types.intp, types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True
)
def _norm_head(vector: int, weight: int, eps: int, size: int, _unused: int) -> None:
    """RMSNorm of one head in place (Qwen3 norms queries and keys)."""
    values, weights = carray(floats_at(vector), (size,)), carray(floats_at(weight), (size,))
    total = np.float32(0.0)
    for i in range(size):
        total += values[i] * values[i]
    epsilon = carray(floats_at(eps), (1,))[0]
    factor = np.float32(1.0) / np.sqrt(total / np.float32(size) + epsilon)
    for i in range(size):
        values[i] = weights[i] * (values[i] * factor)


@njit(types.void(types.intp, types.intp, types.intp, types.float32), nogil=True, cache=True)
def _rotate_head(vector: int, angles: int, size: int, factor: float) -> None:
    """Rotary position embedding (Su et al. 2021), halves paired as in GPT-NeoX, then a factor."""
    values, turn = carray(floats_at(vector), (size,)), carray(floats_at(angles), (size,))
    half = size // 2
    for i in range(half):
        cosine, sine = turn[i], turn[half + i]
        left, right = values[i], values[half + i]
        values[i] = (left * cosine - right * sine) * factor
        values[half + i] = (right * cosine + left * sine) * factor


def _rotate(wide: bool) -> Any:
    item = 4 if wide else 2

    @cfunc(_SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        qkv, stride, heads, kv_heads, size, padded = o[3], o[4], o[5], o[6], o[7], o[8]
        positions, sequences, angles, pages, tables, table_words = (
            o[9],
            o[10],
            o[11],
            o[12],
            o[13],
            o[14],
        )
        page_bytes, query_norm, key_norm, eps, queries = o[15], o[16], o[17], o[18], o[19]
        key_at, value_at, query_stride = o[20], o[21], o[22]
        position = carray(ints_at(positions), (shared[ROWS],))
        sequence = carray(ints_at(sequences), (shared[ROWS],))
        scale = np.float32(1.0) / np.sqrt(np.float32(size))
        each = heads + kv_heads
        for work in range(thread, shared[ROWS] * each, shared[THREADS]):
            row, head = work // each, work % each
            place = position[row]
            turn = angles + place * size * 4
            if head < heads:
                start = qkv + row * stride + head * size * 4
                if query_norm != 0:
                    _norm_head(start, query_norm, eps, size, 0)
                _rotate_head(start, turn, size, scale)
                source = carray(floats_at(start), (size,))
                target = carray(
                    floats_at(queries + row * query_stride + head * padded * 4), (padded,)
                )
                for i in range(size):
                    target[i] = source[i]
                for i in range(size, padded):
                    target[i] = np.float32(0.0)
                continue
            head -= heads
            start = qkv + row * stride + key_at + head * size * 4
            if key_norm != 0:
                _norm_head(start, key_norm, eps, size, 0)
            _rotate_head(start, turn, size, np.float32(1.0))
            table = carray(ints32_at(tables + sequence[row] * table_words * 4), (table_words,))
            page = pages + np.int64(table[place // 16]) * page_bytes + head * 2 * padded * 16 * item
            key = carray(floats_at(start), (size,))
            value = carray(floats_at(qkv + row * stride + value_at + head * size * 4), (size,))
            slot = place % 16
            values_page = page + padded * 16 * item
            if wide:
                keys_out = carray(floats_at(page), (padded * 16,))
                values_out = carray(floats_at(values_page), (padded * 16,))
                for i in range(size):
                    keys_out[i * 16 + slot] = key[i]
                    values_out[slot * padded + i] = value[i]
            else:
                for i in range(size):
                    store_half(page + (i * 16 + slot) * 2, key[i])
                    store_half(values_page + (slot * padded + i) * 2, value[i])

    return kernel


def _attend(wide: bool, vectors: int) -> Any:
    keep_wide = 1 if wide else 0
    item = 4 if wide else 2

    @cfunc(_SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        queries, query_stride, heads, kv_heads, size, padded = o[3], o[4], o[5], o[6], o[7], o[8]
        positions, sequences, scores, scores_words = o[9], o[10], o[11], o[12]
        pages, tables, table_words, page_bytes, out, out_stride = (
            o[13],
            o[14],
            o[15],
            o[16],
            o[17],
            o[18],
        )
        mixed = o[19]
        position = carray(ints_at(positions), (shared[ROWS],))
        sequence = carray(ints_at(sequences), (shared[ROWS],))
        shared_by = heads // kv_heads
        row_scores = scores_words * 4
        own_scores = scores + thread * shared_by * row_scores
        own_mixed = mixed + thread * shared_by * padded * 4
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
            q = queries + row * query_stride + head * shared_by * padded * 4
            step = padded * 4
            r = 0
            while r < shared_by:
                left = shared_by - r
                at, to = q + r * step, own_scores + r * row_scores
                if left >= 4:
                    attention_scores(
                        4,
                        keep_wide,
                        at,
                        step,
                        keys,
                        table,
                        page_bytes,
                        blocks,
                        size,
                        to,
                        row_scores,
                    )
                    r += 4
                elif left == 3:
                    attention_scores(
                        3,
                        keep_wide,
                        at,
                        step,
                        keys,
                        table,
                        page_bytes,
                        blocks,
                        size,
                        to,
                        row_scores,
                    )
                    r += 3
                else:
                    attention_scores(
                        1,
                        keep_wide,
                        at,
                        step,
                        keys,
                        table,
                        page_bytes,
                        blocks,
                        size,
                        to,
                        row_scores,
                    )
                    r += 1
            for r in range(shared_by):
                softmax_in_place(own_scores + r * row_scores, count)
            for chunk in range(padded // (16 * vectors)):
                v = values + chunk * 16 * vectors * item
                r = 0
                while r < shared_by:
                    left = shared_by - r
                    at = own_scores + r * row_scores
                    to = own_mixed + r * step + chunk * 64 * vectors
                    if left >= 4:
                        attention_mix(
                            4,
                            vectors,
                            keep_wide,
                            at,
                            row_scores,
                            v,
                            table,
                            page_bytes,
                            blocks,
                            padded * item,
                            to,
                            step,
                        )
                        r += 4
                    elif left == 3:
                        attention_mix(
                            3,
                            vectors,
                            keep_wide,
                            at,
                            row_scores,
                            v,
                            table,
                            page_bytes,
                            blocks,
                            padded * item,
                            to,
                            step,
                        )
                        r += 3
                    else:
                        attention_mix(
                            1,
                            vectors,
                            keep_wide,
                            at,
                            row_scores,
                            v,
                            table,
                            page_bytes,
                            blocks,
                            padded * item,
                            to,
                            step,
                        )
                        r += 1
            for r in range(shared_by):
                source = carray(floats_at(own_mixed + r * step), (size,))
                target = carray(
                    floats_at(out + row * out_stride + (head * shared_by + r) * size * 4), (size,)
                )
                for i in range(size):
                    target[i] = source[i]

    return kernel


def norm() -> int:
    """RMSNorm (Zhang and Sennrich 2019) of rows, written as floats and quantized.

    Arguments: x, its stride, weight, width, address of epsilon, output, stride, codes, stride, meta,
    stride, state word of the row count, address of the row numbers (0: all in order).
    """
    return int(_norm.address)


def quantize() -> int:
    """Quantize rows. Arguments: x, its stride, groups, codes, stride, meta, stride."""
    return int(_quantize.address)


def gate() -> int:
    """silu(gate) * up. Arguments: gate, up, their stride, groups, output, stride, codes, …, meta, …."""
    return int(_gate.address)


@cache
def rotate(wide: bool) -> int:
    """Rotary embedding of queries and keys; keys and values go to their pages (``wide``: float32)."""
    return int(_rotate(wide).address)


@cache
def attend(wide: bool, padded_size: int) -> int:
    """Causal attention of every row over its own sequence."""
    return int(_attend(wide, 4 if padded_size % 64 == 0 else 1).address)
