"""One request answered in two ways: by real turns, on nothing that is kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from adapter_fakes import write_own
from session_fakes import Made, finished

from assistant import config
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, Score
from assistant.adapters.shelf import Shelf
from assistant.answering import AskOptions
from assistant.errors import AdapterError, EngineError, NotFound, UsageError
from assistant.events import AnswerPiece, TurnFinished, TurnPrepared
from assistant.paths import user_paths
from assistant.session import Session
from assistant.side_by_side import ALONE, IN_USE, Request, SideEvent, Way
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Turn

FAKE = BaseModel("fake", "0" * 64)
BEST = {"d": Score("f1", 100, 95.0, 60.0, 70.0, {"adapter": (92.0, 98.0)}, "en")}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(user_paths(), tmp_path / "shipped")


def session_with(make: Made, engine: FakeEngine, registry: Registry, **settings: Any) -> Session:
    return Session(
        make.store,
        ready_loader(engine),
        FakeRouter({"Who": "qa", "good": "classification"}),
        make.prompts,
        config.load(model="fake", **settings),
        shelf=Shelf(registry),
    )


def own(version: str, task: str = "qa", **more: Any) -> str:
    write_own(version, task=task, base="fake", base_model=FAKE, **more)
    return f"{task}/{version}"


def in_use(registry: Registry, name: str) -> None:
    registry.promote(registry.find(name, "fake"))


@pytest.fixture
def session(make: Made, engine: FakeEngine, registry: Registry) -> Session:
    in_use(registry, own("v1", scores=BEST))
    return session_with(make, engine, registry)


def ends(events: Sequence[SideEvent]) -> dict[str, Turn]:
    return {e.side: e.event.turn for e in events if isinstance(e.event, TurnFinished)}


def said(events: Sequence[SideEvent], side: str) -> str:
    return "".join(
        e.event.text for e in events if e.side == side and isinstance(e.event, AnswerPiece)
    )


def ways_of(events: Sequence[SideEvent]) -> list[tuple[str, str | None]]:
    turns = [e.event.turn for e in events if isinstance(e.event, TurnPrepared)]
    return [(t.choice.strategy, t.choice.adapter) for t in turns if t.choice]


def test_the_model_alone_against_the_adapter_in_use(session: Session, engine: FakeEngine) -> None:
    engine.answers = ["By hand.", "By training."]
    events = list(session.compare(Request("Who wrote Faust?")))
    assert [e.side for e in events] == sorted(e.side for e in events)
    assert (said(events, "left"), said(events, "right")) == ("By hand.", "By training.")
    # A bare question gets no examples; with an adapter in use it would be answered with that.
    assert ways_of(events) == [("zero_shot", None), ("adapter", "qa/v1")]
    assert engine.adapters_used == [None, "qa/v1"]
    turns = ends(events)
    assert turns["left"].answer == "By hand."
    assert session.store.stats()["turns"] == 0


def test_the_other_way_round_and_by_name(
    session: Session, engine: FakeEngine, registry: Registry
) -> None:
    own("v2")
    ways = (Way(adapter="v2"), Way("zero_shot"))
    assert ways_of(list(session.compare(Request("Who?"), ways))) == [
        ("adapter", "qa/v2"),
        ("zero_shot", None),
    ]
    # Loading one version puts the other away; each side has its own while it answers.
    events = list(session.compare(Request("Who?"), (Way(adapter="v2"), IN_USE)))
    assert ways_of(events) == [("adapter", "qa/v2"), ("adapter", "qa/v1")]
    assert engine.adapters == ("qa/v1",)
    assert ends(events)["left"].state == "done"


def test_settings_that_want_an_adapter_do_not_hold_for_the_model_alone(
    make: Made, engine: FakeEngine, registry: Registry
) -> None:
    in_use(registry, own("v1"))
    session = session_with(make, engine, registry, strategy="adapter")
    events = list(session.compare(Request("Who?"), (ALONE, IN_USE)))
    assert ways_of(events) == [("zero_shot", None), ("adapter", "qa/v1")]


def test_a_turn_is_answered_anew_with_what_was_said_before_it(
    session: Session, engine: FakeEngine
) -> None:
    chat = AskOptions(task="chat")
    first = finished(session.ask("My name is Ada.", options=chat))
    second = finished(
        session.ask("What is my name?", conversation_id=first.conversation_id, options=chat)
    )
    finished(session.ask("Bye.", conversation_id=first.conversation_id, options=chat))
    engine.calls.clear()
    request = Request(second.user_text, second.id, chat)
    events = list(session.compare(request, (ALONE, Way("zero_shot"))))
    for sent in engine.calls:
        texts = [message.content for message in sent]
        assert texts[-1] == "What is my name?"
        assert "My name is Ada." in texts
        assert "Bye." not in texts
        assert texts.count("What is my name?") == 1
    assert len(engine.calls) == 2
    assert len(ends(events)) == 2
    assert [turn.id for turn in session.store.turns(first.conversation_id)][1] == second.id
    assert session.store.stats()["turns"] == 3


def test_both_sides_are_the_same_task(make: Made, engine: FakeEngine, registry: Registry) -> None:
    in_use(registry, own("v1"))

    class Fickle(FakeRouter):
        said = 0

        def route(self, text: str, context: str | None = None, engine: object = None) -> Any:
            self.said += 1
            self.rules = {"Who": "qa" if self.said == 1 else "chat"}
            return super().route(text, context, engine)

    session = session_with(make, engine, registry)
    session.router = Fickle()
    turns = ends(list(session.compare(Request("Who?"))))
    assert [t.route.task for t in turns.values() if t.route] == ["qa", "qa"]


def test_labels_are_scored_on_both_sides(session: Session, registry: Registry) -> None:
    in_use(registry, own("c1", "classification"))
    options = AskOptions(labels=("good", "bad"))
    turns = ends(list(session.compare(Request("a good one", options=options))))
    assert [t.answer for t in turns.values()] == ["good", "good"]
    assert all(t.probabilities for t in turns.values())


@pytest.mark.parametrize(
    ("text", "ways", "message"),
    [
        ("Hello.", (ALONE, IN_USE), "No adapter is installed for chat"),
        ("Who?", (ALONE, Way(adapter="v9")), "No adapter named 'v9'"),
    ],
)
def test_a_way_that_is_not_open_is_said_before_anything(
    session: Session, engine: FakeEngine, text: str, ways: Any, message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        list(session.compare(Request(text), ways))
    assert engine.calls == []


def test_stopping_ends_the_one_and_does_not_begin_the_other(
    session: Session, engine: FakeEngine
) -> None:
    engine.answers = ["one two three four", "never"]
    stop = threading.Event()
    events = []
    for event in session.compare(Request("Who?"), stop=stop):
        events.append(event)
        if isinstance(event.event, AnswerPiece):
            stop.set()
    assert {side: turn.state for side, turn in ends(events).items()} == {"left": "cancelled"}
    assert len(engine.calls) == 1
    assert list(session.compare(Request("Who?"), stop=stop)) == []


def test_an_answer_that_fails_is_an_error(session: Session, engine: FakeEngine) -> None:
    engine.answers = ["fine", EngineError("Out of memory.")]
    with pytest.raises(EngineError, match="memory"):
        list(session.compare(Request("Who?")))
    with pytest.raises(NotFound):
        list(session.compare(Request("Who?", "nosuchturn")))


# -- the choice ------------------------------------------------------------------------------------


def test_a_choice_is_stored_with_all_that_training_needs(
    session: Session, engine: FakeEngine
) -> None:
    engine.answers = ["By hand.", "By training."]
    ways = (Way("few_shot"), IN_USE)
    turns = ends(list(session.compare(Request("Who wrote Faust?"), ways)))
    assert len(turns["left"].sent) > len(turns["right"].sent)
    made = session.prefer(turns["left"], turns["right"], "right", blind=True)
    assert session.store.preferences() == [made]
    assert session.store.preferences(task="chat") == []
    assert (made.task, made.text, made.choice, made.blind) == (
        "qa",
        "Who wrote Faust?",
        "right",
        True,
    )
    assert made.turn_id is None
    assert (made.left.strategy, made.left.adapter) == ("few_shot", None)
    assert (made.right.strategy, made.right.adapter) == ("adapter", "qa/v1")
    assert made.right.messages == turns["right"].sent
    assert made.right.model == "fake"
    assert made.right.decoding["max_tokens"] == turns["right"].decoding.max_tokens
    session.store.remove_preference(made.id)
    with pytest.raises(NotFound):
        session.store.remove_preference(made.id)


def test_only_whole_answers_can_be_chosen(session: Session, engine: FakeEngine) -> None:
    turns = ends(list(session.compare(Request("Who?"))))
    with pytest.raises(UsageError, match="not come to its end"):
        session.prefer(turns["left"], Turn("x", "y", 0, "Who?", state="cancelled"), "left")
    with pytest.raises(UsageError, match="'middle'"):
        session.prefer(turns["left"], turns["right"], "middle")  # type: ignore[arg-type]
    assert session.store.preferences() == []
