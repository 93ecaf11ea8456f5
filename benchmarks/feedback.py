"""A simulated user with hidden preferences: what so many corrections change, by each way of learning.

Run ``python benchmarks/feedback.py`` (hours on two cores with the real model; what is in the output file already
is not measured again, so it may be stopped and started at will). Four preferences: a house's words in
translations, labels whose meaning nobody says, summaries as three bullets, and habits of routing. For each number
of corrections a fresh home gets them, and turns that were never corrected are answered: with the user's answers
as shots, few-shot with them where an adapter would answer, and by the refined candidate, whatever the gate said.
``poison`` is a user whose labels are flipped; the gate has to refuse what it teaches.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# The package lies beside this file; run as a script, Python looks there by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from feedback_sim import habits
from feedback_sim.bullets import bullets
from feedback_sim.cells import Cell, Cells, Key
from feedback_sim.desks import desks
from feedback_sim.house import house
from feedback_sim.measuring import (
    Refine,
    Refinement,
    adapter_in_use,
    answered,
    by_command,
    opened,
    refined,
)
from feedback_sim.poison import poison
from feedback_sim.preference import Preference
from feedback_sim.teaching import correct, fresh_home

from assistant.errors import AssistantError

HERE = Path(__file__).resolve().parent
CHART = HERE.parent / "docs" / "images" / "feedback-curves.svg"
PREFERENCES = {"house": house, "desks": desks, "bullets": bullets}
NAMES = (*PREFERENCES, habits.NAME, "poison")
COUNTS = (10, 50)


def main(arguments: Sequence[str] | None = None, refine: Refine = by_command) -> int:
    """Measure what the arguments ask for; return 1 where a cell failed."""
    given = _parser().parse_args(arguments)
    from assistant.cli.common import user_settings

    model = given.model or user_settings().model
    today = datetime.date.today().isoformat()
    file = given.output or HERE / "results" / f"feedback-{today}-{Path(model).name}.json"
    try:
        cells = Cells(file, model, given.limit)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    failed = [
        name for name in given.only or NAMES if not _measured(name, cells, model, given, refine)
    ]
    if given.plot:
        from feedback_sim.plot import draw

        draw(cells.found["cells"], given.plot)
    out = sys.stdout.write
    out(json.dumps(cells.found, ensure_ascii=False, indent=1) if given.json else table(cells))
    out("\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--only", nargs="+", choices=NAMES, help="these alone (default: all)")
    add("--counts", nargs="+", type=_positive, default=list(COUNTS), help="numbers of corrections")
    add("--seeds", nargs="+", type=int, default=[0], help="which turns get corrected")
    add("-m", "--model", help="the model (default: the settings')")
    add("--max-minutes", type=float, default=5.0, help="of the training of each refinement")
    add("--no-refine", action="store_true", help="leave refinements (most of the time) out")
    add("--limit", type=_positive, help="answer so many of the held-out turns (default: all)")
    add("--output", type=Path, help="file that cells are kept in, and found again")
    add("--json", action="store_true", help="print JSON in place of a table")
    add("--plot", type=Path, nargs="?", const=CHART, help="draw the curves (needs matplotlib)")
    return parser


def _measured(name: str, cells: Cells, model: str, given: Any, refine: Refine) -> bool:
    """Measure the cells of one preference; what went wrong is said, and the next one begins."""
    try:
        if name == habits.NAME:
            habits.measure(cells, model, given.counts, given.seeds)
        elif name == "poison":
            _poisoned(cells, model, given, refine)
        else:
            _curve(_limited(PREFERENCES[name](), given.limit), cells, model, given, refine)
    except AssistantError as error:
        sys.stderr.write(f"{name}: {error.message} {error.hint}\n")
        return False
    except RuntimeError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return False
    return True


def _positive(text: str) -> int:
    """Return a number of at least one.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _limited(preference: Preference, limit: int | None) -> Preference:
    return replace(preference, held_out=preference.held_out[:limit])


def _curve(preference: Preference, cells: Cells, model: str, given: Any, refine: Refine) -> None:
    """Measure a preference without feedback, then with each number of corrections."""
    start = Key(preference.name, "without", 0, 0)
    if cells.get(start) is None:
        with fresh_home(), opened(model) as (session, engine):
            _told(cells.add(start, answered(preference, session, engine, "without")))
    for count, seed in ((count, seed) for count in given.counts for seed in given.seeds):
        if count > len(preference.taught):
            sys.stderr.write(
                f"{preference.name}: only {len(preference.taught)} turns to correct, not {count}\n"
            )
            continue
        wish = Refinement(preference.task, model, given.max_minutes, seed)
        _with_corrections(preference, count, cells, wish, None if given.no_refine else refine)


def _with_corrections(
    preference: Preference, count: int, cells: Cells, wish: Refinement, refine: Refine | None
) -> None:
    """Measure what is missing of one number of corrections, in one home."""

    def key(way: str) -> Key:
        return Key(preference.name, way, count, wish.seed)

    start = cells.get(Key(preference.name, "without", 0, 0)) or {}
    ways = ["shots", *(["few_shot"] if start.get("adapter_in_use") else [])]
    ways = [way for way in ways if cells.get(key(way)) is None]
    refine = refine if cells.get(key("refined")) is None else None
    if not ways and refine is None:
        return
    with fresh_home():
        with opened(wish.model) as (session, engine):
            correct(session.store, preference.task, preference.drawn(count, wish.seed), wish.model)
            for way in ways:
                _told(cells.add(key(way), answered(preference, session, engine, way)))
        if refine is not None:
            _told(cells.add(key("refined"), refined(preference, wish, refine)))


def _poisoned(cells: Cells, model: str, given: Any, refine: Refine) -> None:
    """Correct every turn of the poisoned user, and see what the gate says."""
    if given.no_refine:
        return
    preference = _limited(poison(), given.limit)
    for seed in given.seeds:
        key = Key(preference.name, "refined", len(preference.taught), seed)
        if cells.get(key) is not None:
            continue
        wish = Refinement(preference.task, model, given.max_minutes, seed)
        with fresh_home():
            with opened(model) as (session, engine):
                correct(session.store, preference.task, preference.drawn(key.count, seed), model)
                # It may be that an adapter answers; then it is the one to be kept from harm.
                using = adapter_in_use(session, engine, preference.task)
            cell = refined(preference, wish, refine)
            _told(cells.add(key, cell | {"adapter_in_use": using}))


def _told(cell: Cell) -> None:
    """Say on standard error that a cell is there."""
    sys.stderr.write(_line(cell) + "\n")
    sys.stderr.flush()


def table(cells: Cells) -> str:
    """Return the cells as a table in Markdown."""
    head = (
        "| preference | way | corrections | seed | as wanted, % (95 %) | score | gate | seconds |\n"
        "|---|---|---:|---:|---:|---:|---|---:|"
    )
    return "\n".join([head, *(_line(cell) for cell in cells.found["cells"])])


def _line(cell: Cell) -> str:
    wanted = score = "–"
    if "follows" in cell:
        wanted = f"{cell['follows']:.1f} ({_span(cell['follows_ci95'])})"
        score = f"{cell['metric']} {cell['score']:.1f} ({_span(cell['score_ci95'])})"
    seconds = cell.get("seconds", 0.0) + cell.get("refine_seconds", 0.0)
    values = (
        cell["preference"],
        cell["way"],
        cell["count"],
        cell["seed"],
        wanted,
        score,
        cell.get("decision", ""),
        f"{seconds:.0f}",
    )
    return "| " + " | ".join(str(value) for value in values) + " |"


def _span(ends: Iterable[float]) -> str:
    return "–".join(f"{end:.1f}" for end in ends)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the same command goes on where it was.\n")
        raise SystemExit(130) from None
