"""Plain transformers, the baseline. The only module of the benchmark that loads torch."""

from __future__ import annotations

import contextlib
import gc
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from assistant.engine.base import Engine

_BLOCK = 128
_DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def open_transformers(folder: Path, kind: str, threads: int) -> TransformersRunner:
    """Load a folder as transformers does by itself; ``kind`` is ``fp32`` or ``bf16``."""
    return TransformersRunner(_load(str(folder), kind), threads)


def open_reference(path: Path, threads: int) -> TransformersRunner:
    """Load a GGUF file or a folder in 32 bits: no rounding but what is in the file itself."""
    if path.is_dir():
        return open_transformers(path, "fp32", threads)
    from assistant.engine.gguf_file import quick_reading

    # Its own progress bar would stand among ours.
    with quick_reading(), contextlib.redirect_stderr(io.StringIO()):
        return TransformersRunner(_load(str(path.parent), "fp32", gguf_file=path.name), threads)


def of_engine(engine: Engine, threads: int) -> TransformersRunner:
    """Return a runner over the model of our plain engine."""
    return TransformersRunner(engine._model, threads)  # type: ignore[attr-defined]


def _load(source: str, kind: str, **more: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    dtype = getattr(torch, _DTYPES[kind])
    return AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **more).eval()


class _Clock:
    """A streamer that writes down when each token came; the prompt comes first."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


class TransformersRunner:
    """See :class:`assistant.benchmark.runners.Runner`."""

    def __init__(self, model: Any, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        model.generation_config.eos_token_id = None  # every run has as many tokens
        self._model = model

    def prefill(self, ids: Sequence[int]) -> float:
        import torch

        with torch.inference_mode():
            start = time.perf_counter()
            self._model(input_ids=self._tokens(ids), use_cache=True, logits_to_keep=1)
            return time.perf_counter() - start

    def decode(self, ids: Sequence[int], tokens: int) -> float:
        clock = _Clock()
        self.generate(ids, tokens + 1, clock)
        return clock.times[-1] - clock.times[1]

    def generate(self, ids: Sequence[int], tokens: int, streamer: Any = None) -> None:
        """Answer with ``tokens`` greedy tokens."""
        import torch

        tensor = self._tokens(ids)
        with torch.inference_mode():
            self._model.generate(
                input_ids=tensor,
                attention_mask=torch.ones_like(tensor),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=0,
                streamer=streamer,
            )

    def logits(self, ids: Sequence[int]) -> Iterator[Any]:
        import torch

        with torch.inference_mode():
            found = self._model(input_ids=self._tokens(ids), use_cache=False).logits[0]
            for start in range(0, len(ids), _BLOCK):
                yield np.asarray(found[start : start + _BLOCK].float().numpy())

    def close(self) -> None:
        self._model = None
        gc.collect()

    def _tokens(self, ids: Sequence[int]) -> Any:
        import torch

        return torch.tensor([list(ids)])
