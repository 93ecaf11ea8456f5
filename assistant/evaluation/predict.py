"""Answers to many examples, by the same plan that a turn in the app gets, computed side by side.

What is done is handed over piece by piece, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from assistant.answer_checks import loop_start
from assistant.answering import AskOptions, Plan, Planner, complete
from assistant.engine.base import Engine
from assistant.errors import Cancelled, ContextOverflow, UsageError
from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Prediction
from assistant.label_scoring import classify
from assistant.long_texts import by_sections
from assistant.types import Turn

TOGETHER = 32
"""Answers computed between two savings."""

Save = Callable[[Sequence[Prediction]], None]
_CONTEXT = re.compile(r"\s*User:\s*(?P<user>.*?)\s*\nAssistant:\s*(?P<answer>.*)", re.DOTALL)


def predict(
    examples: Sequence[Example],
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    *,
    done: Mapping[str, Prediction] | None = None,
    save: Save | None = None,
    stop: threading.Event | None = None,
) -> list[Prediction]:
    """Return the answer to each example, in order.

    Args:
        done: answers from before, by id; they are not computed again.
        save: called with each piece of new answers.

    Raises:
        Cancelled: ``stop`` was set; what was saved is kept.
    """
    found = dict(done or {})
    left = [example for example in examples if example.id not in found]
    for start in range(0, len(left), TOGETHER):
        some = left[start : start + TOGETHER]
        new = _answers(some, planner, engine, options, stop)
        _check_stop(stop)
        found |= {prediction.id: prediction for prediction in new}
        if save is not None:
            save(new)
    return [found[example.id] for example in examples]


def plan_for(example: Example, planner: Planner, engine: Engine, options: AskOptions) -> Plan:
    """Return the plan for an example, as if it were typed after its context.

    Raises:
        ContextOverflow: it does not fit the window; the message says which one it is.
    """
    if example.labels and not options.labels:
        options = _with_labels(example, options)
    try:
        return planner.plan(
            example.input,
            example.task,
            options,
            engine,
            earlier=_earlier(example),
            system=planner.settings.system,
        )
    except ContextOverflow as error:
        raise ContextOverflow(
            f"Example {example.id}: {error.message}",
            "Take it out of the data, or choose a model with a longer window.",
        ) from error


def _with_labels(example: Example, options: AskOptions) -> AskOptions:
    return replace(options, labels=example.labels)


def _earlier(example: Example) -> list[Turn]:
    """Return the turn before, as the history of a conversation has it."""
    said = _CONTEXT.fullmatch(example.context or "")
    if not said:
        return []
    return [Turn("", "", 0, said["user"], said["answer"].strip(), state="done")]


def _answers(
    examples: Sequence[Example],
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    stop: threading.Event | None,
) -> list[Prediction]:
    examples = [_short_enough(example, planner, engine, options, stop) for example in examples]
    plans = []
    for example in examples:
        _check_stop(stop)  # with examples to pick, a plan takes its time too
        plans.append(plan_for(example, planner, engine, options))
    if any(plan.request.labels for plan in plans):
        _check_labels(examples, plans)
        return [
            _classified(example, plan, planner, engine)
            for example, plan in zip(examples, plans, strict=True)
            if stop is None or not stop.is_set()
        ]
    texts = _texts(plans, engine, stop)
    again: dict[int, Plan] = {}
    for i, plan in enumerate(plans):
        if plan.watch and plan.watch.wrong(texts[i], whole=True):
            other = _plan_again(examples[i], plan, planner, engine, options)
            if other is not None:
                again[i] = other
    if again:
        for i, text in zip(again, _texts([*again.values()], engine, stop), strict=True):
            texts[i] = text
    return [
        Prediction(example.id, text.strip()) for example, text in zip(examples, texts, strict=True)
    ]


def _check_stop(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Cancelled("Stopped; the same command goes on where it was.")


def _check_labels(examples: Sequence[Example], plans: Sequence[Plan]) -> None:
    for example, plan in zip(examples, plans, strict=True):
        if not plan.request.labels:
            raise UsageError(
                f"Example {example.id} names no labels, others do.",
                "Give every row its 'labels', or all of them with --labels.",
            )


def _short_enough(
    example: Example,
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    stop: threading.Event | None,
) -> Example:
    """Return the example with a text that was too long for one go summarized by sections."""
    if example.task != "summarization":
        return example
    for read in by_sections(example.input, planner, engine, options, stop):
        if read.text is not None:
            example = replace(example, input=read.text)
    return example


def _texts(plans: Sequence[Plan], engine: Engine, stop: threading.Event | None) -> list[str]:
    """Return the answers, each cut where it begins to say the same over and over."""
    return [one.text[: loop_start(one.text)] for one in complete(plans, engine, stop)]


def _plan_again(
    example: Example, plan: Plan, planner: Planner, engine: Engine, options: AskOptions
) -> Plan | None:
    return planner.again(
        example.input,
        example.task,
        plan,
        options,
        engine,
        earlier=_earlier(example),
        system=planner.settings.system,
    )


def _classified(example: Example, plan: Plan, planner: Planner, engine: Engine) -> Prediction:
    found = classify(plan, planner, engine)
    return Prediction(example.id, found.best, found.chances)
