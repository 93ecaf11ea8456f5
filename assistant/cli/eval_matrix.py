"""``assistant eval --matrix``: every way of answering on every data set of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note, open_store, print_json
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.evaluation.matrix import DataSet, Way
    from assistant.measured import Measurement

DEFAULT_LIMIT = 100


def run(given: dict[str, Any], progress: Any, stop: Any) -> None:
    """Measure, print the table and, with ``--output``, write the rows beside what is there."""
    from dataclasses import asdict

    from assistant.cli.common import user_settings
    from assistant.cli.eval import check_rows_file
    from assistant.evaluation.matrix import merged, read_folder, run_matrix
    from assistant.measured import read_measurements, write_measurements
    from assistant.wiring import make_session

    if given["data"] is None:
        raise UsageError("Say where the data is.", "Like: assistant eval --matrix --data my-data/")
    if given["output"] is not None:
        check_rows_file(given["output"], read_measurements)
    sets = read_folder(given["data"], (given["task"],) if given["task"] else ())
    ways = [parse_way(text) for text in given["way"]]
    settings = user_settings(model=given["model"])
    with open_store() as store:
        session = make_session(settings, store=store)
        rows = run_matrix(
            sets,
            ways or _default_ways(),
            session.planner,
            session.loader.get(stop),
            store,
            limit=given["limit"] or DEFAULT_LIMIT,
            seed=given["seed"],
            note=_tell,
            progress=progress,
            stop=stop,
        )
    if given["output"] is not None:
        write_measurements(given["output"], merged(read_measurements(given["output"]), rows))
        note(f"Written to {given['output']}.")
    if given["as_json"]:
        print_json([asdict(row) for row in rows])
    else:
        print_table(rows)


def parse_way(text: str) -> Way:
    """Return the way in words like ``zero_shot``, ``few_shot:4`` and ``few_shot:8:nearest``.

    Raises:
        UsageError: it is none of these.
    """
    from assistant.evaluation.matrix import Way

    strategy, *rest = text.split(":")
    if strategy == "zero_shot" and not rest:
        return Way("zero_shot")
    if strategy == "adapter" and len(rest) == 1:
        return Way("adapter", adapter=rest[0])
    if strategy == "few_shot" and rest and rest[0].isdigit() and rest[1:] in ([], ["nearest"]):
        return Way("few_shot", int(rest[0]), nearest=len(rest) == 2)
    raise UsageError(
        f"'{text}' is no way of answering.", "Like: zero_shot, few_shot:4 or few_shot:4:nearest"
    )


def print_table(rows: list[Measurement]) -> None:
    """Print one line a data set, one column a way; the best is marked."""
    ways = list(dict.fromkeys(row.way for row in rows))
    click.echo(f"{'':<44}" + "".join(f"{way:>24}" for way in ways))
    for name in dict.fromkeys((row.data, row.lang) for row in rows):
        line = [row for row in rows if (row.data, row.lang) == name]
        best = max(row.value for row in line)
        cells = {
            row.way: f"{row.value:.1f} [{row.low:.1f}, {row.high:.1f}]"
            + ("*" if row.value == best else " ")
            for row in line
        }
        title = f"{name[0]} {line[0].metric} n={line[0].n}"
        click.echo(f"{title[:43]:<44}" + "".join(f"{cells.get(way, ''):>24}" for way in ways))


def _default_ways() -> list[Way]:
    from assistant.evaluation.matrix import WAYS

    return list(WAYS)


def _tell(data: DataSet, way: Way, row: Measurement) -> None:
    del way
    note(
        f"{data.name:<32} {row.way:<22} {row.metric} {row.value:6.2f} "
        f"[{row.low:.1f}, {row.high:.1f}]  n={row.n}  {row.seconds:.2f} s each"
    )
