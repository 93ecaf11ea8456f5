"""Whole conversations as JSON: out complete, in checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

from assistant.errors import StoreError
from assistant.store import conversations, feedback_transfer, turns
from assistant.store.codec import decode, fields_of, wrong
from assistant.store.connection import Connection
from assistant.store.feedback_transfer import Judgement, sortable_time
from assistant.store.ids import is_id, new_id
from assistant.types import Conversation, Turn

FORMAT = "assistant-conversation"
VERSION = 1


@dataclass(frozen=True, slots=True)
class _TurnRecord:
    """One turn of a file: the turn itself, when it was answered, and what was said about it."""

    turn: Turn
    answered_at: str | None
    feedback: tuple[Judgement, ...]


def export_conversation(db: Connection, conversation_id: str) -> dict[str, object]:
    """Return a conversation with every field of every turn, hidden ones too, and all feedback.

    Examples in the prompts that came from other conversations stay at home.
    """
    with db.transaction(write=False):
        conversation = conversations.get(db, conversation_id)
        return {
            "format": FORMAT,
            "version": VERSION,
            "conversation": asdict(conversation),
            "turns": [
                {
                    **_plain(asdict(_shareable(turn))),
                    "answered_at": turns.answered_at(db, turn.id),
                    "feedback": feedback_transfer.export(db, turn.id),
                }
                for turn in turns.of_conversation(db, conversation.id, include_hidden=True)
            ],
        }


def _shareable(turn: Turn) -> Turn:
    choice = replace(turn.choice, personal=(), personal_at=0) if turn.choice else None
    return replace(turn, sent=turn.shareable, choice=choice)


def import_conversation(db: Connection, data: object) -> Conversation:
    """Store an exported conversation; ids that are taken are replaced by new ones."""
    top = fields_of(data, "file")
    _check_format(top)
    conversation = decode(Conversation, top.get("conversation"), "conversation")
    records = _read_turns(top.get("turns"))
    with db.transaction():
        conversation = replace(
            conversation,
            id=_free(db, "conversations", conversation.id, "conversation.id"),
            created_at=sortable_time(conversation.created_at, "conversation.created_at"),
            updated_at=sortable_time(conversation.updated_at, "conversation.updated_at"),
        )
        conversations.insert(db, conversation)
        renamed: dict[str, str] = {}
        for number, record in enumerate(records):
            _insert_turn(db, conversation, record, renamed, f"turns[{number}]")
        return conversations.get(db, conversation.id)


def _insert_turn(
    db: Connection,
    conversation: Conversation,
    record: _TurnRecord,
    renamed: dict[str, str],
    path: str,
) -> None:
    """Store one turn; ``renamed`` maps the ids of the file to those given here."""
    turn = record.turn
    renamed[turn.id] = _free(db, "turns", turn.id, f"{path}.id")
    created_at = turn.created_at or conversation.created_at
    kept = replace(
        turn,
        id=renamed[turn.id],
        conversation_id=conversation.id,
        replaces=renamed.get(turn.replaces or ""),
        created_at=sortable_time(created_at, f"{path}.created_at"),
    )
    answered_at = record.answered_at
    if answered_at is not None:
        answered_at = sortable_time(answered_at, f"{path}.answered_at")
    turns.insert_copy(db, kept, answered_at)
    for place, judgement in enumerate(record.feedback):
        feedback_transfer.insert(db, kept.id, judgement, f"{path}.feedback[{place}]")


def _check_format(top: Mapping[str, object]) -> None:
    if top.get("format") != FORMAT:
        raise wrong("format", f'"{FORMAT}"', top.get("format"))
    version = top.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise wrong("version", "a whole number from 1", version)
    if version > VERSION:
        raise StoreError(
            f"version: the file is version {version}, this program reads up to {VERSION}.",
            "Update the program.",
        )


def _read_turns(data: object) -> list[_TurnRecord]:
    if not isinstance(data, list):
        raise wrong("turns", "a list", data)
    records: list[_TurnRecord] = []
    seen: set[str] = set()
    last = -1
    for number, item in enumerate(data):
        path = f"turns[{number}]"
        fields = fields_of(item, path)
        judged = decode(tuple[Judgement, ...], fields.pop("feedback", []), f"{path}.feedback")
        answered_at = fields.pop("answered_at", None)
        if answered_at is not None and not isinstance(answered_at, str):
            raise wrong(f"{path}.answered_at", "text", answered_at)
        turn = decode(Turn, fields, path)
        if turn.position <= last:
            raise wrong(f"{path}.position", f"a number above {last}", turn.position)
        if turn.id in seen:
            raise wrong(f"{path}.id", "an id that no other turn has", turn.id)
        last = turn.position
        seen.add(turn.id)
        records.append(_TurnRecord(turn, answered_at, judged))
    return records


def _free(db: Connection, table: str, wanted: str, path: str) -> str:
    if not is_id(wanted):
        raise wrong(path, "an id (6 to 64 of a-z, 0-9, - and _)", wanted)
    taken = db.row(f"SELECT 1 FROM {table} WHERE id = ?", (wanted,)) is not None
    return new_id() if taken else wanted


def _plain(value: object) -> dict[str, object]:
    """Turn tuples into lists, as they are after a trip through a file."""
    return cast(dict[str, object], json.loads(json.dumps(value)))
