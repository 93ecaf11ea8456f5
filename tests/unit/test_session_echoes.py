"""Answers that come out wrong: echoes get a second try, loops are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from session_fakes import Made, finished, pieces_of

from assistant import session as session_module
from assistant.errors import EngineError
from assistant.evaluation.examples import Example
from assistant.evaluation.predict import predict
from assistant.events import AnswerPiece, TurnPrepared
from assistant.session import AskOptions
from assistant.testing import FakeEngine
from assistant.types import Choice, Generation

SOURCE = "The committee will meet again on Thursday to settle the budget for next year."


def test_an_echo_is_not_shown_but_answered_in_another_way(make: Made) -> None:
    source = "The committee will meet again on Thursday to settle the budget for next year."
    session = make(source, "委员会将于星期四再次开会。")
    events = list(
        session.ask(f"Translate into Chinese: {source}", options=AskOptions("translation"))
    )
    shown = "".join(event.text for event in events if isinstance(event, AnswerPiece))
    turn = events[-1].turn  # type: ignore[union-attr]
    assert shown == turn.answer == "委员会将于星期四再次开会。"
    assert turn.choice is not None
    assert turn.choice.strategy == "zero_shot"  # the first try had examples
    assert "repeated the text" in turn.choice.reason
    assert len(make.engine.calls) == 2
    assert make.store.turn(turn.id) == turn


def test_an_echo_the_second_time_is_shown_as_it_is(make: Made) -> None:
    source = "The committee will meet again on Thursday to settle the budget for next year."
    session = make(source, source)
    turn = finished(
        session.ask(f"Translate into Chinese: {source}", options=AskOptions("translation"))
    )
    assert (turn.answer, turn.state) == (source, "done")


def test_a_loop_is_ended_and_cut(make: Made) -> None:
    session = make("Well then. " + "I cannot say more about it. " * 30)
    turn = finished(session.ask("Tell me", options=AskOptions("chat")))
    assert turn.answer == "Well then. I cannot say more about it."
    assert (turn.state, turn.finish_reason) == ("done", "stop")
    assert make.store.turn(turn.id).answer == turn.answer


def test_of_an_echo_behind_a_quotation_mark_nothing_is_shown(make: Made) -> None:
    session = make(f'" 1. {SOURCE}', "委员会将于星期四再次开会。")
    events = list(
        session.ask(f"Translate into Chinese: {SOURCE}", options=AskOptions("translation"))
    )
    assert pieces_of(events) == events[-1].turn.answer == "委员会将于星期四再次开会。"  # type: ignore[union-attr]


def test_an_echo_held_back_is_not_kept_when_the_second_answer_is_stopped(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_PARTIAL_EVERY_S", -1.0)
    events = make(SOURCE, "委员会").ask(
        f"Translate into Chinese: {SOURCE}", options=AskOptions("translation")
    )
    prepared = 0
    while prepared < 2:
        prepared += isinstance(next(events), TurnPrepared)
    events.close()  # type: ignore[attr-defined]
    turn = make.store.turn("last")
    assert (turn.answer, turn.state) == ("", "cancelled")


@pytest.mark.parametrize("fails", [False, True])
def test_a_second_answer_that_is_not_ended_is_stored_with_its_own_plan(
    make: Made, fails: bool
) -> None:
    class Second(FakeEngine):
        def generate(self, messages: Any, decoding: Any, **more: Any) -> Iterator[Generation]:
            if self.calls:
                yield Generation("委员会")
                raise EngineError("Out of memory.")
            yield from super().generate(messages, decoding, **more)

    events = make(engine=Second([SOURCE])).ask(
        f"Translate into Chinese: {SOURCE}", options=AskOptions("translation")
    )
    while not isinstance(next(events), AnswerPiece):
        pass
    if fails:
        with pytest.raises(EngineError):
            next(events)
    else:
        events.close()  # type: ignore[attr-defined]
    turn = make.store.turn("last")
    assert (turn.answer, turn.state) == ("委员会", "failed" if fails else "cancelled")
    assert turn.choice is not None
    assert turn.choice.strategy == "zero_shot"
    assert "repeated the text" in turn.choice.reason
    assert len(turn.sent) == 2  # what the second answer is to


def test_a_loop_of_signs_is_shown_before_it_is_cut(make: Made) -> None:
    session = make("12 " * 60)
    events = list(
        session.ask(f"Translate into Chinese: {SOURCE}", options=AskOptions("translation"))
    )
    turn = events[-1].turn  # type: ignore[union-attr]
    assert turn.answer.startswith("12")
    assert pieces_of(events).startswith(turn.answer)


# -- a second try stays within the strategy that was asked for -------------------------------------

ASKED = f"Translate into Chinese: {SOURCE}"


@pytest.mark.parametrize("by_setting", [False, True])
def test_of_zero_shot_there_is_no_second_try(make: Made, by_setting: bool) -> None:
    settings = {"strategy": "zero_shot"} if by_setting else {}
    session = make(SOURCE, "委员会", **settings)
    options = AskOptions("translation", strategy="auto" if by_setting else "zero_shot")
    events = list(session.ask(ASKED, options=options))
    turn = events[-1].turn  # type: ignore[union-attr]
    assert pieces_of(events) == turn.answer == SOURCE
    assert turn.choice is not None
    assert turn.choice.strategy == "zero_shot"
    assert len(make.engine.calls) == 1
    # There is nothing to wait for, so it is shown as it comes.
    assert sum(isinstance(event, AnswerPiece) for event in events) == len(SOURCE.split())


def test_of_few_shot_the_second_try_has_other_examples(make: Made) -> None:
    turn = finished(
        make(SOURCE, "委员会将于星期四再次开会。").ask(
            ASKED, options=AskOptions("translation", strategy="few_shot")
        )
    )
    assert turn.answer == "委员会将于星期四再次开会。"
    assert turn.choice is not None
    assert (turn.choice.strategy, turn.choice.nearest) == ("few_shot", True)
    assert "nearest examples, because the first answer repeated the text" in turn.choice.reason
    first, second = make.engine.calls
    assert len(first) > 2
    assert len(second) > 2
    assert first != second


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (AskOptions(strategy="few_shot"), AskOptions(strategy="few_shot", nearest=True)),
        (
            AskOptions(strategy="few_shot", nearest=True),
            AskOptions(strategy="few_shot", nearest=True, shots=2),
        ),
        (
            AskOptions(strategy="few_shot", shots=2),
            AskOptions(strategy="few_shot", shots=2, nearest=True),
        ),
        (AskOptions(strategy="few_shot", shots=2, nearest=False), None),
        (AskOptions(strategy="zero_shot"), None),
        (AskOptions(strategy="adapter"), None),
        (AskOptions(adapter="french"), None),
        (AskOptions(), AskOptions(strategy="zero_shot")),
    ],
)
def test_what_is_left_to_try(make: Made, options: AskOptions, wanted: AskOptions | None) -> None:
    session = make()
    few = AskOptions("translation", strategy="few_shot", shots=options.shots or 4)
    plan = session.planner.plan(ASKED, "translation", few, make.engine)
    if options.adapter or options.strategy == "adapter":
        plan = replace(plan, choice=Choice("adapter", "", options.adapter or "x"))
    assert session.planner.other_way(plan, options) == wanted


def test_an_evaluation_tries_again_as_a_turn_does(make: Made) -> None:
    """A way that is measured is that way: zero-shot answers have no examples, echo or not."""
    example = Example("1", "translation", ASKED, "", ("",))

    def answers(strategy: str, *script: str) -> tuple[str, list[int]]:
        session = make(*script)
        options = AskOptions("translation", strategy=strategy)
        (found,) = predict([example], session.planner, make.engine, options)
        return found.text, [len(call) for call in make.engine.calls]

    assert answers("zero_shot", SOURCE, "委员会") == (SOURCE, [2])
    text, sizes = answers("few_shot", SOURCE, "委员会")
    assert text == "委员会"
    assert len(sizes) == 2
    assert min(sizes) > 2
    text, sizes = answers("auto", SOURCE, "委员会")
    assert text == "委员会"
    assert sizes[1] == 2


def test_settings_that_want_an_adapter_where_there_is_none_leave_both_ways(make: Made) -> None:
    session = make(strategy="adapter")
    few = AskOptions("translation", strategy="few_shot")
    plan = session.planner.plan(ASKED, "translation", few, make.engine)
    assert session.planner.other_way(plan, AskOptions()) == AskOptions(strategy="zero_shot")
