"""From a turn to what the model is sent: request, strategy, prompt, decoding, all within the window.

The session and the evaluation both come through here, so that what is measured is what users get.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from assistant import context
from assistant.adapters.names import canonical
from assistant.adapters.shelf import Shelf
from assistant.answer_checks import TranslationWatch
from assistant.calibration import Calibrations
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.errors import AdapterError
from assistant.own_labels import OwnLabels
from assistant.parted import part
from assistant.passages import Count, relevant
from assistant.personal import PersonalShot, PersonalShots, request_language
from assistant.prompts import Prompts, Rendered
from assistant.request import Request, read_request
from assistant.strategy import Chooser
from assistant.tasks import decoding_for
from assistant.types import Choice, Decoding, Generation, Message, Turn

ADAPTER = "adapter"
"""The variant of a prompt file that an adapter is trained on, where the file has one."""

EXAMPLES_LEAD = frozenset({"summarization"})
"""Tasks in which the user's own answers are followed better without an adapter that ships. Of 20 summaries as three
bullets 25 % came out as wanted after 45 corrections without the adapter and 20 % with it, ROUGE-L 78 and 63; in
translation both followed alike, and with the adapter chrF was a point higher (`benchmarks/feedback.py`)."""

LONG_PASSAGE = 900
"""Tokens of a passage that are read for a question; of a longer one the parts it is about."""


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What the user fixed for a turn; everything left alone is decided by the program.

    ``shots`` and ``nearest`` are how many examples a few-shot prompt shows and how they are picked;
    ``personal`` whether the user's own answers may be among them.
    """

    task: str = "auto"
    system: str | None = None
    strategy: str = "auto"
    adapter: str | None = None
    labels: tuple[str, ...] = ()
    to: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    shots: int | None = None
    nearest: bool | None = None
    personal: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How one turn is going to be answered.

    Attributes:
        stable: how many of ``messages`` any turn of this kind begins with (examples that were picked
            for this one are not among them).
        prompt_tokens: what the messages take.
        left_out_turns: earlier turns that did not fit.
        own_labels: which of the user's judgements of labels count: none, those of other texts, or all.
    """

    request: Request
    choice: Choice
    decoding: Decoding
    messages: tuple[Message, ...]
    stable: int
    prompt_version: str
    prompt_tokens: int
    left_out_turns: int
    own_labels: Literal["none", "others", "all"] = "none"

    @property
    def watch(self) -> TranslationWatch | None:
        """Return what looks after the answer while it is written, where there is something to see."""
        request = self.request
        if request.pair is None or not request.passage:
            return None
        return TranslationWatch(request.passage, request.pair.split("-")[1])


class Planner:
    """Makes plans with one user's prompts, settings and measured strategies.

    ``shelf`` has the trained adapters; a plan that uses one leaves it loaded in the engine.
    """

    def __init__(
        self,
        prompts: Prompts,
        settings: Settings,
        chooser: Chooser,
        personal: PersonalShots | None = None,
        calibrations: Calibrations | None = None,
        shelf: Shelf | None = None,
        own_labels: OwnLabels | None = None,
    ) -> None:
        self.prompts = prompts
        self.settings = settings
        self.personal = personal
        self.calibrations = calibrations or Calibrations()
        self.shelf = shelf
        self.own_labels = own_labels
        self._chooser = chooser

    @property
    def chooser(self) -> Chooser:
        """Return what decides, with the adapters that are in use now for the settings' model."""
        return self.chooser_for(canonical(self.settings.model))

    def chooser_for(self, model: str) -> Chooser:
        """Return what decides for a model, with its adapters and what their records say of them."""
        if self.shelf is None:
            return self._chooser
        return self._chooser.beside(self.shelf.look(model), model)

    def plan(
        self,
        text: str,
        task: str,
        options: AskOptions,
        engine: Engine,
        *,
        earlier: Sequence[Turn] = (),
        system: str | None = None,
    ) -> Plan:
        """Choose the strategy for a turn and build the prompt that fits the window.

        Raises:
            ContextOverflow: the turn alone does not fit.
            UsageError: a strategy is unknown.
            AdapterError: the adapter asked for is not here.
        """
        request = self._request(text, task, options, engine, earlier)
        choice = self._choice(task, request, options, engine)
        own = self._own_shots(text, task, request, options, engine, earlier)
        choice = _with_own(
            self._led(task, request, choice, options, engine) if own else choice, own
        )
        decoding = self._decoding(task, options)
        prompt = _Prompt(self.prompts, task, request, choice, own, system)
        fitted = context.fit(
            prompt,
            context.relevant_turns(task, text, request.has_passage, earlier),
            shots=choice.shots + len(own),
            count=engine.count_tokens,
            limit=self.limit(engine),
            max_tokens=decoding.max_tokens,
        )
        choice, stable = prompt.shown()
        return Plan(
            request=request,
            choice=choice,
            decoding=replace(decoding, max_tokens=fitted.max_tokens),
            messages=fitted.messages,
            stable=stable,
            prompt_version=prompt.last.version,
            prompt_tokens=fitted.prompt_tokens,
            left_out_turns=fitted.left_out_turns,
            own_labels=self._own_labels(options),
        )

    def again(
        self,
        text: str,
        task: str,
        plan: Plan,
        options: AskOptions,
        engine: Engine,
        *,
        earlier: Sequence[Turn] = (),
        system: str | None = None,
    ) -> Plan | None:
        """Return another way to answer a turn whose answer by ``plan`` came out plainly wrong.

        ``None`` where what the user fixed leaves no other way.
        """
        other = self.other_way(plan, options)
        if other is None:
            return None
        found = self.plan(text, task, other, engine, earlier=earlier, system=system)
        reason = f"{_named(found.choice)}, because the first answer repeated the text"
        return replace(found, choice=replace(found.choice, reason=reason))

    def other_way(self, plan: Plan, options: AskOptions) -> AskOptions | None:
        """Return options for a second try within what the user asked for; ``None`` without any.

        Examples help a model that repeats the text instead of translating it; where they were there
        already, it does better without them. A strategy that was asked for is kept: few-shot has
        other examples left, those most like the text or else fixed ones, or another number of them.
        """
        wanted = self._wanted(options)
        few = plan.choice.strategy == "few_shot"
        if wanted == "adapter" and plan.choice.strategy != "adapter":
            wanted = "auto"  # the settings want one, and there is none for this task
        if options.adapter is not None or wanted in ("zero_shot", "adapter"):
            return None
        if wanted == "auto":
            strategy = "zero_shot" if few else "few_shot"
            return replace(options, strategy=strategy, shots=None if few else 4)
        shown = plan.choice.shots
        if options.nearest is None and shown:
            return replace(options, nearest=not plan.choice.nearest)
        if options.shots is None:
            return replace(options, shots=2 if shown > 2 else 4)
        return None

    def limit(self, engine: Engine) -> int:
        """Return how many tokens of the model's window may be used."""
        own = self.settings.context_tokens
        return min(own, engine.info.context_length) if own else engine.info.context_length

    def _request(
        self,
        text: str,
        task: str,
        options: AskOptions,
        engine: Engine,
        earlier: Sequence[Turn],
    ) -> Request:
        """Return what a turn asks for, with a passage as long as it is read for a question."""
        request = read_request(
            text,
            task=task,
            prompt=self.prompts.get(task),
            labels=tuple(dict.fromkeys(options.labels)),  # one probability each
            to=options.to,
            default_to=self.settings.translate_to,
            earlier=earlier,
        )
        if task != "qa":
            return request
        room = min(LONG_PASSAGE, self.limit(engine) // 2)
        return _about_the_question(request, engine.count_text_tokens, room)

    def _choice(self, task: str, request: Request, options: AskOptions, engine: Engine) -> Choice:
        """Return the way to answer; its adapter is loaded.

        Where nobody asked for the adapter, one that cannot be loaded is done without.
        """
        chooser = self.chooser_for(engine.info.model)
        asked = options.adapter is not None or options.strategy == "adapter"
        wanted, why = self._wanted(options), ""
        if wanted == "adapter" and not asked and chooser.adapters and task not in chooser.adapters:
            wanted, why = "auto", f"; no adapter is in use for {task}"
        choice = self._chosen(chooser, task, request, options, engine, wanted)
        if choice.adapter is None or self.shelf is None:
            return replace(choice, reason=choice.reason + why)
        try:
            self.shelf.load(choice.adapter, engine)
        except AdapterError as error:
            if asked:
                raise
            other = chooser.without(choice.adapter)
            why = f"; adapter {choice.adapter} cannot be used: {error.message}"
            choice = self._chosen(other, task, request, options, engine, "auto")
            return replace(choice, reason=choice.reason + why)
        return choice

    def _chosen(
        self,
        chooser: Chooser,
        task: str,
        request: Request,
        options: AskOptions,
        engine: Engine,
        wanted: str,
    ) -> Choice:
        choice = chooser.choose(
            task,
            requested=wanted,
            adapter=options.adapter,
            default_shots=self.prompts.get(task).shots_for(request.tags),
            model=engine.info.model,
            lang=request.measured_as,
        )
        if choice.strategy != "few_shot":
            return choice
        return replace(
            choice,
            shots=choice.shots if options.shots is None else options.shots,
            nearest=choice.nearest if options.nearest is None else options.nearest,
        )

    def _wanted(self, options: AskOptions) -> str:
        """Return the strategy asked for: the turn's own, else that of the settings."""
        return options.strategy if options.strategy != "auto" else self.settings.strategy

    def _own_shots(
        self,
        text: str,
        task: str,
        request: Request,
        options: AskOptions,
        engine: Engine,
        earlier: Sequence[Turn],
    ) -> list[PersonalShot]:
        """Return the user's own answers that go into the prompt.

        Not in chat, where an exchange in front would be taken for something that was said. The answer to
        the very same request is among them where the user asks, not where answers are measured.
        """
        if self.personal is None or not self._own_wanted(options) or task == "chat":
            return []
        if self._wanted(options) == "zero_shot":
            return []
        if request.labels and self.own_labels is not None:
            return []  # all of them are weighed in, not three
        return self.personal.pick(
            text,
            task,
            engine,
            lang=request_language(text),
            context=context.previous_turn_text(earlier),
            labels=request.labels,
            pair=request.pair,
            same=options.personal is None,
        )

    def _led(
        self, task: str, request: Request, choice: Choice, options: AskOptions, engine: Engine
    ) -> Choice:
        """Return the choice for a turn that the user's own answers go along with.

        An adapter that ships holds on to the form that it was trained on, one of the user's own knows theirs.
        """
        asked = options.adapter is not None or self._wanted(options) == "adapter"
        if choice.adapter is None or asked or task not in EXAMPLES_LEAD or self.shelf is None:
            return choice
        card = self.shelf.look(engine.info.model).cards.get(choice.adapter)
        if card is None or card.own:
            return choice
        few = self._chosen(
            self.chooser_for(engine.info.model), task, request, options, engine, "few_shot"
        )
        return replace(few, reason=f"few-shot, as {choice.adapter} minds your answers less")

    def _own_wanted(self, options: AskOptions) -> bool:
        return options.personal if options.personal is not None else self.settings.personal_shots

    def _own_labels(self, options: AskOptions) -> Literal["none", "others", "all"]:
        """Return which judgements of labels count; where answers are measured, not that of the text itself."""
        if not self._own_wanted(options):
            return "none"
        return "all" if options.personal is None else "others"

    def _decoding(self, task: str, options: AskOptions) -> Decoding:
        """Return the task's decoding with settings, then the turn's own options on top."""
        given = {
            name: getattr(source, name)
            for source in (self.settings, options)
            for name in ("max_tokens", "temperature", "seed")
            if getattr(source, name) is not None
        }
        return replace(decoding_for(task, self.prompts.get(task).decoding), **given)


class _Prompt:
    """The prompt of one turn: called with a history and a number of examples, it gives the messages.

    ``last`` is what was rendered at last, which is what is going to be sent.
    """

    last: Rendered

    def __init__(
        self,
        prompts: Prompts,
        task: str,
        request: Request,
        choice: Choice,
        own: Sequence[PersonalShot],
        system: str | None,
    ) -> None:
        self._prompts = prompts
        self._task = task
        self._request = request
        self._choice = choice
        self._own = own
        self._system = system
        self._shots = 0

    def __call__(self, history: Sequence[Message], shots: int) -> Sequence[Message]:
        self._shots = shots
        self.last = self._prompts.render(
            self._task,
            self._request.text,
            strategy="few_shot" if shots else "zero_shot",
            lang=self._request.lang,
            variables=self._request.variables,
            history=history,
            system=self._system,
            shots=self._choice.shots if shots else 0,
            tags=(*self._request.tags, *([ADAPTER] if self._choice.strategy == ADAPTER else [])),
            nearest=self._choice.nearest,
            more=[one.example for one in self._own] if shots else (),
        )
        return self.last.messages

    def shown(self) -> tuple[Choice, int]:
        """Return the choice as it came out, and how many messages any such turn begins with."""
        choice = _as_shown(self._choice, self._shots)
        from_file = len(self.last.shots) - len(choice.personal)
        if choice.personal:
            choice = replace(choice, personal_at=1 + 2 * from_file)
        return choice, 1 + 2 * (0 if choice.nearest else from_file)


def _named(choice: Choice) -> str:
    """Return a way of answering as a reason begins with it."""
    name = choice.strategy.replace("_", "-")
    return f"{name} with the nearest examples" if choice.nearest else name


def complete(
    plans: Sequence[Plan], engine: Engine, stop: threading.Event | None
) -> list[Generation]:
    """Return the answers to several plans, computed side by side, each with its plan's adapter.

    One whose prompt nearly fills the window has less room than the others; the engine sees to that.
    """
    most = max(plans, key=lambda plan: plan.decoding.max_tokens).decoding
    found: dict[int, Generation] = {}
    for adapter in dict.fromkeys(plan.choice.adapter for plan in plans):
        at = [i for i, plan in enumerate(plans) if plan.choice.adapter == adapter]
        prompts = [plans[i].messages for i in at]
        done = engine.complete(prompts, most, adapter=adapter, stop=stop)
        found |= dict(zip(at, done, strict=True))
    return [found[i] for i in range(len(plans))]


def _about_the_question(request: Request, count: Count, room: int) -> Request:
    """Return the request with a long passage cut down to the parts that its question is about.

    A question that stands before them is put behind them once more: a small model that has read 900
    tokens since then has forgotten it.
    """
    if count(request.text) <= room:
        return request
    parted = part(request.text, request.passage).with_question()
    if count(parted.passage) <= room:
        return request
    parts = relevant(parted.passage, parted.request, count, room)
    text = parted.around(parts)
    if not parted.after.strip() and parted.question:
        text = f"{text.rstrip()}\n\n{parted.question}"
    return replace(request, text=text, passage=parts)


def _as_shown(choice: Choice, shown: int) -> Choice:
    """Return the choice with what became of it: long texts leave no room for examples."""
    if shown or not (choice.shots or choice.personal):
        return choice
    reason = f"{choice.reason}; left out, the window had no room for them"
    return replace(choice, reason=reason, personal=())


def _with_own(choice: Choice, own: Sequence[PersonalShot]) -> Choice:
    """Return the choice with the user's own answers: they make a prompt without an adapter few-shot."""
    if not own:
        return choice
    count = "an answer of yours" if len(own) == 1 else f"{len(own)} answers of yours"
    return replace(
        choice,
        strategy="adapter" if choice.strategy == "adapter" else "few_shot",
        reason=f"{choice.reason}; with {count} to similar turns",
        personal=tuple(one.feedback_id for one in own),
    )
