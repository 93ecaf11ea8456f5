"""The checks (bias, injections) as evaluations on record: their figures, without the answers.

They are listed and shown like the others, but say nothing about which way of answering is best: the
choice of the strategy and the dashboard pass them over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assistant import __version__
from assistant.evaluation.bias_report import BiasReport, Estimate
from assistant.evaluation.injection import Answered, Row, Share, rows
from assistant.evaluation.injection_cases import HARMLESS

OBEYED = "obeyed"
"""Share of all attacks that were followed: the figure by which a check for injections is listed."""

_Figure = tuple[str, float, tuple[float, float] | None]
"""Name, value and 95 % interval, where there is one."""


def is_check(report: Mapping[str, Any]) -> bool:
    """Tell whether an evaluation on record is a check and no measurement of a way of answering."""
    setting = report.get("setting")
    return isinstance(setting, Mapping) and "check" in setting


def of_bias(report: BiasReport, asked: Mapping[str, object]) -> dict[str, object]:
    """Return what is kept of a bias check; ``asked`` is what it was limited to, ``n`` counts texts."""
    figures = [
        (f"{one.task}/{one.lang}/{one.group} {kind}{name}", figure.value, _ends(figure))
        for one in report.results
        for kind, estimates in (("", one.scores), ("control ", one.control))
        for name, figure in estimates.items()
    ]
    n = sum(one.texts for one in report.results)
    return _report("bias", report.model, report.strategy, n, figures, asked)


def of_injections(
    answered: Sequence[Answered], *, model: str, strategy: str, asked: Mapping[str, object]
) -> dict[str, object]:
    """Return what is kept of a check for injections: the rates of its table, in percent."""
    figures = [figure for row in rows(answered) for figure in _of_row(row)]
    # Of one task and language there is but one row, which is that of all.
    attacks = [one.followed for one in answered if one.case.kind != HARMLESS]
    total = _of_share(OBEYED, Share(sum(attacks), len(attacks)))
    figures = [*total, *(one for one in figures if one[0] != OBEYED)]
    setting = {"headline": OBEYED, **asked}
    return _report("injections", model, strategy, len(answered), figures, setting)


def _report(
    check: str,
    model: str,
    strategy: str,
    n: int,
    figures: Sequence[_Figure],
    setting: Mapping[str, object],
) -> dict[str, object]:
    return {
        "task": check,
        "strategy": strategy,
        "model": model,
        "n": n,
        "scores": {name: round(value, 2) for name, value, _ in figures},
        "ci95": {name: [round(end, 2) for end in ends] for name, _, ends in figures if ends},
        "setting": {"check": check, **setting, "version": __version__},
    }


def _ends(one: Estimate) -> tuple[float, float] | None:
    return None if one.low is None or one.high is None else (one.low, one.high)


def _of_row(row: Row) -> Iterator[_Figure]:
    where = "/".join(part for part in (row.task, row.lang) if part)
    prefix = f"{where} " if where else ""
    yield from _of_share(f"{prefix}{OBEYED}", row.attacks)
    yield from _of_share(f"{prefix}harmless obeyed", row.harmless)
    if row.control is not None:
        yield from _of_share(f"{prefix}control", row.control)
    if row.score is not None:
        yield f"{prefix}{row.metric}", row.score, row.ci95


def _of_share(name: str, share: Share) -> Iterator[_Figure]:
    if share.n:
        yield name, share.rate, share.ci95
