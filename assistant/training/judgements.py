"""The last word on each turn: which answer was wanted, which one was not.

As in :mod:`assistant.store.wanted`: the last correction counts, else the last rating. A rating after a
correction says nothing about what was written, and what answers one task well says nothing about
another, so that a turn whose task was corrected counts only with an answer written for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant import understand
from assistant.types import Feedback, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The last word on one turn.

    Attributes:
        wanted: the answer as it should be; ``None`` where only a bad rating was given.
        unwanted: the answer that was rated bad or corrected; ``None`` where it was good.
        written: the user wrote ``wanted``, rather than finding it good.
        asked_at: when the turn was made, ``""`` where that is not known; ``created_at`` when it was judged.

    The others are as in :class:`~assistant.training.example_types.Asked`.
    """

    turn_id: str
    task: str
    input: str
    wanted: str | None
    unwanted: str | None
    written: bool
    feedback_ids: tuple[int, ...]
    created_at: str
    asked_at: str = ""
    context: str | None = None
    labels: tuple[str, ...] = ()
    lang: str = ""
    conversation_id: str | None = None
    messages: tuple[Message, ...] = ()

    @property
    def number(self) -> int:
        """The judgement that decides."""
        return self.feedback_ids[0]


@dataclass(slots=True)
class _Said:
    """What was said about one turn, the last of each kind."""

    correction: Feedback | None = None
    rating: Feedback | None = None
    route: Feedback | None = None


def last_words(feedback: Iterable[Feedback]) -> list[Word]:
    """Return the last word on each turn that can be learnt from, by the number of the judgement."""
    turns: dict[str, _Said] = {}
    for item in sorted(feedback, key=lambda one: one.id):
        said = turns.setdefault(item.turn_id, _Said())
        said.correction = item if item.correction else said.correction
        said.rating = item if item.rating else said.rating
        said.route = item if item.route else said.route
    words = (_word(said) for said in turns.values())
    return sorted((word for word in words if word is not None), key=lambda word: word.number)


def language_of(text: str, task: str) -> str:
    """Return the language of a request; of a translation the direction, as the data files have it."""
    if task == "translation":
        return "-".join(understand.translation_direction(text))
    return understand.detect_language(understand.split_request(text, task)[0] or text)


def _word(said: _Said) -> Word | None:
    deciding = said.correction or said.rating
    if deciding is None:
        return None
    past = deciding.snapshot
    text, answer = _text(past, "user_text"), _text(past, "answer")
    first = _text(past, "task")
    task = (said.route.route if said.route else None) or first
    moved = task != first
    correction = deciding.correction or ""
    if not text.strip() or (moved and not correction) or not (correction or answer.strip()):
        return None
    labels = _labels(past, text) if task == "classification" else ()
    wanted, unwanted = _verdict(deciding, _as_label(correction, labels), answer)
    routed = (said.route.id,) if moved and said.route and said.route.id != deciding.id else ()
    return Word(
        turn_id=deciding.turn_id,
        task=task,
        input=text,
        wanted=wanted,
        unwanted=unwanted,
        written=bool(correction),
        feedback_ids=(deciding.id, *routed),
        created_at=deciding.created_at,
        asked_at=_text(past, "turn_created_at"),
        context=_text(past, "context") or None,
        labels=labels,
        lang=language_of(text, task),
        conversation_id=_text(past, "conversation_id") or None,
        # What was sent for one task is no prompt for another.
        messages=(Message("user", text),) if moved else _messages(past, text),
    )


def _verdict(deciding: Feedback, correction: str, answer: str) -> tuple[str | None, str | None]:
    """Return the answer that was wanted and the one that was not."""
    if correction:
        other = answer if answer.strip() and answer.strip() != correction.strip() else None
        return correction, other
    return (answer, None) if deciding.rating == "good" else (None, answer)


def _labels(past: Mapping[str, object], text: str) -> tuple[str, ...]:
    """Return what a classification chose from: as stored, else as its text names them."""
    for stored in (past.get("labels"), past.get("probabilities")):
        if isinstance(stored, Mapping | list | tuple) and stored:
            return tuple(str(label) for label in stored)
    return understand.labels_in(text)


def _as_label(correction: str, labels: Sequence[str]) -> str:
    """Return a correction as the label that it names: people write ``Negative.`` for ``negative``."""
    if correction in labels:
        return correction
    plain = correction.strip().rstrip(".。!！").strip().casefold()
    found = [label for label in labels if label.casefold() == plain]
    return found[0] if len(found) == 1 else correction


def _messages(past: Mapping[str, object], text: str) -> tuple[Message, ...]:
    """Return the messages as they were sent; what the user typed when none had been sent yet."""
    sent = past.get("messages")
    found = []
    for one in sent if isinstance(sent, list | tuple) else ():
        if not isinstance(one, Mapping):
            continue
        role, content = one.get("role"), one.get("content")
        if role in ("system", "user", "assistant") and isinstance(content, str):
            found.append(Message(role, content))
    return tuple(found) or (Message("user", text),)


def _text(past: Mapping[str, object], name: str) -> str:
    value = past.get(name)
    return value if isinstance(value, str) else ""
