"""What of a conversation goes along with a turn."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assistant import context
from assistant.errors import ContextOverflow
from assistant.types import Message, Turn


def turn(number: int, answer: str = "answer", correction: str | None = None) -> Turn:
    return Turn(
        id=f"t{number}",
        conversation_id="c",
        position=number,
        user_text=f"question {number}",
        answer=answer and f"{answer} {number}",
        state="done",
        correction=correction,
    )


TURNS = [turn(number) for number in range(4)]


def count(messages: Sequence[Message]) -> int:
    """Ten tokens a message, so that the sums are easy."""
    return 10 * len(messages)


def render(history: Sequence[Message], shots: int) -> list[Message]:
    """Two messages a shot, the history, the turn itself."""
    example = [Message("user", "shot"), Message("assistant", "shot")] * shots
    return [*example, *history, Message("user", "now")]


def fit(*, shots: int = 0, limit: int, max_tokens: int = 40) -> context.Fitted:
    return context.fit(render, TURNS, shots=shots, count=count, limit=limit, max_tokens=max_tokens)


def test_all_of_it_goes_along_when_it_fits() -> None:
    fitted = fit(limit=130)
    assert (fitted.left_out_turns, fitted.prompt_tokens, fitted.max_tokens) == (0, 90, 40)
    assert [message.content for message in fitted.messages[:2]] == ["question 0", "answer 0"]


def test_whole_turns_are_left_out_oldest_first() -> None:
    fitted = fit(limit=129)
    assert fitted.left_out_turns == 1
    assert [message.content for message in fitted.messages] == [
        *("question 1", "answer 1", "question 2", "answer 2", "question 3", "answer 3"),
        "now",
    ]
    assert fit(limit=90).left_out_turns == 2


def test_shots_are_dropped_after_the_turns() -> None:
    with_shots = fit(shots=3, limit=110)
    assert (with_shots.left_out_turns, len(with_shots.messages)) == (4, 7)
    without = fit(shots=3, limit=100)
    assert [message.content for message in without.messages] == ["now"]
    assert (without.prompt_tokens, without.max_tokens) == (10, 40)


def test_room_for_the_answer_shrinks_before_a_turn_is_refused() -> None:
    fitted = fit(limit=45)
    assert (fitted.left_out_turns, fitted.prompt_tokens, fitted.max_tokens) == (4, 10, 35)


def test_a_turn_that_leaves_no_room_for_an_answer_is_refused() -> None:
    assert fit(limit=42).max_tokens == 32
    with pytest.raises(ContextOverflow, match="10 tokens; the model reads at most 41") as caught:
        fit(limit=41)
    assert "in parts" in caught.value.hint


def test_in_a_large_window_a_fortieth_has_to_be_left() -> None:
    def fit_text(tokens: int) -> context.Fitted:
        return context.fit(
            lambda history, shots: [Message("user", "x")],
            [],
            shots=0,
            count=lambda messages: tokens,
            limit=40_000,
            max_tokens=2_000,
        )

    assert fit_text(39_000).max_tokens == 1_000
    with pytest.raises(ContextOverflow, match="39,001 tokens; the model reads at most 40,000"):
        fit_text(39_001)


def test_chat_takes_everything_that_was_answered() -> None:
    turns = [turn(0), turn(1, answer=""), turn(2)]
    assert context.relevant_turns("chat", "x" * 5000, True, turns) == [turns[0], turns[2]]


@pytest.mark.parametrize("task", ["qa", "translation", "summarization", "classification", "mine"])
def test_a_task_takes_history_only_for_a_short_follow_up(task: str) -> None:
    assert context.relevant_turns(task, "and in German?", False, TURNS) == TURNS[-2:]
    assert context.relevant_turns(task, "and this one?", True, TURNS) == []
    assert context.relevant_turns(task, "long " * 40, False, TURNS) == []


def test_a_correction_counts_as_what_was_said() -> None:
    corrected = [turn(0), turn(1, correction="better")]
    assert [message.content for message in context.as_messages(corrected)] == [
        *("question 0", "answer 0", "question 1", "better")
    ]
    assert context.previous_turn_text(corrected) == "User: question 1\nAssistant: better"


def test_the_first_turn_has_no_previous_one() -> None:
    assert context.previous_turn_text([]) is None
    assert context.previous_turn_text(TURNS) == "User: question 3\nAssistant: answer 3"
