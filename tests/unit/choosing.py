"""What choosing among labels has to give, from the chances of every token of every label."""

from __future__ import annotations

import math
from collections.abc import Sequence

from assistant.engine.base import Engine
from assistant.types import Message


def among(engine: Engine, messages: Sequence[Message], labels: Sequence[str]) -> list[float]:
    """Compute what ``choose`` has to say from the chances of each token: siblings sum to 1."""
    paths = [[*label.encode(), None] for label in labels]
    each = [score.each for score in engine.score(messages, labels)]
    found = []
    for path in paths:
        value = 0.0
        for at in range(len(path)):
            beside = {
                tuple(other[: at + 1]): chances[at]
                for other, chances in zip(paths, each, strict=True)
                if other[:at] == path[:at]
            }
            value += beside[tuple(path[: at + 1])] - math.log(
                sum(math.exp(one) for one in beside.values())
            )
        found.append(value)
    return found
