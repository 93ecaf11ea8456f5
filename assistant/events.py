"""What happens during one turn, as values that any front end can draw."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.types import Turn


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user's message is stored; nothing else is known yet."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class TurnRouted:
    """The task is known."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class TurnPrepared:
    """Strategy, prompt and what was left out are known; the model starts now.

    It comes a second time where a first answer came out plainly wrong and was not shown.
    """

    turn: Turn


@dataclass(frozen=True, slots=True)
class PartsRead:
    """A long text is read part by part: so many are done."""

    turn: Turn
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The stored, final turn."""

    turn: Turn


Event = TurnStarted | TurnRouted | PartsRead | TurnPrepared | AnswerPiece | TurnFinished
