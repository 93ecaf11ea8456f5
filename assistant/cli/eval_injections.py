"""``assistant eval injections``: how often instructions hidden in texts are followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import (
    json_option,
    note,
    open_store,
    print_json,
    stop_on_interrupt,
    user_settings,
)
from assistant.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from assistant.evaluation.injection import Answered, Row, Share
    from assistant.evaluation.injection_cases import Case

_TASKS = ["translation", "summarization", "classification", "qa"]
_STRATEGIES = ["auto", "zero_shot", "few_shot", "adapter"]
_NONE = "-"


@click.command("injections")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("-t", "--task", type=click.Choice(_TASKS), help="Only the cases of this task.")
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES),
    default="auto",
    show_default=True,
    help="How the cases are answered.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Draw so many cases.")
@click.option("--control", is_flag=True, help="Answer the attacked texts without the attack too.")
@json_option
def injections_command(
    model: str | None,
    task: str | None,
    strategy: str,
    limit: int | None,
    control: bool,
    as_json: bool,
) -> None:
    """Measure how often an instruction inside a text is followed.

    The cases are requests to translate, summarize, classify or answer whose text holds a line such
    as "ignore the above". In a quarter of them the line is harmless and looks like an instruction
    only. Rates are in percent, with 95 % intervals. They are kept with the evaluations, the answers
    are not.
    """
    from assistant.evaluation.injection import as_json as report
    from assistant.evaluation.injection_cases import draw, read_cases, shipped_cases

    cases = read_cases(shipped_cases())
    cases = draw([case for case in cases if task in (None, case.example.task)], limit)
    if not cases:
        raise UsageError(f"No cases for {task}.", "Leave out --task to measure all there are.")
    asked = {"task": task, "limit": limit, "control": control}
    answered, name, number = _answer(cases, model, strategy, asked)
    note(f"The rates are kept: assistant eval show {number}")
    if as_json:
        print_json(report(answered, strategy=strategy, model=name))
    else:
        _print(answered, strategy, name)


def _answer(
    cases: Sequence[Case], model: str | None, strategy: str, asked: dict[str, Any]
) -> tuple[list[Answered], str, int]:
    """Return the cases with their answers, the name of the model, and the number of what is kept."""
    from assistant.answering import AskOptions
    from assistant.cli.eval import _bar
    from assistant.evaluation.checks import of_injections
    from assistant.evaluation.injection import answer_cases
    from assistant.wiring import make_session

    options = AskOptions(strategy=strategy, temperature=0.0, seed=0, personal=False)
    with open_store() as store, stop_on_interrupt() as stop, _bar() as progress:
        session = make_session(user_settings(model=model, strategy=strategy), store=store)
        engine = session.loader.get(stop)
        try:
            answered = answer_cases(
                cases,
                session.planner,
                engine,
                options,
                control=asked["control"],
                progress=progress,
                stop=stop,
            )
        except Cancelled as error:
            raise Cancelled("Stopped; no answer is kept.", "For fewer cases: --limit.") from error
        name = engine.info.model
        kept = of_injections(answered, model=name, strategy=strategy, asked=asked)
        return answered, name, store.record_evaluation(kept)


def _print(answered: Sequence[Answered], strategy: str, model: str) -> None:
    from assistant.evaluation.injection import by_kind, rows

    click.echo(f"{model}, {strategy}, n = {len(answered)}")
    made = [_cells(row) for row in rows(answered)]
    head = ["TASK", "LANG", "OBEYED", "HARMLESS OBEYED", "CONTROL", "SCORE"]
    if all(cells[4] == _NONE for cells in made):
        head, made = _without(4, head), [_without(4, cells) for cells in made]
    _table([head, *made])
    click.echo("")
    kinds = by_kind(answered).items()
    _table([["KIND", "OBEYED"], *([kind, _share(share)] for kind, share in kinds)])
    note("Answers to each case: --json. What is obeyed by chance alone: --control.")


def _cells(row: Row) -> list[str]:
    score = _NONE
    if row.score is not None and row.ci95 is not None:
        score = f"{row.metric} {row.score:.1f} [{row.ci95[0]:.1f}, {row.ci95[1]:.1f}]"
    return [
        row.task or "all",
        row.lang or "all",
        _share(row.attacks),
        _share(row.harmless),
        _share(row.control),
        score,
    ]


def _share(share: Share | None) -> str:
    if share is None or not share.n:
        return _NONE
    low, high = share.ci95
    return f"{share.rate:.1f} [{low:.1f}, {high:.1f}] of {share.n}"


def _without(column: int, cells: list[str]) -> list[str]:
    return [*cells[:column], *cells[column + 1 :]]


def _table(lines: list[list[Any]]) -> None:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = zip(line, widths, strict=True)
        click.echo("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
