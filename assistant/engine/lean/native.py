"""Small native operations for numba code: memory by address, atomics, halves, kernels by address."""

from __future__ import annotations

import sys
from typing import Any

from assistant.engine.lean.compiler import intrinsic, ir, types
from assistant.engine.lean.emit import F32, HALF, I32, I64, Emitter

_VOID = types.void
_INT = types.intp
_FLOAT = types.float32

if sys.platform == "win32":
    nap = types.ExternalFunction("Sleep", types.int32(types.uint32))
    SHORT = 0
else:
    nap = types.ExternalFunction("usleep", types.int32(types.uint32))
    SHORT = 10
"""``nap(SHORT)`` gives the processor up for a moment, some 60 microseconds on Linux."""


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
