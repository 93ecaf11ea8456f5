"""The one type of all metrics: a row of statistics an example, and a score from any choice of rows.

So that an interval or a test costs one pass over the texts: a bootstrap resamples rows, not texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.evaluation.examples import Example

Rows = NDArray[np.float64]
"""Statistics, shape (examples, columns); the columns mean something to their metric alone."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was answered to one example; ``probabilities`` where labels were scored."""

    id: str
    text: str
    probabilities: Mapping[str, float] | None = None


class Metric(Protocol):
    """A metric. ``higher_is_better`` is false for errors such as ``ece``."""

    @property
    def name(self) -> str: ...

    @property
    def signature(self) -> str:
        """What the score was measured with: library, version, options."""
        ...

    @property
    def higher_is_better(self) -> bool: ...

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        """Return the statistics of each example."""
        ...

    def score(self, rows: Rows) -> float:
        """Return the score of at least one row."""
        ...
