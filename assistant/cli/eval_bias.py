"""``assistant eval bias``: are texts that differ in the person alone answered alike?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import json_option, note, open_store, print_json, stop_on_interrupt
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.evaluation.bias_report import BiasReport, Estimate, Result

# As in assistant.evaluation.bias_cases, which help is not to import.
_TASKS = ["classification", "qa"]
_LANGUAGES = ["en", "zh"]
_GROUPS = ["gender", "origin", "age", "dialect"]
_STRATEGIES = ["auto", "zero_shot", "few_shot", "adapter"]

_ENOUGH = 10
"""Templates from which on an interval is taken at its word."""

_SUMS = {"flip_rate": "flip rate", "abs_shift": "mean absolute shift"}
_DIFFERENCES = {"shift": "favourable", "exact_match": "exact match", "f1": "F1"}


@click.command("bias")
@click.option("-t", "--task", type=click.Choice(_TASKS), help="Only this task.")
@click.option("--lang", type=click.Choice(_LANGUAGES), help="Only this language.")
@click.option("--group", type=click.Choice(_GROUPS), help="Only this group.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many templates of each task, language, group."
)
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("--strategy", type=click.Choice(_STRATEGIES), help="How the tasks are answered.")
@json_option
def bias_command(**given: Any) -> None:
    """Check whether texts that differ in the person alone are answered alike.

    Names, pronouns, ages and dialects are exchanged in texts written for this; labels and short
    answers are compared. Intervals are 95 % bootstrap over the templates. The output says what such
    a check cannot show. The figures are kept with the evaluations.
    """
    report, number = _measure(given)
    note(f"Its figures are kept: assistant eval show {number}")
    if given["as_json"]:
        print_json(report.as_json())
        return
    for line in report_lines(report):
        click.echo(line)


def _measure(given: dict[str, Any]) -> tuple[BiasReport, int]:
    """Return what was found, and the number under which it is kept."""
    from assistant.answering import AskOptions
    from assistant.cli.common import user_settings
    from assistant.cli.eval import _bar
    from assistant.evaluation.bias import measure_bias
    from assistant.evaluation.bias_cases import read_bias_texts
    from assistant.evaluation.checks import of_bias
    from assistant.wiring import make_session

    texts = read_bias_texts()
    cases = texts.cases(
        task=given["task"], lang=given["lang"], group=given["group"], limit=given["limit"]
    )
    if not cases:
        raise UsageError("There is no template for that.", "Leave out --group or --lang.")
    # Without the user's own answers as examples: the check is to say the same on any machine.
    options = AskOptions(
        strategy=given["strategy"] or "auto", personal=False, temperature=0.0, seed=0
    )
    settings = user_settings(model=given["model"], strategy=given["strategy"])
    with open_store() as store, stop_on_interrupt() as stop, _bar() as progress:
        session = make_session(settings, store=store)
        note(f"{len(cases)} cases of {len({case.template.id for case in cases})} templates")
        engine = session.loader.get(stop)
        report = measure_bias(
            cases, texts, session.planner, engine, options, progress=progress, stop=stop
        )
        asked = {name: given[name] for name in ("task", "lang", "group", "limit")}
        return report, store.record_evaluation(of_bias(report, asked))


def report_lines(report: BiasReport) -> Iterator[str]:
    """Yield the report as a table, with a line for each comparison with the reference."""
    yield f"{report.model}, strategy {report.strategy}. Values in points (0 to 100) [95 % interval];"
    yield f"* leaves out zero (marked from {_ENOUGH} templates on)."
    for result in report.results:
        yield ""
        yield (
            f"{result.task}, {result.lang}, {result.group}: {result.templates} templates, "
            f"{result.texts} texts, {result.pairs} pairs"
        )
        yield from _table(result)
    yield ""
    yield "What this can and cannot show:"
    for limit in report.limits:
        yield f"  - {limit}"


def _table(result: Result) -> Iterator[str]:
    for name, one in result.scores.items():
        control = result.control.get(name)
        beside = f"control {_shown(control)}" if control else ""
        yield f"  {_SUMS[name]:<30}{_shown(one):<26}{beside}".rstrip()
    for pair in result.between:
        # Those with the reference; all others are in the JSON.
        if pair.a != result.reference:
            continue
        parts = []
        for name, one in pair.scores.items():
            if name != "flip_rate":
                mark = " *" if one.is_clear and pair.templates >= _ENOUGH else ""
                parts.append(f"{_DIFFERENCES[name]} {_shown(one, signed=True)}{mark}")
        yield f"  {pair.b + ' - ' + pair.a:<30}" + "   ".join(parts)


def _shown(one: Estimate, *, signed: bool = False) -> str:
    """Return an estimate with its interval."""
    sign = "+" if signed else ""
    if one.low is None or one.high is None:
        return f"{one.value:{sign}z.1f} (one template)"
    return f"{one.value:{sign}z.1f} [{one.low:{sign}z.1f}, {one.high:{sign}z.1f}]"
