"""One turn, with a real store and real prompts; only engine and router are stand-ins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant import config
from assistant import session as session_module
from assistant.engine.loader import EngineLoader
from assistant.errors import AdapterError, Cancelled, ContextOverflow, EngineError, PromptError
from assistant.events import AnswerPiece, Event, TurnFinished, TurnPrepared, TurnRouted, TurnStarted
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.router.memory import Lesson
from assistant.router.router import Reasons
from assistant.router.why import Part
from assistant.session import AskOptions, Session
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Decoding, Generation, Message, Route, Turn, Usage

LONG = " ".join(f"long{n}" for n in range(60))
PASSAGE = "The quick brown fox jumps over the lazy dog near the river bank every single morning."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return Prompts.load(shipped("prompts"))


class Made:
    """A session and its parts."""

    def __init__(self, store: Store, prompts: Prompts) -> None:
        self.store = store
        self.prompts = prompts

    def __call__(
        self,
        *answers: Any,
        engine: FakeEngine | None = None,
        loader: EngineLoader | None = None,
        rules: dict[str, str] | None = None,
        router: Any = None,
        **settings: Any,
    ) -> Session:
        self.engine = engine or FakeEngine(answers)
        return Session(
            self.store,
            loader or ready_loader(self.engine),
            router or FakeRouter(rules),
            self.prompts,
            config.load(**settings),
        )


@pytest.fixture
def make(store: Store, prompts: Prompts) -> Made:
    return Made(store, prompts)


def finished(events: Iterator[Event]) -> Turn:
    last = list(events)[-1]
    assert isinstance(last, TurnFinished)
    return last.turn


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


# -- route, task and strategy ----------------------------------------------------------------------


class Listening(FakeRouter):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []

    def route(self, text: str, context: str | None = None, engine: object = None) -> Route:
        self.asked.append((text, context))
        return super().route(text, context, engine)


def test_the_router_is_given_the_previous_turn(make: Made) -> None:
    router = Listening()
    session = make("First", "Second", router=router)
    turn = finished(session.ask("One"))
    finished(session.ask("Two", conversation_id=turn.conversation_id))
    assert router.asked == [("One", None), ("Two", "User: One\nAssistant: First")]


def test_a_task_chosen_by_hand_is_not_routed(make: Made) -> None:
    router = Listening()
    turn = finished(make("42", router=router).ask("6 x 7?", options=AskOptions(task="qa")))
    assert router.asked == []
    assert turn.route == Route(
        "qa",
        1.0,
        {"qa": 1.0, "translation": 0, "summarization": 0, "classification": 0, "chat": 0},
        "forced",
    )


def test_an_unknown_task_is_an_error_that_names_the_known_ones(make: Made) -> None:
    with pytest.raises(PromptError, match="'poetry'") as caught:
        list(make().ask("A poem", options=AskOptions(task="poetry")))
    assert "summarization" in caught.value.hint
    assert make.store.turn("last").state == "failed"


def test_few_shot_puts_examples_in_front_and_chat_has_none(make: Made) -> None:
    session = make("x", "x", "x", rules={"Translate": "translation"})
    asked = finished(session.ask("Translate into French: Good evening, everyone."))
    chat = finished(session.ask("Hi"))
    assert asked.choice is not None
    assert asked.choice.strategy == "few_shot"
    pairs = (len(asked.sent) - 2) // 2
    assert 2 <= pairs <= 4
    assert [m.role for m in asked.sent] == ["system", *["user", "assistant"] * pairs, "user"]
    assert chat.choice is not None
    assert chat.choice.strategy == "zero_shot"
    assert [m.role for m in chat.sent] == ["system", "user"]


def test_a_strategy_asked_for_is_taken(make: Made) -> None:
    question, qa = "What is the capital of Peru?", AskOptions(task="qa", strategy="zero_shot")
    assert len(finished(make("x").ask(question, options=qa)).sent) == 2
    few = AskOptions(task="chat", strategy="few_shot")
    assert len(finished(make("x").ask("Hi", options=few)).sent) == 10


def test_the_strategy_of_the_settings_is_taken_unless_the_turn_says_otherwise(make: Made) -> None:
    session = make("x", "x", strategy="zero_shot")
    turn = finished(session.ask("Capital of Peru?", options=AskOptions(task="qa")))
    assert turn.choice is not None
    assert (turn.choice.strategy, len(turn.sent)) == ("zero_shot", 2)
    few = AskOptions(task="qa", strategy="few_shot")
    assert len(finished(session.ask("Capital of Peru?", options=few)).sent) == 10


def test_an_adapter_that_is_not_there_fails_and_the_route_is_kept(make: Made) -> None:
    with pytest.raises(AdapterError, match="french"):
        list(make().ask("Hi", options=AskOptions(adapter="french")))
    turn = make.store.turn("last")
    assert turn.state == "failed"
    assert turn.route is not None


def test_route_answers_nothing_and_stores_nothing(make: Made) -> None:
    assert make(rules={"Translate": "translation"}).route("Translate this").task == "translation"
    assert make.store.conversations() == []
    assert make.engine.calls == []


# -- asking when unsure ----------------------------------------------------------------------------


class Asked:
    """A user who answers the question with ``says``, and keeps what was asked."""

    def __init__(self, says: str | BaseException | None) -> None:
        self.says = says
        self.routes: list[Route] = []

    def __call__(self, route: Route) -> str | None:
        self.routes.append(route)
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


UNSURE = FakeRouter(unsure={"odd": ("chat", "qa")})


def test_only_an_unsure_route_is_asked_about(make: Made) -> None:
    session, asked = make("a", "b", "c", router=UNSURE), Asked("qa")
    finished(session.ask("Hi", decide=asked))
    assert asked.routes == []
    finished(session.ask("odd", options=AskOptions(task="translation"), decide=asked))
    assert asked.routes == []
    finished(session.ask("odd", decide=asked))
    assert [(route.task, route.unsure) for route in asked.routes] == [("chat", ("chat", "qa"))]


def test_what_the_user_says_is_used_and_learned(make: Made) -> None:
    session = make("First", "Lima", router=UNSURE)
    first = finished(session.ask("Hello"))
    events = list(session.ask("odd", conversation_id=first.conversation_id, decide=Asked("qa")))
    routed = next(event.turn.route for event in events if isinstance(event, TurnRouted))
    turn = events[-1].turn  # type: ignore[union-attr]
    assert turn.route == routed
    assert routed is not None
    assert (routed.task, routed.source, routed.confidence) == ("qa", "asked", 1.0)
    assert routed.scores == UNSURE.route("odd").scores
    assert turn.prompt_version.startswith("qa@")
    assert (turn.state, turn.answer) == ("done", "Lima")
    stored = make.store.turn(turn.id)
    assert stored.route is not None
    assert (stored.route.task, stored.route.source) == ("qa", "asked")
    (feedback,) = make.store.feedback()
    assert (feedback.turn_id, feedback.route) == (turn.id, "qa")
    assert [one["source"] for one in make.store.export_feedback()] == ["asked"]
    (lesson,) = make.store.route_corrections()
    assert (lesson.text, lesson.from_task, lesson.to_task) == ("odd", "chat", "qa")
    assert lesson.context == "User: Hello\nAssistant: First"


def test_confirming_the_guess_is_learned_too(make: Made) -> None:
    turn = finished(make("a", router=UNSURE).ask("odd", decide=Asked("chat")))
    assert turn.route is not None
    assert (turn.route.task, turn.route.source) == ("chat", "asked")
    assert [one.to_task for one in make.store.route_corrections()] == ["chat"]


def test_who_does_not_say_gets_the_likeliest_task(make: Made) -> None:
    asked = Asked(None)
    turn = finished(make("a", router=UNSURE).ask("odd", decide=asked))
    assert len(asked.routes) == 1
    assert turn.route == UNSURE.route("odd")
    assert make.store.feedback() == make.store.route_corrections() == []


def test_where_nobody_can_be_asked_it_goes_by_the_likeliest_task(make: Made) -> None:
    turn = finished(make("a", router=UNSURE).ask("odd"))
    assert turn.route == UNSURE.route("odd")
    assert make.store.feedback() == []


def test_a_regenerated_turn_is_asked_about_too(make: Made) -> None:
    session = make("a", "b", router=UNSURE)
    old = finished(session.ask("odd"))
    new = finished(session.regenerate(old.id, decide=Asked("qa")))
    assert new.route is not None
    assert (new.route.task, new.route.source) == ("qa", "asked")


def test_the_time_to_answer_the_question_is_not_the_turns(make: Made) -> None:
    class Slow(Asked):
        def __call__(self, route: Route) -> str | None:
            time.sleep(1.0)
            return super().__call__(route)

    turn = finished(make("a", router=UNSURE).ask("odd", decide=Slow("qa")))
    assert 0 < turn.timing.route_s <= turn.timing.total_s < 0.9


def test_stopping_at_the_question_ends_the_turn(make: Made) -> None:
    turn = finished(make("a", router=UNSURE).ask("odd", decide=Asked(Cancelled("stopped"))))
    assert (turn.state, turn.answer) == ("cancelled", "")
    assert make.engine.calls == []
    assert make.store.feedback() == []


# -- classification --------------------------------------------------------------------------------


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


# -- explaining, models, tasks ---------------------------------------------------------------------


def test_explain_tells_route_strategy_and_what_was_sent(make: Made) -> None:
    session = make("Lima", rules={"Peru": "qa"})
    turn = finished(session.ask("Capital of Peru?"))
    told = session.explain(turn.id)
    assert "**Task: qa** (90%), decided by" in told
    assert "character n-grams" in told
    assert "| chat | 2.5% |" in told
    assert (
        "**Strategy: zero-shot** because not measured here: the prompt file wants no examples"
        in told
    )
    sent = f"Sent: {turn.usage.prompt_tokens} tokens in 2 messages (0 earlier exchanges"
    assert sent in told
    assert f"prompt {turn.prompt_version}, model fake." in told
    assert "left out" not in told


def test_explain_tells_who_chose_probabilities_and_what_was_left_out(make: Made) -> None:
    session = make()
    options = AskOptions(task="classification", labels=("good", "bad"))
    turn = finished(session.ask("a good one", options=options))
    make.store.save_turn(replace(turn, left_out_turns=3))
    told = session.explain("last")
    assert "**Task: classification** (100%), chosen by you." in told
    assert "| part |" not in told
    assert told.index("| good | 87.0% |") < told.index("| bad | 13.0% |")
    assert "3 earlier turns did not fit the window" in told


def test_explain_tells_what_each_part_did(make: Made) -> None:
    session = make("Lima", rules={"Peru": "qa"})
    turn = finished(session.ask("Capital | Peru?"))
    told = session.explain(turn.id)
    assert "What each part does for **qa**" in told
    assert "| Capital | +1.0 |" in told
    assert "| \\| | +1.0 |" in told
    assert "| part |" not in session.explain(turn.id, read_again=False)


class Explaining(Listening):
    """Gives reasons made up by the test, and keeps what it was asked."""

    def __init__(self, task: str, parts: Sequence[Part] = (), lesson: str = "") -> None:
        super().__init__()
        self.task, self.parts, self.lesson = task, tuple(parts), lesson
        self.engines: list[object] = []

    def explain(self, text: str, context: str | None = None, engine: object = None) -> Reasons:
        self.asked.append((text, context))
        self.engines.append(engine)
        lessons = ((Lesson(self.lesson, None, self.task), 0.875),) if self.lesson else ()
        return Reasons(Route(self.task, 0.8, {self.task: 0.8}), self.parts, lessons)


def test_explain_tells_for_whom_else_a_part_speaks_and_leaves_out_what_does_nothing(
    make: Made,
) -> None:
    parts = [
        Part("two\nlines " + "x" * 80, {"chat": -0.5, "qa": 1.25, "translation": 0.5}),
        Part("nothing", {"chat": 0.04, "qa": 2.0}),
        Part("alone", {"chat": 2.0, "qa": -1.0}),
    ]
    session = make("a", router=Explaining("chat", parts, "said before"))
    finished(session.ask("Hi"))
    told = session.explain("last")
    assert "| two lines xxx" in told
    assert "x… | -0.5 | qa +1.2 |" in told
    assert "nothing" not in told
    assert "| alone | +2.0 |  |" in told
    assert "88% of the decision is what you taught for chat: “said before”" in told
    assert "Read again now" not in told


def test_explain_says_when_the_router_has_learned_since(make: Made) -> None:
    session = make("a", router=Explaining("qa", [Part("Hi", {"qa": 1.0})]))
    finished(session.ask("Hi"))
    told = session.explain("last")
    assert "Read again now, it would be **qa** (80%): the router has learned." in told
    assert "What each part does for **qa**" in told


def test_explain_reads_the_turn_as_it_was_routed(make: Made) -> None:
    """After the turn before it, with the engine that decided, if it is there without waiting."""
    router = Explaining("chat")
    session = make("First", "Second", "Third", router=router)
    turn = finished(session.ask("One"))
    for text in ("Two", "Three"):
        finished(session.ask(text, conversation_id=turn.conversation_id))
    second = make.store.turns(turn.conversation_id)[1]
    router.asked.clear()
    session.explain(second.id)
    assert router.asked == [("Two", "User: One\nAssistant: First")]
    assert router.engines == [None]  # the light stage had decided
    assert second.route is not None
    by_model = replace(second, route=replace(second.route, source="model"))
    session.reasons(by_model)
    assert router.engines[-1] is make.engine
    loads: list[object] = []
    loader = EngineLoader(lambda report: loads.append(report) or FakeEngine())
    make(loader=loader, router=router).reasons(by_model)
    assert (router.engines[-1], loads) == (None, [])


def test_explain_of_a_turn_without_a_route(make: Made) -> None:
    events = make().ask("Hi")
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert make().explain("last") == "This turn was stopped before it was routed."


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


# -- answers that come out wrong -------------------------------------------------------------------


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


SOURCE = "The committee will meet again on Thursday to settle the budget for next year."


def pieces_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerPiece))


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
