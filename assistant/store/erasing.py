"""A conversation erased from the database so that no byte of it stays in the file.

Deleting rows is not enough: SQLite keeps what it has given up until something is written over it, and a
text index keeps what it only marked as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.errors import StoreError, UsageError
from assistant.store.connection import Connection
from assistant.store.privacy import Traces, traces, without_quotes
from assistant.store.rows import to_json

_CHOSEN = "(SELECT value FROM json_each(?))"


def erase(
    db: Connection, conversation_id: str, run_ids: Sequence[str], measured: Sequence[Path]
) -> tuple[Traces, bool]:
    """Delete all that :func:`~assistant.store.privacy.traces` finds, in one transaction.

    Args:
        run_ids: runs whose records go too; their evaluations stay.
        measured: files of those runs: what was answered for their rows goes, the scores stay.

    Returns:
        what was erased, and whether the file was cleaned of what SQLite had only given up; it is not when
        another program is reading it.

    Raises:
        UsageError: a turn of the conversation is being answered.
    """
    # Overwrites what is deleted from here on; what was left behind earlier goes with the vacuum.
    db.rows("PRAGMA secure_delete = ON")
    with db.transaction():
        found = traces(db, conversation_id)
        if found.running:
            raise UsageError(
                "A turn of this conversation is being answered.", "Stop it first, or wait for it."
            )
        _take_quotes_out(db, found)
        _delete(db, "evaluation_examples", [row["id"] for row in found.evaluated])
        _forget_answers(db, measured)
        # Turns, messages, feedback, route corrections, choices and what undo keeps go with it.
        _delete(db, "conversations", [conversation_id])
        db.run(
            f"UPDATE evaluations SET run_id = NULL WHERE run_id IN {_CHOSEN}", (to_json(run_ids),)
        )
        _delete(db, "runs", run_ids)
        db.run("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")
        db.run("INSERT INTO conversations_fts (conversations_fts) VALUES ('rebuild')")
    return found, _cleaned(db)


def _take_quotes_out(db: Connection, found: Traces) -> None:
    for turn_id, places in found.quoting.items():
        row = db.row("SELECT shots, sent FROM turns WHERE id = ?", (turn_id,))
        if row is not None:
            shots, sent = without_quotes(row["shots"], row["sent"], places)
            db.run(
                "UPDATE turns SET shots = ?, sent = ? WHERE id = ?",
                (to_json(shots), to_json(sent), turn_id),
            )


def _forget_answers(db: Connection, files: Sequence[Path]) -> None:
    db.run(
        "DELETE FROM evaluation_examples WHERE evaluation_id IN (SELECT id FROM evaluations "
        f"WHERE json_valid(setting) AND json_extract(setting, '$.data') IN {_CHOSEN})",
        (to_json([str(path) for path in files]),),
    )


def _delete(db: Connection, table: str, ids: Sequence[object]) -> None:
    db.run(f"DELETE FROM {table} WHERE id IN {_CHOSEN}", (to_json(list(ids)),))


def _cleaned(db: Connection) -> bool:
    """Write the file anew without what was given up, and empty the log beside it; say whether it worked."""
    try:
        db.run("VACUUM")
        row = db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    except StoreError:
        return False
    return row is not None and not row["busy"]
