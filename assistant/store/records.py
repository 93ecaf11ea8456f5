"""Training runs on record: what was tried and how; and how much there is of everything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.rows import to_json

_COUNTED = (
    "conversations",
    "turns",
    "messages",
    "feedback",
    "route_corrections",
    "preferences",
    "runs",
    "evaluations",
)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One training run; ``details`` holds whatever its ``run.json`` says."""

    id: str
    task: str
    method: str
    technique: str
    model: str
    state: str
    path: str | None = None
    details: dict[str, object] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""


def record_run(db: Connection, run: RunRecord) -> None:
    """Insert a run, or update the state, path and details of one that is known."""
    time = now()
    db.run(
        "INSERT INTO runs (id, task, method, technique, model, state, path, details, created_at, "
        "updated_at) VALUES (:id, :task, :method, :technique, :model, :state, :path, :details, "
        ":created, :now) ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
        "path = excluded.path, details = excluded.details, updated_at = excluded.updated_at",
        {
            "id": run.id,
            "task": run.task,
            "method": run.method,
            "technique": run.technique,
            "model": run.model,
            "state": run.state,
            "path": run.path,
            "details": to_json(run.details),
            "created": run.created_at or time,
            "now": time,
        },
    )


def runs(db: Connection) -> list[RunRecord]:
    """Return all runs, oldest first."""
    rows = db.rows("SELECT * FROM runs ORDER BY created_at, id")
    return [RunRecord(**{**dict(row), "details": json.loads(row["details"])}) for row in rows]


def counts(db: Connection) -> dict[str, object]:
    """Return how much there is of everything, and how many bytes it takes."""
    with db.transaction(write=False):
        tables = {name: _count(db, name) for name in _COUNTED}
        tasks = db.rows("SELECT task, count(*) AS n FROM turns WHERE task NOTNULL GROUP BY task")
        return {
            **tables,
            "hidden_turns": _count(db, "turns", "hidden"),
            "good": _count(db, "feedback", "rating = 'good'"),
            "bad": _count(db, "feedback", "rating = 'bad'"),
            "corrections": _count(db, "feedback", "correction NOTNULL"),
            "tasks": {row["task"]: row["n"] for row in tasks},
            "bytes": _pragma(db, "page_count") * _pragma(db, "page_size"),
        }


def _count(db: Connection, table: str, condition: str = "1") -> int:
    row = db.row(f"SELECT count(*) AS n FROM {table} WHERE {condition}")
    return int(row["n"]) if row else 0


def _pragma(db: Connection, name: str) -> int:
    row = db.row(f"PRAGMA {name}")
    return int(row[0]) if row else 0
