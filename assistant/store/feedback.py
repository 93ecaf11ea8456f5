"""Feedback in the database, each with a snapshot of the turn as it was when judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from assistant.errors import NotFound, UsageError
from assistant.store import turns
from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.lookup import resolve
from assistant.store.rows import feedback_from, to_json
from assistant.types import Feedback, Rating, Turn


@dataclass(frozen=True, slots=True)
class RouteCorrection:
    """Which task a text should have been routed to; ``context`` is the turn before it."""

    text: str
    context: str | None
    from_task: str | None
    to_task: str
    created_at: str


@dataclass(frozen=True, slots=True)
class WantedAnswer:
    """An answer that the user rated good or wrote; ``feedback_id`` is the judgement that says so."""

    feedback_id: int
    task: str
    text: str
    answer: str
    context: str | None = None


def snapshot_of(turn: Turn, context: str | None) -> dict[str, object]:
    """Return everything that is needed to train on the turn, even after it was deleted."""
    choice = turn.choice
    return {
        "conversation_id": turn.conversation_id,
        "context": context,
        "user_text": turn.user_text,
        "messages": [asdict(message) for message in turn.shareable],
        "answer": turn.answer,
        "task": turn.route.task if turn.route else None,
        "route": asdict(turn.route) if turn.route else None,
        "strategy": choice.strategy if choice else None,
        "strategy_reason": choice.reason if choice else None,
        "adapter": choice.adapter if choice else None,
        "model": turn.model,
        "model_sha256": turn.model_sha256,
        "prompt_version": turn.prompt_version,
        "decoding": asdict(turn.decoding),
        "probabilities": turn.probabilities,
        "finish_reason": turn.finish_reason,
        "turn_created_at": turn.created_at,
    }


def add(
    db: Connection,
    turn_id: str,
    *,
    rating: Rating | None,
    correction: str | None,
    route: str | None,
    comment: str | None,
    source: str,
) -> Feedback:
    """Store one judgement; a route correction is noted for the router as well."""
    _check(rating, correction, route, comment)
    with db.transaction():
        turn = turns.get(db, turn_id)
        context = turns.previous_text(db, turn)
        given = {"rating": rating, "correction": correction, "route": route, "comment": comment}
        feedback_id = db.insert(
            "feedback",
            {
                "turn_id": turn.id,
                **given,
                "source": source,
                "snapshot": to_json(snapshot_of(turn, context)),
                "created_at": now(),
            },
        )
        if route is not None:
            add_route_correction(
                db,
                feedback_id,
                text=turn.user_text,
                context=context,
                from_task=turn.route.task if turn.route else None,
                to_task=route,
            )
        return get(db, feedback_id)


def add_route_correction(
    db: Connection,
    feedback_id: int,
    *,
    text: str,
    context: str | None,
    from_task: str | None,
    to_task: str,
) -> None:
    """Note what the router should learn from one piece of feedback."""
    db.run(
        "INSERT INTO route_corrections "
        "(feedback_id, turn_id, text, context, from_task, to_task, created_at) "
        "SELECT id, turn_id, ?, ?, ?, ?, created_at FROM feedback WHERE id = ?",
        (text, context, from_task, to_task, feedback_id),
    )


def get(db: Connection, feedback_id: int) -> Feedback:
    """Return one piece of feedback."""
    row = db.row("SELECT * FROM feedback WHERE id = ?", (feedback_id,))
    if row is None:
        raise _missing(feedback_id)
    return feedback_from(row)


def listed(db: Connection, turn_id: str | None, limit: int | None) -> list[Feedback]:
    """Return feedback, oldest first; with ``limit``, the newest that many."""
    chosen = None if turn_id is None else resolve(db, "turns", turn_id)
    rows = db.rows(
        "SELECT * FROM feedback WHERE :turn IS NULL OR turn_id = :turn "
        "ORDER BY id DESC LIMIT :limit",
        {"turn": chosen, "limit": -1 if limit is None else limit},
    )
    return [feedback_from(row) for row in reversed(rows)]


def route_corrections(db: Connection) -> list[RouteCorrection]:
    """Return all route corrections, oldest first."""
    rows = db.rows("SELECT * FROM route_corrections ORDER BY id")
    return [
        RouteCorrection(
            row["text"], row["context"], row["from_task"], row["to_task"], row["created_at"]
        )
        for row in rows
    ]


def remove(db: Connection, feedback_id: int) -> None:
    """Take one piece of feedback back, with its route correction."""
    if db.run("DELETE FROM feedback WHERE id = ?", (feedback_id,)) == 0:
        raise _missing(feedback_id)


def _check(
    rating: str | None, correction: str | None, route: str | None, comment: str | None
) -> None:
    if rating is None and correction is None and route is None and comment is None:
        raise UsageError(
            "This feedback says nothing.",
            "Give at least one of: a rating, a correction, a task, a comment.",
        )
    if rating not in (None, "good", "bad"):
        raise UsageError(f"The rating {rating!r} is not known.", "Say good or bad.")
    for name, text in (("correction", correction), ("task", route), ("comment", comment)):
        if text is not None and not text.strip():
            raise UsageError(f"The {name} is empty.", "Say something or leave it out.")


def _missing(feedback_id: int) -> NotFound:
    return NotFound(
        f"There is no feedback {feedback_id}.", "See what there is with: assistant feedback list"
    )
