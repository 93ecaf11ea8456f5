"""What a simulated user wants without ever saying so, and the turns in which it shows."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parent.parent / "texts"
OWN = Path(__file__).resolve().parent / "texts"


@dataclass(frozen=True, slots=True)
class Case:
    """One turn of the simulated user.

    Attributes:
        about: the text that the turn is about, without the request around it.
        wanted: the answer that follows the preference.
        usual: an answer that is right in general and does not follow it; it is what gets corrected.
        labels: what to choose from, of a classification.
        lang: as in the data files, of a translation the direction.
    """

    id: str
    text: str
    about: str
    wanted: str
    usual: str
    lang: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preference:
    """A hidden preference: turns to correct, turns to measure on, and when an answer follows it."""

    name: str
    task: str
    taught: tuple[Case, ...]
    held_out: tuple[Case, ...]
    follows: Callable[[Case, str], bool]

    def drawn(self, count: int, seed: int) -> list[Case]:
        """Return the turns that are corrected first; more corrections hold the fewer of the same seed."""
        order = list(self.taught)
        random.Random(f"{self.name}:{seed}").shuffle(order)
        return order[:count]


def parted(cases: Sequence[Case], held_out: int) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Part cases into those to correct and ``held_out`` to measure on; it depends on their ids alone."""
    order = sorted(cases, key=lambda one: hashlib.sha256(one.id.encode()).digest())
    return tuple(order[held_out:]), tuple(order[:held_out])


def worded(wordings: Sequence[str], text: str, name: str) -> str:
    """Return a request for a text, in the one of several wordings that its id picks."""
    return wordings[hashlib.sha256(name.encode()).digest()[1] % len(wordings)].format(text)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
