"""One turn, with a real store and real prompts; only engine and router are stand-ins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from session_fakes import Made, finished

from assistant import config
from assistant import session as session_module
from assistant.engine.loader import EngineLoader
from assistant.errors import Cancelled, ContextOverflow, EngineError
from assistant.events import AnswerPiece, TurnFinished, TurnPrepared, TurnRouted, TurnStarted
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import AskOptions
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Decoding, Generation, Message, Route, Turn, Usage

LONG = " ".join(f"long{n}" for n in range(60))
PASSAGE = "The quick brown fox jumps over the lazy dog near the river bank every single morning."


class Failing(FakeEngine):
    """Says two words, then fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def generate(
        self, messages: Sequence[Message], decoding: Decoding, **_: Any
    ) -> Iterator[Generation]:
        yield Generation("two ")
        yield Generation("words ")
        raise self.error


# -- the course of a turn --------------------------------------------------------------------------


def test_the_events_come_in_order_and_the_turn_is_stored(make: Made) -> None:
    session = make("Hello to you")
    events = list(session.ask("Hi"))
    assert [type(event) for event in events] == [
        *(TurnStarted, TurnRouted, TurnPrepared),
        *(AnswerPiece, AnswerPiece, AnswerPiece),
        TurnFinished,
    ]
    pieces = [event.text for event in events if isinstance(event, AnswerPiece)]
    assert "".join(pieces) == "Hello to you"
    turn = events[-1].turn  # type: ignore[union-attr]
    assert (turn.user_text, turn.answer, turn.state) == ("Hi", "Hello to you", "done")
    assert turn.finish_reason == "stop"
    assert turn.route == Route("chat", 0.9, FakeRouter().route("Hi").scores, "light")
    assert (turn.model, turn.model_sha256, turn.context_limit) == ("fake", "0" * 64, 4096)
    assert turn.prompt_version.startswith("chat@")
    assert turn.sent == make.engine.calls[0]
    assert turn.usage == Usage(make.engine.count_tokens(turn.sent), 0, 3)
    assert 0 < turn.timing.route_s <= turn.timing.first_token_s <= turn.timing.total_s
    assert make.store.turn(turn.id) == turn
    assert [c.title for c in make.store.conversations()] == ["Hi"]


def test_the_message_is_stored_before_the_engine_is_there(make: Made) -> None:
    seen: list[list[Turn]] = []

    def load(report: object) -> FakeEngine:
        seen.append(make.store.turns("last"))
        return FakeEngine(["Yes"])

    session = make(loader=EngineLoader(load))
    finished(session.ask("Are you there?"))
    assert [[(turn.user_text, turn.state) for turn in turns] for turns in seen] == [
        [("Are you there?", "running")]
    ]


def test_the_partial_answer_is_saved_while_it_grows(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_PARTIAL_EVERY_S", -1.0)
    events = make("one two three").ask("Count")
    stored = [make.store.turn("last").answer for event in events if isinstance(event, AnswerPiece)]
    assert stored == ["one ", "one two ", "one two three"]


def test_a_quick_answer_is_not_written_for_every_word(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    monkeypatch.setattr(make.store, "save_partial", lambda turn_id, answer: saved.append(answer))
    monkeypatch.setattr(session_module, "_PARTIAL_EVERY_S", 3600.0)
    finished(make("one two three").ask("Count"))
    assert saved == []


def test_an_answer_longer_than_its_limit_says_so(make: Made) -> None:
    turn = finished(make("one two three").ask("Count", options=AskOptions(max_tokens=2)))
    assert (turn.answer, turn.finish_reason, turn.state) == ("one two ", "length", "done")


def test_an_empty_answer_is_an_answer(make: Made) -> None:
    turn = finished(make("").ask("Say nothing"))
    assert (turn.answer, turn.state) == ("", "done")
    assert make.store.turn(turn.id).state == "done"


# -- turns that do not come to their end -----------------------------------------------------------


def test_stopping_keeps_what_was_said(make: Made) -> None:
    stop = threading.Event()
    events = make("one two three four").ask("Count", stop=stop)
    said = ""
    for event in events:
        if isinstance(event, AnswerPiece):
            said += event.text
            if said == "one two ":
                stop.set()
    assert isinstance(event, TurnFinished)
    turn = make.store.turn("last")
    assert (turn.answer, turn.state, turn.finish_reason) == ("one two ", "cancelled", "cancelled")
    assert event.turn == turn


def test_stopping_while_the_model_loads_ends_the_turn(make: Made) -> None:
    gate, stop = threading.Event(), threading.Event()

    def load(report: object) -> FakeEngine:
        stop.set()
        gate.wait(10)
        return FakeEngine()

    turn = finished(make(loader=EngineLoader(load)).ask("Hi", stop=stop))
    gate.set()
    assert (turn.state, turn.answer, turn.route) == ("cancelled", "", None)
    assert make.store.turn(turn.id) == turn


def test_whoever_stops_listening_cancels_the_turn_and_keeps_what_was_said(make: Made) -> None:
    events = make("one two three").ask("Count")
    while not isinstance(next(events), AnswerPiece):
        pass
    next(events)
    events.close()  # type: ignore[attr-defined]
    turn = make.store.turn("last")
    assert (turn.answer, turn.state) == ("one two ", "cancelled")


def test_whoever_stops_listening_at_once_leaves_no_turn_running(make: Made) -> None:
    events = make("one").ask("Count")
    assert isinstance(next(events), TurnStarted)
    events.close()  # type: ignore[attr-defined]
    assert make.store.turn("last").state == "cancelled"


def test_a_turn_that_is_done_stays_done_when_nobody_reads_on(make: Made) -> None:
    events = make("one two").ask("Count")
    for event in events:
        if isinstance(event, TurnFinished):
            break
    events.close()  # type: ignore[attr-defined]
    turn = make.store.turn("last")
    assert (turn.answer, turn.state, turn.finish_reason) == ("one two", "done", "stop")


@pytest.mark.parametrize(
    ("error", "stored"),
    [
        (EngineError("Out of memory.", "Buy some."), "Out of memory."),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
    ],
)
def test_a_failure_is_stored_with_its_reason_and_raised(
    make: Made, error: BaseException, stored: str
) -> None:
    with pytest.raises(type(error)):
        list(make(engine=Failing(error)).ask("Count"))
    turn = make.store.turn("last")
    assert (turn.state, turn.finish_reason, turn.error) == ("failed", "error", stored)
    assert (turn.user_text, turn.answer) == ("Count", "two words ")
    assert turn.route is not None
    assert turn.sent


def test_a_failure_before_the_route_is_stored_too(make: Made) -> None:
    def load(report: object) -> FakeEngine:
        raise EngineError("No such file.")

    with pytest.raises(EngineError, match="No such file"):
        list(make(loader=EngineLoader(load)).ask("Hi"))
    turn = make.store.turn("last")
    assert (turn.state, turn.error, turn.route) == ("failed", "No such file.", None)


def test_a_cancelled_engine_is_no_failure(make: Made) -> None:
    turn = finished(make(engine=Failing(Cancelled("stopped"))).ask("Count"))
    assert (turn.state, turn.answer, turn.error) == ("cancelled", "two words ", None)


def test_a_text_longer_than_the_window_is_refused_and_kept(make: Made) -> None:
    session = make(engine=FakeEngine(context_length=300))
    text = "word " * 400
    with pytest.raises(ContextOverflow):
        list(session.ask(text))
    assert make.store.turn("last").user_text == text
    assert "the model reads at most 300" in (make.store.turn("last").error or "")


# -- the conversation ------------------------------------------------------------------------------


def test_chat_takes_the_history_along(make: Made) -> None:
    session = make("Hello Ann", "Ann")
    turn = finished(session.ask("I am Ann"))
    finished(session.ask("Who am I?", conversation_id=turn.conversation_id))
    assert make.engine.calls[1][1:] == (
        Message("user", "I am Ann"),
        Message("assistant", "Hello Ann"),
        Message("user", "Who am I?"),
    )


def test_a_self_contained_translation_takes_no_history(make: Made) -> None:
    session = make("Hello Ann", "Der Fuchs", "El zorro", rules={"German": "translation"})
    turn = finished(session.ask("I am Ann"))
    where = {"conversation_id": turn.conversation_id}
    finished(session.ask(f"Translate into German: {PASSAGE}", **where))
    assert all("Ann" not in message.content for message in make.engine.calls[1])
    assert any("German" in message.content for message in make.engine.calls[1])


def test_a_question_without_passage_gets_its_own_instruction_and_no_examples(make: Made) -> None:
    session = make("Lima", "4", rules={"Peru": "qa", "How many": "qa"})
    bare = finished(session.ask("What is the capital of Peru?"))
    read = finished(session.ask(f"{PASSAGE}\n\nHow many foxes are there?"))
    assert bare.choice is not None
    assert bare.choice.strategy == "zero_shot"
    assert len(bare.sent) == 2
    assert "passage" not in bare.sent[0].content
    assert read.choice is not None
    assert read.choice.strategy == "few_shot"
    assert "passage" in read.sent[0].content


def test_a_wish_without_text_is_about_the_text_of_the_last_translation(make: Made) -> None:
    session = make("Der Fuchs", "Le renard", rules={"into": "translation", "and in": "translation"})
    turn = finished(session.ask(f"Translate into German: {PASSAGE}"))
    finished(session.ask("and in French?", conversation_id=turn.conversation_id))
    assert make.engine.calls[1][-1] == Message("user", f"and in French?\n\n{PASSAGE}")
    assert "French" in make.engine.calls[1][0].content
    assert make.store.turn("last").user_text == "and in French?"


def test_a_correction_is_what_later_turns_build_on(make: Made) -> None:
    session = make("Hello Bob", "Ann")
    turn = finished(session.ask("I am Ann"))
    session.correct(turn.id, "Hello Ann")
    finished(session.ask("Who am I?", conversation_id=turn.conversation_id))
    said = [message.content for message in make.engine.calls[1]]
    assert "Hello Ann" in said
    assert "Hello Bob" not in said


def test_turns_that_do_not_fit_are_left_out_and_counted(make: Made) -> None:
    session = make(engine=FakeEngine(context_length=700))
    where: dict[str, Any] = {}
    for _ in range(4):
        turn = finished(session.ask(LONG, **where))
        where = {"conversation_id": turn.conversation_id}
    assert turn.left_out_turns == 3
    assert make.store.turn(turn.id).left_out_turns == 3
    assert len(turn.sent) == 2
    assert turn.usage.prompt_tokens + turn.decoding.max_tokens <= 700


def test_the_setting_context_tokens_narrows_the_window(make: Made) -> None:
    session = make("x", context_tokens=300)
    with pytest.raises(ContextOverflow):
        list(session.ask("word " * 290))
    assert make.store.turn("last").context_limit == 300


def test_regenerating_hides_the_old_turn_and_keeps_it(make: Made) -> None:
    session = make("First try", "Second try")
    old = finished(session.ask("Tell me"))
    new = finished(session.regenerate(old.id))
    assert (new.user_text, new.answer, new.replaces) == ("Tell me", "Second try", old.id)
    assert new.conversation_id == old.conversation_id
    assert [turn.id for turn in make.store.turns(old.conversation_id)] == [new.id]
    kept = make.store.turns(old.conversation_id, include_hidden=True)
    assert [(turn.answer, turn.hidden) for turn in kept] == [
        ("First try", True),
        ("Second try", False),
    ]
    assert "First try" not in [message.content for message in make.engine.calls[1]]


def test_regenerating_samples_even_where_the_task_is_greedy(make: Made) -> None:
    session = make("a", "b", "c", rules={"Peru": "qa"})
    old = finished(session.ask("Capital of Peru?"))
    assert old.decoding.temperature == 0
    new = finished(session.regenerate(old.id))
    assert new.decoding.temperature == 0.7
    cold = finished(session.regenerate(new.id, options=AskOptions(temperature=0.1)))
    assert cold.decoding.temperature == 0.1


def test_editing_replaces_the_turn_and_all_after_it(make: Made) -> None:
    session = make("One", "Two", "Three")
    first = finished(session.ask("a"))
    where = {"conversation_id": first.conversation_id}
    finished(session.ask("b", **where))
    edited = finished(session.ask("a, better", replaces=first.id, **where))
    assert [turn.user_text for turn in make.store.turns(first.conversation_id)] == ["a, better"]
    assert len(make.engine.calls[2]) == 2
    assert edited.replaces == first.id


def test_the_system_prompt_is_kept_for_the_conversation(make: Made) -> None:
    session = make("Arr", "Arr again", "Hi")
    turn = finished(session.ask("Hi", options=AskOptions(system="Talk like a {pirate}.")))
    finished(session.ask("And?", conversation_id=turn.conversation_id))
    finished(session.ask("Hi"))
    assert [call[0].content for call in make.engine.calls[:2]] == ["Talk like a {pirate}."] * 2
    assert "pirate" not in make.engine.calls[2][0].content


def test_the_system_prompt_of_the_settings_is_the_last_resort(make: Made) -> None:
    session = make("a", "b", system="Be kind.")
    finished(session.ask("Hi"))
    finished(session.ask("Hi", options=AskOptions(system="Be brief.")))
    assert [call[0].content for call in make.engine.calls] == ["Be kind.", "Be brief."]


def test_outside_of_chat_the_system_prompt_follows_the_instruction(make: Made) -> None:
    options = AskOptions(task="qa", system="Answer in Latin.")
    turn = finished(make("Lima").ask("Capital of Peru?", options=options))
    assert turn.sent[0].content.endswith("\n\nAnswer in Latin.")
    assert len(turn.sent[0].content) > len("\n\nAnswer in Latin.")


# -- decoding --------------------------------------------------------------------------------------


def test_options_go_over_settings_and_settings_over_the_task(make: Made) -> None:
    plain = finished(make("x").ask("Hi"))
    assert (plain.decoding.temperature, plain.decoding.max_tokens) == (0.7, 512)
    assert plain.decoding.seed is None
    session = make("x", "x", temperature=0.2, max_tokens=50, seed=1)
    turn = finished(session.ask("Hi"))
    assert (turn.decoding.temperature, turn.decoding.max_tokens, turn.decoding.seed) == (0.2, 50, 1)
    turn = finished(session.ask("Hi", options=AskOptions(temperature=0.0, max_tokens=9, seed=0)))
    assert (turn.decoding.temperature, turn.decoding.max_tokens, turn.decoding.seed) == (0.0, 9, 0)
    assert turn.decoding.top_p == plain.decoding.top_p


def test_the_language_to_translate_to(make: Made) -> None:
    session = make("x", "x", translate_to="fr")
    text = f"Translate: {PASSAGE}"
    by_setting = finished(session.ask(text, options=AskOptions(task="translation")))
    assert "French" in by_setting.sent[0].content
    by_option = finished(session.ask(text, options=AskOptions(task="translation", to="German")))
    assert "German" in by_option.sent[0].content
    assert "French" not in by_option.sent[0].content


# -- models, tasks, feedback -----------------------------------------------------------------------


def test_tasks_are_the_five_and_the_users_own(make: Made, tmp_path: Path) -> None:
    assert make().tasks() == ["qa", "translation", "summarization", "classification", "chat"]
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "haiku.yaml"
    own.write_text(
        "task: haiku\nversion: 1\ndescription: {en: Haiku.}\n"
        "instruction: {en: Write a haiku about what is said.}\nexamples: []\n"
    )
    make.prompts = Prompts.load(shipped("prompts"), tmp_path / "own")
    session = make("Old pond")
    assert session.tasks()[-1] == "haiku"
    turn = finished(session.ask("A frog", options=AskOptions(task="haiku")))
    assert turn.sent[0].content == "Write a haiku about what is said."
    assert turn.route is not None
    assert sum(turn.route.scores.values()) == 1


def test_another_model_replaces_the_loader_and_frees_the_old_one(make: Made) -> None:
    session = make("x")
    old, other = make.engine, FakeEngine(["from the other"])
    session._reload = lambda name: (config.load(model=name), ready_loader(other))
    session.use_model("smollm2-135m-instruct")
    assert old.closed
    assert session.settings.model == "smollm2-135m-instruct"
    assert finished(session.ask("Hi")).answer == "from the other"


def test_what_has_to_be_fetched_is_known_beforehand(make: Made) -> None:
    assert make().download_plan() is None
    missing = EngineLoader(lambda report: FakeEngine(), initial="missing")
    plan = make(loader=missing, model="smollm2-135m-instruct").download_plan()
    assert plan is not None
    assert plan.name == "smollm2-135m-instruct"
    assert plan.size_bytes > 10_000_000
    assert plan.licence


def test_feedback_through_the_session_is_on_the_turn(make: Made) -> None:
    session = make("x")
    turn = finished(session.ask("Hi"))
    session.rate(turn.id, "bad", "too short")
    session.correct(turn.id, "Hello there")
    session.correct_route(turn.id, "qa")
    stored = make.store.turn(turn.id)
    assert (stored.rating, stored.correction) == ("bad", "Hello there")
    assert [item.route for item in make.store.feedback()] == [None, None, "qa"]
