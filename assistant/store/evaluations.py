"""Evaluations on record: scores, what they were measured on, and every single answer.

An evaluation is begun, gets its answers piece by piece, and is finished with its scores; one that was
stopped in between is found again by its setting and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.errors import NotFound, StoreError
from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.rows import to_json

_JSON = ("scores", "ci95", "signature", "timing", "setting", "pairs")
_NEEDED = ("task", "strategy", "model", "n", "scores")


@dataclass(frozen=True, slots=True)
class EvaluatedExample:
    """One example of an evaluation with its answer; ``references`` are all right answers."""

    example_id: str
    input: str
    references: tuple[str, ...]
    prediction: str
    lang: str = ""
    labels: tuple[str, ...] = ()
    probabilities: Mapping[str, float] | None = None


def begin(
    db: Connection,
    *,
    task: str,
    strategy: str,
    model: str,
    adapter: str | None,
    setting: Mapping[str, object],
) -> int:
    """Return the number of a new evaluation, or of an unfinished one with the same setting."""
    same = {"task": task, "strategy": strategy, "model": model, "setting": to_json(setting)}
    with db.transaction():
        row = db.row(
            "SELECT id FROM evaluations WHERE state = 'running' AND task = :task AND model = :model "
            "AND strategy = :strategy AND setting = :setting AND adapter IS :adapter",
            {**same, "adapter": adapter},
        )
        if row is not None:
            return int(row["id"])
        return db.insert(
            "evaluations",
            {
                **same,
                "adapter": adapter,
                "n": 0,
                "scores": "{}",
                "state": "running",
                "created_at": now(),
            },
        )


def add_answers(db: Connection, number: int, answers: Sequence[EvaluatedExample]) -> None:
    """Store answers of a running evaluation, all or none."""
    with db.transaction():
        for one in answers:
            db.insert(
                "evaluation_examples",
                {
                    "evaluation_id": number,
                    "example_id": one.example_id,
                    "lang": one.lang,
                    "input": one.input,
                    "reference_texts": to_json(one.references),
                    "labels": to_json(one.labels),
                    "prediction": one.prediction,
                    "probabilities": to_json(one.probabilities) if one.probabilities else None,
                },
            )


def answers(db: Connection, number: int) -> list[EvaluatedExample]:
    """Return the answers of an evaluation in the order they were stored."""
    rows = db.rows(
        "SELECT * FROM evaluation_examples WHERE evaluation_id = ? ORDER BY rowid", (number,)
    )
    return [
        EvaluatedExample(
            row["example_id"],
            row["input"],
            tuple(json.loads(row["reference_texts"])),
            row["prediction"],
            row["lang"],
            tuple(json.loads(row["labels"])),
            json.loads(row["probabilities"]) if row["probabilities"] else None,
        )
        for row in rows
    ]


def finish(db: Connection, number: int, report: Mapping[str, object]) -> None:
    """Store the scores of an evaluation.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    _check(report)
    found = db.run(
        "UPDATE evaluations SET n = :n, scores = :scores, ci95 = :ci95, signature = :signature, "
        "timing = :timing, pairs = :pairs, state = 'done' WHERE id = :id",
        {
            "id": number,
            "n": report["n"],
            **{
                name: to_json(report.get(name, {}))
                for name in ("scores", "ci95", "signature", "timing", "pairs")
            },
        },
    )
    if not found:
        raise NotFound(f"Evaluation {number} was deleted meanwhile.", "Run it again.")


def record(db: Connection, report: Mapping[str, object], run_id: str | None) -> int:
    """Store what ``assistant eval --json`` prints, without the answers; return its number."""
    _check(report)
    return db.insert(
        "evaluations",
        {
            "run_id": run_id,
            **{name: report.get(name) for name in ("task", "strategy", "model", "adapter", "n")},
            **{name: to_json(report.get(name, {})) for name in _JSON},
            "created_at": now(),
        },
    )


def listed(db: Connection, task: str | None) -> list[dict[str, Any]]:
    """Return the finished evaluations, oldest first."""
    rows = db.rows(
        "SELECT * FROM evaluations WHERE state = 'done' AND (:task IS NULL OR task = :task) "
        "ORDER BY id",
        {"task": task},
    )
    return [_value(row) for row in rows]


def stamp(db: Connection) -> str:
    """Return a text that changes with the finished evaluations, without reading what they hold."""
    # Numbers are given anew after a deletion, times are not.
    row = db.row("SELECT group_concat(created_at) AS times FROM evaluations WHERE state = 'done'")
    return str(row["times"] or "") if row else ""


def get(db: Connection, number: int | str) -> dict[str, Any]:
    """Return one finished evaluation; ``last`` is the newest.

    Raises:
        NotFound: there is none with this number.
    """
    where = "ORDER BY id DESC LIMIT 1" if number == "last" else "AND id = :id"
    row = db.row(f"SELECT * FROM evaluations WHERE state = 'done' {where}", {"id": number})
    if row is None:
        raise NotFound(f"There is no evaluation {number}.", "List them: assistant eval list")
    return _value(row)


def delete(db: Connection, number: int) -> None:
    """Delete an evaluation with its answers.

    Raises:
        NotFound: there is none with this number.
    """
    if not db.run("DELETE FROM evaluations WHERE id = ?", (number,)):
        raise NotFound(f"There is no evaluation {number}.", "List them: assistant eval list")


def _check(report: Mapping[str, object]) -> None:
    missing = [name for name in _NEEDED if name not in report]
    if missing:
        raise StoreError(f"The evaluation lacks {', '.join(missing)}.")


def _value(row: Any) -> dict[str, Any]:
    return {**dict(row), **{name: json.loads(row[name]) for name in _JSON}}
