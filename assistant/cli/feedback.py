"""``assistant feedback``: say what was good or wrong about answers, and take it elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, open_store, print_json
from assistant.cli.history import deliver
from assistant.errors import UsageError
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.store.store import Store
    from assistant.types import Feedback, Rating

_FORMATS = ("trl-sft", "trl-dpo", "trl-kto", "jsonl", "csv")
_SHORT_ID = 8
_SHOWN = 60


@click.group(name="feedback", short_help="Feedback on answers: list, add, import, export.")
def command() -> None:
    """Say what was good or wrong about an answer; training and routing learn from it."""


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--turn", "turn_id", metavar="TURN_ID", help="Only feedback on this turn.")
@json_option
def list_(limit: int | None, turn_id: str | None, as_json: bool) -> None:
    """List feedback, oldest first."""
    with open_store() as store:
        items = store.feedback(turn_id=turn_id, limit=limit)
    if as_json:
        print_json([asdict(item) for item in items])
        return
    for item in items:
        click.echo(_line(item))
    if not items:
        note("No feedback yet.")


@command.command()
@click.argument("turn_id", metavar="TURN_ID")
@click.option("--good", is_flag=True, help="The answer was good.")
@click.option("--bad", is_flag=True, help="The answer was bad.")
@click.option("--correction", metavar="TEXT", help="What the answer should have been.")
@click.option("--route", metavar="TASK", help="The task it should have been taken for.")
@click.option("--comment", metavar="TEXT", help="Anything else worth noting.")
def add(
    turn_id: str,
    good: bool,
    bad: bool,
    correction: str | None,
    route: str | None,
    comment: str | None,
) -> None:
    """Add feedback on a turn: TURN_ID is its id, the first characters of it, or "last"."""
    if good and bad:
        raise UsageError("An answer cannot be both good and bad.", "Give --good or --bad.")
    if route is not None:
        _check_task(route)
    rating: Rating | None = "good" if good else "bad" if bad else None
    with open_store() as store:
        item = store.add_feedback(
            turn_id, rating=rating, correction=correction, route=route, comment=comment
        )
    click.echo(_line(item))


@command.command("import")
@click.argument("file", metavar="FILE")
def import_(file: str) -> None:
    """Import feedback from a FILE that "export --format jsonl" wrote ("-" is stdin).

    What is here already is left out, so importing twice is harmless.
    """
    from assistant.store.files import read_json_lines

    records = read_json_lines(file)
    with open_store() as store:
        added = store.import_feedback(records)
    known = len(records) - len(added)
    click.echo(f"Imported {len(added)}" + (f", {known} known already" if known else ""))


@command.command()
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    default="jsonl",
    show_default=True,
    help="trl-sft: corrections; trl-dpo: corrections against answers; trl-kto: thumbs; "
    "jsonl: everything, which import reads; csv: a table.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write to this file, not to stdout."
)
def export(kind: str, output: Path | None) -> None:
    """Export all feedback, for training with TRL, for another machine, or as a table."""
    with open_store() as store:
        text = _exported(store, kind)
    deliver(text, output)


def _exported(store: Store, kind: str) -> str:
    from assistant.store import trl
    from assistant.store.formats import csv_text, json_lines

    if kind == "jsonl":
        return json_lines(store.export_feedback())
    items = store.feedback()
    if kind == "csv":
        return csv_text(trl.TABLE_COLUMNS, trl.table(items))
    rows = {"trl-sft": trl.sft, "trl-dpo": trl.dpo, "trl-kto": trl.kto}[kind](items)
    return json_lines(rows)


def _check_task(task: str) -> None:
    """Refuse a task that does not exist: the router would learn it and never find a prompt."""
    from assistant.paths import user_paths
    from assistant.tasks import TASKS

    own = user_paths().prompts
    names: Sequence[str] = [*TASKS]
    if own.is_dir():
        names = [*names, *(file.stem for file in own.iterdir() if file.suffix in (".yaml", ".yml"))]
    if task not in names:
        raise UsageError(f"There is no task {task!r}.", f"Choose one of: {', '.join(names)}")


def _line(item: Feedback) -> str:
    said = [
        item.rating or "",
        f"route {item.route}" if item.route else "",
        f"correction: {_cut(item.correction)}" if item.correction else "",
        f"comment: {_cut(item.comment)}" if item.comment else "",
    ]
    when = item.created_at[:16].replace("T", " ")
    what = clean(" · ".join(filter(None, said)))
    return f"{item.id:>4}  {item.turn_id[:_SHORT_ID]}  {when}  {what}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


@command.command("balance")
@click.option(
    "--least",
    type=click.IntRange(min=1),
    help="Turns of a task in a language that you would train on.  [default: 50]",
)
@json_option
def balance_(least: int | None, as_json: bool) -> None:
    """Show how balanced the feedback is: by task and language, good and bad, corrections.

    It says where there is too little to train on, and what one-sided feedback would teach.
    """
    from assistant.evaluation.balance import LEAST, balance

    with open_store() as store:
        found = balance(store.feedback(), least or LEAST)
    if as_json:
        print_json(found.as_json())
        return
    if not found.groups:
        note("No feedback yet.")
        return
    click.echo(
        f"{'task':<16}{'lang':<6}{'turns':>6}{'good':>6}{'bad':>6}{'corrected':>11}{'moved':>7}"
    )
    for one in found.groups:
        click.echo(
            f"{clean(one.task):<16}{one.lang:<6}{one.turns:>6}{one.good:>6}{one.bad:>6}"
            f"{one.corrections:>11}{one.rerouted:>7}"
        )
    click.echo("\nFor training:")
    for finding in found.findings:
        where = f"{clean(finding.task)}{f' ({finding.lang})' if finding.lang else ''}"
        click.echo(f"  {where}: {finding.text}")
    note("People judge what strikes them: feedback is no sample of all turns.")
