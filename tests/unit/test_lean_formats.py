"""Packed panels: what codes stand for, and kernels that multiply by exactly that, on any processor."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assistant.engine.lean import emit, kernels, runtime
from assistant.engine.lean.compiler import binding, intrinsic, njit, types
from assistant.engine.lean.emit import F32X16, I64, Emitter
from assistant.engine.lean.formats import (
    FORMATS,
    GROUP,
    NEST,
    Codes,
    PanelFormat,
    bfloat16_bits,
    dequantize,
    pack_codes,
    padded,
    quantize,
)
from assistant.engine.lean.panel import META_BYTES, float_rows, integer_rows
from assistant.engine.lean.team import aligned
from assistant.engine.lean.vectors import gated_silu, quantize_group, softmax_in_place
from assistant.engine.lean.weights import Matrix, matrix_from

QUANTIZED = [form for form in FORMATS.values() if form.quantized]
MADE_HERE = [form for form in QUANTIZED if not form.nested]
FLOATS = [form for form in FORMATS.values() if not form.quantized]
ROWS = 40  # two panels and a half


def named(forms: list[PanelFormat]) -> Any:
    return pytest.mark.parametrize("form", forms, ids=lambda form: form.name)


def columns_of(form: PanelFormat) -> int:
    """No whole number of bundles for plain formats; nested ones are always whole."""
    return 512 if form.nested else 96 if form.group == GROUP else 40


def machine() -> list[str]:
    """Every instruction set this machine can be made to use."""
    features = binding.get_host_cpu_features()
    found = ["portable"]
    if features.get("avx2"):
        found.append("avx2")
    if features.get("avx512vnni") and features.get("avx512bw"):
        found.append("vnni512")
    return found


def random_matrix(rows: int, columns: int, seed: int = 0) -> Any:
    values = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    values[:, : GROUP // 2] *= 20  # halves of a group differ, and so do groups
    values[3] = 0.0
    return values


def random_codes(form: PanelFormat, rows: int, columns: int, seed: int = 0) -> Codes:
    """Codes as a file may hold them, every bit in use."""
    if not form.nested:
        return quantize(form, random_matrix(rows, columns, seed))
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 1 << form.bits, (rows, columns)).astype(np.uint8)
    low = -128 if form.halves else 0  # six bits in the types with minima, signed bytes in Q6_K
    high = 128 if form.halves else 64
    groups, heads = columns // GROUP, columns // GROUP // NEST
    scales = draw.integers(low, high, (rows, groups, 1 + form.halves)).astype(np.int8)
    minima = draw.integers(0, 64, (rows, groups)).astype(np.int8) if form.minimum else None
    outer = draw.normal(size=(rows, heads, 1 + form.minimum)).astype(np.float16)
    scales[3], outer[5] = 0, 0
    return Codes(codes, scales, minima, outer.astype(np.float32))


def filled(values: Any) -> Any:
    """Return a copy that begins at a cache line."""
    copy = aligned(values.size, values.dtype.name).reshape(values.shape)
    copy[...] = values
    return copy


def rows_of(matrix: Matrix) -> Any:
    """Return a packed matrix as floats, read back row by row by the kernel for embeddings."""
    width = matrix.groups * GROUP
    out = aligned(matrix.rows * width, "float32").reshape(matrix.rows, width)
    tokens = np.arange(matrix.rows, dtype=np.int64)
    operation = np.zeros(runtime.OPERATION_WORDS, dtype=np.int64)
    data = filled(matrix.data)
    operation[3:9] = [
        data.ctypes.data,
        matrix.groups,
        tokens.ctypes.data,
        out.ctypes.data,
        width * 4,
        matrix.panel_bytes,
    ]
    state = np.zeros(runtime.STATE_WORDS, dtype=np.int64)
    state[runtime.ROWS], state[runtime.THREADS] = matrix.rows, 1
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(kernels.embed(matrix.form))
    call(operation.ctypes.data, state.ctypes.data, 0)
    assert not out[:, matrix.columns :].any()
    return out[:, : matrix.columns]


# -- codes -----------------------------------------------------------------------------------------


@named(MADE_HERE)
def test_quantized_values_are_off_by_half_a_step_at_most(form: PanelFormat) -> None:
    values = random_matrix(64, 256)
    codes = quantize(form, values)
    error = np.abs(dequantize(form, codes) - values).reshape(64, -1, GROUP)
    groups = values.reshape(64, -1, GROUP)
    largest = np.abs(groups).max(-1, keepdims=True)
    rounding = largest * 2.0**-10  # scale and minimum are kept in half precision
    if form.minimum:
        step = (groups.max(-1) - groups.min(-1))[..., None] / ((1 << form.bits) - 1)
        assert (error <= step * 0.501 + rounding).all()
        return
    step = largest / form.offset
    # One code is missing on the side opposite to the largest value: up to a whole step there.
    sign = np.sign(np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1))
    beyond = -groups * sign > largest - step / 2 - rounding
    assert (error <= step * np.where(beyond, 1.0, 0.501) + rounding).all()
    assert not beyond.all()


@named(MADE_HERE)
def test_the_largest_value_of_a_group_is_kept(form: PanelFormat) -> None:
    values = random_matrix(64, 256)
    found = dequantize(form, quantize(form, values)).reshape(64, -1, GROUP)
    groups = values.reshape(64, -1, GROUP)
    where = np.abs(groups).argmax(-1)[..., None]
    expected = np.take_along_axis(groups, where, -1)
    assert np.allclose(np.take_along_axis(found, where, -1), expected, rtol=2e-3)


@named(MADE_HERE)
def test_groups_of_zeros_stay_zeros(form: PanelFormat) -> None:
    assert not dequantize(form, quantize(form, np.zeros((16, 64), np.float32))).any()


@named(MADE_HERE)
def test_codes_of_a_dequantized_matrix_are_the_same_again(form: PanelFormat) -> None:
    once = dequantize(form, quantize(form, random_matrix(32, 128)))
    twice = dequantize(form, quantize(form, once))
    assert np.allclose(once, twice, atol=2e-3 * np.abs(once).max())


def test_bfloat16_is_rounded_to_nearest_even() -> None:
    values = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    back = (bfloat16_bits(values).astype(np.uint32) << 16).view(np.float32)
    assert (np.abs(back - values) <= np.abs(values) * 2.0**-8).all()
    halves = np.array([0x3F808000, 0x3F818000], dtype=np.uint32).view(np.float32)
    assert bfloat16_bits(halves).tolist() == [0x3F80, 0x3F82]


@named(QUANTIZED)
def test_codes_begin_at_cache_lines(form: PanelFormat) -> None:
    assert form.codes_at % 64 == 0
    assert form.code_bytes % 64 == 0
    assert form.bundle_bytes % 64 == 0
    packed = pack_codes(form, random_codes(form, ROWS, columns_of(form)))
    bundles = padded(columns_of(form) // GROUP, form.bundle) // form.bundle
    assert packed.shape == (3, bundles * form.bundle_bytes)


def test_rows_are_taken_in_another_order_with_all_that_belongs_to_them() -> None:
    form = FORMATS["q5k"]
    codes = random_codes(form, ROWS, 256)
    order = np.random.default_rng(1).permutation(ROWS)
    assert np.array_equal(dequantize(form, codes.rows(order)), dequantize(form, codes)[order])


# -- kernels that look up rows ----------------------------------------------------------------------


@named(QUANTIZED)
def test_a_looked_up_row_is_the_dequantized_one(form: PanelFormat) -> None:
    codes = random_codes(form, ROWS, columns_of(form))
    assert np.array_equal(rows_of(matrix_from(form, codes)), dequantize(form, codes))


@named([form for form in FLOATS if form.group == GROUP])
def test_a_looked_up_row_of_floats_is_the_packed_one(form: PanelFormat) -> None:
    values = random_matrix(ROWS, 90)  # no whole group either
    found = rows_of(matrix_from(form, values))
    if form.bits == 32:
        assert np.array_equal(found, values)
    else:
        assert np.array_equal(found.view(np.uint32) >> 16, bfloat16_bits(values))


# -- products --------------------------------------------------------------------------------------


@njit
def _quantize(source: int, groups: int, codes: int, meta: int) -> None:
    for group in range(groups):
        quantize_group(source + group * GROUP * 4, codes + group * GROUP, meta + group * META_BYTES)


def activations(tile: int, width: int, seed: int = 3) -> Any:
    values = np.random.default_rng(seed).normal(size=(tile, width)).astype(np.float32)
    values[:, GROUP : 2 * GROUP] = 0.0  # a group of zeros
    return filled(values)


def quantized(values: Any) -> tuple[Any, Any]:
    """Return codes (rows, columns) int8 and meta (rows, groups, 8 words) as the kernel makes them."""
    rows, width = values.shape
    codes = aligned(rows * width, "int8").reshape(rows, width)
    meta = aligned(rows * width // GROUP * META_BYTES).reshape(rows, -1, META_BYTES)
    for row in range(rows):
        _quantize(
            values[row].ctypes.data, width // GROUP, codes[row].ctypes.data, meta[row].ctypes.data
        )
    return codes, meta


def restored(codes: Any, meta: Any) -> Any:
    """Return quantized activations as float64."""
    scales = meta.view(np.float32)[..., :1].astype(np.float64)
    return (codes.reshape(len(codes), -1, GROUP) * scales).reshape(len(codes), -1)


def integer_product(form: PanelFormat, tile: int) -> Callable[..., Any]:
    """Return a function, compiled afresh, that multiplies a packed matrix by quantized rows."""
    bits, minimum, halves, nested = form.bits, int(form.minimum), int(form.halves), int(form.nested)

    @njit
    def run(
        panels: int, size: int, w: int, n: int, a: int, s: int, m: int, t: int, y: int, z: int,
        bias: int, step: int, add: int,
    ) -> None:  # fmt: skip
        integer_rows(
            bits, minimum, halves, nested, tile, panels, size, w, n, a, s, m, t, y, z,
            bias, step, add,
        )  # fmt: skip

    def product(matrix: Matrix, codes: Any, meta: Any, out: Any, bias: Any, add: int) -> None:
        data = filled(matrix.data)
        run(
            matrix.panels, matrix.panel_bytes, data.ctypes.data, matrix.groups,
            codes.ctypes.data, codes.strides[0], meta.ctypes.data, meta.strides[0],
            out.ctypes.data, out.strides[0], bias.ctypes.data, step_of(bias), add,
        )  # fmt: skip

    return product


def float_product(form: PanelFormat, tile: int) -> Callable[..., Any]:
    """Return a function, compiled afresh, that multiplies a packed matrix by rows of floats."""
    bits, minimum, halves, nested = form.bits, int(form.minimum), int(form.halves), int(form.nested)
    group = form.group

    @njit
    def run(
        panels: int, size: int, w: int, n: int, a: int, s: int, y: int, z: int, bias: int,
        step: int, add: int,
    ) -> None:  # fmt: skip
        float_rows(
            bits, minimum, halves, nested, group, tile, panels, size, w, n, a, s, y, z,
            bias, step, add,
        )  # fmt: skip

    def product(matrix: Matrix, x: Any, out: Any, bias: Any, add: int) -> None:
        data = filled(matrix.data)
        run(
            matrix.panels, matrix.panel_bytes, data.ctypes.data, matrix.groups,
            x.ctypes.data, x.strides[0], out.ctypes.data, out.strides[0],
            bias.ctypes.data, step_of(bias), add,
        )  # fmt: skip

    return product


def step_of(bias: Any) -> int:
    """Bytes of bias a panel; sixteen zeros serve all panels where there is no bias."""
    return 0 if bias.size == 16 else 64


def output(tile: int, matrix: Matrix, fill: float = np.nan) -> Any:
    return filled(np.full((tile, matrix.panels * 16), fill, dtype=np.float32))


def close(found: Any, expected: Any, sizes: Any) -> bool:
    """Whether sums agree to float32 rounding, measured by the sizes of what is summed."""
    return bool((np.abs(found - expected) <= 1e-6 * sizes + 1e-30).all())


def force(monkeypatch: pytest.MonkeyPatch, isa: str) -> None:
    monkeypatch.setattr(emit, "instruction_set", lambda: isa)


def check_integer_product(form: PanelFormat, tile: int) -> Any:
    columns = columns_of(form)
    codes = random_codes(form, ROWS, columns)
    matrix = matrix_from(form, codes)
    acts, meta = quantized(activations(tile, matrix.groups * GROUP))
    bias = filled(np.random.default_rng(4).normal(size=matrix.panels * 16).astype(np.float32))
    out = output(tile, matrix)  # nothing of what lay there before may be left
    product = integer_product(form, tile)
    product(matrix, acts, meta, out, bias, 0)
    weights, x = dequantize(form, codes).astype(np.float64), restored(acts, meta)[:, :columns]
    expected = x @ weights.T + bias[:ROWS]
    sizes = np.abs(x) @ np.abs(weights.T) + np.abs(bias[:ROWS])
    if form.minimum:  # code times scale and minimum are summed apart, and nearly cancel
        sizes = sizes + np.abs(x) @ np.abs(largest_parts(form, codes)).T
    assert np.abs(expected).max() > 1
    assert close(out[:, :ROWS], expected, sizes)
    assert np.array_equal(out[:, ROWS:], np.broadcast_to(bias[ROWS:], (tile, 8)))
    return out


def largest_parts(form: PanelFormat, codes: Codes) -> Any:
    """Return the matrix without its minima."""
    assert codes.minima is not None
    return dequantize(
        form, Codes(codes.codes, codes.scales, np.zeros_like(codes.minima), codes.heads)
    )


@pytest.mark.parametrize("tile", [1, 16])  # 4: see the next test
@named(QUANTIZED)
def test_integer_products_are_those_of_the_dequantized_matrices(
    form: PanelFormat, tile: int
) -> None:
    check_integer_product(form, tile)


@named(QUANTIZED)
def test_every_instruction_set_gives_the_same_bits(
    form: PanelFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for isa in machine():
        force(monkeypatch, isa)
        found.append(check_integer_product(form, 16 if form.name == "q8" else 4))
    assert all(np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("isa", machine())
@named([FORMATS["q8"], FORMATS["q6"], FORMATS["q5m"]])
def test_the_largest_sums_overflow_nowhere(
    form: PanelFormat, isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(monkeypatch, isa)
    product = integer_product(form, 4)
    top = (1 << form.bits) - 1
    x = np.ones((4, 64), np.float32)
    x[1] = -1
    x[2, ::2] = -1
    x[3, 1::2] = -1
    acts, meta = quantized(filled(x))
    assert set(np.abs(acts).flat) == {127}
    for code in (0, top, None):
        codes = np.full((16, 64), code or 0, dtype=np.uint8)
        if code is None:
            codes[:, 1::2] = top
        ones = np.ones((16, 2, 1), np.float32)
        minima = np.zeros((16, 2), np.float32) if form.minimum else None
        matrix = matrix_from(form, Codes(codes, ones, minima))
        out = output(4, matrix)
        product(matrix, acts, meta, out, np.zeros(16, np.float32), 0)
        expected = restored(acts, meta) @ (codes.astype(np.float64) - form.offset).T
        assert np.allclose(out, expected, rtol=1e-6, atol=1e-3)


@named([FORMATS["q8"], FORMATS["q4k"], FORMATS["f32"]])
def test_a_product_is_added_to_what_is_there_when_that_is_wanted(form: PanelFormat) -> None:
    columns = columns_of(form)
    values: Any = random_codes(form, 32, columns) if form.quantized else random_matrix(32, columns)
    matrix = matrix_from(form, values)
    bias = filled(np.arange(32, dtype=np.float32))
    x = activations(4, matrix.groups * form.group)
    made, added = output(4, matrix), output(4, matrix, 1000.0)
    if form.quantized:
        product, given = integer_product(form, 4), quantized(x)
    else:
        product, given = float_product(form, 4), (x,)
    product(matrix, *given, made, bias, 0)
    product(matrix, *given, added, bias, 1)
    assert np.array_equal(added, made + np.float32(1000.0))


@named(list(FORMATS.values()))
def test_float_products_are_those_of_the_dequantized_matrices(form: PanelFormat) -> None:
    tile = 3 if form.nested else 8
    columns = columns_of(form)
    if form.quantized:
        codes = random_codes(form, ROWS, columns)
        matrix, weights = matrix_from(form, codes), dequantize(form, codes)
    else:
        weights = random_matrix(ROWS, columns)
        if form.bits == 16:
            weights = (bfloat16_bits(weights).astype(np.uint32) << 16).view(np.float32)
        matrix = matrix_from(form, weights)
    x = activations(tile, matrix.groups * form.group)
    bias = filled(np.random.default_rng(4).normal(size=matrix.panels * 16).astype(np.float32))
    out = output(tile, matrix)
    float_product(form, tile)(matrix, x, out, bias, 0)
    wide, weights = x[:, :columns].astype(np.float64), weights.astype(np.float64)
    expected = wide @ weights.T + bias[:ROWS]
    sizes = np.abs(wide) @ np.abs(weights.T) + np.abs(bias[:ROWS])
    assert close(out[:, :ROWS], expected, sizes)
    assert np.array_equal(out[:, ROWS:], np.broadcast_to(bias[ROWS:], (tile, 8)))


@pytest.mark.parametrize("form", ["q8", "f32"])
def test_a_row_has_the_same_bits_whatever_rows_are_beside_it(form: str) -> None:
    kind = FORMATS[form]
    values = random_matrix(ROWS, 96)
    matrix = matrix_from(kind, quantize(kind, values) if kind.quantized else values)
    x = activations(16 if kind.quantized else 8, matrix.groups * GROUP)
    bias = np.zeros(16, np.float32)
    many, one = output(len(x), matrix), output(1, matrix)
    make = integer_product if kind.quantized else float_product
    given = quantized(x) if kind.quantized else (x,)
    make(kind, len(x))(matrix, *given, many, bias, 0)
    alone = make(kind, 1)
    for row in range(len(x)):
        alone(matrix, *(part[row : row + 1] for part in given), one, bias, 0)
        assert np.array_equal(one[0], many[row])


# -- activations -----------------------------------------------------------------------------------


def test_activations_are_rounded_to_127_steps_of_the_largest() -> None:
    values = filled(np.random.default_rng(5).normal(size=(9, 64)).astype(np.float32))
    codes, meta = quantized(values)
    groups = values.reshape(9, 2, GROUP)
    steps = np.abs(groups).max(-1) / 127
    error = np.abs(restored(codes, meta).reshape(groups.shape) - groups)
    assert (error <= steps[..., None] * 0.5001).all()
    assert (np.abs(codes.reshape(groups.shape)).max(-1) == 127).all()


def test_the_sums_beside_activations_are_right() -> None:
    codes, meta = quantized(activations(5, 96))
    parts = codes.reshape(5, 3, 2, 16).astype(np.int64).sum(-1)
    first, second = parts[..., 0], parts[..., 1]
    total = first + second
    words = meta.view(np.int32)
    expected = [-8 * total, -16 * total, -32 * first, -32 * second, -128 * total, -32 * total]
    assert np.array_equal(words[..., 2:], np.stack(expected, -1))
    floats = meta.view(np.float32)
    assert np.allclose(floats[..., 1], floats[..., 0] * total, rtol=1e-6)


def test_a_group_of_zeros_is_quantized_to_zeros() -> None:
    codes, meta = quantized(filled(np.zeros((1, 32), np.float32)))
    assert not codes.any()
    assert not meta.any()


# -- functions -------------------------------------------------------------------------------------


@intrinsic
def _exp(typingctx: Any, source: Any, target: Any, vectors: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder)
        with e.loop(args[2]) as index:
            offset = builder.mul(index, I64(64))
            e.store(e.exp(e.load(F32X16, args[0], offset)), args[1], offset)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


def test_exp_is_within_two_units_of_the_last_place() -> None:
    @njit
    def run(source: int, target: int, vectors: int) -> None:
        _exp(source, target, vectors)

    x = filled(np.linspace(-100, 80, 160_000).astype(np.float32))
    x[:16] = [0, -0.0, 80, -87, -88, -100, 1, -1, 0.34657, -0.34658, 1e-8, -1e-8, 40, -40, 79, -86]
    found = filled(np.zeros_like(x))
    run(x.ctypes.data, found.ctypes.data, len(x) // 16)
    exact = np.exp(x.astype(np.float64))
    normal = x >= -87
    unit = np.spacing(exact[normal].astype(np.float32)).astype(np.float64)
    assert (np.abs(found[normal] - exact[normal]) <= 2 * unit).all()
    assert (found[~normal] >= 0).all()
    assert (found[~normal] < 2e-38).all()
    assert found[0] == 1.0


def test_gated_silu_is_that_of_float64() -> None:
    @njit
    def run(gate: int, up: int, target: int, vectors: int) -> None:
        gated_silu(gate, up, target, vectors)

    gate = filled(np.linspace(-100, 80, 16_000).astype(np.float32))
    up = filled(np.random.default_rng(6).normal(size=16_000).astype(np.float32))
    found = filled(np.zeros_like(gate))
    run(gate.ctypes.data, up.ctypes.data, found.ctypes.data, 1000)
    wide = gate.astype(np.float64)
    exact = wide / (1 + np.exp(-wide)) * up
    assert (np.abs(found - exact) <= 1e-6 * np.abs(exact) + 1e-34).all()


@njit
def _softmax(scores: int, count: int) -> None:
    softmax_in_place(scores, count)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 100, 2048])
@pytest.mark.parametrize("spread", [1.0, 300.0])
def test_softmax_is_that_of_float64_and_zero_behind_its_end(count: int, spread: float) -> None:
    whole = padded(count, 16)
    scores = np.random.default_rng(count).normal(size=whole + 16).astype(np.float32) * spread
    scores[count:] = 1e4  # what an earlier, longer row left behind
    scores = filled(scores.astype(np.float32))
    wide = scores[:count].astype(np.float64)
    exact = np.exp(wide - wide.max())
    exact /= exact.sum()
    _softmax(scores.ctypes.data, count)
    assert np.allclose(scores[:count], exact, rtol=2e-6, atol=1e-37)
    assert not scores[count:whole].any()
    assert (scores[whole:] == np.float32(1e4)).all()


# -- shares of the work ----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 7, 64])
@pytest.mark.parametrize("least", [1, 5, 1000])
@pytest.mark.parametrize("total", [0, 1, 36, 999])
def test_pieces_of_work_cover_everything_once(total: int, least: int, threads: int) -> None:
    counter = aligned(1, "int64")
    end = 0
    while (first := runtime.take_piece(counter.ctypes.data, total, threads, least)) < total:
        assert first == end
        end = runtime.piece_end(total, threads, least, first)
        assert first < end <= total
    assert end == total
    assert runtime.take_piece(counter.ctypes.data, total, threads, least) == total
