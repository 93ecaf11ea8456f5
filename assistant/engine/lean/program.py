"""A model as a flat list of operations: what each kernel reads, writes and waits for.

An operation is a row of 64-bit integers: kernel, barrier, counter, arguments (addresses, sizes). Work
that may go on side by side carries no barrier between it. With an adapter the list is another one over
the same buffers, so switching is a change of reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from assistant.engine.lean import attention, kernels, runtime
from assistant.engine.lean.formats import GROUP, Array, padded
from assistant.engine.lean.pages import Pages
from assistant.engine.lean.panel import META_BYTES
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.team import address, aligned
from assistant.engine.lean.weights import Matrix, Weights

BATCH_ROWS = 256
"""Most rows (tokens) that one run reads."""

OUT_ROWS = 32
"""Most rows that one run gives logits for."""

_PIECE_BYTES = 24 * 1024
_LARGE_PIECE_BYTES = 384 * 1024
RANK_WIDTH = 512
"""Floats a row for the inner results of adapters."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """One adapted layer: ``up @ (down @ x)``, the scale folded into ``up``."""

    down: Matrix
    up: Matrix


Adapter = Mapping[str, LowRank]
"""Adapted layers by the name of the matrix they add to."""


class _Rows:
    """A buffer of rows: floats, and the same quantized where an operation wants that."""

    def __init__(self, rows: int, width: int, *, quantized: bool = False) -> None:
        self.width = padded(width, 2 * GROUP)  # whole bundles; what pads stays zero
        self.stride = 4 * self.width
        self.floats = aligned(rows * self.width, "float32").reshape(rows, self.width)
        self.codes = aligned(rows * self.width) if quantized else None
        self.meta_stride = self.width // GROUP * META_BYTES
        self.meta = aligned(rows * self.meta_stride) if quantized else None


@dataclass(slots=True)
class Buffers:
    """What the operations of a model work on; one set an engine."""

    shape: Shape
    integer: bool
    threads: int
    capacity: int
    tokens: Array = field(default_factory=lambda: aligned(BATCH_ROWS, "int64"))
    positions: Array = field(default_factory=lambda: aligned(BATCH_ROWS, "int64"))
    sequences: Array = field(default_factory=lambda: aligned(BATCH_ROWS, "int64"))
    chosen: Array = field(default_factory=lambda: aligned(OUT_ROWS, "int64"))
    eps: Array = field(init=False)
    zeros: Array = field(default_factory=lambda: aligned(16, "float32"))
    x: _Rows = field(init=False)
    normed: _Rows = field(init=False)
    qkv: _Rows = field(init=False)
    queries: _Rows = field(init=False)
    attended: _Rows = field(init=False)
    gate_up: _Rows = field(init=False)
    inner: _Rows = field(init=False)
    rank: _Rows = field(init=False)
    last: _Rows = field(init=False)
    logits: _Rows = field(init=False)
    angles: Array = field(init=False)
    scores: Array = field(init=False)
    mixed: Array = field(init=False)

    def __post_init__(self) -> None:
        s, q = self.shape, self.integer
        wide = padded(s.head_size, 16)
        self.eps = np.array([s.eps], dtype=np.float32)
        self.x = _Rows(BATCH_ROWS, s.hidden)
        self.normed = _Rows(BATCH_ROWS, s.hidden, quantized=q)
        self.qkv = _Rows(BATCH_ROWS, self.value_at + padded(s.keys, 16))
        self.queries = _Rows(BATCH_ROWS, s.heads * wide)
        self.attended = _Rows(BATCH_ROWS, s.queries, quantized=q)
        self.gate_up = _Rows(BATCH_ROWS, 2 * padded(s.inner, 16))
        self.inner = _Rows(BATCH_ROWS, s.inner, quantized=q)
        self.rank = _Rows(BATCH_ROWS, RANK_WIDTH)
        self.last = _Rows(OUT_ROWS, s.hidden, quantized=q)
        self.logits = _Rows(OUT_ROWS, s.vocabulary)
        self.angles = s.angles(self.capacity)
        shared_by = s.heads // s.kv_heads
        self.scores = np.zeros(self.threads * shared_by * padded(self.capacity, 16), np.float32)
        self.mixed = np.zeros(self.threads * shared_by * wide, np.float32)

    @property
    def key_at(self) -> int:
        """Where keys begin in a row of ``qkv``, in floats."""
        return padded(self.shape.queries, 16)

    @property
    def value_at(self) -> int:
        return self.key_at + padded(self.shape.keys, 16)


@dataclass(frozen=True, slots=True)
class Program:
    """Operations, their counters, where each layer ends, and where the head begins."""

    operations: Array
    counters: Array
    layer_ends: tuple[int, ...]
    head_begins: int

    @property
    def length(self) -> int:
        return len(self.operations)


class _Builder:
    def __init__(self, weights: Weights, buffers: Buffers, adapter: Adapter) -> None:
        self.weights, self.buffers, self.adapter = weights, buffers, adapter
        self.rows: list[list[int]] = []

    def add(self, kernel: int, *arguments: int, barrier: bool = True) -> None:
        self.rows.append([kernel, int(barrier), 0, *arguments])

    def norm(self, name: str, source: _Rows, target: _Rows, *, chosen: bool = False) -> None:
        b = self.buffers
        self.add(
            kernels.norm(),
            address(source.floats),
            source.stride,
            address(self.weights.vectors[name]),
            b.shape.hidden,
            address(b.eps),
            address(target.floats),
            target.stride,
            address(target.codes),
            target.width,
            address(target.meta),
            target.meta_stride,
            runtime.OUT_ROWS if chosen else runtime.ROWS,
            address(b.chosen) if chosen else 0,
        )

    def linear(
        self,
        matrix: Matrix,
        source: _Rows,
        target: _Rows,
        *,
        at: int = 0,
        source_at: int = 0,
        bias: Array | None = None,
        add: bool = False,
        chosen: bool = False,
        barrier: bool = True,
    ) -> None:
        integer = source.codes is not None and matrix.form.quantized
        start = address(source.codes) if integer else address(source.floats) + 4 * source_at
        stride = source.width if integer else source.stride
        self.add(
            kernels.linear(matrix.form, integer),
            address(matrix.data),
            matrix.panels,
            matrix.groups,
            start,
            stride,
            address(source.meta),
            source.meta_stride,
            address(target.floats) + 4 * at,
            target.stride,
            address(self.buffers.zeros if bias is None else bias),
            0 if bias is None else 64,
            int(add),
            runtime.OUT_ROWS if chosen else runtime.ROWS,
            max(1, _PIECE_BYTES // matrix.panel_bytes),
            matrix.panel_bytes,
            self._large_piece(matrix),
            barrier=barrier,
        )

    def _large_piece(self, matrix: Matrix) -> int:
        """Panels a piece when many rows are read: as many as a cache holds, but enough pieces to share."""
        fitting = max(1, _LARGE_PIECE_BYTES // matrix.panel_bytes)
        return max(1, min(fitting, matrix.panels // (4 * self.buffers.threads)))

    def group(
        self, names: list[tuple[str, int]], source: _Rows, target: _Rows, *, add: bool = False
    ) -> None:
        """Linear layers with the same input side by side, then what an adapter adds to them."""
        adapted = [(name, at, self.adapter[name]) for name, at in names if name in self.adapter]
        column = 0
        places = []
        for _name, _at, low_rank in adapted:
            places.append(column)
            self.linear(low_rank.down, source, self.buffers.rank, at=column, barrier=False)
            column += padded(low_rank.down.rows, 16)
        for position, (name, at) in enumerate(names):
            self.linear(
                self.weights.matrices[name],
                source,
                target,
                at=at,
                add=add,
                bias=self.weights.vectors.get(f"{name}.bias"),
                barrier=position == len(names) - 1,
            )
        for position, ((_name, at, low_rank), place) in enumerate(
            zip(adapted, places, strict=True)
        ):
            self.linear(
                low_rank.up,
                self.buffers.rank,
                target,
                at=at,
                source_at=place,
                add=True,
                barrier=position == len(adapted) - 1,
            )

    def attention(self, layer: int, pages: Pages) -> None:
        b, s = self.buffers, self.buffers.shape
        prefix, wide = f"layers.{layer}", pages.wide
        size, full = s.head_size, padded(s.head_size, 16)
        names = [(f"{prefix}.q", 0), (f"{prefix}.k", b.key_at), (f"{prefix}.v", b.value_at)]
        self.group(names, b.normed, b.qkv)
        vectors = self.weights.vectors
        store = pages.layer_address(layer)
        self.add(
            attention.rotate(wide),
            address(b.qkv.floats),
            b.qkv.stride,
            s.heads,
            s.kv_heads,
            size,
            full,
            address(b.positions),
            address(b.sequences),
            address(b.angles),
            store,
            address(pages.tables),
            pages.table_words,
            pages.page_bytes,
            address(vectors.get(f"{prefix}.q_norm")),
            address(vectors.get(f"{prefix}.k_norm")),
            address(b.eps),
            address(b.queries.floats),
            4 * b.key_at,
            4 * b.value_at,
            b.queries.stride,
        )
        self.add(
            attention.attend(wide, full),
            address(b.queries.floats),
            b.queries.stride,
            s.heads,
            s.kv_heads,
            size,
            full,
            address(b.positions),
            address(b.sequences),
            address(b.scores),
            padded(b.capacity, 16),
            store,
            address(pages.tables),
            pages.table_words,
            pages.page_bytes,
            address(b.attended.floats),
            b.attended.stride,
            address(b.mixed),
        )
        if b.attended.codes is not None:
            self.add(
                kernels.quantize(),
                address(b.attended.floats),
                b.attended.stride,
                b.shape.queries // GROUP,
                address(b.attended.codes),
                b.attended.width,
                address(b.attended.meta),
                b.attended.meta_stride,
            )
        self.group([(f"{prefix}.o", 0)], b.attended, b.x, add=True)

    def feed_forward(self, layer: int) -> None:
        b, prefix = self.buffers, f"layers.{layer}"
        up_at = padded(b.shape.inner, 16)
        self.group([(f"{prefix}.gate", 0), (f"{prefix}.up", up_at)], b.normed, b.gate_up)
        self.add(
            kernels.gate(),
            address(b.gate_up.floats),
            address(b.gate_up.floats) + 4 * up_at,
            b.gate_up.stride,
            b.shape.inner // GROUP,
            address(b.inner.floats),
            b.inner.stride,
            address(b.inner.codes),
            b.inner.width,
            address(b.inner.meta),
            b.inner.meta_stride,
        )
        self.group([(f"{prefix}.down", 0)], b.inner, b.x, add=True)


def build(
    weights: Weights, buffers: Buffers, pages: Pages, adapter: Adapter | None = None
) -> Program:
    """Return the program of a model, with an adapter's layers added where there is one."""
    made = _Builder(weights, buffers, adapter or {})
    embedding = weights.matrices["embed"]
    made.add(
        kernels.embed(embedding.form),
        address(embedding.data),
        embedding.groups,
        address(buffers.tokens),
        address(buffers.x.floats),
        buffers.x.stride,
        embedding.panel_bytes,
    )
    ends = []
    for layer in range(buffers.shape.layers):
        made.norm(f"layers.{layer}.input_norm", buffers.x, buffers.normed)
        made.attention(layer, pages)
        made.norm(f"layers.{layer}.post_norm", buffers.x, buffers.normed)
        made.feed_forward(layer)
        ends.append(len(made.rows))
    made.norm("norm", buffers.x, buffers.last, chosen=True)
    head = weights.matrices.get("head", embedding)
    made.linear(head, buffers.last, buffers.logits, chosen=True)
    count = len(made.rows)
    operations = aligned(count * runtime.OPERATION_WORDS, "int64")
    operations = operations.reshape(count, runtime.OPERATION_WORDS)
    counters = aligned(count * 8, "int64")
    for index, row in enumerate(made.rows):
        operations[index, : len(row)] = row
        operations[index, 2] = address(counters) + 64 * index
    return Program(operations, counters, tuple(ends), ends[-1])
