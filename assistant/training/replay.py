"""Examples of a task in general, trained on beside the user's own so that nothing else is forgotten.

They come from what the adapter was trained on, as far as that is still on this machine, and else from the
examples that ship with the program. None of them is among the shipped checks.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.adapters.card import Card
from assistant.errors import AssistantError
from assistant.evaluation.examples import Example, read_examples
from assistant.paths import Paths, shipped
from assistant.training.rewording import worded
from assistant.training.runs import all_runs

_LANGUAGES = ("en", "zh", "de", "fr", "es")


def replay(task: str, count: int, seed: int, paths: Paths, parent: Card | None) -> list[Example]:
    """Return ``count`` examples, fewer where there are not so many; the same for the same seed.

    Half of them come from the data of the adapter that is trained on, where they are at hand.
    """
    rng = random.Random(f"replay:{seed}")
    before = _of_parent(parent, paths) if parent is not None else []
    rng.shuffle(before)
    general = _shipped(task, rng)
    rng.shuffle(general)
    half = max(count // 2, count - len(general))
    chosen = [*before[:half]]
    chosen += general[: count - len(chosen)]
    return [replace(one, id=f"replay-{at:04d}") for at, one in enumerate(chosen)]


def _of_parent(parent: Card, paths: Paths) -> list[Example]:
    """Return what the adapter was trained on by a run of this machine whose files did not change."""
    for run in reversed(all_runs(paths)):
        if run.state().get("adapter") != parent.name:
            continue
        try:
            hashes = dict(run.settings()["hashes"])
            names = [Path(name) for name in run.settings()["request"]["data"]]
            files = [name for name in names if _sha256(name) == hashes.get(str(name))]
            return [row for name in files for row in read_examples(name, parent.task).rows]
        except (AssistantError, KeyError, TypeError, ValueError):
            return []
    return []


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _shipped(task: str, rng: random.Random) -> list[Example]:
    folder = shipped("benchmarks/texts")
    if task == "classification":
        return [_as_it_is(row, task) for row in _rows(folder / "labelled_examples.jsonl")]
    if task == "qa":
        return [_as_it_is(row, task) for row in _rows(folder / "own_questions.jsonl")]
    if task == "summarization":
        texts = _rows(folder / "own_summaries.jsonl")
        return _worded((_summary(row) for row in texts), rng)
    if task == "translation":
        lines = _rows(folder / "own_translations.jsonl")
        return _worded((one for row in lines for one in _translations(row, rng)), rng)
    return []


Wish = tuple[Example, dict[str, str], tuple[str, ...]]
"""An example whose input is its passage alone, the slots of a wording, and the kinds of wordings that fit."""


def _worded(wishes: Iterator[Wish], rng: random.Random) -> list[Example]:
    """Return the examples asked for in words of a user."""
    found = (worded(one, one.input, slots, kinds, rng) for one, slots, kinds in wishes)
    return [one for one in found if one is not None]


def _summary(row: dict[str, Any]) -> Wish:
    slots = {"most": str(row["most"])} if "most" in row else {}
    return _as_it_is(row, "summarization"), slots, (str(row["kind"]),)


def _translations(row: dict[str, Any], rng: random.Random) -> Iterator[Wish]:
    """Yield two of a line's directions: from English and into it, with another language each."""
    others = [lang for lang in _LANGUAGES if lang != "en" and lang in row]
    for there in (True, False):
        other = rng.choice(others)
        source, target = ("en", other) if there else (other, "en")
        example = Example(
            f"{row['id']}-{source}-{target}",
            "translation",
            row[source],
            row[target],
            (row[target],),
            lang=f"{source}-{target}",
        )
        yield example, {"source": source, "target": target}, ("any",)


def _as_it_is(row: dict[str, Any], task: str) -> Example:
    return Example(
        str(row["id"]),
        task,
        row["input"],
        row["target"],
        (row["target"],),
        labels=tuple(row.get("labels", ())),
        lang=str(row.get("lang", "")),
    )


def _rows(file: Path) -> Sequence[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
