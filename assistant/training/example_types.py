"""What feedback becomes for training: values without behaviour, one for each way to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

from assistant.types import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was judged; what all examples have in common.

    Attributes:
        id: of the example: the same whenever it is made anew from the same feedback.
        task: the task that it was judged for; ``""`` where none is known.
        input: what the user typed.
        context: the turn before, as in ``Turn.as_context``.
        labels: what a classification chose from, as spelt.
        lang: language of the request; of a translation the direction, as in ``en-zh``.
        feedback_ids: the judgements that it was made from.
        preference_ids: the side-by-side choices that it was made from.
        conversation_id: ``None`` where the request belongs to no conversation.
        created_at: when the latest of them was given (ISO 8601, UTC).
        asked_at: when the request was answered; ``""`` where that is not known.
        messages: the prompt as it was sent.
    """

    id: str
    task: str
    input: str
    context: str | None = None
    labels: tuple[str, ...] = ()
    lang: str = ""
    feedback_ids: tuple[int, ...] = ()
    preference_ids: tuple[int, ...] = ()
    conversation_id: str | None = None
    created_at: str = ""
    asked_at: str = ""
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SftExample(Asked):
    """What should be answered: a correction, or an answer that was rated good."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair(Asked):
    """Two answers, of which ``chosen`` is better."""

    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Asked):
    """One answer and whether it was wanted."""

    answer: str
    desirable: bool


Example = SftExample | PreferencePair | Judged
E = TypeVar("E", SftExample, PreferencePair, Judged)

FlagKind = Literal["secret", "contradiction", "labels"]


@dataclass(frozen=True, slots=True)
class Flagged:
    """Feedback that is left out until the user has looked at it.

    Attributes:
        kind: ``secret``: something in it should stay private; ``contradiction``: other feedback on the
            same request says otherwise; ``labels``: a classification that none of its labels answers.
        reason: what is the matter, as a sentence.
        input: the request, to recognise it by.
        feedback_id: the judgement that it is about; ``None`` where it is about a choice.
        preference_id: the side-by-side choice that it is about.
    """

    kind: FlagKind
    reason: str
    task: str
    input: str
    feedback_id: int | None = None
    preference_id: int | None = None

    @property
    def name(self) -> str:
        """Return what the judgement is called in lists: ``12``, or ``p3`` for a choice."""
        return f"p{self.preference_id}" if self.feedback_id is None else str(self.feedback_id)

    @property
    def may_pass(self) -> bool:
        """Return whether the user may let it pass; what says two things cannot be learnt."""
        return self.kind == "secret"


@dataclass(frozen=True, slots=True)
class Merged:
    """Examples that say the same: ``kept`` is the newest, ``dropped`` are the ids of the others."""

    kept: str
    dropped: tuple[str, ...]
    task: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of one task's feedback is there to train on.

    Attributes:
        sft, pairs, desirable, undesirable: examples ready for use.
        merged: examples that said what another one says.
        surplus: examples left out because their label has too many.
        secrets, contradictions, labels: flagged feedback, by kind.
    """

    task: str
    sft: int = 0
    pairs: int = 0
    desirable: int = 0
    undesirable: int = 0
    merged: int = 0
    surplus: int = 0
    secrets: int = 0
    contradictions: int = 0
    labels: int = 0


def example(kind: Callable[..., E], asked: Asked, **own: object) -> E:
    """Return an example of one kind about a request, with what only this kind has."""
    return kind(**{one.name: getattr(asked, one.name) for one in fields(Asked)}, **own)
