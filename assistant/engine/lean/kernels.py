"""Kernels that work on rows: linear layers, norms, the gate, looking up and quantizing.

What a kernel's arguments are stands with the function that returns its address; they follow the first
three words of an operation.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from assistant.engine.lean.compiler import carray, cfunc
from assistant.engine.lean.formats import GROUP, PanelFormat
from assistant.engine.lean.native import bytes_at, floats_at, ints_at, load_bfloat, load_half
from assistant.engine.lean.panel import META_BYTES, float_rows, integer_rows
from assistant.engine.lean.runtime import (
    OPERATION_WORDS,
    ROWS,
    SIGNATURE,
    STATE_WORDS,
    THREADS,
    piece_end,
    take_piece,
)
from assistant.engine.lean.vectors import gated_silu, quantize_group, scale_vectors, square_sum


@cache
def linear(form: PanelFormat, integer: bool) -> int:
    """Return the address of the kernel for a linear layer over ``form``.

    Arguments: weights, panels, groups, activations, their stride, meta, its stride, output, its
    stride, bias, bytes of bias a panel (64 or 0), add to output (0 or 1), state word of the row
    count, panels a piece at least, bytes a panel, panels a piece of many rows. ``integer`` says whether activations are quantized or float.
    """
    if integer:
        return int(_integer_linear(form).address)
    return int(_float_linear(form).address)


def _integer_linear(form: PanelFormat) -> Any:
    bits, minimum, halves = form.bits, int(form.minimum), int(form.halves)
    nested = int(form.nested)

    @cfunc(SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        panels, rows, panel_bytes, bias_step = o[4], shared[o[15]], o[17], o[13]
        least = o[16] if rows < 16 else o[18]
        threads = shared[THREADS] if rows < 16 else panels  # many rows: small pieces fit the cache
        while True:
            first = take_piece(o[2], panels, threads, least)
            if first >= panels:
                return
            count = piece_end(panels, threads, least, first) - first
            weights, bias = o[3] + first * panel_bytes, o[12] + first * bias_step
            integer_rows(
                bits, minimum, halves, nested, rows, count, panel_bytes, weights, o[5], o[6], o[7],
                o[8], o[9], o[10] + first * 64, o[11], bias, bias_step, o[14],
            )  # fmt: skip

    return kernel


def _float_linear(form: PanelFormat) -> Any:
    bits, minimum, halves = form.bits, int(form.minimum), int(form.halves)
    nested, columns = int(form.nested), form.group

    @cfunc(SIGNATURE, cache=True)
    def kernel(operation: int, state: int, thread: int) -> None:
        o = carray(ints_at(operation), (OPERATION_WORDS,))
        shared = carray(ints_at(state), (STATE_WORDS,))
        panels, rows, panel_bytes, bias_step = o[4], shared[o[15]], o[17], o[13]
        least = o[16] if rows < 16 else o[18]
        threads = shared[THREADS] if rows < 16 else panels
        while True:
            first = take_piece(o[2], panels, threads, least)
            if first >= panels:
                return
            count = piece_end(panels, threads, least, first) - first
            weights, bias = o[3] + first * panel_bytes, o[12] + first * bias_step
            float_rows(
                bits, minimum, halves, nested, columns, rows, count, panel_bytes, weights, o[5],
                o[6], o[7], o[10] + first * 64, o[11], bias, bias_step, o[14],
            )  # fmt: skip

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

    @cfunc(SIGNATURE, cache=True)
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


@cfunc(SIGNATURE, cache=True)
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


@cfunc(SIGNATURE, cache=True)
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


@cfunc(SIGNATURE, cache=True)
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
