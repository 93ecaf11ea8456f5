"""Classification by choosing among labels: exact, one probability a label, no text to parse.

A label's probability is the model's where the answer has to be one of the labels, so that long and short
ones compete fairly (see :mod:`assistant.engine.choices`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def probabilities(logprobs: Mapping[str, float]) -> dict[str, float]:
    """Return the softmax of log-probabilities (nats), one entry a label."""
    top = max(logprobs.values())
    weights = {label: math.exp(value - top) for label, value in logprobs.items()}
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


_SURE_FROM = 0.5
"""A best label below this probability is not sure: all the others together are likelier."""
_SURE_LEAD = 0.1
"""Nor is one whose probability is less than this above the second's."""


def unsure(chances: Mapping[str, float]) -> bool:
    """Return whether the best label of ``chances`` (one probability a label) may well be wrong.

    Both limits are a rule of thumb: no measurement has set them yet. Fewer than two labels leave
    nothing to be unsure about.
    """
    if len(chances) < 2:
        return False
    best, second = sorted(chances.values(), reverse=True)[:2]
    return best < _SURE_FROM or best - second < _SURE_LEAD


def ranked(chances: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return labels and probabilities from the likeliest down; among equals the first stays first."""
    return sorted(chances.items(), key=lambda item: -item[1])
