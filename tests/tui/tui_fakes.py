"""A session in memory, as the app sees one: no database, no model, a clock that stands still."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from assistant.engine.loader import EngineLoader
from assistant.errors import AssistantError, Cancelled, NotFound
from assistant.events import (
    AnswerPiece,
    Event,
    TurnFinished,
    TurnPrepared,
    TurnRouted,
    TurnStarted,
)
from assistant.side_by_side import ALONE, IN_USE, SIDES, Request, SideEvent, Way, Ways
from assistant.store.preferences import Preference, Verdict, candidate_of
from assistant.testing import FakeEngine, ready_loader
from assistant.types import Choice, Conversation, Feedback, Rating, Route, Timing, Turn, Usage

NOON = datetime(2025, 3, 14, 12, 0, tzinfo=UTC)
TASKS = ("qa", "translation", "summarization", "classification", "chat")
SPLIT = (0.52, 0.44, 0.31)


def now() -> datetime:
    """Return the time at which all tests happen."""
    return NOON


@dataclass(frozen=True)
class Hit:
    """A place found."""

    conversation_id: str
    turn_id: str | None
    title: str
    role: str
    snippet: str


@dataclass(frozen=True)
class Plan:
    """A model that would be fetched."""

    name: str = "qwen2.5-0.5b"
    title: str = "Qwen2.5 0.5B Instruct"
    size_bytes: int = 491_400_032
    licence: str = "Apache-2.0"
    sources: str = "huggingface.co, or the Python package index"


@dataclass
class FakeSettings:
    """The settings the app reads."""

    theme: str = "auto"
    keys: dict[str, str] = field(default_factory=dict)
    model: str = "fake-0.5b"


class FakeStore:
    """Conversations and turns in two dictionaries."""

    def __init__(self) -> None:
        self._conversations: dict[str, Conversation] = {}
        self._turns: dict[str, Turn] = {}
        self.judged_by_turn: list[Feedback] = []

    def begin(self, text: str, conversation_id: str | None, replaces: str | None) -> Turn:
        """Store the user's message."""
        stamp = NOON.isoformat()
        if conversation_id is None:
            conversation_id = f"c{len(self._conversations) + 1}"
            title = text.split("\n")[0][:60]
            self._conversations[conversation_id] = Conversation(
                conversation_id, title, stamp, stamp
            )
        if replaces is not None:
            first = self._turns[replaces].position
            for turn in self.turns(conversation_id):
                if turn.position >= first:
                    self.hide_turn(turn.id)
        number = len(self._turns) + 1
        turn = Turn(
            f"t{number}", conversation_id, number, text, replaces=replaces, created_at=stamp
        )
        return self.save(turn)

    def save(self, turn: Turn) -> Turn:
        """Store a turn."""
        self._turns[turn.id] = turn
        return turn

    def add(self, title: str, *turns: tuple[str, str], day: int = 14) -> Conversation:
        """Store a whole conversation."""
        stamp = NOON.replace(day=day).isoformat()
        made = Conversation(f"c{len(self._conversations) + 1}", title, stamp, stamp)
        self._conversations[made.id] = made
        for user, answer in turns:
            turn = replace(self.begin(user, made.id, None), answer=answer, state="done")
            self.save(finished(turn, TASKS[len(self._turns) % 5]))
        return made

    def conversations(self, limit: int = 50, offset: int = 0) -> list[Conversation]:
        listed = sorted(self._conversations.values(), key=lambda c: c.updated_at, reverse=True)
        return listed[offset : offset + limit]

    def conversation(self, conversation_id: str) -> Conversation:
        try:
            return self._conversations[conversation_id]
        except KeyError:
            raise NotFound(f"There is no conversation {conversation_id}.") from None

    def turns(self, conversation_id: str) -> list[Turn]:
        return [
            t for t in self._turns.values() if t.conversation_id == conversation_id and not t.hidden
        ]

    def turn(self, turn_id: str) -> Turn:
        return self._turns[turn_id]

    def search(self, query: str) -> list[Hit]:
        hits = []
        for turn in self._turns.values():
            title = self._conversations[turn.conversation_id].title
            for role, text in (("user", turn.user_text), ("assistant", turn.answer)):
                if query.lower() in text.lower():
                    hits.append(Hit(turn.conversation_id, turn.id, title, role, text[:80]))
        return hits

    def rename(self, conversation_id: str, title: str) -> None:
        old = self._conversations[conversation_id]
        self._conversations[conversation_id] = replace(old, title=title)

    def delete(self, conversation_id: str) -> None:
        del self._conversations[conversation_id]

    def fork(self, conversation_id: str, up_to_turn_id: str) -> Conversation:
        old = self._conversations[conversation_id]
        last = self._turns[up_to_turn_id].position
        pairs = [(t.user_text, t.answer) for t in self.turns(conversation_id) if t.position <= last]
        return self.add(f"{old.title} (copy)", *pairs)

    def hide_turn(self, turn_id: str) -> None:
        self.save(replace(self._turns[turn_id], hidden=True))

    def unhide_turn(self, turn_id: str) -> None:
        self.save(replace(self._turns[turn_id], hidden=False))

    def feedback(self, *, turn_id: str | None = None) -> list[Feedback]:
        return [one for one in self.judged_by_turn if turn_id in (None, one.turn_id)]

    def edit_feedback(self, feedback_id: int, said: Mapping[str, Any]) -> Feedback:
        place = next(n for n, one in enumerate(self.judged_by_turn) if one.id == feedback_id)
        self.judged_by_turn[place] = replace(self.judged_by_turn[place], **said)
        return self.judged_by_turn[place]

    def export_conversation(self, conversation_id: str) -> dict[str, Any]:
        return {
            "title": self._conversations[conversation_id].title,
            "turns": [{"user": t.user_text} for t in self.turns(conversation_id)],
        }


def finished(turn: Turn, task: str, answer: str | None = None) -> Turn:
    """Return ``turn`` with everything a finished one has."""
    scores = {name: (0.96 if name == task else 0.01) for name in TASKS}
    return replace(
        turn,
        answer=turn.answer if answer is None else answer,
        state="done",
        finish_reason="stop",
        route=turn.route or Route(task, 0.96, scores),
        choice=Choice("few_shot", "no adapter measured better"),
        usage=Usage(620, 500, 48),
        timing=Timing(0.01, 0.21, 1.4, 38.0),
        context_limit=4096,
        model="fake-0.5b",
    )


def _in_way(event: Event, way: Way) -> Event:
    """Return the event of a turn as if it had been answered in ``way``."""
    if isinstance(event, AnswerPiece) or event.turn.choice is None:
        return event
    name = way.adapter or (f"{event.turn.route.task}/v1" if event.turn.route else "")
    choice = Choice("adapter", "", name) if way.trained else event.turn.choice
    return replace(event, turn=replace(event.turn, choice=choice))


class FakeSession:
    """Answers from a script. ``gate`` holds an answer back after its first word until it is set.

    With ``unsure`` every turn whose task is not forced is asked about. ``reading`` holds up the
    second reading of a turn that is explained.
    """

    def __init__(
        self,
        answers: Sequence[str | Exception] = (),
        *,
        task: str = "chat",
        unsure: tuple[str, ...] = (),
        loader: EngineLoader | None = None,
        plan: Plan | None = None,
        keys: dict[str, str] | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.store = FakeStore()
        self.loader = loader or ready_loader(FakeEngine())
        self.settings = FakeSettings(keys=keys or {})
        self.answers = list(answers)
        self.task = task
        self.unsure = unsure
        self.plan = plan
        self.delay_s = delay_s
        self.gate = threading.Event()
        self.gate.set()
        self.reading = threading.Event()
        self.reading.set()
        self.explained: list[str] = []
        self.fails_before_storing: Exception | None = None
        self.asked: list[tuple[str, Any]] = []
        self.adapters: Any = None
        self.compared: list[tuple[Request, Ways]] = []
        self.preferred: list[tuple[str, bool, str | None]] = []
        self.preferring_fails: Exception | None = None
        self.feedback: list[tuple[str, str, object]] = []

    def ask(
        self,
        text: str,
        *,
        conversation_id: str | None = None,
        options: Any = None,
        replaces: str | None = None,
        stop: threading.Event | None = None,
        decide: Callable[[Route], str | None] | None = None,
    ) -> Iterator[Event]:
        self.asked.append((text, options))
        if self.fails_before_storing is not None:
            raise self.fails_before_storing
        turn = self.store.begin(text, conversation_id, replaces)
        yield TurnStarted(turn)
        try:
            yield from self._answer(turn, options, stop or threading.Event(), decide)
        except Cancelled:
            turn = self.store.save(replace(turn, state="cancelled", finish_reason="cancelled"))
            yield TurnFinished(turn)
        except AssistantError as error:
            self.store.save(replace(turn, state="failed", error=error.message))
            raise

    def _answer(
        self,
        turn: Turn,
        options: Any,
        stop: threading.Event,
        decide: Callable[[Route], str | None] | None,
    ) -> Iterator[Event]:
        self.loader.get(stop)
        route = self._route(options, decide)
        turn = replace(turn, route=route)
        yield TurnRouted(turn)
        final = finished(turn, route.task)
        yield TurnPrepared(replace(final, state="running", finish_reason=None))
        answer = self.answers.pop(0) if self.answers else f"You said: {turn.user_text}"
        if isinstance(answer, Exception):
            raise answer
        said = ""
        for number, word in enumerate(answer.split(" ")):
            piece = word if number == 0 else f" {word}"
            if number and not self.gate.is_set():
                while not (self.gate.wait(0.01) or stop.is_set()):
                    pass
            if stop.is_set():
                final = replace(final, state="cancelled", finish_reason="cancelled")
                break
            said += piece
            yield AnswerPiece(piece)
            if self.delay_s:
                time.sleep(self.delay_s)
        final = self.store.save(replace(final, answer=said))
        yield TurnFinished(final)

    def _route(self, options: Any, decide: Callable[[Route], str | None] | None) -> Route:
        if options.task == "auto" and self.unsure and decide is not None:
            chances = dict.fromkeys(TASKS, 0.01) | dict(zip(self.unsure, SPLIT, strict=False))
            route = Route(self.unsure[0], SPLIT[0], chances, "model", self.unsure)
            task = decide(route)
            if task is None:
                return route
            return replace(route, task=task, confidence=1.0, source="asked")
        task = self.task if options.task == "auto" else options.task
        chances = {name: (0.96 if name == task else 0.01) for name in TASKS}
        return Route(task, 0.96, chances, "model" if options.task == "auto" else "forced")

    def regenerate(
        self,
        turn_id: str,
        *,
        options: Any = None,
        stop: threading.Event | None = None,
        decide: Callable[[Route], str | None] | None = None,
    ) -> Iterator[Event]:
        old = self.store.turn(turn_id)
        yield from self.ask(
            old.user_text,
            conversation_id=old.conversation_id,
            options=options,
            replaces=old.id,
            stop=stop,
            decide=decide,
        )

    def compare(
        self,
        request: Request,
        ways: Ways = (ALONE, IN_USE),
        *,
        stop: threading.Event | None = None,
    ) -> Iterator[SideEvent]:
        """Answer twice from the script, held back by the same gate as one answer."""
        self.compared.append((request, ways))
        inner = FakeSession(task=self.task, loader=self.loader, delay_s=self.delay_s)
        inner.answers, inner.gate = self.answers, self.gate
        for side, way in zip(SIDES, ways, strict=True):
            if stop is not None and stop.is_set():
                return
            for event in inner.ask(request.text, options=request.options, stop=stop):
                yield SideEvent(side, _in_way(event, way))

    def prefer(
        self,
        left: Turn,
        right: Turn,
        choice: Verdict,
        *,
        blind: bool = False,
        turn_id: str | None = None,
    ) -> Preference:
        if self.preferring_fails is not None:
            raise self.preferring_fails
        self.preferred.append((choice, blind, turn_id))
        sides = candidate_of(left), candidate_of(right)
        return Preference(1, turn_id, "qa", left.user_text, *sides, choice, blind, "")

    def rate(self, turn_id: str, rating: Rating, comment: str | None = None) -> Feedback:
        self.feedback.append(("rate", turn_id, (rating, comment)))
        self.store.save(replace(self.store.turn(turn_id), rating=rating))
        made = Feedback(len(self.feedback), turn_id, NOON.isoformat(), rating=rating)
        self.store.judged_by_turn.append(made)
        return made

    def correct(self, turn_id: str, text: str, comment: str | None = None) -> Feedback:
        self.feedback.append(("correct", turn_id, text))
        self.store.save(replace(self.store.turn(turn_id), correction=text))
        return Feedback(2, turn_id, NOON.isoformat(), correction=text)

    def correct_route(self, turn_id: str, task: str) -> Feedback:
        self.feedback.append(("route", turn_id, task))
        return Feedback(3, turn_id, NOON.isoformat(), route=task)

    def tasks(self) -> list[str]:
        return list(TASKS)

    def models(self) -> list[tuple[str, str, bool, int]]:
        return [
            ("fake-0.5b", "Fake 0.5B", True, 491_000_000),
            ("fake-1.5b", "Fake 1.5B", False, 1_120_000_000),
        ]

    def use_model(self, name: str) -> None:
        self.settings.model = name
        self.loader = ready_loader(FakeEngine())

    def explain(self, turn_id: str, *, read_again: bool = True) -> str:
        stored = "## Task\n\nIt looks like **chat**."
        if not read_again:
            return stored
        self.explained.append(turn_id)
        self.reading.wait(10)
        return f"{stored}\n\nThe word **hello** spoke for it."

    def download_plan(self) -> Plan | None:
        return self.plan
