"""Runs all suites on the three models and writes ``benchmarks/results/<date>-<model>.json``.

Run ``python benchmarks/run.py`` (half an hour with ``--runs 3``) on a machine that does nothing else. Every suite has a
process of its own, so that none inherits another's memory; what is there after each is written at once.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
MODELS = (
    "smollm2-135m-instruct",
    "qwen2.5-coder-0.5b-instruct",
    "qwen2.5-coder-1.5b-instruct",
)


def main() -> int:
    """Run what the arguments ask for; return 1 when a suite failed."""
    from assistant.benchmark.suites import SUITES

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", help="one of the models only; may be repeated")
    parser.add_argument(
        "--suite", action="append", choices=SUITES, help="one suite only; may be repeated"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs a figure (default 5)")
    parser.add_argument("--no-first", action="store_true", help="measure no first start")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    given = parser.parse_args()
    failed = []
    for position, model in enumerate(given.model or MODELS):
        file = given.results / f"{datetime.date.today().isoformat()}-{Path(model).name}.json"
        for suite in given.suite or SUITES:
            if position and not SUITES[suite].of_model:
                continue  # once is enough
            print(f"== {model}: {suite}", file=sys.stderr, flush=True)
            rows = measured(model, suite, given.runs, first=not given.no_first)
            if rows is None:
                failed.append(f"{model}: {suite}")
            else:
                write(file, suite, rows)
    for each in failed:
        print(f"failed: {each}", file=sys.stderr)
    return int(bool(failed))


def measured(model: str, suite: str, runs: int, *, first: bool) -> list[dict[str, Any]] | None:
    """Return what ``assistant bench`` prints; ``None`` when it failed."""
    command = [sys.executable, "-m", "assistant", "bench", "--json", "--suite", suite, "-m", model]
    command += ["--runs", str(runs), *(["--first"] if first and suite == "start" else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def write(file: Path, suite: str, rows: Sequence[dict[str, Any]]) -> None:
    """Put a suite's rows into a file, one a line, in place of those it has from before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    kept = [row for row in known if row["suite"] != suite]
    lines = [json.dumps(row, ensure_ascii=False) for row in [*kept, *rows]]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
