"""The user's own answers as examples: what was rated good or corrected shows how they like it.

They are picked for a turn by nearness in meaning (the router's reading of both): half by the whole turns,
which are near when they ask for the same in the same words, half by the texts that they are about. They are
of the same task and in the same language, and stand last, right before the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import sqrt

from assistant import understand
from assistant.engine.base import Engine
from assistant.passages import bm25, terms_of
from assistant.prompts import Example
from assistant.store.feedback import WantedAnswer

MOST = 3
"""Personal examples in one prompt."""

NEAR = 0.35
"""Least nearness of an example (mean of two cosines). Requests in other words about other things lie below
0.3; the same request about something else lies around 0.6 and still shows how the user likes it done."""

_CONSIDERED = 300
"""Newest answers to a task that are looked at; with the years there will be thousands."""

_READ = 24
"""Answers that the model reads for a turn, about a tenth of a second each unless it has read them before.
Where there are more, those that have most letters in common with the turn are read."""

_LONGEST = 2000
"""Characters; a longer example would leave a small model little to look at besides."""


@dataclass(frozen=True, slots=True)
class PersonalShot:
    """An example from the user's own answers, and its nearness to the turn (-1 to 1)."""

    feedback_id: int
    example: Example
    nearness: float


Nearness = Callable[
    [tuple[str, str | None], Sequence[tuple[str, str | None]], Engine | None], Sequence[float]
]
"""Returns how near each of many turns is to one turn, -1 to 1 (each with its previous turn)."""


class PersonalShots:
    """Picks from the answers that ``answers`` returns when asked (it has to be quick)."""

    def __init__(self, answers: Callable[[], Sequence[WantedAnswer]], nearness: Nearness) -> None:
        self._answers = answers
        self._nearness = nearness

    def pick(
        self,
        text: str,
        task: str,
        engine: Engine | None,
        *,
        lang: str,
        context: str | None = None,
        labels: Sequence[str] = (),
        pair: str | None = None,
        most: int = MOST,
        same: bool = False,
    ) -> list[PersonalShot]:
        """Return the nearest of the user's answers, the nearest last; none where none is near.

        Args:
            labels: what the turn's answer must be one of; other answers would lead astray.
            pair: direction of a translation; answers in another one are left out.
            same: the answer to the very same request too; where answers are measured it would give them away.
        """
        newest = [one for one in self._answers() if one.task == task][-_CONSIDERED:]
        if len(newest) > _READ:
            alike = [_alike(one.text, text) for one in newest]
            if pair is not None:
                alike = [a + b for a, b in zip(alike, _shared_words(text, newest), strict=True)]
            order = sorted(range(len(newest)), key=lambda at: -alike[at])
            newest = [newest[at] for at in order]
        fitting = (
            one
            for one in newest
            if _fits(one, lang, labels, pair) and (same or one.text.strip() != text.strip())
        )
        usable = sorted(islice(fitting, _READ), key=lambda one: one.feedback_id)
        if not usable:
            return []
        near = self._nearness((text, context), [(one.text, one.context) for one in usable], engine)
        about = self._nearness(
            (_about(text), None), [(_about(one.text), None) for one in usable], engine
        )
        near = [(whole + part) / 2 for whole, part in zip(near, about, strict=True)]
        if pair is not None:
            near = [a + b for a, b in zip(near, _shared_words(text, usable), strict=True)]
        ranked = sorted(zip(near, usable, strict=True), key=lambda item: -item[0])
        return [
            PersonalShot(one.feedback_id, Example(one.text, one.answer, lang), float(cosine))
            for cosine, one in reversed(ranked[:most])
            if cosine >= NEAR
        ]


def _fits(one: WantedAnswer, lang: str, labels: Sequence[str], pair: str | None) -> bool:
    return (
        len(one.text) + len(one.answer) <= _LONGEST
        and (not labels or one.answer in labels)
        and request_language(one.text) == lang
        and (pair is None or _direction(one.text) == pair)
    )


def _shared_words(text: str, answers: Sequence[WantedAnswer]) -> list[float]:
    """Return how many of a text's words each answer's text has, rare ones above all, 0 to 1 (BM25).

    In a translation the user's words for the same things are what an example has to show.
    """
    wanted = terms_of(_about(text))
    *scores, all_of_them = bm25([*(terms_of(_about(one.text)) for one in answers), wanted], wanted)
    return [min(1.0, score / max(all_of_them, 1e-6)) for score in scores]


def _alike(one: str, other: str) -> float:
    """Return how alike two texts are in letters, 0 to 1 (cosine of their sets of three in a row)."""
    ours, theirs = _triples(one), _triples(other)
    return len(ours & theirs) / sqrt(max(1, len(ours) * len(theirs)))


@lru_cache(maxsize=4096)
def _triples(text: str) -> frozenset[str]:
    text = " ".join(text[:_LONGEST].lower().split())
    return frozenset(text[i : i + 3] for i in range(max(1, len(text) - 2)))


@lru_cache(maxsize=4096)
def _about(text: str) -> str:
    """Return the text that a turn is about; the turn itself where the two cannot be parted."""
    return understand.split_request(text)[1] or text


@lru_cache(maxsize=4096)
def request_language(text: str) -> str:
    """Return the language that the request in a turn is written in."""
    return understand.detect_language(understand.split_request(text)[0] or text)


@lru_cache(maxsize=4096)
def _direction(text: str) -> str:
    return "-".join(understand.translation_direction(text))
