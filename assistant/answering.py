"""From a turn to what the model is sent: request, strategy, prompt, decoding, all within the window.

The session and the evaluation both come through here, so that what is measured is what users get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant import context
from assistant.answer_checks import TranslationWatch
from assistant.calibration import Calibrations
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.parted import part
from assistant.passages import Count, relevant
from assistant.personal import PersonalShot, PersonalShots, request_language
from assistant.prompts import Prompts, Rendered
from assistant.request import Request, read_request
from assistant.strategy import Chooser
from assistant.tasks import decoding_for
from assistant.types import Choice, Decoding, Message, Turn

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
    """

    request: Request
    choice: Choice
    decoding: Decoding
    messages: tuple[Message, ...]
    stable: int
    prompt_version: str
    prompt_tokens: int
    left_out_turns: int

    @property
    def watch(self) -> TranslationWatch | None:
        """Return what looks after the answer while it is written, where there is something to see."""
        request = self.request
        if request.pair is None or not request.passage:
            return None
        return TranslationWatch(request.passage, request.pair.split("-")[1])


class Planner:
    """Makes plans with one user's prompts, settings and measured strategies."""

    def __init__(
        self,
        prompts: Prompts,
        settings: Settings,
        chooser: Chooser,
        personal: PersonalShots | None = None,
        calibrations: Calibrations | None = None,
    ) -> None:
        self.prompts = prompts
        self.settings = settings
        self.chooser = chooser
        self.personal = personal
        self.calibrations = calibrations or Calibrations()

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
        prompt = self.prompts.get(task)
        request = read_request(
            text,
            task=task,
            prompt=prompt,
            labels=tuple(dict.fromkeys(options.labels)),  # one probability each
            to=options.to,
            default_to=self.settings.translate_to,
            earlier=earlier,
        )
        if task == "qa":
            room = min(LONG_PASSAGE, self.limit(engine) // 2)
            request = _about_the_question(request, engine.count_text_tokens, room)
        choice = self._choice(task, request, options, engine)
        own = self._own_shots(text, task, request, choice, options, engine, earlier)
        choice = _with_own(choice, own)
        decoding = self._decoding(task, options)
        history = context.relevant_turns(task, text, request.has_passage, earlier)
        last: Rendered | None = None
        shown = 0

        def render(messages: Sequence[Message], shots: int) -> Sequence[Message]:
            nonlocal last, shown
            shown = shots
            last = self.prompts.render(
                task,
                request.text,
                strategy=choice.strategy if shots else "zero_shot",
                lang=request.lang,
                variables=request.variables,
                history=messages,
                system=system,
                shots=choice.shots if shots else 0,
                tags=request.tags,
                nearest=choice.nearest,
                more=[one.example for one in own] if shots else (),
            )
            return last.messages

        fitted = context.fit(
            render,
            history,
            shots=choice.shots + len(own),
            count=engine.count_tokens,
            limit=self.limit(engine),
            max_tokens=decoding.max_tokens,
        )
        assert last is not None
        choice = _as_shown(choice, shown)
        from_file = len(last.shots) - len(choice.personal)
        fixed = 0 if choice.nearest else from_file
        if choice.personal:
            choice = replace(choice, personal_at=1 + 2 * from_file)
        return Plan(
            request=request,
            choice=choice,
            decoding=replace(decoding, max_tokens=fitted.max_tokens),
            messages=fitted.messages,
            stable=1 + 2 * fixed,
            prompt_version=last.version,
            prompt_tokens=fitted.prompt_tokens,
            left_out_turns=fitted.left_out_turns,
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
    ) -> Plan:
        """Return another way to answer a turn whose answer by ``plan`` came out plainly wrong.

        Examples help a model that repeats the text instead of translating it; where they were there
        already, it does better without them.
        """
        few = plan.choice.strategy == "few_shot"
        other = replace(
            options,
            strategy="zero_shot" if few else "few_shot",
            adapter=None,
            shots=None if few else 4,
        )
        found = self.plan(text, task, other, engine, earlier=earlier, system=system)
        reason = (
            f"{found.choice.strategy.replace('_', '-')}, because the first answer repeated the text"
        )
        return replace(found, choice=replace(found.choice, reason=reason))

    def limit(self, engine: Engine) -> int:
        """Return how many tokens of the model's window may be used."""
        own = self.settings.context_tokens
        return min(own, engine.info.context_length) if own else engine.info.context_length

    def _choice(self, task: str, request: Request, options: AskOptions, engine: Engine) -> Choice:
        choice = self.chooser.choose(
            task,
            requested=self._wanted(options),
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
        choice: Choice,
        options: AskOptions,
        engine: Engine,
        earlier: Sequence[Turn],
    ) -> list[PersonalShot]:
        """Return the user's own answers that go into the prompt.

        Not in chat, where an exchange in front would be taken for something that was said, and not
        with an adapter, which was trained on prompts without any.
        """
        wanted = options.personal if options.personal is not None else self.settings.personal_shots
        if self.personal is None or not wanted or task == "chat":
            return []
        if choice.strategy == "adapter" or self._wanted(options) == "zero_shot":
            return []
        return self.personal.pick(
            text,
            task,
            engine,
            lang=request_language(text),
            context=context.previous_turn_text(earlier),
            labels=request.labels,
            pair=request.pair,
        )

    def _decoding(self, task: str, options: AskOptions) -> Decoding:
        """Return the task's decoding with settings, then the turn's own options on top."""
        given = {
            name: getattr(source, name)
            for source in (self.settings, options)
            for name in ("max_tokens", "temperature", "seed")
            if getattr(source, name) is not None
        }
        return replace(decoding_for(task, self.prompts.get(task).decoding), **given)


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
    if choice.strategy != "few_shot" or shown or not (choice.shots or choice.personal):
        return choice
    reason = f"{choice.reason}; left out, the window had no room for them"
    return replace(choice, reason=reason, personal=())


def _with_own(choice: Choice, own: Sequence[PersonalShot]) -> Choice:
    """Return the choice with the user's own answers: they make a prompt few-shot."""
    if not own:
        return choice
    count = "an answer of yours" if len(own) == 1 else f"{len(own)} answers of yours"
    return replace(
        choice,
        strategy="few_shot",
        reason=f"{choice.reason}; with {count} to similar turns",
        personal=tuple(one.feedback_id for one in own),
    )
