"""Builds the training data of an adapter that ships, from a folder of public data sets.

``python benchmarks/mixtures.py --data FOLDER --task classification --out FILE [--hold-out NAME …]``

The folder is laid out as ``<task>/<set>.train.jsonl``, in the format of docs/cli.md; a ``.dev.jsonl`` is
read only to leave out what stands in it. Rows keep their source and its licence; what was taken and what was left out is printed. With
``--hold-out`` (beginnings of set names, or ``own``) a set is left out whole, to see how an adapter does on
data of a kind that it never saw.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

# The package lies beside this file; run as a script, Python looks there by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from mixture import classification, qa, summarization, translation
from mixture.rows import Mixture

BUILDERS = {
    "classification": classification.build,
    "qa": qa.build,
    "translation": translation.build,
    "summarization": summarization.build,
}


def main() -> int:
    """Write one mixture and print what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder a task")
    parser.add_argument("--task", choices=BUILDERS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    mixture = build(given.data, given.task, tuple(given.hold_out), given.seed)
    lines = [json.dumps(row.as_json(), ensure_ascii=False) + "\n" for row in mixture.shuffled()]
    given.out.write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(report(mixture))
    return 0


def build(data: Path, task: str, hold_out: tuple[str, ...] = (), seed: int = 0) -> Mixture:
    """Return the mixture of a task."""
    mixture = Mixture(task, random.Random(f"{seed}:{task}"))
    BUILDERS[task](data, mixture, hold_out)
    return mixture


def report(mixture: Mixture) -> str:
    """Return what is in a mixture: rows a part, a source with its licence, and what was left out."""
    parts = Counter(row.part for row in mixture.rows)
    sources = Counter((row.example.source.split(", made:")[0], row.license) for row in mixture.rows)
    lines = [f"{len(mixture.rows)} rows", "", "| part | rows |", "|---|---:|"]
    lines += [f"| {part} | {count} |" for part, count in parts.most_common()]
    lines += ["", "| source | licence | rows |", "|---|---|---:|"]
    lines += [f"| {name} | {right} | {count} |" for (name, right), count in sources.most_common()]
    lines += ["", "Left out:", ""]
    lines += [f"- {reason}: {count}" for reason, count in sorted(mixture.rejected.items()) if count]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
