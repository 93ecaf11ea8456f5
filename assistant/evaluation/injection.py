"""How often an instruction inside a passage is followed, though the text is only to be worked on."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.evaluation.bootstrap import interval
from assistant.evaluation.examples import Example
from assistant.evaluation.injection_cases import HARMLESS, Case
from assistant.evaluation.measures import metrics_for
from assistant.evaluation.metric import Prediction
from assistant.evaluation.predict import predict
from assistant.tasks import headline

Progress = Callable[[int, int], None]
"""Called with how many answers there are, and how many there will be."""

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``n`` as a percentage, with the interval of Wilson (1927).

    It is meant for shares near none and all, where a bootstrap would give no width.
    """

    count: int
    n: int

    @property
    def rate(self) -> float:
        """Return the share, 0 to 100; ``n`` must not be zero."""
        return 100 * self.count / self.n

    @property
    def ci95(self) -> tuple[float, float]:
        """Return the 95 % interval, 0 to 100; ``n`` must not be zero."""
        p, z2 = self.count / self.n, _Z * _Z / self.n
        middle = (p + z2 / 2) / (1 + z2)
        half = _Z / (1 + z2) * math.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n))
        return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)

    def as_json(self) -> dict[str, object] | None:
        """Return it for JSON; ``None`` when there was nothing to count."""
        if not self.n:
            return None
        low, high = self.ci95
        return {"rate": round(self.rate, 2), "ci95": [round(low, 2), round(high, 2)], "n": self.n}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the cases of one task and language; an empty name stands for all of them.

    Attributes:
        attacks: attacks followed.
        harmless: plain lines taken for an order.
        control: answers with a marker to the attacked texts without their line, which is what
            chance and a bad answer alone do; ``None`` when it was not measured.
        score: of all answers by ``metric`` (0 to 100), with ``ci95``; tasks are not mixed.
    """

    task: str
    lang: str
    attacks: Share
    harmless: Share
    control: Share | None
    metric: str = ""
    score: float | None = None
    ci95: tuple[float, float] | None = None

    def as_json(self) -> dict[str, object]:
        """Return it for JSON."""
        value: dict[str, object] = {
            "task": self.task or "all",
            "lang": self.lang or "all",
            "obeyed": self.attacks.as_json(),
            "harmless_obeyed": self.harmless.as_json(),
        }
        if self.control is not None:
            value["control"] = self.control.as_json()
        if self.score is not None and self.ci95 is not None:
            ci95 = [round(end, 2) for end in self.ci95]
            value |= {"metric": self.metric, "score": round(self.score, 2), "score_ci95": ci95}
        return value


@dataclass(frozen=True, slots=True)
class Answered:
    """A case with its answer. ``control``: whether the text without the line gave a marker too."""

    case: Case
    prediction: Prediction
    control: bool | None = None

    @property
    def followed(self) -> bool:
        """Tell whether the answer follows the line."""
        return self.case.followed_in(self.prediction.text)


def answer_cases(
    cases: Sequence[Case],
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    *,
    control: bool = False,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Answered]:
    """Answer all cases, each task and language by itself, and return them in the order given.

    With ``control`` the attacks are answered once more without their lines.

    Raises:
        Cancelled: ``stop`` was set.
    """
    plain = [case for case in cases if control and case.kind != HARMLESS]
    done, total = 0, len(cases) + len(plain)

    def save(new: Sequence[Prediction]) -> None:
        nonlocal done
        done += len(new)
        if progress:
            progress(done, total)

    def answers(examples: Sequence[Example]) -> dict[str, Prediction]:
        found: dict[str, Prediction] = {}
        for kind in dict.fromkeys((example.task, example.lang) for example in examples):
            some = [example for example in examples if (example.task, example.lang) == kind]
            new = predict(some, planner, engine, options, save=save, stop=stop)
            found |= {prediction.id: prediction for prediction in new}
        return found

    if progress:
        progress(0, total)
    with_line = answers([case.example for case in cases])
    without = answers([case.without_line() for case in plain])
    return [
        Answered(
            case,
            with_line[case.example.id],
            case.followed_in(without[case.example.id].text) if case.example.id in without else None,
        )
        for case in cases
    ]


def rows(answered: Sequence[Answered]) -> list[Row]:
    """Return a row for each task and language, for each task, and at last for all together."""
    tasks = list(dict.fromkeys(one.case.example.task for one in answered))
    found = []
    for task in tasks:
        some = [one for one in answered if one.case.example.task == task]
        langs = list(dict.fromkeys(one.case.example.lang for one in some))
        for lang in langs:
            found.append(_row(task, lang, [one for one in some if one.case.example.lang == lang]))
        if len(langs) > 1:
            found.append(_row(task, "", some))
    return found if len(tasks) < 2 else [*found, _row("", "", answered)]


def by_kind(answered: Sequence[Answered]) -> dict[str, Share]:
    """Return how many lines of each kind were followed, the kinds followed most often first."""
    shares = {
        kind: _followed([one for one in answered if one.case.kind == kind])
        for kind in sorted({one.case.kind for one in answered})
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1].rate))


def as_json(answered: Sequence[Answered], *, strategy: str, model: str) -> dict[str, Any]:
    """Return the whole report for JSON, every answer with it."""
    return {
        "model": model,
        "strategy": strategy,
        "n": len(answered),
        "rows": [row.as_json() for row in rows(answered)],
        "kinds": {kind: share.as_json() for kind, share in by_kind(answered).items()},
        "answers": [
            {
                "id": one.case.example.id,
                "kind": one.case.kind,
                "obeyed": one.followed,
                "prediction": one.prediction.text,
            }
            for one in answered
        ],
    }


def _followed(answered: Sequence[Answered]) -> Share:
    return Share(sum(one.followed for one in answered), len(answered))


def _row(task: str, lang: str, answered: Sequence[Answered]) -> Row:
    attacks = [one for one in answered if one.case.kind != HARMLESS]
    harmless = [one for one in answered if one.case.kind == HARMLESS]
    controls = [one.control for one in answered if one.control is not None]
    row = Row(
        task,
        lang,
        _followed(attacks),
        _followed(harmless),
        Share(sum(controls), len(controls)) if controls else None,
    )
    if not task:
        return row
    (metric,) = [one for one in metrics_for(task, lang) if one.name == headline(task)]
    statistics = metric.rows(
        [one.case.example for one in answered], [one.prediction for one in answered]
    )
    return replace(
        row,
        metric=metric.name,
        score=metric.score(statistics),
        ci95=interval(metric, statistics),
    )
