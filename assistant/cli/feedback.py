"""``assistant feedback``: say what was good or wrong about answers, and take it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assistant.cli import feedback_data, feedback_edit
from assistant.cli.common import json_option, note, open_store, print_json
from assistant.errors import UsageError
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.types import Rating, Reason


@click.group(name="feedback", short_help="Feedback on answers: list, add, edit, undo, export.")
def command() -> None:
    """Say what was good or wrong about an answer; training and routing learn from it."""


for _command in (*feedback_edit.COMMANDS, *feedback_data.COMMANDS):
    command.add_command(_command)


@command.command()
@click.argument("turn_id", metavar="TURN_ID")
@click.option("--good", is_flag=True, help="The answer was good.")
@click.option("--bad", is_flag=True, help="The answer was bad.")
@click.option("--correction", metavar="TEXT", help="What the answer should have been.")
@click.option("--route", metavar="TASK", help="The task it should have been taken for.")
@feedback_edit.reason_option
@click.option("--comment", metavar="TEXT", help="Anything else worth noting.")
def add(
    turn_id: str,
    good: bool,
    bad: bool,
    correction: str | None,
    route: str | None,
    reason: Reason | None,
    comment: str | None,
) -> None:
    """Add feedback on a turn: TURN_ID is its id, the first characters of it, or "last"."""
    if good and bad:
        raise UsageError("An answer cannot be both good and bad.", "Give --good or --bad.")
    if route is not None:
        feedback_edit.check_task(route)
    # A reason says why an answer was bad, so it says that it was.
    rating: Rating | None = "good" if good else "bad" if bad or reason else None
    with open_store() as store:
        item = store.add_feedback(
            turn_id,
            rating=rating,
            correction=correction,
            route=route,
            comment=comment,
            reason=reason,
        )
    click.echo(feedback_edit.line_of(item))


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
