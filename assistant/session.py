"""One turn, without any screen: store, route, choose, render, generate, store.

The terminal app, the command line and the server all use this :class:`Session`; it is the only
place where a turn happens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from assistant import context
from assistant.adapters.keeper import Keeper
from assistant.adapters.shelf import Shelf
from assistant.answer_checks import loop_start
from assistant.answering import AskOptions, Plan, Planner
from assistant.calibration import Calibrations
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.engine.loader import EngineLoader
from assistant.errors import AssistantError, Cancelled
from assistant.events import (
    AnswerPiece,
    Event,
    PartsRead,
    TurnFinished,
    TurnPrepared,
    TurnRouted,
    TurnStarted,
)
from assistant.explain import explain_turn
from assistant.label_scoring import Labelled, classify
from assistant.long_texts import by_sections
from assistant.models.catalog import CatalogEntry, load_catalog, lookup
from assistant.models.installed import installed_names
from assistant.own_labels import OwnLabels
from assistant.paths import Paths, user_paths
from assistant.personal import PersonalShots
from assistant.prompts import Prompts
from assistant.router.router import Reasons
from assistant.side_by_side import ALONE, IN_USE, Request, SideEvent, Ways, answer_twice
from assistant.store.connection import storable
from assistant.store.preferences import Preference, Verdict
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.tasks import TASKS
from assistant.types import (
    Choice,
    Feedback,
    FinishReason,
    Generation,
    Rating,
    Route,
    Timing,
    Turn,
    TurnState,
    Usage,
)

_PARTIAL_EVERY_S = 0.3


class RouterLike(Protocol):
    """What a session needs of a router."""

    def route(
        self, text: str, context: str | None = None, engine: Engine | None = None
    ) -> Route: ...

    def explain(
        self, text: str, context: str | None = None, engine: Engine | None = None
    ) -> Reasons: ...


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What would be fetched before the first answer, for the user to agree to."""

    name: str
    title: str
    size_bytes: int
    licence: str
    sources: str


__all__ = ["AskOptions", "Decide", "DownloadPlan", "RouterLike", "Session"]

Decide = Callable[[Route], str | None]
"""Asks the user which of ``Route.unsure`` it is; ``None`` leaves it to the router."""

Reload = Callable[[str], tuple[Settings, EngineLoader]]
"""Makes settings and loader for another model."""


@dataclass(slots=True)
class _Clock:
    """Measures one turn in seconds from its start."""

    started: float
    first_token_s: float = 0.0
    route_s: float = 0.0

    def elapsed(self) -> float:
        return time.perf_counter() - self.started


class Session:
    """Everything one needs to hold conversations: a store, an engine, a router and prompts."""

    def __init__(
        self,
        store: Store,
        loader: EngineLoader,
        router: RouterLike,
        prompts: Prompts,
        settings: Settings,
        *,
        reload: Reload | None = None,
        paths: Paths | None = None,
        chooser: Chooser | None = None,
        personal: PersonalShots | None = None,
        calibrations: Calibrations | None = None,
        shelf: Shelf | None = None,
        own_labels: OwnLabels | None = None,
    ) -> None:
        self._reload = reload
        self._shelf = shelf
        self._own_labels = own_labels
        self._chooser = chooser or Chooser()
        self._personal = personal
        self._calibrations = calibrations
        self._paths = paths or user_paths()
        self.store = store
        self.loader = loader
        self.router = router
        self.prompts = prompts
        self.settings = settings

    @property
    def planner(self) -> Planner:
        """Return what plans answers, with the settings of now."""
        return Planner(
            self.prompts,
            self.settings,
            self._chooser,
            self._personal,
            self._calibrations,
            self._shelf,
            self._own_labels,
        )

    # -- turns ---------------------------------------------------------------------------------

    def ask(
        self,
        text: str,
        *,
        conversation_id: str | None = None,
        options: AskOptions | None = None,
        replaces: str | None = None,
        stop: threading.Event | None = None,
        decide: Decide | None = None,
    ) -> Iterator[Event]:
        """Hold one turn and yield its events; the user's message is stored before anything else.

        ``replaces`` hides that turn and all after it (edit, regenerate). Setting ``stop`` ends
        the answer within one token; what was said until then is kept. ``decide`` is called when the
        router is unsure; what it says is learned, ``None`` goes by the likeliest task.

        Raises:
            AssistantError: the turn failed; it is stored as failed, with the reason.
        """
        options = _well_formed(options or AskOptions())
        clock = _Clock(time.perf_counter())
        turn = self.store.begin_turn(
            text,
            conversation_id=conversation_id,
            system=options.system,
            model=self.settings.model,
            replaces=replaces,
        )
        said = ""
        try:
            yield TurnStarted(turn)
            for event in self._answer(turn, options, clock, stop, decide):
                if isinstance(event, AnswerPiece):
                    said += event.text
                else:
                    turn = event.turn
                yield event
        except Cancelled:
            self._end(turn, said, "cancelled")
            yield TurnFinished(self.store.turn(turn.id))
        except GeneratorExit:  # whoever asked is gone
            self._end(turn, said, "cancelled")
            raise
        except AssistantError as error:
            self._end(turn, said, "failed", error.message)
            raise
        except BaseException as error:  # whatever it was, no turn is left running
            self._end(turn, said, "failed", f"{type(error).__name__}: {error}")
            raise

    def _end(self, turn: Turn, said: str, state: TurnState, error: str | None = None) -> None:
        """Close a turn that did not come to its end; what was answered so far is kept."""
        if turn.state != "running":  # it had come to its end; only its last event was not read
            return
        reason: FinishReason = "cancelled" if state == "cancelled" else "error"
        self.store.finish_turn(
            replace(turn, answer=said, state=state, finish_reason=reason, error=error)
        )

    def regenerate(
        self,
        turn_id: str,
        *,
        options: AskOptions | None = None,
        stop: threading.Event | None = None,
        decide: Decide | None = None,
    ) -> Iterator[Event]:
        """Ask the same again in place of ``turn_id``; the old answer stays on record, hidden.

        A regenerated answer is sampled (temperature 0.7 unless given), because greedy decoding
        would only repeat itself.
        """
        old = self.store.turn(turn_id)
        options = options or AskOptions()
        if options.temperature is None:
            options = replace(options, temperature=max(0.7, old.decoding.temperature))
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
        """Answer one request in two ways, left then right, without storing a turn.

        By default it is the model alone against the adapter in use.

        Raises:
            AssistantError: a way is not open (no such adapter), or an answer failed.
        """
        yield from answer_twice(self, request, ways, stop)

    def apart(self, store: Store, *, adapters: bool) -> Session:
        """Return a session like this one on another store; without ``adapters`` it has none."""
        settings = self.settings
        if not adapters and settings.strategy == "adapter":
            settings = settings.model_copy(update={"strategy": "auto"})
        return Session(
            store,
            self.loader,
            self.router,
            self.prompts,
            settings,
            paths=self._paths,
            chooser=self._chooser,
            personal=self._personal,
            calibrations=self._calibrations,
            shelf=self._shelf if adapters else None,
            own_labels=self._own_labels,
        )

    def prefer(
        self,
        left: Turn,
        right: Turn,
        choice: Verdict,
        *,
        blind: bool = False,
        turn_id: str | None = None,
    ) -> Preference:
        """Store which of the two answers of a comparison was better (see ``compare``)."""
        return self.store.add_preference(left, right, choice, blind=blind, turn_id=turn_id)

    def route(self, text: str, previous_turn: str | None = None) -> Route:
        """Return the route of a text without answering it (waits for the engine)."""
        return self.router.route(text, previous_turn, self.loader.get())

    # -- feedback ------------------------------------------------------------------------------

    def rate(self, turn_id: str, rating: Rating, comment: str | None = None) -> Feedback:
        """Store a thumb on a turn."""
        return self.store.add_feedback(turn_id, rating=rating, comment=comment, source="app")

    def correct(self, turn_id: str, text: str, comment: str | None = None) -> Feedback:
        """Store what the answer should have been; later turns build on the correction."""
        return self.store.add_feedback(turn_id, correction=text, comment=comment, source="app")

    def correct_route(self, turn_id: str, task: str) -> Feedback:
        """Store which task the turn should have been routed to."""
        return self.store.add_feedback(turn_id, route=task, source="app")

    def explain(self, turn_id: str, *, read_again: bool = True) -> str:
        """Return Markdown that says why a turn was answered as it was.

        Which words spoke for the task is found by reading the turn again (a second or so); where the
        model is not loaded, or ``read_again`` is off, only what was stored is told.
        """
        turn = self.store.turn(turn_id)
        reasons = self.reasons(turn) if read_again else None
        return explain_turn(turn, reasons)

    def reasons(self, turn: Turn) -> Reasons | None:
        """Return why the router takes a turn as it does, ``None`` where nothing was to be decided."""
        if turn.route is None or turn.route.source == "forced":
            return None
        earlier = [t for t in self.store.turns(turn.conversation_id) if t.position < turn.position]
        ready = self.loader.status.state == "ready"
        engine = self.loader.get() if ready and turn.route.source != "light" else None
        return self.router.explain(turn.user_text, context.previous_turn_text(earlier), engine)

    def tasks(self) -> list[str]:
        """Return the names of all tasks: the five built in, then the user's own."""
        own = [name for name in self.prompts.tasks() if name not in TASKS]
        return [*TASKS, *own]

    @property
    def adapters(self) -> Keeper | None:
        """Return what looks after the trained adapters, ``None`` where there is no place for any."""
        if self._shelf is None:
            return None
        settings = self.settings
        plain = settings.engine == "plain"
        return Keeper(self._shelf.registry, self._paths, settings.model, plain=plain)

    # -- models --------------------------------------------------------------------------------

    def models(self) -> list[tuple[str, str, bool, int]]:
        """Return name, title, whether it is installed, and bytes of every catalogue model."""
        here = set(installed_names(self._paths))
        return [(e.name, e.title, e.name in here, e.bytes or 0) for e in load_catalog()]

    def use_model(self, name: str) -> None:
        """Switch to another model; the old one's memory is freed, the new one loads on demand."""
        if self._reload is None:
            return
        settings, loader = self._reload(name)
        old = self.loader
        self.settings, self.loader = settings, loader
        old.close()

    def download_plan(self) -> DownloadPlan | None:
        """Return what has to be fetched before the first answer; ``None`` when it is all here."""
        if self.loader.status.state != "missing":
            return None
        entry: CatalogEntry | None = lookup(self.settings.model)
        if entry is None:
            return DownloadPlan(self.settings.model, self.settings.model, 0, "see its page", "hub")
        sources = f"the publisher's hub repository {entry.hub_repo}"
        if entry.mirror is not None:
            sources += ", else a mirror in the Python package index"
        return DownloadPlan(entry.name, entry.title, entry.bytes or 0, entry.licence, sources)

    # -- the inside of a turn ------------------------------------------------------------------

    def _answer(
        self,
        turn: Turn,
        options: AskOptions,
        clock: _Clock,
        stop: threading.Event | None,
        decide: Decide | None,
    ) -> Iterator[Event]:
        engine = self.loader.get(stop, self.prompts.warm)  # libraries load while the model does
        clock.started = time.perf_counter()  # loading is paid once and is not part of a turn
        earlier = [t for t in self.store.turns(turn.conversation_id) if t.position < turn.position]
        route = self._route(turn.user_text, options, earlier, engine)
        clock.route_s = clock.elapsed()
        if route.unsure and decide is not None:
            asked = time.perf_counter()
            route = self._asked(turn, route, decide(route))
            clock.started += time.perf_counter() - asked  # the user's own time
        turn = replace(
            turn,
            route=route,
            model=engine.info.model,
            model_sha256=engine.info.sha256,
            context_limit=self.planner.limit(engine),
        )
        yield TurnRouted(turn)

        text = turn.user_text
        if route.task == "summarization":
            for read in by_sections(text, self.planner, engine, options, stop):
                text = read.text or text
                yield PartsRead(turn, read.done, read.total)
        plan = self._plan(turn, text, options, earlier, engine)
        turn = _planned(turn, plan)
        self.store.save_turn(turn)
        yield TurnPrepared(turn)

        if plan.request.labels:
            yield from self._classify(turn, plan, engine, clock, stop)
            return
        watched = self.planner.other_way(plan, options) is not None
        with suppress(_Wrong):
            yield from self._generate(turn, plan, engine, clock, stop, watched=watched)
            return
        plan = self._plan(turn, text, options, earlier, engine, wrong=plan)
        turn = _planned(turn, plan)
        self.store.save_turn(turn)
        yield TurnPrepared(turn)  # from now on it is this plan that the answer is by
        yield from self._generate(turn, plan, engine, clock, stop, watched=False)

    def _route(
        self, text: str, options: AskOptions, earlier: Sequence[Turn], engine: Engine
    ) -> Route:
        if options.task == "auto":
            return self.router.route(text, context.previous_turn_text(earlier), engine)
        self.prompts.get(options.task)  # an unknown name is an error, said at once
        scores = {name: float(name == options.task) for name in self.tasks()}
        return Route(options.task, 1.0, scores, "forced")

    def _asked(self, turn: Turn, route: Route, task: str | None) -> Route:
        """Return the route after the user was asked; what was said is learned like a correction."""
        if task is None:
            return route
        self.store.save_turn(replace(turn, route=route))
        self.store.add_feedback(turn.id, route=task, source="asked")
        return replace(route, task=task, confidence=1.0, source="asked")

    def _plan(
        self,
        turn: Turn,
        text: str,
        options: AskOptions,
        earlier: Sequence[Turn],
        engine: Engine,
        *,
        wrong: Plan | None = None,
    ) -> Plan:
        """Plan the answer; after one that was plainly ``wrong``, in another way."""
        assert turn.route is not None
        own = options.system or self.store.conversation(turn.conversation_id).system
        system = own or self.settings.system
        task = turn.route.task
        if wrong is None:
            return self.planner.plan(text, task, options, engine, earlier=earlier, system=system)
        other = self.planner.again(
            text, task, wrong, options, engine, earlier=earlier, system=system
        )
        return other or wrong

    def _classify(
        self,
        turn: Turn,
        plan: Plan,
        engine: Engine,
        clock: _Clock,
        stop: threading.Event | None,
    ) -> Iterator[Event]:
        if stop is not None and stop.is_set():
            raise Cancelled("Stopped before the labels were scored.")
        found = classify(plan, self.planner, engine)
        answer = found.best
        clock.first_token_s = clock.elapsed()
        yield AnswerPiece(answer)
        turn = replace(
            turn,
            answer=answer,
            probabilities=found.chances,
            choice=_with_labels(turn.choice, found),
            usage=replace(turn.usage, completion_tokens=engine.count_text_tokens(answer)),
            state="done",
            finish_reason="stop",
            timing=Timing(clock.route_s, clock.first_token_s, clock.elapsed(), 0.0),
        )
        self.store.finish_turn(turn)
        yield TurnFinished(turn)

    def _generate(
        self,
        turn: Turn,
        plan: Plan,
        engine: Engine,
        clock: _Clock,
        stop: threading.Event | None,
        *,
        watched: bool = True,
    ) -> Iterator[Event]:
        """Stream the answer; what may turn out to be wrong is held back until that is clear.

        Not ``watched``, it is shown as it comes: there is no other way left to try.

        Raises:
            _Wrong: it is plainly wrong; nothing of it was shown.
        """
        watch = plan.watch if watched else None
        answer, shown, saved_at = "", 0, clock.elapsed()
        pieces = engine.generate(
            turn.sent, turn.decoding, adapter=plan.choice.adapter, stop=stop, stable=plan.stable
        )
        with _closing(pieces):
            for piece in pieces:
                answer += piece.text
                reason = piece.finish_reason
                if watch and watch.wrong(answer, whole=reason == "stop"):
                    raise _Wrong
                loop = loop_start(answer) if piece.text else None
                ends = reason is not None or loop is not None
                held = not ends and watch is not None and watch.suspicious(answer)
                if len(answer) > shown and not held:
                    # Only what is shown is saved: an echo held back must not be kept as the answer.
                    if clock.elapsed() - saved_at > _PARTIAL_EVERY_S:
                        self.store.save_partial(turn.id, answer)
                        saved_at = clock.elapsed()
                    clock.first_token_s = clock.first_token_s or clock.elapsed()
                    yield AnswerPiece(answer[shown:])
                    shown = len(answer)
                if loop is not None:
                    usage = replace(turn.usage, completion_tokens=engine.count_text_tokens(answer))
                    turn = self._finished(turn, answer[:loop].rstrip(), "stop", usage, clock)
                    break
                if reason is not None:
                    turn = self._finished(turn, answer, reason, piece.usage, clock)
        self.store.finish_turn(turn)
        yield TurnFinished(turn)

    def _finished(
        self, turn: Turn, answer: str, reason: FinishReason, usage: Usage | None, clock: _Clock
    ) -> Turn:
        usage = usage or turn.usage
        decoding_s = clock.elapsed() - clock.first_token_s
        speed = (usage.completion_tokens - 1) / decoding_s if usage.completion_tokens > 1 else 0.0
        return replace(
            turn,
            answer=answer,
            usage=usage,
            state="cancelled" if reason == "cancelled" else "done",
            finish_reason=reason,
            timing=Timing(clock.route_s, clock.first_token_s, clock.elapsed(), speed),
        )


def _well_formed(options: AskOptions) -> AskOptions:
    """Return options without lone surrogates (from a terminal that is not UTF-8): no model reads them."""
    return replace(
        options,
        system=storable(options.system) if options.system else options.system,
        labels=tuple(map(storable, options.labels)),
    )


class _Wrong(Exception):
    """The answer under way is plainly wrong (an echo of the text); another way is worth a try."""


@contextmanager
def _closing(pieces: Iterator[Generation]) -> Iterator[None]:
    """End an answer that is not read to its end at once: the engine serves nobody else meanwhile."""
    try:
        yield
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


def _with_labels(choice: Choice | None, found: Labelled) -> Choice | None:
    """Return the choice with what the model alone said, where the user's judgements were weighed in."""
    if choice is None or not found.own_texts or found.model is None:
        return choice
    count = "a label" if found.own_texts == 1 else f"{found.own_texts} labels"
    reason = f"{choice.reason}; weighed with {count} of yours"
    return replace(choice, reason=reason, model_labels=found.model)


def _planned(turn: Turn, plan: Plan) -> Turn:
    """Return the turn with what is going to be sent and why."""
    return replace(
        turn,
        choice=plan.choice,
        sent=plan.messages,
        prompt_version=plan.prompt_version,
        decoding=plan.decoding,
        left_out_turns=plan.left_out_turns,
        usage=Usage(prompt_tokens=plan.prompt_tokens),
    )
