"""The user's own answers as examples: what was rated good or corrected shows how they like it.

They are picked for a turn by nearness in meaning (the router's reading of both): half by the whole turns,
which are near when they ask for the same in the same words, half by the texts that they are about. They are
of the same task and in the same language, and stand last, right before the question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant import understand
from assistant.engine.base import Engine
from assistant.prompts import Example
from assistant.store.feedback import WantedAnswer

MOST = 3
"""Personal examples in one prompt."""

NEAR = 0.35
"""Least nearness of an example (mean of two cosines). Requests in other words about other things lie below
0.3; the same request about something else lies around 0.6 and still shows how the user likes it done."""

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
    ) -> list[PersonalShot]:
        """Return the nearest of the user's answers, the nearest last; none where none is near.

        Args:
            labels: what the turn's answer must be one of; other answers would lead astray.
            pair: direction of a translation; answers in another one are left out.
        """
        usable = [one for one in self._answers() if _fits(one, text, task, lang, labels, pair)]
        if not usable:
            return []
        near = self._nearness((text, context), [(one.text, one.context) for one in usable], engine)
        about = self._nearness(
            (_about(text), None), [(_about(one.text), None) for one in usable], engine
        )
        near = [(whole + part) / 2 for whole, part in zip(near, about, strict=True)]
        ranked = sorted(zip(near, usable, strict=True), key=lambda item: -item[0])
        return [
            PersonalShot(one.feedback_id, Example(one.text, one.answer, lang), float(cosine))
            for cosine, one in reversed(ranked[:most])
            if cosine >= NEAR
        ]


def _fits(
    one: WantedAnswer, text: str, task: str, lang: str, labels: Sequence[str], pair: str | None
) -> bool:
    return (
        one.task == task
        and one.text.strip() != text.strip()  # it would give the answer away
        and len(one.text) + len(one.answer) <= _LONGEST
        and (not labels or one.answer in labels)
        and request_language(one.text) == lang
        and (pair is None or _direction(one.text) == pair)
    )


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
