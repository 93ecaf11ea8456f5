"""Vectors from texts: hidden states of many short texts, read side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.engine.base import Reading
from assistant.engine.lean.formats import Array
from assistant.engine.lean.model import LeanModel, Rows, pieces
from assistant.engine.lean.program import BATCH_ROWS, Program
from assistant.engine.lean.sequences import Sequences

_TOGETHER = 32
"""Most texts in one pass; each takes a row of the page table."""


@dataclass(frozen=True, slots=True)
class Input:
    """The tokens of one text, and how many at the end are the suffix's."""

    ids: list[int]
    tail: int


def read_hidden(
    model: LeanModel,
    sequences: Sequences,
    program: Program,
    inputs: Sequence[Input],
    reading: Reading,
    progress: Callable[[int], None] | None,
) -> Array:
    """Return one vector an input, as ``reading`` has it."""
    width = model.shape.hidden * (1 if reading.mean_layer is None else 2)
    found = np.zeros((len(inputs), width), dtype=np.float32)
    done = 0
    for positions in _groups(inputs):
        found[positions] = _read(
            model, sequences, program, [inputs[position] for position in positions], reading
        )
        done += len(positions)
        if progress is not None:
            progress(done)
    return found


def _groups(inputs: Sequence[Input]) -> Iterator[list[int]]:
    """Yield positions of inputs that fit into one pass together; a longer one comes alone."""
    group: list[int] = []
    rows = 0
    for position in sorted(range(len(inputs)), key=lambda at: len(inputs[at].ids)):
        length = len(inputs[position].ids)
        if group and (rows + length > BATCH_ROWS or len(group) == _TOGETHER):
            yield group
            group, rows = [], 0
        group.append(position)
        rows += length
    if group:
        yield group


def _read(
    model: LeanModel,
    sequences: Sequences,
    program: Program,
    inputs: Sequence[Input],
    reading: Reading,
) -> Array:
    running = [sequences.begin([], ("hidden",)) for _ in inputs]
    try:
        parts = []
        for sequence, one in zip(running, inputs, strict=True):
            sequences.extend(sequence, one.ids)
            parts.append(Rows(sequence, 0, one.ids))
        if len(parts) == 1:
            parts = [
                Rows(running[0], start, piece)
                for start, piece in zip(
                    range(0, len(inputs[0].ids), BATCH_ROWS),
                    pieces(inputs[0].ids, BATCH_ROWS),
                    strict=True,
                )
            ]
            return _in_pieces(model, program, parts, inputs[0], reading)
        return _together(model, program, parts, inputs, reading)
    finally:
        for sequence in running:
            sequences.drop(sequence)


def _together(
    model: LeanModel,
    program: Program,
    parts: Sequence[Rows],
    inputs: Sequence[Input],
    reading: Reading,
) -> Array:
    ends = np.cumsum([len(one.ids) for one in inputs])
    starts = ends - [len(one.ids) for one in inputs]
    model.place(parts)
    means = []
    middle = reading.mean_layer or 0
    if middle:
        states = model.run_layers(program, 0, middle)
        for start, end, one in zip(starts, ends, inputs, strict=True):
            means.append(states[start : max(start + 1, end - one.tail)].mean(axis=0))
    states = model.run_layers(program, middle, reading.layer)
    last: Array = states[ends - 1]
    return np.concatenate([last, np.stack(means)], axis=1) if means else last


def _in_pieces(
    model: LeanModel, program: Program, parts: Sequence[Rows], one: Input, reading: Reading
) -> Array:
    """Read one text piece by piece, however long it is."""
    middle = reading.mean_layer or 0
    own = max(1, len(one.ids) - one.tail)
    total = np.zeros(model.shape.hidden, dtype=np.float32)
    for part in parts:
        model.place([part])
        if middle:
            states = model.run_layers(program, 0, middle)
            total += states[: min(len(part.tokens), max(0, own - part.position))].sum(axis=0)
        states = model.run_layers(program, middle, reading.layer)
    last = states[len(parts[-1].tokens) - 1].copy()
    return (np.concatenate([last, total / own]) if middle else last)[None]
