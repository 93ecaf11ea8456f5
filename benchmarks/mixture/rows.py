"""What a mixture is made of: texts taken out of their old requests, rows with new ones, and counts.

The public sets word a task in three or four ways each. A model that learns from them would learn
those; so the text is taken out by the set's own patterns, and asked about in one of many wordings.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.evaluation.examples import Example
from assistant.paths import shipped
from assistant.training.rewording import worded

OWN = shipped("benchmarks/texts")
"""Where the texts written for this lie."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text with its answer, without a request.

    ``name`` is the data set; ``question`` belongs to qa; ``answers`` are all right answers.
    """

    id: str
    name: str
    passage: str
    target: str
    lang: str
    source: str
    license: str
    labels: tuple[str, ...] = ()
    question: str = ""
    answers: tuple[str, ...] = ()

    def example(self, task: str) -> Example:
        """Return it as an example whose request is still to be worded."""
        return Example(
            self.id,
            task,
            self.passage,
            self.target,
            (self.target, *self.answers),
            labels=self.labels,
            lang=self.lang,
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a mixture."""

    example: Example
    license: str
    part: str
    """What it is in the mixture, for counting: the data set, or the task made of it."""

    def as_json(self) -> dict[str, Any]:
        """Return the row in the format of docs/cli.md; ``part`` stays behind."""
        one = self.example
        row: dict[str, Any] = {"id": one.id, "task": one.task, "input": one.input}
        row["target"] = one.target
        if one.labels:
            row["labels"] = list(one.labels)
        if len(one.references) > 1:
            row["answers"] = list(dict.fromkeys(one.references))
        return row | {"lang": one.lang, "source": one.source, "license": self.license}


@dataclass(slots=True)
class Mixture:
    """Rows as they are gathered; ``rejected`` counts what was left out and why."""

    task: str
    rng: random.Random
    rows: list[Row] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, license: str, part: str) -> None:
        """Add an example, with an id that no other row has; the mixture's own task is set."""
        number = sum(row.part == part for row in self.rows)
        unique = f"{part}-{number:05d}"
        self.rows.append(Row(replace(example, id=unique, task=self.task), license, part))

    def ask(
        self,
        item: Item,
        kinds: tuple[str, ...],
        part: str | None = None,
        **slots: str,
    ) -> Example | None:
        """Word a request for an item and add it; count it as rejected where none is read as meant."""
        example = worded(item.example(self.task), item.passage, slots, kinds, self.rng)
        if example is None:
            self.rejected[f"{item.name}: no wording is read as meant"] += 1
            return None
        self.add(example, item.license, part or item.name)
        return example

    def shuffled(self) -> list[Row]:
        """Return the rows in random order."""
        rows = list(self.rows)
        self.rng.shuffle(rows)
        return rows


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file."""
    for line in file.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def training_files(data: Path, task: str, hold_out: Sequence[str]) -> list[Path]:
    """Return the training files of a task but for the data sets held out.

    ``hold_out`` are beginnings of file names: ``topic_zh`` or ``multi30k``.
    """
    files = sorted((data / task).glob("*.train.jsonl"))
    return [file for file in files if not file.name.startswith(tuple(hold_out))]


def set_name(file: Path) -> str:
    """Return the data set a file is of."""
    return file.name.removesuffix(".train.jsonl")


def items(file: Path, patterns: Sequence[str], mixture: Mixture) -> list[Item]:
    """Return the texts of a file, in random order; what is left out is counted.

    A pattern names ``passage`` and, for qa, ``question``. A row whose text stands in the folder's
    development data, on either side of a translation, is left out: sets have rows twice.
    """
    kept_apart = _development_texts(file.parent, tuple(patterns))
    found = []
    for row in read_rows(file):
        parts = _parts(row["input"], tuple(patterns))
        if parts is None:
            mixture.rejected[f"{set_name(file)}: not taken apart"] += 1
            continue
        item = _item(row, set_name(file), parts)
        sides = [item.passage, item.target] if row["task"] == "translation" else [item.passage]
        if any(_plain(side) in kept_apart for side in sides):
            mixture.rejected[f"{set_name(file)}: in the development data"] += 1
            continue
        found.append(item)
    mixture.rng.shuffle(found)
    return found


@lru_cache(maxsize=32)
def _development_texts(folder: Path, patterns: tuple[str, ...]) -> frozenset[str]:
    texts = set()
    for file in sorted(folder.glob("*.dev.jsonl")):
        for row in read_rows(file):
            parts = _parts(row["input"], patterns)
            texts.add(_plain(parts["passage"] if parts else row["input"]))
            if row["task"] == "translation":
                texts.add(_plain(row["target"]))
    return frozenset(texts)


def _parts(text: str, patterns: tuple[str, ...]) -> dict[str, str] | None:
    matches = (re.fullmatch(pattern, text, re.DOTALL) for pattern in patterns)
    match = next(filter(None, matches), None)
    return match.groupdict() if match else None


def _plain(text: str) -> str:
    """Return what is left of a text for comparing: letters and digits."""
    return re.sub(r"[\W_]+", "", text).casefold()


def _item(row: dict[str, Any], name: str, parts: dict[str, str]) -> Item:
    return Item(
        id=row["id"],
        name=name,
        passage=parts["passage"].strip(),
        target=row["target"].strip(),
        lang=row["lang"],
        source=row["source"],
        license=row["license"],
        labels=tuple(row.get("labels") or ()),
        question=parts.get("question", "").strip(),
        answers=tuple(row.get("answers") or ()),
    )
