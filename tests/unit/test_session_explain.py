"""What a session tells about a turn: task, strategy, and what each part of the text did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from session_fakes import Listening, Made, finished

from assistant.engine.loader import EngineLoader
from assistant.router.memory import Lesson
from assistant.router.router import Reasons
from assistant.router.why import Part
from assistant.session import AskOptions
from assistant.testing import FakeEngine
from assistant.types import Route


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
