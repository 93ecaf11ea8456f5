"""Classification by scoring the labels: exact, one probability a label, no text to parse.

The score of a label is the model's log-probability of that label as its whole answer, end of
turn included, so that labels of different length compete fairly as complete answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from assistant.engine.base import CandidateScore


def probabilities(labels: Sequence[str], scores: Sequence[CandidateScore]) -> dict[str, float]:
    """Return the softmax of the candidates' log-probabilities, one entry a label."""
    top = max(score.logprob for score in scores)
    weights = [math.exp(score.logprob - top) for score in scores]
    total = sum(weights)
    return {label: weight / total for label, weight in zip(labels, weights, strict=True)}


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
