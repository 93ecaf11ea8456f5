"""Conversations in the database: found, listed, renamed, deleted and forked."""

from __future__ import annotations

from dataclasses import replace

from assistant.errors import NotFound, UsageError
from assistant.store import turns
from assistant.store.connection import Connection
from assistant.store.ids import new_id, now
from assistant.store.lookup import resolve
from assistant.store.rows import CONVERSATION_SELECT, conversation_from
from assistant.types import Conversation


def get(db: Connection, conversation_id: str) -> Conversation:
    """Return one conversation by its id, the beginning of it, or ``last``."""
    found = resolve(db, "conversations", conversation_id)
    row = db.row(f"{CONVERSATION_SELECT} WHERE conversations.id = ?", (found,))
    if row is None:  # deleted by another process between the two statements
        raise NotFound(f"The conversation {found} is no longer there.")
    return conversation_from(row)


def listed(db: Connection, limit: int, offset: int) -> list[Conversation]:
    """Return conversations, the most recently updated first."""
    rows = db.rows(
        f"{CONVERSATION_SELECT} ORDER BY updated_at DESC, id DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [conversation_from(row) for row in rows]


def rename(db: Connection, conversation_id: str, title: str) -> None:
    """Give a conversation another title (one line)."""
    line = " ".join(title.split())
    if not line:
        raise UsageError("The title is empty.", "Give it at least one word.")
    with db.transaction():
        found = resolve(db, "conversations", conversation_id)
        db.run("UPDATE conversations SET title = ? WHERE id = ?", (line, found))


def delete(db: Connection, conversation_id: str) -> None:
    """Delete a conversation with its turns, messages and feedback."""
    with db.transaction():
        found = resolve(db, "conversations", conversation_id)
        db.run("DELETE FROM conversations WHERE id = ?", (found,))


def fork(db: Connection, conversation_id: str, up_to_turn_id: str | None) -> Conversation:
    """Copy the visible turns, up to and including one of them, into a new conversation.

    Feedback stays with the original, so that training does not count it twice.
    """
    with db.transaction():
        source = get(db, conversation_id)
        kept = turns.of_conversation(db, source.id, include_hidden=False)
        if up_to_turn_id is not None:
            last = turns.get(db, up_to_turn_id)
            if last.conversation_id != source.id:
                raise NotFound(
                    f"The turn {last.id} is not part of the conversation {source.id}.",
                    f"See its turns with: assistant history show {source.id}",
                )
            kept = [turn for turn in kept if turn.position <= last.position]
        time = now()
        copy = replace(
            source,
            id=new_id(),
            title=f"{source.title} (fork)",
            created_at=time,
            updated_at=time,
            turn_count=len(kept),
        )
        insert(db, copy)
        for position, turn in enumerate(kept):
            # What a turn replaced is hidden, and hidden turns are not copied.
            turns.insert_copy(
                db,
                replace(
                    turn,
                    id=new_id(),
                    conversation_id=copy.id,
                    position=position,
                    replaces=None,
                ),
            )
        return copy


def insert(db: Connection, conversation: Conversation) -> None:
    """Insert the row of a conversation."""
    db.insert(
        "conversations",
        {
            "id": conversation.id,
            "title": conversation.title,
            "system": conversation.system,
            "created_at": conversation.created_at,
            "updated_at": conversation.updated_at,
        },
    )
