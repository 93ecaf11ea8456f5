"""Finds pairs of sentences that are not translations of each other, by the words of all the others.

IBM Model 1 (Brown et al., 1993) learns from half of a set's pairs which words go with which; each pair of
the other half is scored, and so are its source and translations of other sentences. A pair that scores
hardly better than those does not belong together. In TICO-19's French file that is 1 pair in 30.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

FEWEST = 200
"""Pairs from which on words can be learnt at all."""

_ROUNDS = 3
_WORDS = 45
"""Words of a sentence that are looked at."""
_OTHERS = 5
_FLOOR = 1e-4
_SHARE = 0.4
"""Part of the usual lead over wrong translations that a pair has to have."""

Words = tuple[str, ...]
Table = dict[tuple[str, str], float]


@lru_cache(maxsize=16)
def doubtful(pairs: tuple[tuple[str, str], ...]) -> frozenset[tuple[str, str]]:
    """Return the pairs of texts that do not seem to belong together; none of a small set."""
    if len(pairs) < FEWEST:
        return frozenset()
    split = [(_words(source), _words(target)) for source, target in pairs]
    models = [_learnt([p for i, p in enumerate(split) if i % 2 != half]) for half in (0, 1)]
    frequent = Counter(word for _, target in split for word in target)
    rng = random.Random(0)
    leads = []
    for i, (source, target) in enumerate(split):
        others = [split[j][1] for j in rng.sample(range(len(split)), _OTHERS)]
        scores = [
            _score(source, one, models[i % 2], frequent, len(split)) for one in (target, *others)
        ]
        leads.append(scores[0] - sorted(scores[1:])[_OTHERS // 2])
    least = _SHARE * sorted(leads)[len(leads) // 2]
    return frozenset(pair for pair, lead in zip(pairs, leads, strict=True) if lead < least)


def _words(text: str) -> Words:
    """Return a text's words, each once, cut to five letters; a Chinese character is a word."""
    found = re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+", text.lower())
    return tuple(dict.fromkeys(word[:5] for word in found))[:_WORDS]


def _learnt(pairs: Sequence[tuple[Words, Words]]) -> Table:
    """Return how likely a target word is for a source word; the empty word goes with any."""
    table: Table = {}
    for _ in range(_ROUNDS):
        counts: defaultdict[tuple[str, str], float] = defaultdict(float)
        totals: defaultdict[str, float] = defaultdict(float)
        for source, target in pairs:
            for word in target:
                chances = [table.get((word, other), 1.0 if not table else 0.0) for other in source]
                chances.append(table.get((word, ""), 1.0 if not table else _FLOOR))
                whole = sum(chances)
                for other, chance in zip((*source, ""), chances, strict=True):
                    counts[word, other] += chance / whole
                    totals[other] += chance / whole
        table = {pair: count / totals[pair[1]] for pair, count in counts.items()}
    return table


def _score(source: Words, target: Words, table: Table, frequent: Counter[str], pairs: int) -> float:
    """Return how much likelier (nats a word) the target is with this source than by frequency."""
    total = 0.0
    for word in target:
        chance = sum(table.get((word, other), 0.0) for other in (*source, "")) / (len(source) + 1)
        total += math.log(chance + _FLOOR) - math.log(frequent[word] / pairs / 5 + _FLOOR)
    return total / max(1, len(target))
