"""One of a few answers: how likely each is where nothing else can be said.

The answers form a tree of tokens. Only where it branches does the model decide anything: a token that
is the only one possible has probability 1. Labels that begin differently need no token to be read beyond
the prompt, and a long label is at no disadvantage for its length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.engine.sampling import Logits, log_softmax

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Branching:
    """After ``prefix`` several tokens are possible: ``tokens``, in order of their first answer."""

    prefix: Tokens
    tokens: Tokens


def branchings(answers: Sequence[Sequence[int]]) -> list[Branching]:
    """Return where answers, which all end with a token that no other place has, part ways."""
    following: dict[Tokens, dict[int, None]] = {}
    for answer in answers:
        for at, token in enumerate(answer):
            following.setdefault(tuple(answer[:at]), {})[token] = None
    return [
        Branching(prefix, tuple(tokens)) for prefix, tokens in following.items() if len(tokens) > 1
    ]


def log_chances(
    answers: Sequence[Sequence[int]],
    places: Sequence[Branching],
    logits_of: Callable[[Branching], Logits],
) -> list[float]:
    """Return the log-probability (nats) of each answer; the probabilities of different ones sum to 1.

    ``logits_of`` returns the logits (vocabulary,) after a branching's prefix.
    """
    steps: dict[tuple[Tokens, int], float] = {}
    for place in places:
        chances = log_softmax(np.asarray(logits_of(place)[list(place.tokens)], dtype=np.float64))
        for token, chance in zip(place.tokens, chances, strict=True):
            steps[place.prefix, token] = float(chance)
    return [
        sum(steps.get((tuple(answer[:at]), token), 0.0) for at, token in enumerate(answer))
        for answer in answers
    ]
