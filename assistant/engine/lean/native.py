"""Small native operations for numba code: memory by address, atomics, halves, vector helpers."""

from __future__ import annotations

import sys
from typing import Any

from assistant.engine.lean.compiler import intrinsic, ir, types
from assistant.engine.lean.emit import F32, F32X16, HALF, I8X16, I32, I32X16, I64, Emitter

_VOID = types.void
_INT = types.intp
_FLOAT = types.float32

if sys.platform == "win32":
    yield_processor = types.ExternalFunction("SwitchToThread", types.int32())
else:
    yield_processor = types.ExternalFunction("sched_yield", types.int32())


def _view(number: Any) -> Any:
    @intrinsic
    def view(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(number)(_INT), codegen

    return view


floats_at = _view(types.float32)
ints_at = _view(types.int64)
ints32_at = _view(types.int32)
bytes_at = _view(types.uint8)
words_at = _view(types.uint16)


@intrinsic
def fetch_add(typingctx: Any, address: Any, value: Any) -> Any:
    """Add atomically; return what was there before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, args[1], "seq_cst")

    return _INT(_INT, _INT), codegen


@intrinsic
def exchange(typingctx: Any, address: Any, value: Any) -> Any:
    """Store atomically; return what was there before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("xchg", pointer, args[1], "seq_cst")

    return _INT(_INT, _INT), codegen


@intrinsic
def peek(typingctx: Any, address: Any) -> Any:
    """Load atomically."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.load_atomic(pointer, "seq_cst", 8)

    return _INT(_INT), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder)
        if e.isa != "portable":
            e.call("llvm.x86.sse2.pause", ir.VoidType())
        return context.get_dummy_value()

    return _VOID(), codegen


@intrinsic
def call_kernel(typingctx: Any, function: Any, operation: Any, state: Any, thread: Any) -> Any:
    """Call the kernel at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [I64, I64, I64])
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(pointer, args[1:])
        return context.get_dummy_value()

    return _VOID(_INT, _INT, _INT, _INT), codegen


@intrinsic
def store_half(typingctx: Any, address: Any, value: Any) -> Any:
    """Store a float as half precision; beyond its range the largest finite number is stored."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder)
        capped = e.call("llvm.minnum.f32", F32, args[1], F32(65504.0))
        capped = e.call("llvm.maxnum.f32", F32, capped, F32(-65504.0))
        e.store(builder.fptrunc(capped, HALF), args[0])
        return context.get_dummy_value()

    return _VOID(_INT, _FLOAT), codegen


@intrinsic
def load_half(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(Emitter(builder).load(HALF, args[0]), F32)

    return _FLOAT(_INT), codegen


@intrinsic
def load_bfloat(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = Emitter(builder).load(ir.IntType(16), args[0])
        return builder.bitcast(builder.shl(builder.zext(word, I32), I32(16)), F32)

    return _FLOAT(_INT), codegen


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
def attention_scores(
    typingctx: Any,
    tile: Any,
    wide: Any,
    queries: Any,
    stride: Any,
    base: Any,
    table: Any,
    block_bytes: Any,
    blocks: Any,
    size: Any,
    out: Any,
    out_stride: Any,
) -> Any:
    """Dot products of ``tile`` queries (``size`` floats each) with the keys of ``blocks`` pages."""
    if not (hasattr(tile, "literal_value") and hasattr(wide, "literal_value")):
        return None
    rows, item = tile.literal_value, 4 if wide.literal_value else 2

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        queries, stride, base, table, block_bytes, blocks, size, out, out_stride = args[2:]
        slots = [e.variable(e.floats(0.0)) for _ in range(rows)]
        with e.loop(blocks) as block:
            page = b.sext(e.load(I32, table, b.mul(block, I64(4))), I64)
            keys = b.add(base, b.mul(page, block_bytes))
            for slot in slots:
                b.store(e.floats(0.0), slot)
            with e.loop(size) as d:
                at = b.mul(d, I64(16 * item))
                key = e.load(F32X16, keys, at) if item == 4 else e.halves(keys, at)
                for row, slot in enumerate(slots):
                    start = b.add(queries, b.mul(stride, I64(row)))
                    value = e.splat(e.load(F32, start, b.mul(d, I64(4))))
                    b.store(e.fma(key, value, b.load(slot)), slot)
            for row, slot in enumerate(slots):
                target = b.add(out, b.mul(out_stride, I64(row)))
                e.store(b.load(slot), target, b.mul(block, I64(64)))
        return context.get_dummy_value()

    return _VOID(tile, wide, *[_INT] * 9), codegen


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


@intrinsic
def attention_mix(
    typingctx: Any,
    tile: Any,
    vectors: Any,
    wide: Any,
    weights: Any,
    weights_stride: Any,
    base: Any,
    table: Any,
    block_bytes: Any,
    blocks: Any,
    row_bytes: Any,
    out: Any,
    out_stride: Any,
) -> Any:
    """Weighted sums of the values of ``blocks`` pages: ``tile`` rows, 16 * ``vectors`` columns."""
    if not all(hasattr(k, "literal_value") for k in (tile, vectors, wide)):
        return None
    rows, width, item = tile.literal_value, vectors.literal_value, 4 if wide.literal_value else 2

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, b = Emitter(builder), builder
        weights, weights_stride, base, table, block_bytes, blocks, row_bytes, out, stride = args[3:]
        slots = [[e.variable(e.floats(0.0)) for _ in range(width)] for _ in range(rows)]
        for slot in (s for row in slots for s in row):
            b.store(e.floats(0.0), slot)
        with e.loop(blocks) as block:
            page = b.sext(e.load(I32, table, b.mul(block, I64(4))), I64)
            values = b.add(base, b.mul(page, block_bytes))
            with e.loop(I64(16)) as key:
                at = b.add(values, b.mul(key, row_bytes))
                loaded = [
                    e.load(F32X16, at, 64 * v) if item == 4 else e.halves(at, 32 * v)
                    for v in range(width)
                ]
                place = b.add(b.mul(block, I64(64)), b.mul(key, I64(4)))
                for row in range(rows):
                    start = b.add(weights, b.mul(weights_stride, I64(row)))
                    share = e.splat(e.load(F32, start, place))
                    for value, slot in zip(loaded, slots[row], strict=True):
                        b.store(e.fma(value, share, b.load(slot)), slot)
        for row in range(rows):
            start = b.add(out, b.mul(stride, I64(row)))
            for v, slot in enumerate(slots[row]):
                e.store(b.load(slot), start, 64 * v)
        return context.get_dummy_value()

    return _VOID(tile, vectors, wide, *[_INT] * 9), codegen
