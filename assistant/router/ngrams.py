"""Character n-grams, hashed: features for the light first stage, which needs no model."""

from __future__ import annotations

import math
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 15
_LONGEST_TEXT = 600
_CONTEXT_SHARE = "previous:"


def ngram_counts(text: str, context: str | None = None) -> dict[int, float]:
    """Return bucket -> weight for n-grams of 1 to 4 characters, of length 1 in total (L2).

    Counts are damped by a logarithm. Long texts keep head and tail. The previous turn's n-grams
    are kept apart from the turn's own.
    """
    counts: Counter[int] = Counter(_buckets(text, ""))
    if context:
        counts.update(_buckets(context, _CONTEXT_SHARE))
    damped = {bucket: 1.0 + math.log(count) for bucket, count in counts.items()}
    length = math.sqrt(sum(value * value for value in damped.values())) or 1.0
    return {bucket: value / length for bucket, value in damped.items()}


def ngram_features(text: str, context: str | None = None) -> NDArray[np.float32]:
    """Return the same as a dense vector of shape (BUCKETS,)."""
    features = np.zeros(BUCKETS, dtype=np.float32)
    for bucket, value in ngram_counts(text, context).items():
        features[bucket] = value
    return features


def _buckets(text: str, prefix: str) -> list[int]:
    text = text.lower()
    if len(text) > _LONGEST_TEXT:
        text = text[: _LONGEST_TEXT // 2] + "\n" + text[-_LONGEST_TEXT // 2 :]
    text = f" {' '.join(text.split())} "
    return [
        zlib.crc32(f"{prefix}{text[at : at + size]}".encode("utf-8", "replace")) % BUCKETS
        for size in (1, 2, 3, 4)
        for at in range(len(text) - size + 1)
    ]
