"""What was measured so far: one cell a preference, way of answering, number of corrections and seed.

Each is written to the file as soon as it is there, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESAMPLES = 2000
Cell = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """Which cell it is. ``way`` is how it was answered; the count is 0 where nothing was corrected."""

    preference: str
    way: str
    count: int
    seed: int


class Cells:
    """The cells of one file, all of one model and with the same ``limit`` of held-out turns.

    Raises:
        ValueError: the file is of another model, or has another limit.
    """

    def __init__(self, file: Path, model: str, limit: int | None = None) -> None:
        self._file = file
        self.found: dict[str, Any] = {"model": model, "limit": limit, "cells": []}
        if file.is_file():
            self.found = json.loads(file.read_text(encoding="utf-8"))
        for name, value in (("model", model), ("limit", limit)):
            if self.found[name] != value:
                raise ValueError(
                    f"{file} has cells of the {name} {self.found[name]}, not {value}: give another --output"
                )

    def get(self, key: Key) -> Cell | None:
        """Return a cell that was measured."""
        for cell in self.found["cells"]:
            if _key(cell) == key:
                return dict(cell)
        return None

    def add(self, key: Key, values: Cell) -> Cell:
        """Keep a cell; the file is whole at any moment."""
        cell = {
            "preference": key.preference,
            "way": key.way,
            "count": key.count,
            "seed": key.seed,
            **values,
        }
        self.found["cells"] = [one for one in self.found["cells"] if _key(one) != key] + [cell]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = self._file.with_suffix(".part")
        text = json.dumps(self.found, ensure_ascii=False, indent=1) + "\n"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._file)
        return cell


def _key(cell: Cell) -> Key:
    return Key(cell["preference"], cell["way"], cell["count"], cell["seed"])


def share(hits: Sequence[bool]) -> tuple[float, list[float]]:
    """Return the share of hits (0 to 100) with its 95 % interval (percentile bootstrap over answers)."""
    values = 100 * np.asarray(hits, float)
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return round(float(values.mean()), 2), [round(float(low), 2), round(float(high), 2)]
