"""Takes back what was done with feedback and preferences, one change at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.store import changes, feedback, preferences
from assistant.store.changes import Table, What
from assistant.store.connection import Connection
from assistant.store.preferences import Preference
from assistant.types import Feedback


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that was taken back.

    ``item`` is the judgement as it is now; where it had been added (and is gone now), as it was.
    """

    what: What
    item: Feedback | Preference


def undo(db: Connection, table: Table | None = None, number: int | None = None) -> Undone | None:
    """Take the latest change back (of one row, or of all); ``None``: there was none.

    Changes of rows that have gone meanwhile are passed over.
    """
    with db.transaction():
        while (change := changes.newest(db, table, number)) is not None:
            changes.drop(db, change["id"])
            done = _reverted(db, change)
            if done is not None:
                return done
    return None


def _reverted(db: Connection, change: sqlite3.Row) -> Undone | None:
    table: Table = change["about"]
    number: int = change["row_id"]
    there = changes.state_of(db, table, number) is not None
    if change["what"] == "removed":
        return Undone("removed", _item(db, table, _restored(db, table, change["before"])))
    if not there:
        return None
    if change["what"] == "added":
        item = _item(db, table, number)
        db.run(f"DELETE FROM {table} WHERE id = ?", (number,))
        return Undone("added", item)
    _put_back(db, table, number, json.loads(change["before"]))
    return Undone("edited", _item(db, table, number))


def _put_back(db: Connection, table: Table, number: int, before: Mapping[str, Any]) -> None:
    """Make a row again what it was before an edit, its route correction included."""
    columns = {name: value for name, value in before["row"].items() if name != "id"}
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    db.run(f"UPDATE {table} SET {assignments} WHERE id = :id", {**columns, "id": number})
    db.run("DELETE FROM route_corrections WHERE feedback_id = ?", (number,))
    _put_routes(db, number, before)


def _restored(db: Connection, table: Table, stored: str) -> int:
    """Insert a removed row again; return its number, another one if an import has taken the old."""
    before: dict[str, Any] = json.loads(stored)
    row = before["row"]
    taken = changes.state_of(db, table, row["id"]) is not None
    number = db.insert(table, {**row, "id": None if taken else row["id"]})
    if taken:
        changes.renumber(db, table, row["id"], number)
    _put_routes(db, number, before)
    return number


def _put_routes(db: Connection, number: int, before: Mapping[str, Any]) -> None:
    """Insert the route correction of a piece of feedback again, if it had one.

    With its old number it counts as early as it did: of two corrections the later wins.
    """
    for route in before["routes"]:
        free = db.row("SELECT 1 FROM route_corrections WHERE id = ?", (route["id"],)) is None
        kept = route["id"] if free else None
        db.insert("route_corrections", {**route, "id": kept, "feedback_id": number})


def _item(db: Connection, table: Table, number: int) -> Feedback | Preference:
    return feedback.get(db, number) if table == "feedback" else preferences.get(db, number)
