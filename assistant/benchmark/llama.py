"""llama.cpp on the same file, a baseline where llama-cpp-python is installed (extra ``bench``)."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NAME = "llama.cpp"
_CONTEXT = 1536


def is_installed() -> bool:
    """Return whether the baseline can be measured here."""
    return importlib.util.find_spec("llama_cpp") is not None


def open_llama(path: Path, threads: int, *, all_logits: bool = False) -> LlamaRunner:
    """Load a GGUF file with llama.cpp's own defaults; ``all_logits`` for teacher forcing."""
    return LlamaRunner(path, threads, all_logits)


class LlamaRunner:
    """See :class:`assistant.benchmark.runners.Runner`."""

    def __init__(self, path: Path, threads: int, all_logits: bool) -> None:
        self._library = importlib.import_module("llama_cpp")
        self._all_logits = all_logits
        self._llama: Any = self._library.Llama(
            model_path=str(path),
            n_ctx=_CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=all_logits,
            verbose=False,
        )

    def prefill(self, ids: Sequence[int]) -> float:
        self._llama.reset()
        start = time.perf_counter()
        self._llama.eval(list(ids))
        self._likeliest()
        return time.perf_counter() - start

    def decode(self, ids: Sequence[int], tokens: int) -> float:
        self._llama.reset()
        self._llama.eval(list(ids))
        token = self._likeliest()
        start = time.perf_counter()
        for _ in range(tokens):
            self._llama.eval([token])
            token = self._likeliest()
        return time.perf_counter() - start

    def logits(self, ids: Sequence[int]) -> Iterator[Any]:
        assert self._all_logits
        self._llama.reset()
        size = int(self._llama.n_batch)
        for start in range(0, len(ids), size):
            self._llama.eval(list(ids[start : start + size]))
            end = min(len(ids), start + size)
            yield np.array(self._llama.scores[start:end])

    def close(self) -> None:
        self._llama.close()

    def _likeliest(self) -> int:
        """Return the greedy token; the call waits until it is computed."""
        pointer = self._library.llama_get_logits_ith(self._llama.ctx, -1)
        row = np.ctypeslib.as_array(pointer, shape=(self._llama.n_vocab(),))
        return int(row.argmax())
