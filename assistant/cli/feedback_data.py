"""``assistant feedback review``, ``export`` and ``import``: feedback as data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, open_store, print_json
from assistant.cli.feedback_edit import check_task
from assistant.cli.history import deliver
from assistant.errors import UsageError
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.store.store import Store
    from assistant.training.examples import Collected, Flagged
    from assistant.training.exporting import Form

_TRL: dict[str, Form] = {"trl-sft": "sft", "trl-dpo": "dpo", "trl-kto": "kto"}
_FORMATS = (*_TRL, "jsonl", "csv", "datasets")
_SHOWN = 60
_KINDS = {"secret": "private", "contradiction": "contradiction", "labels": "no label"}


@click.command()
@click.option("-t", "--task", metavar="TASK", help="Only feedback on this task.")
@json_option
def review(task: str | None, as_json: bool) -> None:
    """List the feedback that is left out of training and of exports for it, and why.

    Left out is what holds something private (keys, passwords, card and phone numbers, e-mail addresses),
    what other feedback on the same request contradicts, and classifications without a label to learn.
    """
    from assistant.training.examples import collect

    with open_store() as store:
        flagged = collect(store.feedback(), store.preferences(), task=task).flagged
    if as_json:
        print_json([asdict(flag) | {"may_pass": flag.may_pass} for flag in flagged])
        return
    for flag in flagged:
        click.echo(_line(flag))
    if not flagged:
        note("Nothing is flagged.")
        return
    note("Change or remove it: assistant feedback edit, assistant feedback delete.")
    if any(flag.may_pass for flag in flagged):
        note("Let what is private pass: --include-flagged.")


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option(
    "-t",
    "--task",
    metavar="TASK",
    help="Task of rows in TRL's formats that name none.  [default: chat]",
)
def import_(file: str, task: str | None) -> None:
    """Import feedback from a FILE that export wrote, or from JSON lines in TRL's formats.

    "-" is stdin, which is read as JSON lines. Rows of TRL become turns of a conversation called "Imported
    feedback", with the better answer as correction, or with a rating. What is here already is left out,
    so importing twice is harmless.
    """
    from assistant.store.import_files import read_records

    if task is not None:
        check_task(task)
    records = read_records(file, task)
    with open_store() as store:
        added = store.import_feedback(records)
    known = len(records) - len(added)
    click.echo(f"Imported {len(added)}" + (f", {known} known already" if known else ""))


@click.command()
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    default="jsonl",
    show_default=True,
    help="trl-sft: corrections and good answers; trl-dpo: better answers over others; trl-kto: answers, "
    "wanted or not; datasets: these three as a folder for Hugging Face datasets; jsonl: everything, "
    "unchanged; csv: a table.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file (for datasets: to this new folder), not to stdout.",
)
@click.option("-t", "--task", metavar="TASK", help="Only this task; for TRL and datasets.")
@click.option(
    "--include-flagged",
    is_flag=True,
    help="Let pass what holds something private; for TRL and datasets.",
)
def export(kind: str, output: Path | None, task: str | None, include_flagged: bool) -> None:
    """Export all feedback, for training with TRL, for another machine, or as a table.

    For training, what says the same is merged, and what "assistant feedback review" lists is left out.
    """
    if kind in ("jsonl", "csv"):
        if task is not None or include_flagged:
            raise UsageError(
                f"With --format {kind} everything is written, whatever its task.",
                "Leave --task and --include-flagged out, or choose a format for training.",
            )
        with open_store() as store:
            text = _whole(store, kind)
        deliver(text, output)
        return
    if kind == "datasets" and output is None:
        raise UsageError("The data sets are a folder.", "Say where it is to be made: -o FOLDER")
    _for_training(kind, output, task, include_flagged)


def _for_training(kind: str, output: Path | None, task: str | None, include_flagged: bool) -> None:
    from assistant.store.formats import json_lines
    from assistant.training.examples import collect
    from assistant.training.exporting import datasets_folder, trl_rows

    with open_store() as store:
        items, chosen = store.feedback(), store.preferences()
    found = collect(items, chosen, task=task, include_flagged=include_flagged)
    _say_left_out(found, include_flagged)
    if kind == "datasets" and output is not None:
        counts = datasets_folder(found, output)
        rows = ", ".join(f"{form} {count}" for form, count in counts.items())
        note(f"Written: {clean(str(output))} ({rows} rows)")
        return
    deliver(json_lines(trl_rows(found, _TRL[kind])), output)


def _whole(store: Store, kind: str) -> str:
    from assistant.store import trl
    from assistant.store.formats import csv_text, json_lines

    if kind == "jsonl":
        return json_lines(store.export_feedback())
    return csv_text(trl.TABLE_COLUMNS, trl.table(store.feedback()))


def _say_left_out(found: Collected, include_flagged: bool) -> None:
    """Say how much is not in the export, and what to do about it."""
    out = {flag.name for flag in found.flagged if not (include_flagged and flag.may_pass)}
    private = {flag.name for flag in found.flagged if flag.may_pass} & out
    if out:
        pieces = "1 piece" if len(out) == 1 else f"{len(out)} pieces"
        note(f"Left out: {pieces} of feedback; see why with: assistant feedback review")
    if private:
        note(f"Private, let pass with --include-flagged: {len(private)}")
    if found.surplus:
        note(f"Left out: {len(found.surplus)} examples whose label has too many of them")


def _line(flag: Flagged) -> str:
    task, kind = clean(flag.task) or "unknown", _KINDS[flag.kind]
    text = " ".join(flag.input.split())
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return f"{flag.name:>5}  {kind:<14}{task:<16}{clean(text)}\n       {clean(flag.reason)}"


COMMANDS = (review, import_, export)
