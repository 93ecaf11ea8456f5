"""Scores of one run with their intervals, and everything needed to repeat it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.evaluation.bootstrap import interval
from assistant.evaluation.examples import Example
from assistant.evaluation.measures import metrics_for
from assistant.evaluation.metric import Prediction, Rows

_DIGITS = {"ece": 4}


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a run: by name, with 95 % intervals, signatures and the rows they come from.

    ``pairs`` are the scores of each direction where translations have several.
    """

    values: dict[str, float]
    ci95: dict[str, tuple[float, float]]
    signature: dict[str, str]
    rows: dict[str, Rows] = field(repr=False)
    pairs: dict[str, dict[str, float]] = field(default_factory=dict)


def score(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Scores:
    """Score the predictions, in the order of the examples; at least one is needed."""
    task = examples[0].task
    if task == "translation":
        directions = defaultdict(list)
        for i, example in enumerate(examples):
            directions[direction(example)].append(i)
        if len(directions) > 1:
            return _by_direction(examples, predictions, directions)
    return _scores(examples, predictions, answer_language(examples))


def direction(example: Example) -> str:
    """Return the languages of a translation, as in ``en-zh``: as the row says, else as detected."""
    if "-" in example.lang:
        return example.lang
    from assistant import understand

    request = understand.translation_direction(example.input)
    return f"{request[0]}-{understand.detect_language(example.target)}"


def answer_language(examples: Sequence[Example]) -> str:
    """Return the language that BLEU's tokenizer is to fit.

    For translations into several languages that is Chinese if it is among them: its tokenizer parts
    Chinese characters and leaves words of other languages whole.
    """
    first = examples[0]
    if first.task != "translation":
        return first.lang
    targets = {_target(direction(example)) for example in examples}
    if len(targets) == 1:
        return targets.pop()
    return "zh" if "zh" in targets else ""


def _target(pair: str) -> str:
    return pair.split("-")[1]


def _scores(examples: Sequence[Example], predictions: Sequence[Prediction], lang: str) -> Scores:
    scored = any(prediction.probabilities for prediction in predictions)
    values, ci95, signature, rows = {}, {}, {}, {}
    for metric in metrics_for(examples[0].task, lang, probabilities=scored):
        found = metric.rows(examples, predictions)
        digits = _DIGITS.get(metric.name, 2)
        values[metric.name] = round(metric.score(found), digits)
        low, high = interval(metric, found)
        ci95[metric.name] = (round(low, digits), round(high, digits))
        signature[metric.name] = metric.signature
        rows[metric.name] = found
    return Scores(values, ci95, signature, rows)


def _by_direction(
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    directions: dict[str, list[int]],
) -> Scores:
    """Score all together for the total, each direction with its own tokenizer beside it."""
    whole = _scores(examples, predictions, answer_language(examples))
    pairs = {
        name: _scores(
            [examples[i] for i in some], [predictions[i] for i in some], _target(name)
        ).values
        for name, some in sorted(directions.items())
    }
    return Scores(whole.values, whole.ci95, whole.signature, whole.rows, pairs)


def as_json(
    scores: Scores,
    *,
    task: str,
    strategy: str,
    model: str,
    adapter: str | None,
    seconds: float,
    computed: int,
) -> dict[str, Any]:
    """Return the report in the form of docs/cli.md; ``seconds`` were spent on ``computed`` answers."""
    report: dict[str, Any] = {
        "task": task,
        "strategy": strategy,
        "model": model,
        "adapter": adapter,
        "n": len(next(iter(scores.rows.values()))),
        "scores": scores.values,
        "ci95": {name: list(both) for name, both in scores.ci95.items()},
        "signature": scores.signature,
        "timing": {
            "total_s": round(seconds, 2),
            "examples_per_s": round(computed / seconds, 3) if computed and seconds else 0.0,
        },
    }
    if scores.pairs:
        report["pairs"] = scores.pairs
    return report
