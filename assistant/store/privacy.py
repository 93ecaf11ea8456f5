"""All that the database holds of one conversation: found, and erased so that no byte of it stays.

Deleting a conversation takes its turns, messages and what was said of them along. Its words are in other
places too: in answered examples of evaluations, in prompts of other conversations that showed one of its
answers as an example, and in the parts of the file that SQLite has given up but not overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import NotFound, StoreError, UsageError
from assistant.store import conversations
from assistant.store.connection import Connection
from assistant.store.rows import to_json
from assistant.types import Conversation

LEAST_TELLING = 20
"""Characters from which on the same text elsewhere is no accident: many say "hello"."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the database holds of a conversation. Rows are as in the tables, JSON taken apart.

    Attributes:
        conversation: ``None`` for one that was deleted before.
        requests: what the user asked in it.
        words: those, the answers, and what the user wrote about them.
        changes: what undo keeps of edited and removed feedback and choices.
        evaluated: answered examples of evaluations that asked the same.
        quoting: turns of other conversations whose prompt shows an answer of this one as an example.
        elsewhere: other conversations in which a longer text of this one stands too (forks, copies).
        comparisons: side-by-side choices on such a text that belong to no conversation.
        running: whether a turn of it is being answered.
    """

    conversation_id: str
    conversation: Conversation | None
    turn_ids: tuple[str, ...]
    requests: frozenset[str]
    words: frozenset[str]
    messages: int
    feedback: tuple[Row, ...]
    changes: tuple[Row, ...]
    route_corrections: tuple[Row, ...]
    preferences: tuple[Row, ...]
    evaluated: tuple[Row, ...]
    quoting: tuple[str, ...]
    elsewhere: tuple[str, ...]
    comparisons: tuple[int, ...]
    running: bool

    @property
    def feedback_ids(self) -> frozenset[int]:
        """The numbers of the feedback on it, of what was removed too as far as undo knows it."""
        gone = {int(one["row_id"]) for one in self.changes if one["about"] == "feedback"}
        return frozenset({int(one["id"]) for one in self.feedback} | gone)

    @property
    def is_empty(self) -> bool:
        """Whether the database holds nothing of it any more."""
        return self.conversation is None and not (self.feedback or self.evaluated or self.changes)

    def counts(self) -> dict[str, int]:
        """Return how much there is of everything that would be erased."""
        return {
            "turns": len(self.turn_ids),
            "messages": self.messages,
            "feedback": len(self.feedback),
            "kept for undo": sum(one["before"] is not None for one in self.changes),
            "route corrections": len(self.route_corrections),
            "choices between answers": len(self.preferences),
            "answered examples of evaluations": len(self.evaluated),
            "prompts elsewhere that quote it": len(self.quoting),
        }


def traces(db: Connection, conversation_id: str) -> Traces:
    """Return what there is of a conversation; needs the whole id, which may be that of a deleted one."""
    with db.transaction(write=False):
        try:
            conversation = conversations.get(db, conversation_id)
            conversation_id = conversation.id
        except NotFound:
            conversation = None
        turns = db.rows("SELECT id, state FROM turns WHERE conversation_id = ?", (conversation_id,))
        turn_ids = [str(row["id"]) for row in turns]
        feedback = _feedback(db, conversation_id)
        preferences = _of_turns(db, "preferences", turn_ids)
        messages = _rows(
            db, "SELECT role, content FROM messages WHERE conversation_id = ?", (conversation_id,)
        )
        requests = _requests(messages, feedback, preferences)
        words = requests | _said(messages, feedback, preferences)
        telling = [word for word in words if len(word) >= LEAST_TELLING]
        numbers = [int(one["id"]) for one in feedback]
        changes = _changes(db, turn_ids, numbers)
        removed = [int(one["row_id"]) for one in changes if one["about"] == "feedback"]
        return Traces(
            conversation_id,
            conversation,
            tuple(turn_ids),
            frozenset(requests),
            frozenset(words),
            len(messages),
            tuple(feedback),
            tuple(changes),
            tuple(_route_corrections(db, turn_ids, numbers)),
            tuple(preferences),
            tuple(_evaluated(db, requests)),
            tuple(_quoting(db, conversation_id, {*numbers, *removed})),
            tuple(_elsewhere(db, conversation_id, telling)),
            tuple(_comparisons(db, telling)),
            any(row["state"] == "running" for row in turns),
        )


def erase(db: Connection, conversation_id: str, run_ids: Sequence[str]) -> tuple[Traces, bool]:
    """Delete all that :func:`traces` finds, and the records of runs, in one transaction.

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
        for table, rows in (
            ("evaluation_examples", found.evaluated),
            ("feedback_changes", found.changes),
            ("route_corrections", found.route_corrections),
            ("feedback", found.feedback),
            ("preferences", found.preferences),
        ):
            _delete(db, table, [one["id"] for one in rows])
        _delete(db, "conversations", [found.conversation_id])
        # Evaluations stay: their scores say nothing of the words, and what they answered is gone.
        chosen = "(SELECT value FROM json_each(?))"
        db.run(
            f"UPDATE evaluations SET run_id = NULL WHERE run_id IN {chosen}", (to_json(run_ids),)
        )
        _delete(db, "runs", run_ids)
        # A text index notes that something is gone, and keeps it until it is written anew.
        db.run("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")
        db.run("INSERT INTO conversations_fts (conversations_fts) VALUES ('rebuild')")
    return found, cleaned(db)


def cleaned(db: Connection) -> bool:
    """Write the file anew without what was given up, and empty the log beside it; say whether it worked."""
    try:
        db.run("VACUUM")
        row = db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    except StoreError:
        return False
    return row is not None and not row["busy"]


def copies_beside(db: Connection) -> list[Path]:
    """Return the copies of the whole database that were made before its form was changed."""
    return sorted(db.path.parent.glob(f"{db.path.stem}-before-schema-*.db"))


def _feedback(db: Connection, conversation_id: str) -> list[Row]:
    """Return the feedback on its turns, and what says that it is on them where no turn is left.

    A copy of a conversation has feedback that names the one it was copied from: that is the copy's.
    """
    return _rows(
        db,
        "SELECT feedback.* FROM feedback LEFT JOIN turns ON turns.id = feedback.turn_id "
        "WHERE turns.conversation_id = :id OR (turns.id IS NULL AND json_valid(snapshot) "
        "AND json_extract(snapshot, '$.conversation_id') = :id) ORDER BY feedback.id",
        {"id": conversation_id},
        ("snapshot",),
    )


def _of_turns(db: Connection, table: str, turn_ids: Sequence[str]) -> list[Row]:
    return _rows(
        db,
        f"SELECT * FROM {table} WHERE turn_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(turn_ids),),
        ("left_details", "right_details"),
    )


def _route_corrections(
    db: Connection, turn_ids: Sequence[str], feedback_ids: Sequence[int]
) -> list[Row]:
    return _rows(
        db,
        "SELECT * FROM route_corrections WHERE turn_id IN (SELECT value FROM json_each(?)) "
        "OR feedback_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(turn_ids), to_json(feedback_ids)),
    )


def _changes(db: Connection, turn_ids: Sequence[str], feedback_ids: Sequence[int]) -> list[Row]:
    return _rows(
        db,
        "SELECT * FROM feedback_changes WHERE turn_id IN (SELECT value FROM json_each(?)) "
        "OR (about = 'feedback' AND row_id IN (SELECT value FROM json_each(?))) ORDER BY id",
        (to_json(turn_ids), to_json(feedback_ids)),
        ("before",),
    )


def _evaluated(db: Connection, requests: Iterable[str]) -> list[Row]:
    return _rows(
        db,
        "SELECT * FROM evaluation_examples WHERE input IN (SELECT value FROM json_each(?)) "
        "ORDER BY id",
        (to_json(list(requests)),),
        ("reference_texts", "labels", "probabilities"),
    )


def _quoting(db: Connection, conversation_id: str, feedback_ids: Iterable[int]) -> list[str]:
    rows = db.rows(
        "SELECT DISTINCT turns.id FROM turns, json_each(turns.shots, '$.personal') AS shown "
        "WHERE turns.conversation_id != ? AND shown.value IN (SELECT value FROM json_each(?)) "
        "ORDER BY turns.id",
        (conversation_id, to_json(list(feedback_ids))),
    )
    return [str(row["id"]) for row in rows]


def _elsewhere(db: Connection, conversation_id: str, telling: Sequence[str]) -> list[str]:
    rows = db.rows(
        "SELECT DISTINCT conversation_id AS id FROM messages WHERE conversation_id != ? "
        "AND content IN (SELECT value FROM json_each(?)) ORDER BY id",
        (conversation_id, to_json(telling)),
    )
    return [str(row["id"]) for row in rows]


def _comparisons(db: Connection, telling: Sequence[str]) -> list[int]:
    rows = db.rows(
        "SELECT id FROM preferences WHERE turn_id IS NULL "
        "AND text IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(telling),),
    )
    return [int(row["id"]) for row in rows]


def _requests(
    messages: Sequence[Row], feedback: Sequence[Row], preferences: Sequence[Row]
) -> set[str]:
    asked = [one["content"] for one in messages if one["role"] == "user"]
    judged = [_of(one["snapshot"], "user_text") for one in feedback]
    return _texts([*asked, *judged, *(one["text"] for one in preferences)])


def _said(messages: Sequence[Row], feedback: Sequence[Row], preferences: Sequence[Row]) -> set[str]:
    """Return what was answered, and what the user said of it; system prompts are no talk."""
    answers = [one["content"] for one in messages if one["role"] == "assistant"]
    judged = [_of(one["snapshot"], "answer") for one in feedback]
    written = [one[name] for one in feedback for name in ("correction", "comment")]
    sides = [one[name] for one in preferences for name in ("left_answer", "right_answer")]
    return _texts([*answers, *judged, *written, *sides])


def _texts(values: Iterable[object]) -> set[str]:
    return {text for text in values if isinstance(text, str) and text.strip()}


def _of(snapshot: object, name: str) -> object:
    return snapshot.get(name) if isinstance(snapshot, Mapping) else None


def _take_quotes_out(db: Connection, found: Traces) -> None:
    """Take the examples that come from the conversation out of the prompts kept of other ones.

    Each was a message of the user and the answer, beginning at ``personal_at`` (``Choice``).
    """
    numbers = found.feedback_ids
    for turn_id in found.quoting:
        row = db.row("SELECT shots, sent FROM turns WHERE id = ?", (turn_id,))
        if row is None:
            continue
        shots, sent = json.loads(row["shots"]), json.loads(row["sent"])
        shown, at = list(shots["personal"]), int(shots.get("personal_at", 0))
        gone = {
            at + 2 * place + side
            for place, number in enumerate(shown)
            if number in numbers
            for side in (0, 1)
        }
        kept = [message for place, message in enumerate(sent) if place not in gone]
        shots["personal"] = [number for number in shown if number not in numbers]
        shots["count"] = max(0, int(shots.get("count", 0)) - len(gone) // 2)
        db.run(
            "UPDATE turns SET shots = ?, sent = ? WHERE id = ?",
            (to_json(shots), to_json(kept), turn_id),
        )


def _delete(db: Connection, table: str, ids: Sequence[object]) -> None:
    db.run(
        f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (to_json(list(ids)),)
    )


def _rows(
    db: Connection,
    sql: str,
    params: Sequence[object] | Mapping[str, object],
    parsed: Sequence[str] = (),
) -> list[Row]:
    """Return rows as JSON-ready values; columns in ``parsed`` hold JSON."""
    found = [dict(row) for row in db.rows(sql, params)]
    for row in found:
        for name in parsed:
            if isinstance(row.get(name), str):
                row[name] = _parsed(row[name])
    return found


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
