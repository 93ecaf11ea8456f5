"""Measures training beside transformers' Trainer with PEFT, on any file of examples.

    python benchmarks/training.py [--data FILE] [--model NAME] [--runs N] [--steps N]

Prints one line a figure; ``assistant bench --suite train --json`` gives the same as JSON.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from assistant import config
from assistant.benchmark.subject import Subject
from assistant.benchmark.train import STEPS, run
from assistant.models.resolve import resolve
from assistant.paths import user_paths


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    settings = config.load(model=given.model)
    paths = user_paths()
    files = resolve(settings.model, paths)
    subject = Subject(
        settings, paths, given.runs, lambda text: print(text, flush=True), files=files
    )
    found = run(subject, given.data, given.steps)
    for one in found:
        ratio = f"   {one.ratio:.2f} x {one.baseline}" if one.ratio is not None else ""
        print(f"{one.name:<60}{one.value:>9.1f} {one.unit}{ratio}")


if __name__ == "__main__":
    main()
