"""How weight matrices lie in memory: panels of 16 rows, groups of 32 columns.

A matrix (rows, columns) is cut into panels of 16 rows, a panel into groups of 32 columns. Everything a
matrix-vector product needs of a panel stands one after the other, so that memory is read from front to
back, and codes begin at cache lines:

* quantized: bundles of two groups: their scales (16 half-precision numbers a group, two rows of them when
  ``halves``), their minima if there are any, then their codes. A code ``q`` of row ``r`` stands for
  ``scale[r] * (q - offset)``, or for ``scale[r] * q + minimum[r]``. Codes below 8 bits are stored as
  nibbles (columns 0-15 low, 16-31 high) followed by a bit mask for each further bit.
* quantized, ``nested``: bundles of eight groups that begin with 16 half-precision numbers (and 16 for the
  minima); scales and minima of a group are signed bytes, multiplied by those.
* float: groups of columns of 16 numbers, as bfloat16 or float32.

Codes are those of the GGUF file wherever it has them, so that nothing is lost by packing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

ROWS = 16
GROUP = 32
NEST = 8
LINE = 64
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class PanelFormat:
    """``bits`` a code (16 and 32: floats). ``halves``: each 16 columns have a scale of their own.

    ``nested``: scales are bytes below a scale of eight groups (GGUF's K types). ``group`` is the number
    of columns a group; only float panels may have another than 32.
    """

    name: str
    bits: int
    minimum: bool = False
    halves: bool = False
    nested: bool = False
    group: int = GROUP

    @property
    def quantized(self) -> bool:
        return self.bits <= 8

    @property
    def offset(self) -> int:
        """What is subtracted from a code when there is no minimum."""
        return 0 if self.minimum or not self.quantized else 1 << (self.bits - 1)

    @property
    def code_bytes(self) -> int:
        """Bytes of the codes (or floats) of a group."""
        return ROWS * self.group * self.bits // 8

    @property
    def bundle(self) -> int:
        """Groups a bundle."""
        return 8 if self.nested else 2 if self.quantized else 1

    @property
    def scales_at(self) -> int:
        """Where the numbers of the first group stand in a bundle."""
        return LINE if self.nested else 0

    @property
    def number_bytes(self) -> int:
        """Bytes of the numbers of one group: scales, then minima."""
        count = (1 + self.halves + self.minimum) if self.quantized else 0
        return ROWS * count * (1 if self.nested else 2)

    @property
    def codes_at(self) -> int:
        """Where the codes of the first group stand in a bundle."""
        return padded(self.scales_at + self.bundle * self.number_bytes, LINE)

    @property
    def bundle_bytes(self) -> int:
        return self.codes_at + self.bundle * self.code_bytes


def padded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


FORMATS = {
    form.name: form
    for form in (
        PanelFormat("q4", 4),
        PanelFormat("q4m", 4, minimum=True),
        PanelFormat("q5", 5),
        PanelFormat("q5m", 5, minimum=True),
        PanelFormat("q6", 6),
        PanelFormat("q4k", 4, minimum=True, nested=True),
        PanelFormat("q5k", 5, minimum=True, nested=True),
        PanelFormat("q6k", 6, halves=True, nested=True),
        PanelFormat("q8", 8),
        PanelFormat("bf16", 16),
        PanelFormat("f32", 32),
        PanelFormat("bf16x8", 16, group=8),
        PanelFormat("f32x8", 32, group=8),
    )
}


@dataclass(frozen=True, slots=True)
class Codes:
    """A matrix as codes, before it is laid out.

    ``codes`` is (rows, columns) uint8; ``scales`` (rows, columns/32, 1 or 2) and ``minima``
    (rows, columns/32) or ``None`` are float, or int8 when nested: to be multiplied by ``heads``,
    (rows, columns/256, 1 or 2) float, for the scales and for the minima.
    """

    codes: Array
    scales: Array
    minima: Array | None = None
    heads: Array | None = None

    def rows(self, order: Array) -> Codes:
        """Return the same with its rows in another order."""
        parts = (self.codes, self.scales, self.minima, self.heads)
        return Codes(*(None if part is None else part[order] for part in parts))  # type: ignore[arg-type]


def pack_codes(form: PanelFormat, matrix: Codes) -> Array:
    """Return the packed bytes, shape (panels, bytes a panel) uint8; rows and columns are padded."""
    rows, columns = matrix.codes.shape
    panels, groups = padded(rows, ROWS) // ROWS, columns // GROUP
    codes = _panels(matrix.codes.reshape(rows, groups, GROUP), panels)
    # (panel, group, row, column) -> (panel, group, vector of 4 columns, row, column in vector)
    vectors = codes.reshape(panels, groups, ROWS, 8, 4).transpose(0, 1, 3, 2, 4)
    vectors = np.ascontiguousarray(vectors).reshape(panels, groups, 8, LINE)
    if form.bits == 8:
        parts = [vectors.reshape(panels, groups, -1)]
    else:
        low = vectors & 15
        nibbles = low[:, :, :4] | (low[:, :, 4:] << 4)
        parts = [nibbles.reshape(panels, groups, -1)]
        for bit in range(4, form.bits):
            plane = np.packbits((vectors >> bit) & 1, axis=-1, bitorder="little")
            parts.append(plane.reshape(panels, groups, -1))
    numbers = [matrix.scales[:, :, half] for half in range(matrix.scales.shape[2])]
    if matrix.minima is not None:
        numbers.append(matrix.minima)
    kind = np.int8 if form.nested else np.float16
    laid = [_as_bytes(_panels(n.astype(kind), panels)) for n in numbers]
    return _bundled(
        form, np.concatenate(parts, axis=-1), np.concatenate(laid, axis=-1), matrix.heads
    )


def _bundled(form: PanelFormat, codes: Array, numbers: Array, heads: Array | None) -> Array:
    """Codes and numbers, (panels, groups, bytes), side by side in each bundle."""
    panels, groups, _ = codes.shape
    bundles = padded(groups, form.bundle) // form.bundle
    result = np.zeros((panels, bundles, form.bundle_bytes), dtype=np.uint8)
    missing = ((0, 0), (0, bundles * form.bundle - groups), (0, 0))
    if missing[1][1]:
        codes, numbers = np.pad(codes, missing), np.pad(numbers, missing)
    result[:, :, form.codes_at :] = codes.reshape(panels, bundles, -1)
    end = form.scales_at + form.bundle * form.number_bytes
    result[:, :, form.scales_at : end] = numbers.reshape(panels, bundles, -1)
    if heads is not None:
        laid = _as_bytes(_panels(heads.astype(np.float16), panels).swapaxes(2, 3))
        laid = laid.reshape(panels, bundles, -1)
        result[:, :, : laid.shape[2]] = laid
    return result.reshape(panels, -1)


def pack_floats(form: PanelFormat, matrix: Array) -> Array:
    """Return the packed bytes of a float matrix (rows, columns), columns padded to whole groups."""
    rows, columns = matrix.shape
    panels, groups = padded(rows, ROWS) // ROWS, padded(columns, form.group) // form.group
    full = np.zeros((panels * ROWS, groups * form.group), dtype=np.float32)
    full[:rows, :columns] = matrix
    laid = full.reshape(panels, ROWS, groups, form.group).transpose(0, 2, 3, 1)
    laid = np.ascontiguousarray(laid)
    numbers = bfloat16_bits(laid) if form.bits == 16 else laid
    return numbers.reshape(panels, -1).view(np.uint8)


def bfloat16_bits(values: Array) -> Array:
    """Return float32 ``values`` rounded to nearest even, as the upper 16 bits (uint16)."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded: Array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded


def quantize(form: PanelFormat, matrix: Array) -> Codes:
    """Return a float matrix as codes, each group scaled by its largest magnitude.

    The largest value takes the code farthest from the offset, as in GGUF's symmetric types; its sign
    goes into the scale. Formats with a minimum spread their codes from the least to the largest value.
    """
    rows, columns = matrix.shape
    grouped = matrix.astype(np.float32).reshape(rows, columns // GROUP, GROUP)
    top = (1 << form.bits) - 1
    if form.minimum:
        low, high = grouped.min(axis=-1), grouped.max(axis=-1)
        scales, minima = ((high - low) / top).astype(np.float16), low.astype(np.float16)
        steps = (grouped - minima[..., None].astype(np.float32)) / _nonzero(scales)[..., None]
        codes = np.clip(np.rint(steps), 0, top).astype(np.uint8)
        return Codes(codes.reshape(rows, columns), scales[..., None], minima)
    parts = grouped.reshape(rows, columns // GROUP, 2, 16) if form.halves else grouped[:, :, None]
    where = np.abs(parts).argmax(axis=-1)[..., None]
    extreme = np.take_along_axis(parts, where, axis=-1)[..., 0]
    scales = (extreme / -form.offset).astype(np.float16)
    steps = parts / _nonzero(scales)[..., None] + form.offset
    codes = np.clip(np.rint(steps), 0, top).astype(np.uint8)
    return Codes(codes.reshape(rows, columns), scales)


def dequantize(form: PanelFormat, matrix: Codes) -> Array:
    """Return the float32 matrix (rows, columns) that the codes stand for."""
    rows, columns = matrix.codes.shape
    parts, minima = matrix.scales.shape[2], matrix.minima
    scales = matrix.scales.astype(np.float32)
    if matrix.heads is not None:
        heads = np.repeat(matrix.heads.astype(np.float32), NEST, axis=1)
        scales = scales * heads[..., :1]
        minima = None if minima is None else minima.astype(np.float32) * heads[..., 1]
    codes = matrix.codes.reshape(rows, columns // GROUP, parts, GROUP // parts).astype(np.float32)
    values = scales[..., None] * (codes - form.offset)
    if minima is not None:
        values = values + minima.astype(np.float32)[:, :, None, None]
    result: Array = values.reshape(rows, columns)
    return result


def _nonzero(scales: Array) -> Array:
    values = scales.astype(np.float32)
    return np.where(values == 0, np.float32(1), values)


def _panels(values: Array, panels: int) -> Array:
    """(rows, groups, …) -> (panel, group, row in panel, …), rows padded with zeros."""
    rows = values.shape[0]
    if rows < panels * ROWS:
        fill = np.zeros((panels * ROWS - rows, *values.shape[1:]), dtype=values.dtype)
        values = np.concatenate([values, fill])
    return np.moveaxis(values.reshape(panels, ROWS, *values.shape[1:]), 1, 2)


def _as_bytes(numbers: Array) -> Array:
    return np.ascontiguousarray(numbers).view(np.uint8)
