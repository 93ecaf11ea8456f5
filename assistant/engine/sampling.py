"""From logits to the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from assistant.types import Decoding

_CANDIDATES = 1024

Logits = npt.NDArray[Any]
"""One row of logits, shape (vocabulary,), float."""


def log_softmax(logits: Logits) -> Logits:
    """Return natural log-probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


class Sampler:
    """Draws tokens as :class:`~assistant.types.Decoding` says; greedy at temperature 0.

    Top-p is nucleus sampling (Holtzman et al. 2020); the repetition penalty is CTRL's (Keskar et
    al. 2019), over the tokens answered so far.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._generator = np.random.default_rng(decoding.seed)

    @property
    def greedy(self) -> bool:
        """Whether the next token follows from the logits alone."""
        return self._decoding.temperature <= 0 and self._decoding.repetition_penalty == 1.0

    def next(self, logits: Logits, answered: Sequence[int]) -> int:
        """Return the next token id for ``logits`` of shape (vocabulary,)."""
        penalty = self._decoding.repetition_penalty
        if penalty != 1.0 and answered:
            logits = logits.astype(np.float32)  # a copy: the engine's own row stays as it is
            seen = np.unique(np.asarray(answered))
            values = logits[seen]
            logits[seen] = np.where(values > 0, values / penalty, values * penalty)
        if self._decoding.temperature <= 0:
            return int(logits.argmax())
        return self._draw(logits.astype(np.float64) / self._decoding.temperature)

    def _draw(self, logits: Logits) -> int:
        """Draw from the softmax of ``logits``, cut to the smallest set that holds ``top_p``."""
        top_p = self._decoding.top_p
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        if top_p >= 1.0:
            return self._pick(np.arange(len(chances)), chances)
        count = min(_CANDIDATES, len(chances))
        order = np.argpartition(-chances, count - 1)[:count]
        if chances[order].sum() < top_p:
            order = np.arange(len(chances))
        order = order[np.argsort(-chances[order], kind="stable")]
        values = chances[order]
        before = np.cumsum(values) - values
        return self._pick(order, values * (before < top_p))

    def _pick(self, tokens: Logits, weights: Logits) -> int:
        ends = np.cumsum(weights)
        place = int(np.searchsorted(ends, self._generator.random() * ends[-1], side="right"))
        return int(tokens[min(place, len(tokens) - 1)])
