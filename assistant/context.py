"""What of the conversation goes along with a turn, and what had to stay out of the window.

Whole turns are left out, oldest first, never a part of one; how many is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.errors import ContextOverflow
from assistant.types import Message, Turn

_FOLLOW_UP_CHARACTERS = 160
_TASK_HISTORY_TURNS = 2
_LEAST_ANSWER_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Fitted:
    """Messages that fit the window, their token count and how many old turns were left out."""

    messages: tuple[Message, ...]
    prompt_tokens: int
    left_out_turns: int
    max_tokens: int


def previous_turn_text(turns: Sequence[Turn]) -> str | None:
    """Return the last turn as the router reads it, ``None`` where there is none."""
    return turns[-1].as_context if turns else None


def relevant_turns(task: str, text: str, has_passage: bool, turns: Sequence[Turn]) -> list[Turn]:
    """Return the earlier turns that a turn of ``task`` needs, in order.

    Chat needs all of them. The other tasks are about the text in the turn; only a short turn
    without a passage of its own ("and in German?") can be about what came before.
    """
    answered = [turn for turn in turns if turn.answer]
    if task == "chat":
        return answered
    if has_passage or len(text) > _FOLLOW_UP_CHARACTERS:
        return []
    return answered[-_TASK_HISTORY_TURNS:]


def as_messages(turns: Sequence[Turn]) -> list[Message]:
    """Return turns as messages; a corrected answer counts as what the assistant said."""
    messages: list[Message] = []
    for turn in turns:
        messages.append(Message("user", turn.user_text))
        messages.append(Message("assistant", turn.correction or turn.answer))
    return messages


def fit(
    render: Callable[[Sequence[Message], int], Sequence[Message]],
    turns: Sequence[Turn],
    *,
    shots: int,
    count: Callable[[Sequence[Message]], int],
    limit: int,
    max_tokens: int,
) -> Fitted:
    """Leave out old turns, then shots, until prompt and answer fit ``limit`` tokens.

    Args:
        render: makes the prompt from the history messages and a number of shots.
        turns: earlier turns to take along, oldest first.
        max_tokens: room wanted for the answer; it shrinks (not below a fortieth of the window)
            before a single turn is refused.

    Raises:
        ContextOverflow: the turn alone does not fit.
    """
    for left_out in range(len(turns) + 1):
        messages = tuple(render(as_messages(turns[left_out:]), shots))
        tokens = count(messages)
        if tokens + max_tokens <= limit:
            return Fitted(messages, tokens, left_out, max_tokens)
    if shots:
        messages = tuple(render([], 0))
        tokens = count(messages)
    room = limit - tokens
    if room < max(_LEAST_ANSWER_TOKENS, limit // 40):
        raise ContextOverflow(
            f"This text takes {tokens:,} tokens; the model reads at most {limit:,}, answer included.",
            "Send it in parts, or choose a model with a longer window (`assistant models list`).",
        )
    return Fitted(messages, tokens, len(turns), min(max_tokens, room))
