"""Turns with known tasks that corrections may not take away from the classifier, but for a few.

The labelled turns that a classifier was trained on say where its tasks lie; how sure it is of turns it has
never seen, they do not. So what corrections do is looked at on the routing check set too, which no classifier
was trained on and which ships for this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.router.head import Floats, Head
from assistant.router.ngrams import ngram_counts, ngram_features

CHECK_TURNS = Path(__file__).with_name("check.jsonl")
GUARD_FILE = "check.safetensors"

SAME = 0.98
"""From this cosine on a turn is the corrected one: there the user's word is right, and nothing is lost."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The turns as a stage of the router reads them.

    Attributes:
        scores: shape (turns, tasks), what the classifier says.
        labels: shape (turns,), positions of the right tasks.
        known: shape (turns,), the votes for what the classifier says (see ``memory``).
        cosines: takes a point of length 1 to its cosine with every turn, shape (turns,).
    """

    scores: Floats
    labels: NDArray[np.int64]
    known: Floats
    cosines: Callable[[Floats], Floats]

    def __len__(self) -> int:
        return len(self.labels)

    def lost(self, votes: Floats) -> float:
        """Return the share of turns that were right and no longer are.

        Args:
            votes: shape (turns, tasks or more), the lessons' votes; columns past the tasks are the user's own.
        """
        before = self.scores.argmax(axis=1) == self.labels
        held = np.zeros_like(votes)
        held[:, : self.scores.shape[1]] = self.scores * self.known[:, None]
        now = (held + votes).argmax(axis=1) == self.labels
        return float((before & ~now).mean()) if len(self) else 0.0


def read_check(file: Path = CHECK_TURNS) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Return the turns of the check set (text and the turn before it), and their tasks."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [(row["input"], row.get("context")) for row in rows], [row["target"] for row in rows]


def light_guard(head: Head, known: float) -> Guard:
    """Return the check set as the classifier on n-grams reads it; less than a second."""
    turns, tasks = read_check()
    scores = [list(head.predict(ngram_features(*turn)).values()) for turn in turns]
    return Guard(
        np.array(scores, dtype=np.float32),
        _labels(head, tasks),
        np.full(len(turns), known, dtype=np.float32),
        _sparse_cosines(turns),
    )


def _sparse_cosines(turns: Sequence[tuple[str, str | None]]) -> Callable[[Floats], Floats]:
    """Return what takes a point in the space of n-grams to its cosine with each turn.

    A turn has some hundred n-grams out of tens of thousands.
    """
    columns: list[int] = []
    values: list[float] = []
    starts: list[int] = []
    for turn in turns:
        counts = ngram_counts(*turn)
        starts.append(len(columns))
        columns += counts
        values += counts.values()
    at, weights = np.array(columns), np.array(values, dtype=np.float32)

    def cosines(point: Floats) -> Floats:
        found: Floats = np.add.reduceat(weights * point[at], starts)
        return found

    return cosines


def save_guard(head: Head, features: Floats, tasks: Sequence[str], file: Path) -> None:
    """Write the check set as a model reads it: points, scores, right tasks. Replaces at once.

    Args:
        features: shape (turns, features), as ``head`` wants them.
    """
    from safetensors.numpy import save_file

    assert head.background is not None
    points = np.stack([head.background.point(row) for row in features])
    scores = np.array([list(head.predict(row).values()) for row in features])
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    save_file(
        {
            "points": points.astype(np.float16),
            "scores": scores.astype(np.float32),
            "labels": _labels(head, tasks).astype(np.uint8),
        },
        str(temporary),
    )
    temporary.replace(file)


def load_guard(file: Path, known: Callable[[Floats], float]) -> Guard:
    """Read what :func:`save_guard` wrote; ``known`` gives the votes for the classifier at a point."""
    from safetensors import safe_open

    with safe_open(str(file), framework="numpy") as opened:
        points = opened.get_tensor("points").astype(np.float32)
        return Guard(
            opened.get_tensor("scores"),
            opened.get_tensor("labels").astype(np.int64),
            np.array([known(point) for point in points], dtype=np.float32),
            lambda point: points @ point,
        )


def _labels(head: Head, tasks: Sequence[str]) -> NDArray[np.int64]:
    return np.array([head.tasks.index(task) for task in tasks])
