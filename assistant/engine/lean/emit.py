"""Vector code that numba cannot write by itself, emitted as LLVM intermediate representation.

Addresses travel as plain integers. Vectors are 16 lanes of 32 bits whatever the machine has: LLVM
splits them where registers are narrower. Only :meth:`Emitter.dot4` differs from machine to machine.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from assistant.engine.lean.compiler import binding, cgutils, ir

LANES = 16
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F32 = ir.FloatType()
HALF = ir.HalfType()
I8X64 = ir.VectorType(I8, 64)
I16X32 = ir.VectorType(I16, 32)
I32X16 = ir.VectorType(I32, LANES)
F32X16 = ir.VectorType(F32, LANES)
HALFX16 = ir.VectorType(HALF, LANES)
I16X16 = ir.VectorType(I16, LANES)
I8X16 = ir.VectorType(I8, LANES)


@cache
def instruction_set() -> str:
    """Return which byte dot product this machine has: ``vnni512``, ``avx2`` or ``portable``."""
    features = binding.get_host_cpu_features()
    if features.get("avx512vnni") and features.get("avx512bw"):
        return "vnni512"
    return "avx2" if features.get("avx2") else "portable"


class Emitter:
    """A thin layer over llvmlite's builder: typed loads and stores by address, splats, calls."""

    def __init__(self, builder: ir.IRBuilder, isa: str | None = None) -> None:
        self.b = builder
        self.isa = isa or instruction_set()

    # -- memory ------------------------------------------------------------------------------------

    def at(self, base: Any, offset: Any) -> Any:
        """Return ``base`` plus ``offset`` bytes (an int or an i64 value)."""
        if isinstance(offset, int):
            if offset == 0:
                return base
            offset = I64(offset)
        return self.b.add(base, offset)

    def load(self, kind: Any, address: Any, offset: Any = 0, align: int = 1) -> Any:
        pointer = self.b.inttoptr(self.at(address, offset), kind.as_pointer())
        return self.b.load(pointer, align=align)

    def store(self, value: Any, address: Any, offset: Any = 0, align: int = 1) -> None:
        pointer = self.b.inttoptr(self.at(address, offset), value.type.as_pointer())
        self.b.store(value, pointer, align=align)

    def variable(self, initial: Any) -> Any:
        """Return a slot that LLVM turns into a register."""
        slot = cgutils.alloca_once(self.b, initial.type)
        self.b.store(initial, slot)
        return slot

    @contextmanager
    def loop(self, count: Any) -> Iterator[Any]:
        """Run the body ``count`` times; yields the index."""
        with cgutils.for_range(self.b, count, intp=I64) as each:
            yield each.index

    # -- vectors -----------------------------------------------------------------------------------

    def splat(self, value: Any, lanes: int = LANES) -> Any:
        vector = ir.VectorType(value.type, lanes)
        one = self.b.insert_element(ir.Constant(vector, ir.Undefined), value, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
        return self.b.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

    def floats(self, value: float) -> Any:
        exact = struct.unpack("f", struct.pack("f", value))[0]
        return ir.Constant(F32X16, [F32(exact)] * LANES)

    def ints(self, value: int, kind: Any = I32X16) -> Any:
        return ir.Constant(kind, [kind.element(value)] * kind.count)

    def call(self, name: str, result: Any, *args: Any) -> Any:
        function = cgutils.get_or_insert_function(
            self.b.module, ir.FunctionType(result, [a.type for a in args]), name
        )
        return self.b.call(function, args)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.call("llvm.fma.v16f32", F32X16, a, b, c)

    def halves(self, address: Any, offset: Any = 0) -> Any:
        """Load 16 half-precision numbers as floats."""
        return self.b.fpext(self.load(HALFX16, address, offset), F32X16)

    def largest(self, vector: Any) -> Any:
        return self.call("llvm.vector.reduce.fmax.v16f32", F32, vector)

    def total(self, vector: Any) -> Any:
        function = cgutils.get_or_insert_function(
            self.b.module, ir.FunctionType(F32, [F32, F32X16]), "llvm.vector.reduce.fadd.v16f32"
        )
        return self.b.call(function, [F32(0.0), vector], fastmath=["reassoc"])

    def exp(self, x: Any) -> Any:
        """Return e to the power of each lane, within 2 units in the last place, for x <= 88.

        x = n ln 2 + r with |r| <= ln 2 / 2; a polynomial for e^r, then n goes into the exponent.
        """
        b = self.b
        x = self.call("llvm.maxnum.v16f32", F32X16, x, self.floats(-87.0))
        n = self.call("llvm.rint.v16f32", F32X16, b.fmul(x, self.floats(1.4426950408889634)))
        r = self.fma(n, self.floats(-0.693145751953125), x)
        r = self.fma(n, self.floats(-1.428606820309417e-06), r)
        value = self.floats(1 / 5040)
        for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
            value = self.fma(value, r, self.floats(coefficient))
        exponent = b.shl(b.fptosi(n, I32X16), self.ints(23))
        return b.bitcast(b.add(b.bitcast(value, I32X16), exponent), F32X16)

    # -- the byte dot product ------------------------------------------------------------------------

    def dot4(self, acc: Any, weights: Any, activations: Any, bits: int) -> Any:
        """Return ``acc`` plus, lane by lane, the dot product of four byte pairs.

        Args:
            acc: 16 x i32.
            weights: 64 x i8, read as unsigned, below 2 to the power of ``bits``.
            activations: i32, four signed bytes in -127..127, the same for every lane.
        """
        b = self.b
        spread = b.bitcast(self.splat(activations), I8X64)
        if self.isa == "vnni512":
            return self.call("llvm.x86.avx512.vpdpbusd.512", I32X16, acc, weights, spread)
        if self.isa == "avx2":
            parts = [self._dot4_avx2(weights, spread, half, bits) for half in (0, 1)]
            order = ir.Constant(I32X16, list(range(LANES)))
            return b.add(acc, b.shuffle_vector(parts[0], parts[1], order))
        return self._dot4_portable(acc, b.bitcast(weights, I32X16), activations)

    def _dot4_avx2(self, weights: Any, spread: Any, half: int, bits: int) -> Any:
        """One half through multiply-add of bytes, then of words.

        The first adds two products in 16 signed bits. With full bytes that overflows, so they go in
        as magnitudes below 128, their signs moved over to the activations.
        """
        b, i8x32, i32x8 = self.b, ir.VectorType(I8, 32), ir.VectorType(I32, 8)
        i16x16 = ir.VectorType(I16, 16)
        lanes = ir.Constant(ir.VectorType(I32, 32), list(range(32 * half, 32 * half + 32)))
        left = b.shuffle_vector(weights, weights, lanes)
        right = b.shuffle_vector(spread, spread, lanes)
        correction = None
        if bits == 8:
            signed = b.xor(left, self.ints(-128, i8x32))
            magnitude = self.call("llvm.abs.v32i8", i8x32, signed, ir.IntType(1)(0))
            negative = b.icmp_signed("<", signed, self.ints(0, i8x32))
            moved = b.select(negative, b.sub(self.ints(0, i8x32), right), right)
            ones = self.ints(1, i8x32)
            pairs = self.call("llvm.x86.avx2.pmadd.ub.sw", i16x16, ones, right)
            total = self.call("llvm.x86.avx2.pmadd.wd", i32x8, pairs, self.ints(1, i16x16))
            correction = b.shl(total, self.ints(7, i32x8))
            left, right = magnitude, moved
        pairs = self.call("llvm.x86.avx2.pmadd.ub.sw", i16x16, left, right)
        result = self.call("llvm.x86.avx2.pmadd.wd", i32x8, pairs, self.ints(1, i16x16))
        return b.add(result, correction) if correction is not None else result

    def _dot4_portable(self, acc: Any, weights: Any, activations: Any) -> Any:
        b = self.b
        for byte in range(4):
            weight = b.and_(b.lshr(weights, self.ints(8 * byte)), self.ints(255))
            value = b.ashr(b.shl(activations, I32(24 - 8 * byte)), I32(24))
            acc = b.add(acc, b.mul(weight, self.splat(value)))
        return acc
