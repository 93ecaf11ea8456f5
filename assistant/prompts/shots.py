"""Picks the examples nearest to a turn: cosine of TF-IDF over character n-grams.

Character n-grams need no tokenizer and no word boundaries, so that one measure serves Chinese as
well as English. Same language and same tags come first, then nearness; the nearest stands last,
next to the question, where a small model looks most.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from assistant.prompts.model import Example

_SIZES = (2, 3, 4)
_HEAD, _TAIL = 400, 200  # requests stand at either end; a long passage between says little
_MESSAGE_TOKENS = 10  # role markers of a question and its answer

Vector = dict[str, float]


def select_shots(
    examples: Sequence[Example],
    text: str,
    *,
    lang: str,
    shots: int,
    tags: Sequence[str] = (),
    budget_tokens: int | None = None,
    count: Callable[[str], int] | None = None,
    nearest: bool = True,
) -> tuple[Example, ...]:
    """Return up to ``shots`` examples for ``text``, the nearest last, within ``budget_tokens``.

    Without ``nearest`` it is the first ones as they stand in the file: the same for every turn with
    that language and those tags, so that an engine can compute them once.

    An example that is the turn itself is left out: it would give the answer away.
    """
    if shots <= 0:
        return ()
    turn = _same(text)
    usable = [e for e in examples if turn not in (_same(e.input), _same(e.question))]
    pool = _in_language(_with_tags(usable, tags), lang)
    if not pool:
        return ()
    if not nearest:
        pool = sorted(pool, key=lambda e: e.lang != lang)
        return tuple(_within(pool, shots, budget_tokens, count or estimate_tokens))
    index = _index(tuple(examples))
    query = index.vector(text)
    order = {example: i for i, example in enumerate(examples)}
    ranked = sorted(pool, key=lambda e: (e.lang != lang, -index.cosine(query, e), order[e]))
    chosen = _within(ranked, shots, budget_tokens, count or estimate_tokens)
    return tuple(sorted(chosen, key=lambda e: (index.cosine(query, e), -order[e])))


def estimate_tokens(text: str) -> int:
    """Guess how many tokens ``text`` takes, for when no tokenizer is at hand (rather too many)."""
    wide = sum(1 for char in text if ord(char) > 0x2E7F)
    return wide + (len(text) - wide + 2) // 3


def _same(text: str) -> str:
    return " ".join(text.split()).casefold()


def _with_tags(examples: list[Example], tags: Sequence[str]) -> list[Example]:
    """Keep those with a wanted tag when there are two; for a pair ``a-b`` any ``…-b`` is next."""
    if not tags:
        return examples
    wanted = set(tags)
    exact = [e for e in examples if wanted & set(e.tags)]
    if len(exact) >= 2:
        return exact
    ends = tuple("-" + tag.split("-", 1)[1] for tag in tags if "-" in tag)
    near = [e for e in examples if ends and any(tag.endswith(ends) for tag in e.tags)]
    return near if len(near) >= 2 else examples


def _in_language(examples: list[Example], lang: str) -> list[Example]:
    """Keep those in ``lang`` when there are two; in a language without examples, English ones."""
    same = [e for e in examples if e.lang == lang]
    if len(same) >= 2:
        return same
    english = [e for e in examples if e.lang in (lang, "en")]
    return english or examples


def _within(
    ranked: Iterable[Example], shots: int, budget: int | None, count: Callable[[str], int]
) -> list[Example]:
    if budget is None:
        return list(ranked)[:shots]
    chosen: list[Example] = []
    for example in ranked:
        if len(chosen) == shots:
            break
        cost = count(example.question) + count(example.target) + _MESSAGE_TOKENS
        if cost <= budget:
            chosen.append(example)
            budget -= cost
    return chosen


class _Index:
    """TF-IDF vectors of one set of examples, all of length 1."""

    def __init__(self, examples: Sequence[Example]) -> None:
        counts = [_ngrams(e.question) for e in examples]
        seen = Counter(gram for grams in counts for gram in grams)
        total = len(examples)
        self._idf = {gram: math.log((1 + total) / (1 + n)) + 1 for gram, n in seen.items()}
        self._vectors = {
            example: self._weigh(grams) for example, grams in zip(examples, counts, strict=True)
        }

    def vector(self, text: str) -> Vector:
        return self._weigh(_ngrams(text))

    def cosine(self, query: Vector, example: Example) -> float:
        vector = self._vectors[example]
        if len(query) > len(vector):
            query, vector = vector, query
        return sum(weight * vector[gram] for gram, weight in query.items() if gram in vector)

    def _weigh(self, grams: Counter[str]) -> Vector:
        # An n-gram that no example has cannot make any of them nearer than another.
        vector = {
            gram: (1 + math.log(n)) * self._idf[gram]
            for gram, n in grams.items()
            if gram in self._idf
        }
        length = math.sqrt(sum(weight * weight for weight in vector.values())) or 1.0
        return {gram: weight / length for gram, weight in vector.items()}


@lru_cache(maxsize=32)
def _index(examples: tuple[Example, ...]) -> _Index:
    return _Index(examples)


def _ngrams(text: str) -> Counter[str]:
    text = " ".join(text.split()).lower()
    if len(text) > _HEAD + _TAIL:
        text = text[:_HEAD] + "\n" + text[-_TAIL:]
    padded = f" {text} "
    return Counter(padded[i : i + size] for size in _SIZES for i in range(len(padded) - size + 1))
