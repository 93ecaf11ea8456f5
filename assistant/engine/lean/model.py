"""A model ready to run: weights, buffers, pages and threads, and its forward pass over rows of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.engine.lean import runtime
from assistant.engine.lean.formats import Array, padded
from assistant.engine.lean.pages import Pages
from assistant.engine.lean.program import BATCH_ROWS, OUT_ROWS, Adapter, Buffers, Program, build
from assistant.engine.lean.sequences import Sequence as Running
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.team import Team
from assistant.engine.lean.weights import Weights


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokens to read: new ones at the end of one running sequence, beginning at ``position``."""

    sequence: Running
    position: int
    tokens: Sequence[int]


class LeanModel:
    """Forward passes of one model; not for several threads at a time."""

    def __init__(
        self,
        weights: Weights,
        shape: Shape,
        *,
        threads: int,
        integer: bool,
        wide: bool = False,
        pool_tokens: int = 0,
        sequences: int = 48,
    ) -> None:
        """``integer``: quantized activations where weights are; ``wide``: float32 keys and values."""
        self.shape = shape
        self.weights = weights
        self.integer = integer
        self.pages = Pages(
            shape, tokens=pool_tokens or shape.context, sequences=sequences, wide=wide
        )
        threads = min(threads, runtime.MOST_THREADS)
        self.buffers = Buffers(shape, integer, threads, shape.context)
        self.team = Team(threads)
        self.base = self.program_for(None)

    def program_for(self, adapter: Adapter | None) -> Program:
        """Return the program with an adapter's layers (``None``: the base model's)."""
        return build(self.weights, self.buffers, self.pages, adapter)

    def close(self) -> None:
        self.team.close()

    def read(self, program: Program, parts: Sequence[Rows]) -> None:
        """Read up to ``BATCH_ROWS`` tokens: keys and values are stored, hidden states lie in ``x``."""
        self.place(parts)
        self.team.run(program.operations, program.counters, 0, program.head_begins)

    def place(self, parts: Sequence[Rows]) -> None:
        """Say which tokens the next pass reads: ``parts``, one after the other."""
        at = 0
        buffers = self.buffers
        for part in parts:
            end = at + len(part.tokens)
            buffers.tokens[at:end] = part.tokens
            buffers.positions[at:end] = np.arange(part.position, part.position + end - at)
            buffers.sequences[at:end] = part.sequence.row
            at = end
        assert at <= BATCH_ROWS, at
        self.team.state[runtime.ROWS] = at

    def run_layers(self, program: Program, start: int, end: int) -> Array:
        """Take what was placed through the layers after ``start``, up to and with ``end``.

        Returns:
            The hidden states, shape (BATCH_ROWS, hidden); valid until the next call.
        """
        begin = program.layer_ends[start - 1] if start else 0
        self.team.run(program.operations, program.counters, begin, program.layer_ends[end - 1])
        states: Array = self.buffers.x.floats[:, : self.shape.hidden]
        return states

    def logits(self, program: Program, rows: Sequence[int]) -> Array:
        """Return the logits of rows just read, shape (rows, vocabulary); valid until the next call."""
        count = len(rows)
        assert count <= OUT_ROWS, count
        self.buffers.chosen[:count] = rows
        self.team.state[runtime.OUT_ROWS] = count
        self.team.run(program.operations, program.counters, program.head_begins, program.length)
        logits: Array = self.buffers.logits.floats[:count, : self.shape.vocabulary]
        return logits

    def next_logits(self, program: Program, parts: Sequence[Rows]) -> Array:
        """Read tokens and return the logits after each part's last one, (parts, vocabulary)."""
        at = 0
        last = []
        for part in parts:
            at += len(part.tokens)
            last.append(at - 1)
        self.read(program, parts)
        return self.logits(program, last)

    def pages_of(self, sequence: Running, tokens: int) -> Array:
        """Return the keys and values of the first ``tokens``, as stored: (pages, page bytes)."""
        count = padded(tokens, 16) // 16
        return np.stack([self.pages.bytes_of(page) for page in sequence.pages[:count]])


def pieces(tokens: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Yield consecutive pieces of at most ``size``."""
    for start in range(0, len(tokens), size):
        yield tokens[start : start + size]
