"""``assistant bench``: measures speed, start, memory and quality on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, print_json, user_settings

if TYPE_CHECKING:
    from assistant.benchmark.results import Result

_BUSY = 10.0


@click.command("bench", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="NAME",
    help="decode, prefill, first-token, load, route, store, start, adapter, memory, quality, "
    "batch or all (the default); repeat it or separate them by commas.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="Catalogue name, folder, GGUF file or hub id; may be repeated.",
)
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="How often each figure is measured; the median counts.",
)
@click.option("--first", is_flag=True, help="Suite start: measure a first start too (slow).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    suites: Sequence[str],
    models: Sequence[str],
    runs: int,
    first: bool,
    as_json: bool,
) -> None:
    """Measure speed, start, memory and quality on this machine.

    Baselines are measured in the same rounds: plain transformers, and llama.cpp where
    llama-cpp-python is installed (the extra `bench`). Leave the machine alone meanwhile.
    """
    from assistant.benchmark.suites import chosen_suites, run_suites

    names = chosen_suites(suites)
    from assistant.benchmark.machine import OtherPrograms, describe
    from assistant.benchmark.subject import Subject
    from assistant.errors import AssistantError
    from assistant.paths import user_paths

    settings = user_settings()
    subject = Subject(settings, user_paths(), runs, note, first=first)
    others = OtherPrograms()
    found: list[Result] = []
    failed = False
    for each in run_suites(names, subject, list(models) or [settings.model]):
        if isinstance(each, AssistantError):
            failed = True
            note(f"Error: {each}")
        else:
            found.append(each)
    busy = others.percent()
    if busy > _BUSY:
        note(
            f"Other programs took {busy:.0f} % of the processors: measure again when they are quiet."
        )
    machine = describe(subject.threads, busy)
    if as_json:
        print_json([result.as_dict(machine) for result in found])
    else:
        _print_table(found)
    if failed:
        ctx.exit(1)


def _print_table(results: Sequence[Result]) -> None:
    from assistant.sanitize import clean

    rows = [["SUITE", "WHAT", "VALUE", "UNIT", "RATIO", "OVER"]]
    for result in results:
        ratio = "" if result.ratio is None else f"{result.ratio:.4g}"
        rows.append(
            [
                result.suite,
                result.name,
                f"{result.value:.4g}",
                result.unit,
                ratio,
                result.baseline or "",
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = zip(row, widths, strict=True)
        click.echo(clean("  ".join(cell.ljust(width) for cell, width in cells).rstrip()))
