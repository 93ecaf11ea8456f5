"""The user's own answers as examples: which count, which are near enough, where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from assistant import config
from assistant.adapters.card import Card
from assistant.adapters.registry import Registry
from assistant.adapters.shelf import OnShelf, Shelf
from assistant.paths import shipped, user_paths
from assistant.personal import MOST, PersonalShots
from assistant.prompts import Prompts
from assistant.router import Router
from assistant.session import AskOptions, Session
from assistant.store.store import Store, WantedAnswer
from assistant.strategy import Chooser
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Choice, Message, Turn

TERMS = {
    "Translate into German: The torque wrench is calibrated.": "Der Drehmo ist kalibriert.",
    "Translate into German: Store the torque wrench dry.": "Den Drehmo trocken lagern.",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


def by_words(
    turn: tuple[str, str | None], others: Sequence[tuple[str, str | None]], _engine: object = None
) -> list[float]:
    """Share of words in common, as a nearness that a test can foresee."""
    words = set(turn[0].lower().split())
    return [len(words & set(text.lower().split())) / len(words) for text, _ in others]


def session_on(
    store: Store, *answers: str, task: str = "translation", **settings: object
) -> Session:
    prompts = Prompts.load(shipped("prompts"))
    rules = {"": task}
    return Session(
        store,
        ready_loader(FakeEngine(answers)),
        FakeRouter(rules),
        prompts,
        config.load(**settings),
        personal=PersonalShots(store.wanted_answers, by_words),
    )


def ask(session: Session, text: str, **options: object) -> Turn:
    *_, last = session.ask(text, options=AskOptions(**options))  # type: ignore[arg-type]
    return last.turn  # type: ignore[union-attr]


def teach(session: Session) -> list[int]:
    return [session.correct(ask(session, text).id, answer).id for text, answer in TERMS.items()]


def test_a_correction_stands_right_before_the_next_similar_turn(store: Store) -> None:
    session = session_on(store, "x", "y", "z")
    numbers = teach(session)
    turn = ask(session, "Translate into German: The torque wrench is missing.")
    assert turn.choice is not None
    assert set(turn.choice.personal) == set(numbers)
    text, answer = next(iter(TERMS.items()))
    assert turn.sent[-3:-1] == (Message("user", text), Message("assistant", answer))  # the nearest
    assert "with 2 answers of yours to similar turns" in turn.choice.reason
    told = session.explain(turn.id, read_again=False)
    assert f"feedback {turn.choice.personal[0]}, {turn.choice.personal[1]}" in told
    assert "Der Drehmo ist kalibriert." in told
    assert store.turn(turn.id).choice == turn.choice


def test_they_do_not_leave_with_an_export_of_the_turn(store: Store) -> None:
    session = session_on(store, "x", "y", "z", "w")
    teach(session)
    turn = ask(session, "Translate into German: The torque wrench is missing.")
    assert any("Drehmo" in message.content for message in turn.sent)
    assert not any("Drehmo" in message.content for message in turn.shareable)
    assert [message.role for message in turn.shareable][:2] == ["system", "user"]
    assert turn.shareable[-1] == turn.sent[-1]
    told = session.rate(turn.id, "good")
    assert "Drehmo" not in str(told.snapshot["messages"])
    exported = store.export_conversation(turn.conversation_id)
    assert "Drehmo" not in str(exported)
    follow = ask(session, "Translate into German: The torque wrench is new.")
    assert "Drehmo" not in str(follow.shareable)


def test_they_can_be_switched_off_and_are_left_out_of_zero_shot(store: Store) -> None:
    teach(session_on(store, "x", "y"))
    question = "Translate into German: The torque wrench is missing."
    off = ask(session_on(store, "z", personal_shots=False), question)
    assert off.choice is not None
    assert off.choice.personal == ()
    zero = ask(session_on(store, "z"), question, strategy="zero_shot")
    assert zero.choice is not None
    assert (zero.choice.strategy, zero.choice.personal) == ("zero_shot", ())
    assert len(zero.sent) == 2


def test_only_near_ones_of_the_same_task_language_and_direction_count(store: Store) -> None:
    session = session_on(store, "x", "y")
    teach(session)
    far = "Translate into German: Cats purr loudly after lunch on warm sunny rainy days"
    shots = PersonalShots(store.wanted_answers, lambda *_: [0.0, 0.0])
    assert shots.pick(far, "translation", None, lang="en", pair="en-de") == []
    picker = PersonalShots(store.wanted_answers, by_words)
    question = "Translate into German: The torque wrench is missing."
    assert len(picker.pick(question, "translation", None, lang="en", pair="en-de")) == 2
    assert picker.pick(question, "translation", None, lang="en", pair="en-fr") == []
    assert picker.pick(question, "translation", None, lang="de", pair="en-de") == []
    assert picker.pick(question, "qa", None, lang="en") == []
    same = next(iter(TERMS))
    assert [one.example.input for one in picker.pick(same, "translation", None, lang="en")] == [
        text for text in TERMS if text != same
    ]
    both = picker.pick(same, "translation", None, lang="en", same=True)
    assert both[-1].example.input == same


def test_of_translations_those_with_the_same_words_come_first() -> None:
    texts = ["The invoice is late.", "It rained on Monday.", "The dog sleeps."]
    answers = [
        WantedAnswer(n, "translation", f"Translate into German: {text}", f"{n}")
        for n, text in enumerate(texts * 12)
    ]
    picker = PersonalShots(lambda: answers, lambda _t, others, _e: [0.5] * len(others))
    text = "Translate into German: Who pays this invoice?"
    found = picker.pick(text, "translation", None, lang="en", pair="en-de")
    assert all("invoice" in one.example.input for one in found)
    assert len(found) == MOST


def test_the_same_request_gets_the_corrected_answer_as_an_example(store: Store) -> None:
    session = session_on(store, "x", "y")
    teach(session)
    text, answer = next(iter(TERMS.items()))
    turn = ask(session, text)
    assert answer in [message.content for message in turn.sent]
    assert answer not in [message.content for message in ask(session, text, personal=True).sent]


def test_labels_of_another_set_are_no_example(store: Store) -> None:
    answers = [WantedAnswer(1, "classification", "Is it a bug: it crashed", "bug")]
    picker = PersonalShots(lambda: answers, lambda *_: [0.9])
    text = "Is it a bug: it crashed again"
    assert picker.pick(text, "classification", None, lang="en", labels=("bug", "praise"))
    assert not picker.pick(text, "classification", None, lang="en", labels=("refund", "praise"))


def test_no_more_than_a_few_the_nearest_last(store: Store) -> None:
    answers = [WantedAnswer(n, "qa", f"What is the mass of rock {n}?", f"{n} kg") for n in range(9)]
    picker = PersonalShots(
        lambda: answers, lambda _t, others, _e: [n / 10 for n in range(len(others))]
    )
    found = picker.pick("What is the mass of that rock?", "qa", None, lang="en")
    assert [one.feedback_id for one in found] == [6, 7, 8][-MOST:]
    assert [one.nearness for one in found] == sorted(one.nearness for one in found)


def test_which_answers_were_wanted(store: Store) -> None:
    session = session_on(store, "good one", "bad one", "so so", "fine", "wrong task", task="qa")
    turns = [ask(session, f"Question {n}?") for n in range(5)]
    session.rate(turns[0].id, "good")
    session.rate(turns[1].id, "bad")
    session.correct(turns[2].id, "first wording")
    last = session.correct(turns[2].id, "last wording")
    session.rate(turns[3].id, "good")
    session.rate(turns[3].id, "bad")
    session.rate(turns[4].id, "good")
    session.correct_route(turns[4].id, "chat")  # good for another task than it was answered for
    found = store.wanted_answers()
    assert [(one.text, one.answer) for one in found] == [
        ("Question 0?", "good one"),
        ("Question 2?", "last wording"),
    ]
    assert found[1].feedback_id == last.id
    store.remove_feedback(last.id)
    assert store.wanted_answers()[1].answer == "first wording"


def test_the_router_tells_what_is_near_in_meaning() -> None:
    router = Router()
    near, far = router.nearness(
        ("Translate into German: the pump leaks", None),
        [("Translate into German: the pump drips", None), ("Wer hat den Mond entdeckt?", None)],
    )
    assert near > far
    assert near > 0.5


def test_the_strategy_of_a_turn_goes_before_that_of_the_settings(store: Store) -> None:
    teach(session_on(store, "x", "y"))
    question = "Translate into German: The torque wrench is missing."
    few = ask(session_on(store, "z", strategy="zero_shot"), question, strategy="few_shot")
    assert few.choice is not None
    assert len(few.choice.personal) == 2
    zero = ask(session_on(store, "z", strategy="zero_shot"), question)
    assert zero.choice is not None
    assert zero.choice.personal == ()


def test_an_adapter_gets_them_too(store: Store) -> None:
    class Adapted(Chooser):
        def choose(self, task: str, **_: object) -> Choice:
            return Choice("adapter", "measured best", adapter="translation-1")

    session = session_on(store, "x", "y")
    teach(session)
    session._chooser = Adapted()
    turn = ask(session, "Translate into German: The torque wrench is missing.")
    assert turn.choice is not None
    assert (turn.choice.strategy, turn.choice.adapter) == ("adapter", "translation-1")
    assert turn.choice.reason == "measured best; with 2 answers of yours to similar turns"
    assert len(turn.choice.personal) == 2
    assert {message.content for message in turn.sent[1:5:2]} == set(TERMS)
    assert len(turn.sent) == 6
    assert len(turn.shareable) == 2


def test_in_summaries_they_are_followed_without_an_adapter_that_ships(
    store: Store,
) -> None:
    class Adapted(Chooser):
        def choose(self, task: str, *, requested: str = "auto", **_: object) -> Choice:
            if requested == "few_shot":
                return Choice("few_shot", "asked for", shots=2)
            return Choice("adapter", "measured best", adapter="summarization/v1")

        def beside(self, *_: object) -> Chooser:
            return self

    class OneShelf(Shelf):
        own = False

        def look(self, model: str) -> OnShelf:
            card = cast(Card, SimpleNamespace(own=self.own))
            return OnShelf({"summarization/v1": card}, {"summarization": "summarization/v1"})

        def load(self, name: str, engine: object) -> None:
            return

    session = session_on(store, "x", "y", "z", task="summarization")
    text = "Summarize: the torque wrench was calibrated on Monday by Ada."
    session.correct(ask(session, text).id, "- calibrated")
    session._chooser = Adapted()
    session._shelf = shelf = OneShelf(Registry(user_paths()))
    question = "Summarize: the torque wrench was calibrated on Friday by Bo."
    led = ask(session, question).choice
    assert led is not None
    assert (led.strategy, led.adapter, len(led.personal)) == ("few_shot", None, 1)
    assert "minds your answers less" in led.reason
    asked = ask(session, question, strategy="adapter").choice
    assert asked is not None
    assert asked.adapter == "summarization/v1"
    shelf.own = True
    refined = ask(session, question).choice
    assert refined is not None
    assert (refined.strategy, refined.adapter) == ("adapter", "summarization/v1")
    assert len(refined.personal) == 1


def test_what_found_no_room_is_not_said_to_have_been_shown(store: Store) -> None:
    teach(session_on(store, "x", "y"))
    session = session_on(store, "z", context_tokens=512)
    text = "Translate into German: The torque wrench is missing. " + "It is torque. " * 130
    session._personal = PersonalShots(store.wanted_answers, lambda _t, all, _e: [0.9] * len(all))
    turn = ask(session, text)
    assert turn.choice is not None
    assert len(turn.sent) == 2
    assert turn.choice.personal == ()
    assert "no room" in turn.choice.reason


def test_of_many_only_the_likeliest_are_read() -> None:
    answers = [
        WantedAnswer(n, "qa", f"What is the mass of rock {n}, please tell me?", f"{n} kg")
        for n in range(2000)
    ]
    near = WantedAnswer(1999, "qa", "How long does it take to boil an egg?", "Eight minutes.")
    old = WantedAnswer(0, "qa", "How long does it take to boil an egg hard?", "Ten minutes.")
    answers[1900], answers[0] = near, old
    asked: list[list[str]] = []

    def reading(
        _turn: object, others: Sequence[tuple[str, str | None]], _engine: object = None
    ) -> list[float]:
        asked.append([text for text, _ in others])
        return [0.9 if "egg" in text else 0.1 for text, _ in others]

    found = PersonalShots(lambda: answers, reading).pick(
        "How long does it take to boil an egg soft?", "qa", None, lang="en"
    )
    assert [one.example.target for one in found] == ["Eight minutes."]  # the old one is too old
    assert [len(texts) for texts in asked] == [24, 24]
