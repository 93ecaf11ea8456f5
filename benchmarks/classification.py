"""Classification by scoring labels against classification by generated text: accuracy and speed.

Run ``python benchmarks/classification.py --data FOLDER``: every ``*.dev.jsonl`` in it, ``--limit`` rows each, the
same prompts for both. Generated text counts as a label when it equals one (case, quotes and full stops
aside). Speed is for one text at a time, as in the app, both in the same run, one after the other for each text.
Each way has an engine of its own, so that neither finds read what the other has just read.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Measure every file and write one JSON file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with *.dev.jsonl")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("-m", "--model")
    parser.add_argument("--adapter", help="answer both ways with this adapter instead")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    given = parser.parse_args()

    from assistant.cli.common import user_settings
    from assistant.evaluation.matrix import read_folder
    from assistant.store.connection import IN_MEMORY
    from assistant.store.store import Store
    from assistant.wiring import make_session

    session = make_session(user_settings(model=given.model), store=Store(IN_MEMORY))
    other = make_session(user_settings(model=given.model), store=Store(IN_MEMORY))
    engine = session.loader.get()
    engines = {"generated": engine, "scored": other.loader.get()}
    found: dict[str, Any] = {
        "model": engine.info.model,
        "date": datetime.date.today().isoformat(),
        "adapter": given.adapter,
        "sets": {},
    }
    sys.stdout.write(
        "| data | n | generated | scored | times as fast |\n|---|---:|---:|---:|---:|\n"
    )
    for data in read_folder(given.data, ["classification"]):
        row = measured(data.examples.rows, given.limit, session.planner, engines, given.adapter)
        found["sets"][data.name] = row
        sys.stdout.write(
            f"| {data.name} | {row['n']} | {row['generated']:.1f} | {row['scored']:.1f} | "
            f"{row['generated_s'] / row['scored_s']:.2f} |\n"
        )
        sys.stdout.flush()
    how = f"-{given.adapter.replace('/', '-')}" if given.adapter else ""
    file = given.results / f"classification-{found['date']}-{found['model']}{how}.json"
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def measured(
    rows: Sequence[Any], limit: int, planner: Any, engines: Mapping[str, Any], adapter: str | None
) -> dict[str, float]:
    """Return accuracies (0 to 100) and mean seconds a text of both ways."""
    from assistant.answering import AskOptions
    from assistant.evaluation.classes import same
    from assistant.evaluation.examples import sample
    from assistant.evaluation.predict import plan_for
    from assistant.label_scoring import classify

    fixed = {"strategy": "adapter"} if adapter else {"strategy": "few_shot", "shots": 4}
    options = AskOptions(**fixed, adapter=adapter, personal=False, temperature=0.0)  # type: ignore[arg-type]
    right = {"generated": 0, "scored": 0}
    taken = {"generated": 0.0, "scored": 0.0}
    examples = sample(rows, limit, 0)
    for number, example in enumerate(examples):
        # Planned with both: an adapter is loaded into the engine that a plan is for.
        plans = {one: plan_for(example, planner, engines[one], options) for one in engines}
        # What one leaves in the processor's caches helps the other: they take turns.
        for way in ("generated", "scored") if number % 2 else ("scored", "generated"):
            engine, plan, start = engines[way], plans[way], time.perf_counter()
            if way == "scored":
                said = classify(plan, planner, engine).best
            else:
                pieces = engine.generate(
                    plan.messages, plan.decoding, adapter=plan.choice.adapter, stable=plan.stable
                )
                said = "".join(piece.text for piece in pieces)
            taken[way] += time.perf_counter() - start
            right[way] += same(said) == same(example.target)
    count = len(examples)
    return {
        "n": count,
        **{way: 100 * hits / count for way, hits in right.items()},
        **{f"{way}_s": seconds / count for way, seconds in taken.items()},
    }


if __name__ == "__main__":
    raise SystemExit(main())
