"""Our engine from the inside: token by token, and with its memory of earlier prompts set as wanted.

The only module of the benchmark that knows how the lean engine is built.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from assistant.engine.base import Engine
    from assistant.engine.lean.engine import LeanEngine
    from assistant.engine.lean.program import Program
    from assistant.engine.lean.sequences import Sequence as Running

_KEY = ("bench",)


def is_lean(engine: Engine) -> bool:
    """Return whether an engine runs on the lean path."""
    return engine.info.path == "lean"


def forget(engine: Engine) -> None:
    """Make an engine forget what it keeps in memory of earlier prompts."""
    from assistant.types import Decoding, Message

    if is_lean(engine):
        _lean(engine)._sequences.forget_all()
    else:  # the plain engine keeps one prompt: another one takes its place
        list(engine.generate([Message("user", "·")], Decoding(max_tokens=1)))


def store_prefixes(engine: Engine, folder: Path | None) -> None:
    """Let a lean engine keep prefixes in ``folder``, or (``None``) on no disk."""
    from assistant.engine.lean.prefix_store import PrefixStore

    info = engine.info
    identity = f"{info.sha256} {info.precision} bench"
    _lean(engine)._prefixes = None if folder is None else PrefixStore(folder, identity)


def switch_s(engine: Engine, names: Sequence[str | None], times: int = 1000) -> float:
    """Return the seconds it takes to take up another adapter than the one before."""
    lean = _lean(engine)
    start = time.perf_counter()
    for index in range(times):
        lean._way(names[index % len(names)])
    return (time.perf_counter() - start) / times


def layer_sizes(engine: Engine) -> dict[str, tuple[int, int]]:
    """Return (rows, columns) of every linear layer by the name that PEFT gives it."""
    modules = {"q": "self_attn", "k": "self_attn", "v": "self_attn", "o": "self_attn"}
    found = {}
    for name, matrix in _lean(engine)._model.weights.matrices.items():
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == "layers":
            module = modules.get(parts[2], "mlp")
            found[f"model.layers.{parts[1]}.{module}.{parts[2]}_proj"] = (
                matrix.rows,
                matrix.columns,
            )
    return found


def _lean(engine: Engine) -> LeanEngine:
    from assistant.engine.lean.engine import LeanEngine

    assert isinstance(engine, LeanEngine)
    return engine


class LeanRunner:
    """A lean engine's model without the text around it. No prompt lookup: one token a step."""

    def __init__(self, engine: Engine) -> None:
        self._engine = _lean(engine)
        self._model, self._sequences = self._engine._model, self._engine._sequences

    def prefill(self, ids: Sequence[int], adapter: str | None = None) -> float:
        program = self._program(adapter)
        sequence = self._sequences.begin([], _KEY)
        try:
            start = time.perf_counter()
            self._read(program, sequence, ids)
            return time.perf_counter() - start
        finally:
            self._sequences.drop(sequence)

    def decode(
        self, ids: Sequence[int], tokens: int, adapters: Sequence[str | None] = (None,)
    ) -> float:
        """``adapters`` take turns, token by token."""
        programs = [self._program(adapter) for adapter in adapters]
        sequence = self._sequences.begin([], _KEY)
        try:
            token = self._read(programs[0], sequence, ids)
            start = time.perf_counter()
            for index in range(tokens):
                token = self._read(programs[index % len(programs)], sequence, [token])
            return time.perf_counter() - start
        finally:
            self._sequences.drop(sequence)

    def logits(self, ids: Sequence[int]) -> Iterator[Any]:
        from assistant.engine.lean.model import Rows, pieces
        from assistant.engine.lean.program import BATCH_ROWS, OUT_ROWS

        program = self._program(None)
        sequence = self._sequences.begin([], _KEY)
        try:
            for piece in pieces(ids, BATCH_ROWS):
                start = len(sequence.ids)
                self._sequences.extend(sequence, list(piece))
                self._model.read(program, [Rows(sequence, start, piece)])
                for rows in pieces(range(len(piece)), OUT_ROWS):
                    yield np.array(self._model.logits(program, rows))
        finally:
            self._sequences.drop(sequence)

    def close(self) -> None:
        del self._model, self._sequences
        self._engine.close()

    def _program(self, adapter: str | None) -> Program:
        return self._engine._way(adapter)[0]

    def _read(self, program: Program, sequence: Running, ids: Sequence[int]) -> int:
        """Read ``ids`` at the end of a sequence; return the likeliest next token."""
        from assistant.engine.lean.model import Rows, pieces
        from assistant.engine.lean.program import BATCH_ROWS

        parts = list(pieces(ids, BATCH_ROWS))
        for piece in parts[:-1]:
            start = len(sequence.ids)
            self._sequences.extend(sequence, list(piece))
            self._model.read(program, [Rows(sequence, start, piece)])
        start = len(sequence.ids)
        self._sequences.extend(sequence, list(parts[-1]))
        logits = self._model.next_logits(program, [Rows(sequence, start, parts[-1])])
        return int(logits[0].argmax())
