"""Vector arithmetic over rows of floats, emitted because numba would not write it as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.engine.lean.compiler import intrinsic, ir, types
from assistant.engine.lean.emit import F32, F32X16, I8X16, I32, I32X16, I64, Emitter

_VOID = types.void
_INT = types.intp
_FLOAT = types.float32


@intrinsic
def quantize_group(typingctx: Any, source: Any, codes: Any, meta: Any) -> Any:
    """Quantize 32 floats to signed bytes with one scale; write codes and ``META_BYTES`` of meta."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        parts = [e.load(F32X16, args[0], 64 * half) for half in (0, 1)]
        sizes = [e.call("llvm.fabs.v16f32", F32X16, part) for part in parts]
        largest = e.largest(e.call("llvm.maxnum.v16f32", F32X16, *sizes))
        empty = b.fcmp_ordered("==", largest, F32(0.0))
        inverse = b.select(empty, F32(0.0), b.fdiv(F32(127.0), largest))
        scale = b.fdiv(largest, F32(127.0))
        e.store(scale, args[2])
        sums = []
        for half, part in enumerate(parts):
            steps = e.call("llvm.rint.v16f32", F32X16, b.fmul(part, e.splat(inverse)))
            whole = b.fptosi(steps, I32X16)
            e.store(b.trunc(whole, I8X16), args[1], 16 * half)
            sums.append(e.call("llvm.vector.reduce.add.v16i32", I32, whole))
        total = b.add(*sums)
        e.store(b.fmul(scale, b.sitofp(total, F32)), args[2], 4)
        wanted = [
            (total, -8),
            (total, -16),
            (sums[0], -32),
            (sums[1], -32),
            (total, -128),
            (total, -32),
        ]
        for word, (value, factor) in enumerate(wanted, start=2):
            e.store(b.mul(value, I32(factor)), args[2], 4 * word)
        return context.get_dummy_value()

    return _VOID(_INT, _INT, _INT), codegen


@intrinsic
def square_sum(typingctx: Any, source: Any, vectors: Any) -> Any:
    """Return the sum of squares of 16 * ``vectors`` floats."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder)
        total = e.variable(e.floats(0.0))
        with e.loop(args[1]) as index:
            value = e.load(F32X16, args[0], builder.mul(index, I64(64)))
            builder.store(e.fma(value, value, builder.load(total)), total)
        return e.total(builder.load(total))

    return _FLOAT(_INT, _INT), codegen


@intrinsic
def scale_vectors(
    typingctx: Any, source: Any, weight: Any, factor: Any, target: Any, vectors: Any
) -> Any:
    """Write source * factor * weight, 16 * ``vectors`` floats."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        factor = e.splat(args[2])
        with e.loop(args[4]) as index:
            offset = b.mul(index, I64(64))
            value = b.fmul(e.load(F32X16, args[0], offset), factor)
            e.store(b.fmul(value, e.load(F32X16, args[1], offset)), args[3], offset)
        return context.get_dummy_value()

    return _VOID(_INT, _INT, _FLOAT, _INT, _INT), codegen


@intrinsic
def gated_silu(typingctx: Any, gate: Any, up: Any, target: Any, vectors: Any) -> Any:
    """Write silu(gate) * up, 16 * ``vectors`` floats."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        with e.loop(args[3]) as index:
            offset = b.mul(index, I64(64))
            x = e.load(F32X16, args[0], offset)
            # Beyond -88 e^-x leaves the float range; the result is 0 to rounding there anyway.
            capped = e.call("llvm.minnum.v16f32", F32X16, b.fneg(x), e.floats(88.0))
            gate_value = b.fdiv(x, b.fadd(e.floats(1.0), e.exp(capped)))
            e.store(b.fmul(gate_value, e.load(F32X16, args[1], offset)), args[2], offset)
        return context.get_dummy_value()

    return _VOID(_INT, _INT, _INT, _INT), codegen


@intrinsic
def softmax_in_place(typingctx: Any, scores: Any, count: Any) -> Any:
    """Softmax over ``count`` floats; the rest of the last vector of 16 becomes zero."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        scores, count = args
        vectors = b.sdiv(b.add(count, I64(15)), I64(16))
        last = b.mul(b.sub(vectors, I64(1)), I64(64))
        kept = e.splat(b.trunc(b.sub(count, b.mul(b.sub(vectors, I64(1)), I64(16))), I32))
        lanes = ir.Constant(I32X16, list(range(16)))
        inside = b.icmp_signed("<", lanes, kept)
        lowest = e.floats(-3.0e38)
        e.store(b.select(inside, e.load(F32X16, scores, last), lowest), scores, last)
        top = e.variable(lowest)
        with e.loop(vectors) as index:
            value = e.load(F32X16, scores, b.mul(index, I64(64)))
            b.store(e.call("llvm.maxnum.v16f32", F32X16, value, b.load(top)), top)
        largest = e.splat(e.largest(b.load(top)))
        total = e.variable(e.floats(0.0))
        with e.loop(vectors) as index:
            offset = b.mul(index, I64(64))
            value = e.exp(b.fsub(e.load(F32X16, scores, offset), largest))
            e.store(value, scores, offset)
            b.store(b.fadd(value, b.load(total)), total)
        # The masked lanes hold e^-87 by now, below rounding of the sum; they become exact zeros.
        e.store(b.select(inside, e.load(F32X16, scores, last), e.floats(0.0)), scores, last)
        inverse = e.splat(b.fdiv(F32(1.0), e.total(b.load(total))))
        with e.loop(vectors) as index:
            offset = b.mul(index, I64(64))
            e.store(b.fmul(e.load(F32X16, scores, offset), inverse), scores, offset)
        return context.get_dummy_value()

    return _VOID(_INT, _INT), codegen


def _by_tiles(e: Emitter, rows: Any, emit: Callable[[int, Any], None]) -> None:
    """Emit work on ``rows`` rows: four at a time, then what is left. Calls ``emit(tile, row)``."""
    b = e.b
    with e.loop(b.lshr(rows, I64(2))) as four:
        emit(4, b.mul(four, I64(4)))
    done, rest = b.and_(rows, I64(-4)), b.and_(rows, I64(3))
    for left in (1, 2, 3):
        with b.if_then(b.icmp_unsigned("==", rest, I64(left))):
            emit(left, done)


@intrinsic
def attention_scores(
    typingctx: Any, wide: Any, rows: Any, queries: Any, stride: Any, base: Any, table: Any,
    block_bytes: Any, blocks: Any, size: Any, out: Any, out_stride: Any,
) -> Any:  # fmt: skip
    """Dot products of ``rows`` queries (``size`` floats each) with the keys of ``blocks`` pages."""
    if not hasattr(wide, "literal_value"):
        return None
    item = 4 if wide.literal_value else 2

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        rows, queries, stride, base, table, block_bytes, blocks, size, out, out_stride = args[1:]

        def emit(tile: int, first: Any) -> None:
            starts = [b.add(queries, b.mul(stride, b.add(first, I64(i)))) for i in range(tile)]
            targets = [b.add(out, b.mul(out_stride, b.add(first, I64(i)))) for i in range(tile)]
            slots = [e.variable(e.floats(0.0)) for _ in range(tile)]
            with e.loop(blocks) as block:
                page = b.sext(e.load(I32, table, b.mul(block, I64(4))), I64)
                keys = b.add(base, b.mul(page, block_bytes))
                for slot in slots:
                    b.store(e.floats(0.0), slot)
                with e.loop(size) as d:
                    at = b.mul(d, I64(16 * item))
                    key = e.load(F32X16, keys, at) if item == 4 else e.halves(keys, at)
                    for start, slot in zip(starts, slots, strict=True):
                        value = e.splat(e.load(F32, start, b.mul(d, I64(4))))
                        b.store(e.fma(key, value, b.load(slot)), slot)
                for target, slot in zip(targets, slots, strict=True):
                    e.store(b.load(slot), target, b.mul(block, I64(64)))

        _by_tiles(e, rows, emit)
        return context.get_dummy_value()

    return _VOID(wide, *[_INT] * 10), codegen


@intrinsic
def attention_mix(
    typingctx: Any, wide: Any, vectors: Any, rows: Any, weights: Any, weights_stride: Any, base: Any,
    table: Any, block_bytes: Any, blocks: Any, row_bytes: Any, out: Any, out_stride: Any,
) -> Any:  # fmt: skip
    """Weighted sums of the values of ``blocks`` pages: ``rows`` rows, 16 * ``vectors`` columns."""
    if not (hasattr(wide, "literal_value") and hasattr(vectors, "literal_value")):
        return None
    width, item = vectors.literal_value, 4 if wide.literal_value else 2

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        rows, weights, weights_stride, base, table, block_bytes, blocks, row_bytes, out, stride = (
            args[2:]
        )

        def emit(tile: int, first: Any) -> None:
            starts = [
                b.add(weights, b.mul(weights_stride, b.add(first, I64(i)))) for i in range(tile)
            ]
            slots = [[e.variable(e.floats(0.0)) for _ in range(width)] for _ in range(tile)]
            with e.loop(blocks) as block:
                page = b.sext(e.load(I32, table, b.mul(block, I64(4))), I64)
                values = b.add(base, b.mul(page, block_bytes))
                with e.loop(I64(16)) as key:
                    at = b.add(values, b.mul(key, row_bytes))
                    place = b.add(b.mul(block, I64(64)), b.mul(key, I64(4)))
                    loaded = [
                        e.load(F32X16, at, 64 * v) if item == 4 else e.halves(at, 32 * v)
                        for v in range(width)
                    ]
                    for start, row in zip(starts, slots, strict=True):
                        share = e.splat(e.load(F32, start, place))
                        for value, slot in zip(loaded, row, strict=True):
                            b.store(e.fma(value, share, b.load(slot)), slot)
            for i, row in enumerate(slots):
                target = b.add(out, b.mul(stride, b.add(first, I64(i))))
                for v, slot in enumerate(row):
                    e.store(b.load(slot), target, 64 * v)

        _by_tiles(e, rows, emit)
        return context.get_dummy_value()

    return _VOID(wide, vectors, *[_INT] * 10), codegen
