"""Turns in the database: begun, grown, finished, hidden, and found again after a crash."""

from __future__ import annotations

from dataclasses import replace

from assistant.errors import NotFound
from assistant.store import owner
from assistant.store.connection import Connection
from assistant.store.ids import new_id, now
from assistant.store.lookup import resolve
from assistant.store.rows import TURN_SELECT, turn_columns, turn_from
from assistant.types import Role, Turn

_TITLE_LENGTH = 60

_PUT_ANSWER = """
INSERT INTO messages (conversation_id, turn_id, role, content, created_at)
SELECT conversation_id, id, 'assistant', :answer, :now FROM turns WHERE id = :id {condition}
ON CONFLICT (turn_id, role) DO UPDATE SET content = excluded.content
"""
_PUT_FINAL = _PUT_ANSWER.format(condition="")
# A partial answer that arrives after the end (from a slow thread) must not undo the end.
_PUT_PARTIAL = _PUT_ANSWER.format(condition="AND state = 'running'")


def begin(
    db: Connection,
    text: str,
    *,
    conversation_id: str | None,
    system: str | None,
    model: str,
    replaces: str | None,
) -> Turn:
    """Store the user's message and a running turn around it, all in one transaction."""
    time = now()
    pid, started = owner.this_process()
    with db.transaction():
        replaced = get(db, replaces) if replaces is not None else None
        if replaced is not None and conversation_id is None:
            conversation_id = replaced.conversation_id
        if conversation_id is None:
            conversation_id = _new_conversation(db, text, system, time)
        else:
            conversation_id = resolve(db, "conversations", conversation_id)
            _touch(db, conversation_id, time, system)
        if replaced is not None:
            _hide_from(db, replaced, conversation_id)
        turn = Turn(
            id=new_id(),
            conversation_id=conversation_id,
            position=next_position(db, conversation_id),
            user_text=text,
            model=model,
            replaces=replaced.id if replaced else None,
            created_at=time,
        )
        _insert_turn(db, turn, {"owner_pid": pid, "owner_started": started})
        _insert_message(db, turn, "user", text, time)
        return get(db, turn.id)


def save(db: Connection, turn: Turn) -> None:
    """Update a turn and its answer; an empty answer leaves what was saved before in place."""
    with db.transaction():
        _update(db, turn)
        if turn.answer:
            db.run(_PUT_FINAL, {"id": turn.id, "answer": turn.answer, "now": now()})


def save_partial(db: Connection, turn_id: str, answer: str) -> None:
    """Store the answer so far; one statement, because it is called several times a second."""
    stored = db.run(_PUT_PARTIAL, {"id": turn_id, "answer": answer, "now": now()})
    # Nothing stored: the turn has ended, which is fine, or it was deleted meanwhile.
    if not stored and db.row("SELECT 1 FROM turns WHERE id = ?", (turn_id,)) is None:
        raise _gone(turn_id)


def finish(db: Connection, turn: Turn) -> None:
    """Store the final turn in one transaction.

    A turn that did not end well and carries no answer keeps the partial one: what was said to the
    user stays said.
    """
    if turn.state == "running":
        raise ValueError("a finished turn needs a final state, not 'running'")
    time = now()
    with db.transaction():
        _update(db, turn)
        db.run("UPDATE turns SET owner_pid = NULL, owner_started = NULL WHERE id = ?", (turn.id,))
        if turn.answer or turn.state == "done":
            db.run(_PUT_FINAL, {"id": turn.id, "answer": turn.answer, "now": time})
        _touch(db, turn.conversation_id, time, None)


def get(db: Connection, turn_id: str) -> Turn:
    """Return one turn by its id, the beginning of it, or ``last``."""
    found = resolve(db, "turns", turn_id)
    row = db.row(f"{TURN_SELECT} WHERE turns.id = ?", (found,))
    if row is None:  # deleted by another process between the two statements
        raise _gone(turn_id)
    return turn_from(row)


def of_conversation(db: Connection, conversation_id: str, *, include_hidden: bool) -> list[Turn]:
    """Return the turns of a conversation in order."""
    shown = "" if include_hidden else "AND NOT turns.hidden"
    rows = db.rows(
        f"{TURN_SELECT} WHERE turns.conversation_id = ? {shown} ORDER BY turns.position",
        (resolve(db, "conversations", conversation_id),),
    )
    return [turn_from(row) for row in rows]


def set_hidden(db: Connection, turn_id: str, hidden: bool) -> None:
    """Hide one turn (undo) or show it again (redo)."""
    with db.transaction():
        turn = get(db, turn_id)
        db.run("UPDATE turns SET hidden = ? WHERE id = ?", (int(hidden), turn.id))
        _touch(db, turn.conversation_id, now(), None)


def previous_text(db: Connection, turn: Turn) -> str | None:
    """Return the visible turn before this one, as the router reads it."""
    row = db.row(
        f"{TURN_SELECT} WHERE turns.conversation_id = ? AND turns.position < ? "
        "AND NOT turns.hidden ORDER BY turns.position DESC LIMIT 1",
        (turn.conversation_id, turn.position),
    )
    return None if row is None else turn_from(row).as_context


def recover(db: Connection) -> list[Turn]:
    """Mark running turns whose process is gone as interrupted; their partial answers stay."""
    if not _orphans(db):
        return []
    with db.transaction():  # looked at again inside: another process may be doing the same
        orphans = _orphans(db)
        for turn_id in orphans:
            db.run(
                "UPDATE turns SET state = 'interrupted', finish_reason = 'interrupted', "
                "owner_pid = NULL, owner_started = NULL WHERE id = ?",
                (turn_id,),
            )
        return [get(db, turn_id) for turn_id in orphans]


def ended(turn: Turn) -> Turn:
    """Return a turn as it may be copied: a copy of a running one has nobody to finish it."""
    if turn.state != "running":
        return turn
    return replace(turn, state="interrupted", finish_reason="interrupted")


def insert_copy(db: Connection, turn: Turn, answered_at: str | None = None) -> None:
    """Insert a complete turn with its messages (a fork or an import)."""
    turn = ended(turn)
    _insert_turn(db, turn, {})
    _insert_message(db, turn, "user", turn.user_text, turn.created_at)
    if turn.answer or turn.state == "done":
        _insert_message(db, turn, "assistant", turn.answer, answered_at or turn.created_at)


def answered_at(db: Connection, turn_id: str) -> str | None:
    """Return when the answer of a turn was begun."""
    row = db.row(
        "SELECT created_at FROM messages WHERE turn_id = ? AND role = 'assistant'", (turn_id,)
    )
    return None if row is None else str(row["created_at"])


def title_of(text: str) -> str:
    """Return the first line that says something, cut to a title's length."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "New conversation")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"


def _orphans(db: Connection) -> list[str]:
    rows = db.rows("SELECT id, owner_pid, owner_started FROM turns WHERE state = 'running'")
    return [
        str(row["id"]) for row in rows if not owner.is_alive(row["owner_pid"], row["owner_started"])
    ]


def _new_conversation(db: Connection, text: str, system: str | None, time: str) -> str:
    conversation_id = new_id()
    db.insert(
        "conversations",
        {
            "id": conversation_id,
            "title": title_of(text),
            "system": system,
            "created_at": time,
            "updated_at": time,
        },
    )
    return conversation_id


def _touch(db: Connection, conversation_id: str, time: str, system: str | None) -> None:
    db.run(
        "UPDATE conversations SET updated_at = max(updated_at, ?), system = coalesce(?, system) "
        "WHERE id = ?",
        (time, system, conversation_id),
    )


def _hide_from(db: Connection, replaced: Turn, conversation_id: str) -> None:
    if replaced.conversation_id != conversation_id:
        raise NotFound(
            f"The turn {replaced.id} is not part of the conversation {conversation_id}.",
            "Replace a turn of the same conversation.",
        )
    db.run(
        "UPDATE turns SET hidden = 1 WHERE conversation_id = ? AND position >= ?",
        (conversation_id, replaced.position),
    )


def next_position(db: Connection, conversation_id: str) -> int:
    """Return the place of a new turn, after all others, hidden ones included."""
    row = db.row(
        "SELECT coalesce(max(position), -1) + 1 AS next FROM turns WHERE conversation_id = ?",
        (conversation_id,),
    )
    return int(row["next"]) if row else 0


def _insert_turn(db: Connection, turn: Turn, owned: dict[str, object]) -> None:
    db.insert(
        "turns",
        {
            "id": turn.id,
            "conversation_id": turn.conversation_id,
            "position": turn.position,
            "hidden": int(turn.hidden),
            "replaces": turn.replaces,
            "created_at": turn.created_at,
            **turn_columns(turn),
            **owned,
        },
    )


def _insert_message(db: Connection, turn: Turn, role: Role, content: str, time: str) -> None:
    db.insert(
        "messages",
        {
            "conversation_id": turn.conversation_id,
            "turn_id": turn.id,
            "role": role,
            "content": content,
            "created_at": time,
        },
    )


def _update(db: Connection, turn: Turn) -> None:
    columns = turn_columns(turn)
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    if db.run(f"UPDATE turns SET {assignments} WHERE id = :id", {**columns, "id": turn.id}) == 0:
        raise _gone(turn.id)


def _gone(turn_id: str) -> NotFound:
    return NotFound(
        f"The turn {turn_id} is no longer there.", "Its conversation may have been deleted."
    )
