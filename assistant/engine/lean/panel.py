"""Products of a weight panel with a few rows of activations: the inner loops of every linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.engine.lean.compiler import intrinsic, ir, types
from assistant.engine.lean.emit import (
    F32,
    F32X16,
    I8X16,
    I8X64,
    I16X16,
    I16X32,
    I32,
    I32X16,
    I64,
    Emitter,
)
from assistant.engine.lean.formats import GROUP, PanelFormat

META_BYTES = 32
"""Per group of quantized activations, eight words: the scale, scale times sum of the codes (floats);
the sum times -8, -16, -32 of the first and of the second half, -128, -32 (integers)."""

_CORRECTION = {4: 8, 5: 12, 8: 24, 6: 28}
"""Where in the meta the sum stands that makes unsigned codes of so many bits signed."""
_CORRECTION_OF_HALF = (16, 20)


def _form(bits: int, minimum: int, halves: int, nested: int, group: int = GROUP) -> PanelFormat:
    return PanelFormat("", bits, bool(minimum), bool(halves), bool(nested), group)


def _block(e: Emitter, form: PanelFormat, weights: Any, group: Any) -> tuple[Any, Any, Any]:
    """Return the addresses of a group's codes, of its numbers, and of its bundle."""
    b = e.b
    shift = form.bundle.bit_length() - 1
    bundle = b.add(weights, b.mul(b.lshr(group, I64(shift)), I64(form.bundle_bytes)))
    place = b.and_(group, I64(form.bundle - 1))
    codes = e.at(b.add(bundle, b.mul(place, I64(form.code_bytes))), form.codes_at)
    numbers = e.at(b.add(bundle, b.mul(place, I64(form.number_bytes))), form.scales_at)
    return codes, numbers, bundle


def _numbers(e: Emitter, form: PanelFormat, numbers: Any, head: Any) -> tuple[list[Any], Any]:
    """Return the scales (one, or one a half) and the minima of a group, as floats over the rows."""
    count = 1 + form.halves + form.minimum
    if not form.nested:
        found = [e.halves(numbers, 32 * i) for i in range(count)]
    else:
        found = []
        for i in range(count):
            small = e.load(I8X16, numbers, 16 * i)
            outer = e.halves(head, 32 if form.minimum and i == count - 1 else 0)
            found.append(e.b.fmul(e.b.sitofp(e.b.sext(small, I32X16), F32X16), outer))
    return (found[:-1], found[-1]) if form.minimum else (found, None)


def code_vectors(e: Emitter, form: PanelFormat, block: Any) -> list[Any]:
    """Return the eight 64-byte code vectors of a group; each holds 4 columns of 16 rows."""
    if form.bits == 8:
        return [e.load(I8X64, block, 64 * v) for v in range(8)]
    low, high = [], []
    for v in range(4):
        packed = e.load(I8X64, block, 64 * v)
        mask = e.ints(15, I8X64)
        low.append(e.b.and_(packed, mask))
        words = e.b.lshr(e.b.bitcast(packed, I16X32), e.ints(4, I16X32))
        high.append(e.b.and_(e.b.bitcast(words, I8X64), mask))
    vectors = low + high
    for plane in range(form.bits - 4):
        for v in range(8):
            bits = e.load(I64, block, 256 + 64 * plane + 8 * v)
            chosen = e.b.bitcast(bits, ir.VectorType(ir.IntType(1), 64))
            more = e.b.add(vectors[v], e.ints(16 << plane, I8X64))
            vectors[v] = e.b.select(chosen, more, vectors[v])
    return vectors


class _Result:
    """Writes the accumulators of a tile: plus bias, and on top of what is there if asked for."""

    def __init__(self, e: Emitter, out: Any, stride: Any, bias: Any, add: Any) -> None:
        self.e, self.out, self.stride, self.bias, self.add = e, out, stride, bias, add

    def write(self, slots: list[Any]) -> None:
        e, b = self.e, self.e.b
        bias = e.load(F32X16, self.bias)
        adds = b.icmp_signed("!=", self.add, I64(0))
        for row, slot in enumerate(slots):
            address = b.add(self.out, b.mul(self.stride, I64(row)))
            value = b.fadd(b.load(slot), bias)
            before = e.load(F32X16, address)
            # Not a product with 0: what lies there may be no number yet.
            value = b.select(adds, b.fadd(value, before), value)
            e.store(value, address)


def _integer_tile(e: Emitter, form: PanelFormat, tile: int, args: Any) -> None:
    """Codes times quantized activations: exact integers within a group, floats across groups."""
    b = e.b
    weights, groups, codes, codes_stride, meta, meta_stride, result = args
    slots = [e.variable(e.floats(0.0)) for _ in range(tile)]
    with e.loop(groups) as group:
        block, numbers, head = _block(e, form, weights, group)
        vectors = code_vectors(e, form, block)
        scales, minimum = _numbers(e, form, numbers, head)
        for row in range(tile):
            a = b.add(b.add(codes, b.mul(codes_stride, I64(row))), b.mul(group, I64(GROUP)))
            m = b.add(b.add(meta, b.mul(meta_stride, I64(row))), b.mul(group, I64(META_BYTES)))
            scale = e.splat(e.load(F32, m))
            total = b.load(slots[row])
            for half, scale_of_half in enumerate(scales):
                first, last = (0, 8) if not form.halves else (4 * half, 4 * half + 4)
                acc = _start(e, form, m, half)
                for v in range(first, last):
                    acc = e.dot4(acc, vectors[v], e.load(I32, a, 4 * v), form.bits)
                factor = b.fmul(scale_of_half, scale)
                total = e.fma(b.sitofp(acc, F32X16), factor, total)
            if minimum is not None:
                total = e.fma(minimum, e.splat(e.load(F32, m, 4)), total)
            b.store(total, slots[row])
    result.write(slots)


def _start(e: Emitter, form: PanelFormat, meta: Any, half: int) -> Any:
    """Minus offset times the sum of the activations: makes unsigned codes signed, exactly."""
    if form.minimum:
        return e.ints(0)
    at = _CORRECTION_OF_HALF[half] if form.halves else _CORRECTION[form.bits]
    return e.splat(e.load(I32, meta, at))


def _float_columns(e: Emitter, form: PanelFormat, block: Any, numbers: Any, head: Any) -> list[Any]:
    """Return the 32 columns of a group as float vectors over the 16 rows."""
    b = e.b
    if form.bits == 32:
        return [e.load(F32X16, block, 64 * k) for k in range(form.group)]
    if form.bits == 16:
        columns = []
        for k in range(form.group):
            wide = b.zext(e.load(I16X16, block, 32 * k), I32X16)
            columns.append(b.bitcast(b.shl(wide, e.ints(16)), F32X16))
        return columns
    scales, minimum = _numbers(e, form, numbers, head)
    columns = []
    for k, vector in (
        (4 * v + j, c) for v, c in enumerate(code_vectors(e, form, block)) for j in range(4)
    ):
        words = b.lshr(b.bitcast(vector, I32X16), e.ints(8 * (k % 4)))
        code = b.sub(b.and_(words, e.ints(255)), e.ints(form.offset))
        scale = scales[k // 16 if form.halves else 0]
        value = b.sitofp(code, F32X16)
        columns.append(
            e.fma(value, scale, minimum) if minimum is not None else b.fmul(value, scale)
        )
    return columns


def _float_tile(e: Emitter, form: PanelFormat, tile: int, args: Any) -> None:
    """Weights widened to float times float activations."""
    b = e.b
    weights, groups, x, x_stride, result = args
    slots = [e.variable(e.floats(0.0)) for _ in range(tile)]
    with e.loop(groups) as group:
        block, numbers, head = _block(e, form, weights, group)
        offset = b.mul(group, I64(4 * form.group))
        starts = [b.add(b.add(x, b.mul(x_stride, I64(row))), offset) for row in range(tile)]
        for k, column in enumerate(_float_columns(e, form, block, numbers, head)):
            for row, start in enumerate(starts):
                value = e.splat(e.load(F32, start, 4 * k))
                b.store(e.fma(column, value, b.load(slots[row])), slots[row])
    result.write(slots)


def _literals(*kinds: Any) -> list[int] | None:
    return (
        [k.literal_value for k in kinds]
        if all(hasattr(k, "literal_value") for k in kinds)
        else None
    )


def _by_tiles(e: Emitter, rows: Any, largest: int, emit: Callable[[int, Any], None]) -> None:
    """Emit work on ``rows`` rows in tiles of ``largest`` and, for the rest, of each smaller power of 2."""
    b = e.b
    shift = largest.bit_length() - 1
    with e.loop(b.lshr(rows, I64(shift))) as tile:
        emit(largest, b.shl(tile, I64(shift)))
    done = b.and_(rows, I64(-largest))
    size = largest // 2
    while size:
        with b.if_then(b.icmp_unsigned("!=", b.and_(rows, I64(size)), I64(0))):
            emit(size, done)
        done = b.add(done, b.and_(rows, I64(size)))
        size //= 2


@intrinsic
def integer_rows(
    typingctx: Any, bits: Any, minimum: Any, halves: Any, nested: Any, rows: Any, count: Any,
    panel_bytes: Any, weights: Any, groups: Any, codes: Any, codes_stride: Any, meta: Any,
    meta_stride: Any, out: Any, out_stride: Any, bias: Any, bias_step: Any, add: Any,
) -> Any:  # fmt: skip
    """``count`` panels times any number of rows of quantized activations: 16 outputs each, tile by tile."""
    known = _literals(bits, minimum, halves, nested)
    if known is None:
        return None
    form = _form(*known)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        rows, count, panel_bytes, weights, groups = args[4:9]
        codes, codes_stride, meta, meta_stride, out, out_stride, bias, bias_step, add = args[9:]

        def emit(tile: int, first: Any) -> None:
            a = b.add(codes, b.mul(codes_stride, first))
            m = b.add(meta, b.mul(meta_stride, first))
            y = b.add(out, b.mul(out_stride, first))
            with e.loop(count) as panel:
                result = _result(e, panel, y, out_stride, bias, bias_step, add)
                start = b.add(weights, b.mul(panel, panel_bytes))
                _integer_tile(
                    e, form, tile, (start, groups, a, codes_stride, m, meta_stride, result)
                )

        _by_tiles(e, rows, 16, emit)
        return context.get_dummy_value()

    return types.void(bits, minimum, halves, nested, *[types.intp] * 14), codegen


@intrinsic
def float_rows(
    typingctx: Any, bits: Any, minimum: Any, halves: Any, nested: Any, group: Any, rows: Any,
    count: Any, panel_bytes: Any, weights: Any, groups: Any, x: Any, x_stride: Any, out: Any,
    out_stride: Any, bias: Any, bias_step: Any, add: Any,
) -> Any:  # fmt: skip
    """``count`` panels times any number of rows of float activations."""
    known = _literals(bits, minimum, halves, nested, group)
    if known is None:
        return None
    form = _form(*known)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        rows, count, panel_bytes, weights, groups, x, x_stride = args[5:12]
        out, out_stride, bias, bias_step, add = args[12:]

        def emit(tile: int, first: Any) -> None:
            a, y = b.add(x, b.mul(x_stride, first)), b.add(out, b.mul(out_stride, first))
            with e.loop(count) as panel:
                result = _result(e, panel, y, out_stride, bias, bias_step, add)
                start = b.add(weights, b.mul(panel, panel_bytes))
                _float_tile(e, form, tile, (start, groups, a, x_stride, result))

        _by_tiles(e, rows, 8, emit)
        return context.get_dummy_value()

    return types.void(bits, minimum, halves, nested, group, *[types.intp] * 12), codegen


def _result(
    e: Emitter, panel: Any, out: Any, stride: Any, bias: Any, bias_step: Any, add: Any
) -> _Result:
    """Return where the outputs of a panel go."""
    target = e.b.add(out, e.b.mul(panel, I64(64)))
    return _Result(e, target, stride, e.b.add(bias, e.b.mul(panel, bias_step)), add)
