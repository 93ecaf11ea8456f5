"""What was done with feedback and preferences, so that it can be taken back, the latest first.

Noted is what somebody did by hand: adding, editing, removing. What an import brings is not. A change
goes with the turn it is about, so that deleting a conversation leaves no copy of what was said of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Literal, TypeAlias

from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.rows import to_json

Table: TypeAlias = Literal["feedback", "preferences"]
What = Literal["added", "edited", "removed"]

KEPT = 100
"""How many edits and removals can be taken back; of what was added, all can."""


def note(db: Connection, what: What, table: Table, before: Mapping[str, object]) -> None:
    """Note a change; ``before`` is what :func:`state_of` returned before it (after it, when added)."""
    row = before["row"]
    assert isinstance(row, Mapping)
    db.insert(
        "feedback_changes",
        {
            "what": what,
            "about": table,
            "row_id": row["id"],
            "turn_id": row["turn_id"],
            # What was added is in its table: no second copy.
            "before": None if what == "added" else to_json(before),
            "created_at": now(),
        },
    )
    if what == "added":
        return
    db.run(
        "DELETE FROM feedback_changes WHERE before NOTNULL AND id <= "
        "(SELECT id FROM feedback_changes WHERE before NOTNULL ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (KEPT,),
    )


def state_of(db: Connection, table: Table, number: int) -> dict[str, object] | None:
    """Return a row and its route correction as JSON-ready values, ``None`` where there is none."""
    row = db.row(f"SELECT * FROM {table} WHERE id = ?", (number,))
    if row is None:
        return None
    if table == "preferences":
        return {"row": dict(row), "routes": []}
    routes = db.rows("SELECT * FROM route_corrections WHERE feedback_id = ?", (number,))
    return {"row": dict(row), "routes": [dict(route) for route in routes]}


def newest(db: Connection, table: Table | None, number: int | None) -> sqlite3.Row | None:
    """Return the latest change, of one row or of all."""
    return db.row(
        "SELECT * FROM feedback_changes WHERE (:table IS NULL OR about = :table) "
        "AND (:number IS NULL OR row_id = :number) ORDER BY id DESC LIMIT 1",
        {"table": table, "number": number},
    )


def drop(db: Connection, change_id: int) -> None:
    """Forget one change: it was taken back, or there is nothing any more that it is about."""
    db.run("DELETE FROM feedback_changes WHERE id = ?", (change_id,))


def forget(db: Connection, table: Table, number: int) -> None:
    """Forget all that was done with one row, and with it the copies of what it said."""
    db.run("DELETE FROM feedback_changes WHERE about = ? AND row_id = ?", (table, number))


def renumber(db: Connection, table: Table, old: int, new: int) -> None:
    """Let the changes of a row follow it to another number."""
    db.run(
        "UPDATE feedback_changes SET row_id = ? WHERE about = ? AND row_id = ?", (new, table, old)
    )
