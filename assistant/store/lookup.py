"""From what a person typed (an id, the beginning of one, or ``last``) to the one id meant."""

from __future__ import annotations

from typing import Literal

from assistant.errors import NotFound
from assistant.store.connection import Connection
from assistant.store.ids import MIN_PREFIX, readings

# An undone or replaced turn is not what somebody who reads the conversation calls the last one.
_NEWEST = {
    "conversations": "SELECT id FROM conversations ORDER BY updated_at DESC, id DESC LIMIT 1",
    "turns": "SELECT id FROM turns ORDER BY hidden, id DESC LIMIT 1",
}
_PAST_EVERY_ID = "\U0010ffff"


def resolve(db: Connection, table: Literal["conversations", "turns"], given: str) -> str:
    """Return the id that ``given`` stands for, or raise NotFound saying why there is none."""
    name = table[:-1]
    if given == "last":
        row = db.row(_NEWEST[table])
        if row is None:
            raise NotFound(f"There is no {name} yet.", "Ask something first: assistant ask …")
        return str(row["id"])
    exact = db.row(f"SELECT id FROM {table} WHERE id = ?", (given,))
    if exact is not None:
        return str(exact["id"])
    for prefix in readings(given):
        found = _starting_with(db, table, prefix)
        if len(found) > 1:
            shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
            raise NotFound(
                f"{given!r} is the beginning of several {table}: {shown}",
                "Give more characters of the one you mean.",
            )
        if found:
            return found[0]
    raise _missing(name, given)


def _starting_with(db: Connection, table: str, prefix: str) -> list[str]:
    if len(prefix) < MIN_PREFIX:
        return []
    rows = db.rows(
        f"SELECT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id LIMIT 6",
        (prefix, prefix + _PAST_EVERY_ID),
    )
    return [str(row["id"]) for row in rows]


def _missing(name: str, given: str) -> NotFound:
    hint = "See the ids with: assistant history list"
    if name == "turn":
        hint = "See the ids with: assistant history show"
    if len(given.strip()) < MIN_PREFIX:
        hint = f"Give at least {MIN_PREFIX} characters of the id. {hint}"
    return NotFound(f"There is no {name} {given!r}.", hint)
