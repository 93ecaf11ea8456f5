"""Write measured scores into an adapter's ``run.json`` and its model card.

Run ``python benchmarks/record_scores.py FOLDER --measured assistant/measured.json [--report FILE …]``. Rows of the
measured table that are for the adapter's base model and task count, and reports of ``assistant eval --json``
(one file a data set, holding one report for each of zero_shot, few_shot and adapter; named like the data set).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.adapters.run_record import Score, read_run, write_run
from assistant.measured import Measurement, read_measurements
from assistant.tasks import headline
from assistant.training.card import card_text

WAYS = ("zero_shot", "few_shot", "adapter")
SHOTS = 4


def main() -> int:
    """Read what was measured and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the adapter: …/<base>/<task>/<version>")
    parser.add_argument("--measured", type=Path, required=True)
    parser.add_argument("--report", type=Path, action="append", default=[])
    given = parser.parse_args()
    record = read_run(given.folder)
    if record is None:
        parser.error(f"{given.folder} has no run.json")
    name = f"{record.task}/{given.folder.name}"
    rows = [
        row
        for row in read_measurements(given.measured)
        if row.model == record.base_model.name
        and row.task == record.task
        and (row.adapter == name or row.strategy != "adapter")
        and not row.nearest
        and row.shots in (0, SHOTS)
    ]
    scores = {**_of_rows(rows), **dict(map(_of_reports, given.report))}
    record = replace(record, scores=scores)
    write_run(given.folder, record)
    card = card_text(record, given.folder.name)
    (given.folder / "README.md").write_text(card, encoding="utf-8")
    return 0


def _of_rows(rows: Iterable[Measurement]) -> dict[str, Score]:
    sets: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for row in rows:
        sets[row.data][row.strategy] = row
    return {
        data: Score(
            metric=ways["adapter"].metric,
            n=ways["adapter"].n,
            lang=ways["adapter"].lang,
            shots=SHOTS,
            ci95={way: (row.low, row.high) for way, row in ways.items()},
            seconds=ways["adapter"].seconds,
            **{way: ways[way].value for way in WAYS if way in ways},  # type: ignore[arg-type]
        )
        for data, ways in sets.items()
        if "adapter" in ways
    }


def _of_reports(file: Path) -> tuple[str, Score]:
    reports = {one["strategy"]: one for one in _values(file.read_text(encoding="utf-8"))}
    adapter: Mapping[str, Any] = reports["adapter"]
    metric = headline(adapter["task"])
    return file.stem, Score(
        metric=metric,
        n=adapter["n"],
        shots=SHOTS,
        ci95={way: tuple(one["ci95"][metric]) for way, one in reports.items()},
        seconds=round(adapter["timing"]["total_s"] / adapter["n"], 3),
        **{way: reports[way]["scores"][metric] for way in WAYS if way in reports},
    )


def _values(text: str) -> list[dict[str, Any]]:
    """Return the JSON values that stand one after the other in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


if __name__ == "__main__":
    raise SystemExit(main())
