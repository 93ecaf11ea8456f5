"""Feedback as JSON, one complete record each: out with its snapshot, in checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from assistant.store import conversations, turns
from assistant.store import feedback as feedback_rows
from assistant.store.codec import decode, wrong
from assistant.store.connection import Connection
from assistant.store.ids import is_id, new_id, now
from assistant.store.rows import to_json
from assistant.types import (
    Choice,
    Conversation,
    Decoding,
    Feedback,
    Message,
    Rating,
    Reason,
    Route,
    Turn,
)

IMPORTED = "Imported feedback"
"""Title of the conversation of turns that belonged to none."""


@dataclass(frozen=True, slots=True)
class RouteNote:
    """The route correction that belongs to a piece of feedback."""

    text: str
    to_task: str
    context: str | None = None
    from_task: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One piece of feedback as it is exported; ``created_at`` is ``""`` where nobody knows it."""

    created_at: str
    id: int = 0
    turn_id: str = ""
    rating: Rating | None = None
    correction: str | None = None
    route: str | None = None
    comment: str | None = None
    reason: Reason | None = None
    source: str = "import"
    snapshot: dict[str, object] | None = None
    route_correction: RouteNote | None = None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A snapshot as :func:`assistant.store.feedback.snapshot_of` makes it.

    ``labels`` are what a classification chose from, where they were imported without probabilities.
    """

    user_text: str
    answer: str = ""
    conversation_id: str | None = None
    context: str | None = None
    messages: tuple[Message, ...] = ()
    task: str | None = None
    route: Route | None = None
    strategy: str | None = None
    strategy_reason: str | None = None
    adapter: str | None = None
    model: str = ""
    model_sha256: str = ""
    prompt_version: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    probabilities: dict[str, float] | None = None
    labels: tuple[str, ...] = ()
    finish_reason: str | None = None
    turn_created_at: str | None = None


def export(db: Connection, turn_id: str | None) -> list[dict[str, object]]:
    """Return the feedback on one turn, or all of it, oldest first."""
    here = {"turn": turn_id}
    corrections = {
        row["feedback_id"]: {key: row[key] for key in ("text", "context", "from_task", "to_task")}
        for row in db.rows(
            "SELECT * FROM route_corrections WHERE :turn IS NULL OR turn_id = :turn", here
        )
    }
    rows = db.rows(
        "SELECT * FROM feedback WHERE :turn IS NULL OR turn_id = :turn ORDER BY id", here
    )
    return [
        {
            **dict(row),
            "snapshot": json.loads(row["snapshot"]),
            "route_correction": corrections.get(row["id"]),
        }
        for row in rows
    ]


def import_records(db: Connection, records: Mapping[int, object]) -> list[Feedback]:
    """Store exported records, by the numbers of their lines, all or none; what is here is left out.

    A turn that does not exist here is made from the snapshot, so that nothing is lost. Turns that
    belong to no conversation share a new one.
    """
    added: list[Feedback] = []
    shared: list[str] = []
    time = now()
    with db.transaction():
        for number, record in records.items():
            path = f"line {number}"
            judgement = decode(Judgement, record, path)
            if not _is_known(db, judgement, path):
                dated = replace(judgement, created_at=judgement.created_at or time)
                turn_id = _turn_for(db, dated, path, shared)
                added.append(insert(db, turn_id, dated, path))
    return added


def insert(db: Connection, turn_id: str, judgement: Judgement, path: str) -> Feedback:
    """Store one piece of feedback on a turn that exists; its number is kept if it is free."""
    said = (judgement.rating, judgement.correction, judgement.route, judgement.comment)
    if all(part is None for part in said):
        raise wrong(path, "a rating, a correction, a route or a comment", None)
    taken = db.row("SELECT 1 FROM feedback WHERE id = ?", (judgement.id,)) is not None
    feedback_id = db.insert(
        "feedback",
        {
            "id": None if taken or judgement.id < 1 else judgement.id,
            "turn_id": turn_id,
            "rating": judgement.rating,
            "correction": judgement.correction,
            "route": judgement.route,
            "comment": judgement.comment,
            "reason": judgement.reason,
            "source": judgement.source,
            "snapshot": to_json(judgement.snapshot or {}),
            "created_at": sortable_time(judgement.created_at, f"{path}.created_at"),
        },
    )
    noted = judgement.route_correction
    if noted is not None:
        feedback_rows.add_route_correction(
            db,
            feedback_id,
            text=noted.text,
            context=noted.context,
            from_task=noted.from_task,
            to_task=noted.to_task,
        )
    return feedback_rows.get(db, feedback_id)


def sortable_time(text: str, path: str) -> str:
    """Return an ISO 8601 time in the one form that sorts as text."""
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong(path, "a time in ISO 8601", text) from error
    return time.isoformat(timespec="microseconds")


def _is_known(db: Connection, judgement: Judgement, path: str) -> bool:
    """The same words about the same turn at the same moment are the same feedback.

    Where the moment is not known, the words are enough.
    """
    time = judgement.created_at and sortable_time(judgement.created_at, f"{path}.created_at")
    row = db.row(
        "SELECT 1 FROM feedback WHERE turn_id = ? AND ? IN (created_at, '') AND rating IS ? "
        "AND correction IS ? AND route IS ? AND comment IS ?",
        (
            judgement.turn_id,
            time,
            judgement.rating,
            judgement.correction,
            judgement.route,
            judgement.comment,
        ),
    )
    return row is not None


def _turn_for(db: Connection, judgement: Judgement, path: str, shared: list[str]) -> str:
    """Return the id of the judged turn, made from the snapshot when it is not here.

    ``shared`` is the conversation of turns that belong to none, once there is one.
    """
    if db.row("SELECT 1 FROM turns WHERE id = ?", (judgement.turn_id,)) is not None:
        return judgement.turn_id
    if not is_id(judgement.turn_id):
        raise wrong(f"{path}.turn_id", "an id", judgement.turn_id)
    past = decode(_Snapshot, judgement.snapshot, f"{path}.snapshot")
    created_at = past.turn_created_at or judgement.created_at
    time = sortable_time(created_at, f"{path}.snapshot.turn_created_at")
    conversation_id = _conversation_for(db, past, time, path, shared)
    fields = {
        "id": judgement.turn_id,
        "conversation_id": conversation_id,
        "position": turns.next_position(db, conversation_id),
        "user_text": past.user_text,
        "answer": past.answer,
        "state": "done",
        "finish_reason": past.finish_reason,
    }
    # Decoded once more, because the reason must be one of the known ones.
    turn = replace(
        decode(Turn, fields, f"{path}.snapshot"),
        route=past.route,
        choice=_choice(past, path),
        model=past.model,
        model_sha256=past.model_sha256,
        prompt_version=past.prompt_version,
        decoding=past.decoding,
        sent=past.messages,
        probabilities=past.probabilities,
        created_at=time,
    )
    turns.insert_copy(db, turn)
    return turn.id


def _conversation_for(
    db: Connection, past: _Snapshot, time: str, path: str, shared: list[str]
) -> str:
    if past.conversation_id is None:
        if not shared:
            shared.append(new_id())
            conversations.insert(
                db, Conversation(shared[0], IMPORTED, created_at=time, updated_at=time)
            )
        return shared[0]
    wanted = past.conversation_id
    if not is_id(wanted):
        raise wrong(f"{path}.snapshot.conversation_id", "an id", wanted)
    if db.row("SELECT 1 FROM conversations WHERE id = ?", (wanted,)) is None:
        title = turns.title_of(past.user_text)
        conversations.insert(db, Conversation(wanted, title, created_at=time, updated_at=time))
    return wanted


def _choice(past: _Snapshot, path: str) -> Choice | None:
    if past.strategy is None:
        return None
    fields = {"strategy": past.strategy, "reason": past.strategy_reason or ""}
    return decode(Choice, {**fields, "adapter": past.adapter}, f"{path}.snapshot")
