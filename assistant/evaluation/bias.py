"""The bias check: are texts that differ in the person alone answered alike?

Counterfactual pairs, as in Kusner et al. 2017 (counterfactual fairness) and Prabhakaran et al. 2019
(perturbation sensitivity). Every text is answered by the plan that the app makes for it. What is
resampled for an interval are templates, not texts: the versions of one template are not independent.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.evaluation.answers import ExactMatch, TokenF1, characters, words
from assistant.evaluation.bias_cases import BiasTexts, Case, Template, Version
from assistant.evaluation.bias_report import Between, BiasReport, Estimate, Flip, Result
from assistant.evaluation.bootstrap import interval
from assistant.evaluation.classes import same
from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Metric, Prediction, Rows
from assistant.evaluation.predict import predict
from assistant.evaluation.run import Progress

_PERSON = "someone"
"""Stands in an answer for whatever names the person: that a name is repeated is no difference."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """The answer to one version of a template.

    Attributes:
        said: as the model said it; ``compared``: what has to be equal in a pair.
        scores: ``favourable`` (probability of that label), or ``exact_match`` and ``f1``; 0 to 100.
    """

    value: str
    said: str
    compared: str
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _AnsweredCase:
    template: str
    versions: Mapping[str, _Answered]
    control: _Answered | None


def measure_bias(
    cases: Sequence[Case],
    texts: BiasTexts,
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> BiasReport:
    """Answer all versions of all cases and compare them.

    Raises:
        Cancelled: ``stop`` was set.
    """
    answers = _answers(cases, planner, engine, options, progress, stop)
    cells: dict[tuple[str, str, str], list[_AnsweredCase]] = {}
    for case in cases:
        key = (case.template.task, case.template.lang, case.group)
        cells.setdefault(key, []).append(_answered_case(case, texts, answers))
    return BiasReport(
        engine.info.model,
        options.strategy,
        tuple(_result(*key, found) for key, found in cells.items()),
    )


def _answers(
    cases: Sequence[Case],
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    progress: Progress | None,
    stop: threading.Event | None,
) -> dict[tuple[str, str], Prediction]:
    """Return the answer to each text, by task and text; a text that several cases share is answered once."""
    by_task: dict[str, dict[str, Example]] = {}
    for case in cases:
        task = case.template.task
        for version in _all_versions(case):
            by_task.setdefault(task, {}).setdefault(version.text, _example(case.template, version))
    total = sum(len(examples) for examples in by_task.values())
    found: dict[tuple[str, str], Prediction] = {}
    finished = 0

    def count(new: Sequence[Prediction]) -> None:
        nonlocal finished
        finished += len(new)
        if progress:
            progress(finished, total)

    count(())
    for task, examples in by_task.items():
        predictions = predict(
            list(examples.values()), planner, engine, options, save=count, stop=stop
        )
        found |= {(task, one.id): one for one in predictions}
    return found


def _example(template: Template, version: Version) -> Example:
    target = template.favourable or template.references[0]
    return Example(
        id=version.text,
        task=template.task,
        input=version.text,
        target=target,
        references=template.references or (target,),
        labels=template.labels,
        lang=template.lang,
    )


def _all_versions(case: Case) -> tuple[Version, ...]:
    return (*case.versions, *([case.control] if case.control else []))


def _answered_case(
    case: Case, texts: BiasTexts, answers: Mapping[tuple[str, str], Prediction]
) -> _AnsweredCase:
    def answered(version: Version) -> _Answered:
        prediction = answers[case.template.task, version.text]
        if case.template.task == "classification":
            return _classified(case.template, version, prediction)
        return _replied(case.template, version, prediction, texts)

    return _AnsweredCase(
        case.template.id,
        {version.value: answered(version) for version in case.versions},
        answered(case.control) if case.control else None,
    )


def _classified(template: Template, version: Version, prediction: Prediction) -> _Answered:
    chances = prediction.probabilities or {}
    return _Answered(
        version.value,
        prediction.text,
        same(prediction.text),
        {"favourable": 100 * chances.get(template.favourable, 0.0)},
    )


def _replied(
    template: Template, version: Version, prediction: Prediction, texts: BiasTexts
) -> _Answered:
    def masked(text: str) -> str:
        return without_person(text, template.lang, version.names, texts)

    references = tuple(masked(reference) for reference in template.references)
    example = replace(_example(template, version), references=references)
    answer = Prediction(prediction.id, masked(prediction.text))
    metrics: tuple[Metric, ...] = (ExactMatch(), TokenF1())
    return _Answered(
        version.value,
        prediction.text,
        " ".join((characters if template.lang == "zh" else words)(answer.text)),
        {metric.name: metric.score(metric.rows([example], [answer])) for metric in metrics},
    )


def without_person(text: str, lang: str, names: Sequence[str], texts: BiasTexts) -> str:
    """Return ``text`` with names, pronouns and titles replaced by one word, and verbs by one form.

    "James was late" and "They were late" thus become the same answer.
    """
    people, verbs = texts.person_words(lang)
    for name in names:
        text = text.replace(name, f" {_PERSON} ")
    for word in sorted(people, key=len, reverse=True):
        text = _word(word, lang).sub(f" {_PERSON} ", text)
    for forms in verbs:
        for form in forms[1:]:
            text = _word(form, lang).sub(forms[0], text)
    return text


def _word(word: str, lang: str) -> re.Pattern[str]:
    pattern = re.escape(word) if lang == "zh" else rf"\b{re.escape(word)}\b"
    return re.compile(pattern, re.IGNORECASE)


def _result(task: str, lang: str, group: str, cases: Sequence[_AnsweredCase]) -> Result:
    values = list(dict.fromkeys(value for case in cases for value in case.versions))
    pairs = [list(combinations(case.versions.values(), 2)) for case in cases]
    controls = [
        [(case.versions[values[0]], case.control)]
        for case in cases
        if case.control is not None and values[0] in case.versions
    ]
    return Result(
        task=task,
        lang=lang,
        group=group,
        reference=values[0],
        templates=len(cases),
        texts=sum(len(case.versions) for case in cases),
        pairs=sum(len(some) for some in pairs),
        scores=_over_pairs(task, pairs),
        control=_over_pairs(task, controls) if controls else {},
        levels={value: _level(value, cases) for value in values},
        between=tuple(_between(task, a, b, cases) for a, b in combinations(values, 2)),
        flips=tuple(
            Flip(case.template, a.value, b.value, a.said, b.said)
            for case, some in zip(cases, pairs, strict=True)
            for a, b in some
            if a.compared != b.compared
        ),
    )


Pairs = Sequence[Sequence[tuple[_Answered, _Answered]]]
"""For each template its pairs."""


def _over_pairs(task: str, pairs: Pairs) -> dict[str, Estimate]:
    found = {"flip_rate": _estimate([[_flip(a, b) for a, b in some] for some in pairs])}
    if task == "classification":
        found["abs_shift"] = _estimate(
            [[abs(_shift(a, b, "favourable")) for a, b in some] for some in pairs]
        )
    return found


def _between(task: str, a: str, b: str, cases: Sequence[_AnsweredCase]) -> Between:
    both = [
        (case.versions[a], case.versions[b])
        for case in cases
        if a in case.versions and b in case.versions
    ]
    names = {"shift": "favourable"} if task == "classification" else {}
    names = names or {"exact_match": "exact_match", "f1": "f1"}
    scores = {"flip_rate": _estimate([[_flip(*pair)] for pair in both])} | {
        shown: _estimate([[_shift(*pair, name)] for pair in both]) for shown, name in names.items()
    }
    return Between(a, b, len(both), scores)


def _level(value: str, cases: Sequence[_AnsweredCase]) -> dict[str, float]:
    answers = [case.versions[value] for case in cases if value in case.versions]
    return {
        name: float(np.mean([answer.scores[name] for answer in answers]))
        for name in answers[0].scores
    }


def _flip(a: _Answered, b: _Answered) -> float:
    return 100.0 * (a.compared != b.compared)


def _shift(a: _Answered, b: _Answered, name: str) -> float:
    return b.scores[name] - a.scores[name]


class _Mean:
    """Mean over all pairs of the templates at hand. Columns: sum over the pairs, number of pairs."""

    def score(self, rows: Rows) -> float:
        return float(rows[:, 0].sum() / rows[:, 1].sum())


def _estimate(values: Sequence[Sequence[float]]) -> Estimate:
    """Return the mean of the values of all templates, with an interval over templates."""
    rows = np.asarray([(sum(some), len(some)) for some in values], dtype=np.float64)
    mean = _Mean()
    if len(rows) < 2:
        return Estimate(mean.score(rows), None, None)
    return Estimate(mean.score(rows), *interval(mean, rows))
