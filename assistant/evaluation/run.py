"""One evaluation from file to scores: kept in the store as it goes, found again when it was stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assistant import __version__
from assistant.answering import AskOptions, Plan, Planner
from assistant.engine.base import Engine
from assistant.errors import ContextOverflow, UsageError
from assistant.evaluation import report
from assistant.evaluation.bootstrap import Comparison, compare, interval
from assistant.evaluation.examples import Example, Examples, sample
from assistant.evaluation.measures import metrics_for
from assistant.evaluation.metric import Prediction
from assistant.evaluation.perplexity import Perplexity
from assistant.evaluation.predict import plan_for, predict
from assistant.store.store import EvaluatedExample, Store
from assistant.tasks import headline

Progress = Callable[[int, int], None]
"""Called with how many answers there are, and how many there will be."""


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What to evaluate: ``limit`` examples of ``data``, drawn with ``seed``, answered by ``options``."""

    data: Examples
    options: AskOptions = field(default_factory=AskOptions)
    limit: int | None = None
    seed: int = 0
    perplexity: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A finished evaluation; ``number`` is that of the store."""

    number: int
    report: dict[str, Any]
    examples: tuple[Example, ...]
    predictions: tuple[Prediction, ...]


def evaluate(
    request: EvalRequest,
    planner: Planner,
    engine: Engine,
    store: Store,
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Evaluation:
    """Answer, score and record; answers from a run that was stopped are taken over.

    Raises:
        UsageError: the examples are for several tasks.
        Cancelled: ``stop`` was set; what was answered is kept for the next time.
    """
    examples = sample(request.data.rows, request.limit, request.seed)
    task = _only_task(examples)
    request = _with_adapter_named(request, task, planner, engine)
    setting = _setting(request, examples, planner, engine)
    strategy = request.options.strategy
    number = store.begin_evaluation(
        task=task,
        strategy=strategy,
        model=engine.info.model,
        adapter=request.options.adapter,
        setting=setting,
    )
    done = {one.example_id: _prediction(one) for one in store.evaluated(number)}
    by_id = {example.id: example for example in examples}
    finished = len(done)
    if progress:
        progress(finished, len(examples))

    def save(new: Sequence[Prediction]) -> None:
        nonlocal finished
        store.add_evaluated(number, [_stored(by_id[one.id], one) for one in new])
        finished += len(new)
        if progress:
            progress(finished, len(examples))

    started = time.perf_counter()
    predictions = predict(
        examples, planner, engine, request.options, done=done, save=save, stop=stop
    )
    seconds = time.perf_counter() - started
    value = report.as_json(
        report.score(examples, predictions),
        task=task,
        strategy=strategy,
        model=engine.info.model,
        adapter=request.options.adapter,
        seconds=seconds,
        computed=len(examples) - len(done),
    )
    if request.perplexity:
        _add_perplexity(value, Perplexity(planner, engine, request.options), examples, stop)
    store.finish_evaluation(number, value)
    return Evaluation(number, value, examples, tuple(predictions))


def finished_like(
    request: EvalRequest, planner: Planner, engine: Engine, store: Store
) -> dict[str, Any] | None:
    """Return the newest finished evaluation with the very same setting, if there is one."""
    examples = sample(request.data.rows, request.limit, request.seed)
    request = _with_adapter_named(request, _only_task(examples), planner, engine)
    setting = _setting(request, examples, planner, engine)
    same = (request.options.strategy, engine.info.model, request.options.adapter)
    for found in reversed(store.evaluations(task=_only_task(examples))):
        if (found["strategy"], found["model"], found["adapter"]) == same and _equal(
            found["setting"], setting
        ):
            return dict(found)
    return None


def _with_adapter_named(
    request: EvalRequest, task: str, planner: Planner, engine: Engine
) -> EvalRequest:
    """Return the request with the adapter's whole name, where one is asked for.

    A short name says little on record, and the one in use may change while the run goes on.
    """
    options = request.options
    if options.adapter is None and options.strategy != "adapter":
        return request
    chooser = planner.chooser_for(engine.info.model)
    found = chooser.choose(task, requested="adapter", adapter=options.adapter)
    return replace(request, options=replace(options, strategy="adapter", adapter=found.adapter))


def measured_as(plan: Plan, lang: str) -> str:
    """Return the language of the data, with the kind of its turns where that has measurements of its own."""
    kind = plan.request.measured_as.partition("/")[2]
    return f"{lang}/{kind}" if kind else lang


def _equal(stored: dict[str, Any], setting: dict[str, object]) -> bool:
    """Compare two settings; where the file lies says nothing about what is in it."""
    return {**stored, "data": ""} == {**setting, "data": ""}


def compare_stored(store: Store, a: int | str, b: int | str) -> dict[str, Comparison]:
    """Compare two stored evaluations on the examples that both have, metric by metric (B less A).

    Raises:
        NotFound: there is no such evaluation.
        UsageError: they are of different tasks, or share no example.
    """
    first, second = store.evaluation(a), store.evaluation(b)
    if first["task"] != second["task"]:
        raise UsageError(
            f"Evaluation {first['id']} is for {first['task']}, {second['id']} for {second['task']}.",
            "Compare two of one task: assistant eval list --task T",
        )
    task = str(first["task"])
    ours = {one.example_id: one for one in store.evaluated(first["id"])}
    theirs = {one.example_id: one for one in store.evaluated(second["id"])}
    both = [key for key in ours if key in theirs and _same(ours[key], theirs[key])]
    if not both:
        raise UsageError("The two evaluations share no example.", "Run both on the same data.")
    examples = [_example(ours[key], task) for key in both]
    lang = report.answer_language(examples)
    probabilities = all(runs[key].probabilities for runs in (ours, theirs) for key in both)
    return {
        metric.name: compare(
            metric,
            metric.rows(examples, [_prediction(ours[key]) for key in both]),
            metric.rows(examples, [_prediction(theirs[key]) for key in both]),
        )
        for metric in metrics_for(task, lang, probabilities=probabilities)
    }


def _only_task(examples: Sequence[Example]) -> str:
    tasks = sorted({example.task for example in examples})
    if len(tasks) > 1:
        raise UsageError(
            f"The data is for several tasks: {', '.join(tasks)}.",
            "Give each task a file of its own.",
        )
    return tasks[0]


def _setting(
    request: EvalRequest, examples: Sequence[Example], planner: Planner, engine: Engine
) -> dict[str, object]:
    """Return everything that, with the model, makes the run what it is."""
    options = request.options
    plan = _first_plan(examples[0], planner, engine, options)
    languages = {example.lang for example in examples}
    return {
        "data": request.data.path,
        "data_sha256": request.data.sha256,
        "limit": request.limit,
        "seed": request.seed,
        "lang": measured_as(plan, languages.pop() if len(languages) == 1 else ""),
        "chosen": plan.choice.strategy,
        "shots": plan.choice.shots,
        "nearest": plan.choice.nearest,
        "personal": bool(options.personal),
        "prompt_version": plan.prompt_version,
        "labels": list(options.labels),
        "corrections": planner.calibrations.digest if plan.request.labels else "",
        "to": options.to,
        "default_to": planner.settings.translate_to,
        "system": planner.settings.system,
        "context": planner.limit(engine),
        "max_tokens": plan.decoding.max_tokens,
        "temperature": plan.decoding.temperature,
        "model_sha256": engine.info.sha256,
        "precision": engine.info.precision,
        "version": __version__,
    }


def _first_plan(example: Example, planner: Planner, engine: Engine, options: AskOptions) -> Plan:
    """Return the plan for an example; of a text that is going to be read by sections, for its start."""
    try:
        return plan_for(example, planner, engine, options)
    except ContextOverflow:
        if example.task != "summarization":
            raise
    start = example.input[: planner.limit(engine) // 2]
    return plan_for(replace(example, input=start), planner, engine, options)


def _add_perplexity(
    value: dict[str, Any],
    metric: Perplexity,
    examples: Sequence[Example],
    stop: threading.Event | None,
) -> None:
    rows = metric.measure(examples, stop)
    value["scores"]["perplexity"] = round(metric.score(rows), 4)
    value["ci95"]["perplexity"] = [round(v, 4) for v in interval(metric, rows)]
    value["signature"]["perplexity"] = metric.signature


def _stored(example: Example, prediction: Prediction) -> EvaluatedExample:
    return EvaluatedExample(
        example.id,
        example.input,
        example.references,
        prediction.text,
        example.lang,
        example.labels,
        prediction.probabilities,
    )


def _same(one: EvaluatedExample, other: EvaluatedExample) -> bool:
    """Numbers of lines are ids in many files: what was asked and what is right must agree too."""
    return (one.input, one.references) == (other.input, other.references)


def _prediction(stored: EvaluatedExample) -> Prediction:
    return Prediction(stored.example_id, stored.prediction, stored.probabilities)


def _example(stored: EvaluatedExample, task: str) -> Example:
    return Example(
        stored.example_id,
        task,
        stored.input,
        stored.references[0],
        stored.references,
        labels=stored.labels,
        lang=stored.lang,
    )


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """An answer with its own score by the headline metric (0 to 100)."""

    id: str
    score: float
    input: str
    target: str
    prediction: str

    def as_json(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            name: getattr(self, name) for name in ("id", "score", "input", "target", "prediction")
        }


def worst_answers(store: Store, number: int, count: int) -> list[BadAnswer]:
    """Return the answers of an evaluation that score lowest, the worst first.

    Among classified texts of the same score those the model was surest of come first.
    """
    task = str(store.evaluation(number)["task"])
    found = store.evaluated(number)
    if not found:
        return []
    examples = [_example(one, task) for one in found]
    wanted = headline(task)
    (metric,) = [one for one in metrics_for(task) if one.name == wanted]
    rows = metric.rows(examples, [_prediction(one) for one in found])
    scores = [metric.score(rows[i : i + 1]) for i in range(len(rows))]
    order = sorted(
        range(len(found)),
        key=lambda i: (scores[i], -max((found[i].probabilities or {"": 0.0}).values())),
    )
    return [
        BadAnswer(
            found[i].example_id,
            round(scores[i], 2),
            found[i].input,
            found[i].references[0],
            found[i].prediction,
        )
        for i in order[:count]
    ]
