"""A turn that is classified: one probability a label."""

from __future__ import annotations

import threading

import pytest
from session_fakes import Made, finished

from assistant.events import AnswerPiece, TurnFinished, TurnPrepared
from assistant.session import AskOptions

PASSAGE = "The quick brown fox jumps over the lazy dog near the river bank every single morning."


def test_labels_get_one_probability_each_and_the_best_is_the_answer(make: Made) -> None:
    options = AskOptions(task="classification", labels=("refund", "praise", "bug"))
    events = list(make().ask("This is a bug, I want praise not", options=options))
    turn = events[-1].turn  # type: ignore[union-attr]
    assert turn.probabilities is not None
    assert list(turn.probabilities) == ["refund", "praise", "bug"]
    assert sum(turn.probabilities.values()) == pytest.approx(1.0)
    assert turn.probabilities["praise"] > turn.probabilities["refund"]
    assert turn.answer == "praise"
    assert [event.text for event in events if isinstance(event, AnswerPiece)] == ["praise"]
    assert (turn.state, turn.finish_reason) == ("done", "stop")
    assert make.store.turn(turn.id) == turn


def test_labels_named_in_the_turn_are_taken(make: Made) -> None:
    text = "Classify as urgent or routine: the server room is on fire, this is urgent!"
    turn = finished(make(rules={"Classify": "classification"}).ask(text))
    assert turn.probabilities is not None
    assert set(turn.probabilities) == {"urgent", "routine"}


def test_a_classification_by_what_it_is_called_takes_the_labels_of_the_prompt_file(
    make: Made,
) -> None:
    text = f"What is the sentiment of this review? “{PASSAGE} I am positive.”"
    turn = finished(make(rules={"sentiment": "classification"}).ask(text))
    assert turn.probabilities is not None
    assert set(turn.probabilities) == {"positive", "negative", "neutral"}
    assert turn.answer == "positive"


def test_labels_that_are_no_text_reach_no_model(make: Made) -> None:
    turn = finished(
        make().ask("Fine", options=AskOptions("classification", labels=("a\udcff", "b")))
    )
    assert turn.probabilities is not None
    assert list(turn.probabilities) == ["a\ufffd", "b"]
    system = AskOptions("chat", system="Be \udcff.")
    assert "\udcff" not in finished(make("Yes").ask("Hi", options=system)).sent[0].content


def test_a_label_given_twice_has_one_probability(make: Made) -> None:
    turn = finished(
        make().ask("Fine", options=AskOptions("classification", labels=("a", "b", "a")))
    )
    assert turn.probabilities is not None
    assert sum(turn.probabilities.values()) == pytest.approx(1)


def test_every_probability_is_there_for_labels_equal_but_for_case(make: Made) -> None:
    turn = finished(make().ask("Fine", options=AskOptions("classification", labels=("Yes", "yes"))))
    assert turn.probabilities == pytest.approx({"Yes": 0.5, "yes": 0.5})


def test_stopped_before_the_labels_are_scored(make: Made) -> None:
    stop = threading.Event()
    events = []
    for event in make().ask(
        "Fine", options=AskOptions("classification", labels=("a", "b")), stop=stop
    ):
        events.append(event)
        if isinstance(event, TurnPrepared):
            stop.set()
    assert isinstance(events[-1], TurnFinished)
    turn = events[-1].turn
    assert (turn.state, turn.answer, turn.probabilities) == ("cancelled", "", None)
    assert make.engine.calls == []
    assert make.store.turn(turn.id) == turn
