"""What a turn is taken for and how it is answered, and who decides that."""

from __future__ import annotations

import time

import pytest
from session_fakes import Listening, Made, finished

from assistant.errors import AdapterError, Cancelled, PromptError
from assistant.events import TurnRouted
from assistant.session import AskOptions
from assistant.testing import FakeRouter
from assistant.types import Route

# -- route, task and strategy ----------------------------------------------------------------------


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
