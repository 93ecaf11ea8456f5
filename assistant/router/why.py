"""Why a turn was routed as it was: what changes when a part of it is taken away.

Each part's effect is measured, not estimated: the turn without the part is routed as well (occlusion,
Zeiler and Fergus 2014; for text Li et al. 2016). Effects of parts do not add up, since words work together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Scores = Mapping[str, float]
ScoreAll = Callable[[Sequence[tuple[str, str | None]]], Sequence[Scores]]
"""Routes many turns, each with its previous turn, at once."""

PREVIOUS = "the previous turn"
MOST_PARTS = 28
_PAIRED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(
    rf"[{_PAIRED}]{{1,2}}|(?:(?![{_PAIRED}])[^\W_])+(?:['’-](?:(?![{_PAIRED}])[^\W_])+)*"
    r"|_+|[^\w\s]+",
    re.UNICODE,
)
_SENTENCE = re.compile(r"[^\n.!?。！？]+[.!?。！？]*[\"”»」’)]*|[.!?。！？]+")
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the turn, and what it does for each task: log-odds with it less those without it."""

    text: str
    effects: dict[str, float]
    start: int = -1
    end: int = -1

    def for_task(self, task: str) -> float:
        """Return the effect on ``task`` (positive: it speaks for it), in nats."""
        return self.effects.get(task, 0.0)


def words_of(text: str) -> list[tuple[int, int]]:
    """Return where the words of a turn begin and end (in Chinese and Japanese, pairs of characters)."""
    return [match.span() for match in _WORD.finditer(text)]


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Return where its sentences and lines begin and end, neighbours together if there are many."""
    found = [m.span() for m in _SENTENCE.finditer(text) if m.group().strip()]
    while len(found) > MOST_PARTS:
        found = _by_twos(found)
    return found


def _by_twos(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    last = len(spans) - 1
    return [(spans[at][0], spans[min(at + 1, last)][1]) for at in range(0, len(spans), 2)]


def explain_parts(text: str, context: str | None, score_all: ScoreAll) -> list[Part]:
    """Return the parts of a turn with their effects, those that matter most for the decision first.

    A turn of few words is looked at word by word, a longer one by sentences, and by words in the two
    sentences that matter most.
    """
    words = words_of(text)
    short = len(words) <= MOST_PARTS
    full, found = _effects(text, context, words if short else sentences_of(text), score_all)
    task = max(full, key=lambda name: full[name])
    if not short:
        inner = _inner_words(text, found, task)
        found += _effects(text, context, inner, score_all, full)[1]
    if context:
        alone = score_all([(text, None)])[0]
        found.append(Part(PREVIOUS, _difference(full, alone)))
    return sorted(found, key=lambda part: -abs(part.for_task(task)))


def _inner_words(text: str, sentences: Sequence[Part], task: str) -> list[tuple[int, int]]:
    """Return the words of the sentences that matter most, neighbours together if there are many."""
    most = sorted(sentences, key=lambda one: -abs(one.for_task(task)))[:2]
    found = [[m.span() for m in _WORD.finditer(text, one.start, one.end)] for one in most]
    found = [words for words in found if len(words) > 1]
    while sum(len(words) for words in found) > MOST_PARTS:
        longest = max(range(len(found)), key=lambda at: len(found[at]))
        found[longest] = _by_twos(found[longest])
    return [word for words in found for word in words]


def _effects(
    text: str,
    context: str | None,
    spans: Sequence[tuple[int, int]],
    score_all: ScoreAll,
    full: Scores | None = None,
) -> tuple[Scores, list[Part]]:
    turns = [(without(text, [span]), context) for span in spans]
    if full is None:
        full, *others = score_all([(text, context), *turns])
    else:
        others = list(score_all(turns)) if turns else []
    parts = [
        Part(text[start:end], _difference(full, other), start, end)
        for (start, end), other in zip(spans, others, strict=True)
    ]
    return full, parts


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return ``text`` with the spans taken out."""
    kept = []
    at = 0
    for start, end in sorted(spans):
        kept.append(text[at:start])
        at = max(at, end)
    return "".join([*kept, text[at:]])


def _difference(full: Scores, other: Scores) -> dict[str, float]:
    return {task: _log_odds(full[task]) - _log_odds(other.get(task, 0.0)) for task in full}


def _log_odds(chance: float) -> float:
    chance = min(max(chance, _LEAST), 1.0 - _LEAST)
    return math.log(chance / (1.0 - chance))
