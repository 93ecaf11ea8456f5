"""How a refinement shows: what is used, how far the measuring is, the gate's table and its decision."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from assistant.cli.common import note
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.evaluation.gate import Decision, Row
    from assistant.evaluation.run import Progress
    from assistant.training.material import Material

_WAYS = {"few_shot": "few-shot", "current": "as it answers now", "candidate": "the candidate"}


def print_material(found: Material, replayed: int, parent: str | None) -> None:
    """Print what a refinement of a task would use."""
    note(f"{found.task}: {found.why}.")
    note(f"  {len(found.trained)} of your answers to train on, {len(found.held_out)} held out")
    if replayed:
        note(
            f"  up to {replayed} examples of {found.task} in general, so that nothing is forgotten"
        )
    note(f"  starting from {parent or 'no adapter: a new one'}")
    if found.flagged:
        note(f"  {found.flagged} left out until you have looked: assistant feedback review")


@contextmanager
def measuring() -> Iterator[Callable[[str], Progress]]:
    """Yield what makes a report of progress for a way of answering."""

    def of(way: str) -> Progress:
        last = -1

        def report(done: int, total: int) -> None:
            nonlocal last
            tenth = 10 * done // max(1, total)
            if sys.stderr.isatty() or tenth != last:
                end = "\n" if done == total or not sys.stderr.isatty() else "\r"
                click.echo(f"{_WAYS[way]}: {done} of {total}{end}", nl=False, err=True)
            last = tenth

        return report

    yield of


def print_decision(card: Card, rows: Sequence[Row], decision: Decision) -> None:
    """Print the gate's table, what was decided and why, and what can be done now."""
    click.echo(f"{'':<52}{'n':>5}{'few-shot':>10}{'now':>8}{'candidate':>11}{'gain':>8}  verdict")
    for row in rows:
        few = f"{row.few_shot:.1f}" if row.few_shot is not None else ""
        name = clean(f"{row.name} ({row.metric})")
        click.echo(
            f"{name:<52}{row.n:>5}{few:>10}{row.current:>8.1f}{row.candidate:>11.1f}"
            f"{row.gain:>+8.1f}  {row.verdict}"
        )
    click.echo("other tasks: untouched, an adapter answers its own task only")
    for reason in decision.reasons:
        click.echo(clean(reason))
    if decision.promote:
        click.echo(
            f"{card.name} is in use now. Back again: assistant adapters rollback {card.task}"
        )
    else:
        click.echo(f"{card.name} is refused; what was in use stays. It is kept with its scores.")
