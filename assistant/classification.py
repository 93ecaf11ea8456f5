"""Classification by scoring the labels: exact, one probability a label, no text to parse.

The score of a label is the model's log-probability of that label as its whole answer, end of
turn included, so that labels of different length compete fairly as complete answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from assistant.engine.base import CandidateScore


def probabilities(labels: Sequence[str], scores: Sequence[CandidateScore]) -> dict[str, float]:
    """Return the softmax of the candidates' log-probabilities, one entry a label."""
    top = max(score.logprob for score in scores)
    weights = [math.exp(score.logprob - top) for score in scores]
    total = sum(weights)
    return {label: weight / total for label, weight in zip(labels, weights, strict=True)}
