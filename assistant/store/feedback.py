"""Feedback in the database, each with a snapshot of the turn as it was when judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from assistant.errors import NotFound, UsageError
from assistant.store import changes, turns
from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.lookup import resolve
from assistant.store.rows import feedback_from, to_json
from assistant.types import REASONS, Feedback, Rating, Reason, Turn

FeedbackField = Literal["rating", "correction", "route", "comment", "reason"]
FIELDS: tuple[FeedbackField, ...] = get_args(FeedbackField)
"""What a person says with feedback, and may say differently later."""


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
    reason: Reason | None = None,
) -> Feedback:
    """Store one judgement; a route correction is noted for the router as well."""
    given: dict[FeedbackField, str | None] = {
        "rating": rating,
        "correction": correction,
        "route": route,
        "comment": comment,
        "reason": reason,
    }
    _check(given)
    with db.transaction():
        turn = turns.get(db, turn_id)
        context = turns.previous_text(db, turn)
        feedback_id = db.insert(
            "feedback",
            {
                "turn_id": turn.id,
                **_columns(given),
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
        _note(db, "added", feedback_id)
        return get(db, feedback_id)


def edit(db: Connection, feedback_id: int, said: Mapping[FeedbackField, str | None]) -> Feedback:
    """Say something differently; what is ``None`` is taken out. The snapshot stays as it is.

    A reason goes when the answer is no longer rated bad. The router learns the new task at once.

    Raises:
        NotFound: there is no such feedback.
        UsageError: nothing would be said any more, or something unknown.
    """
    unknown = sorted(set(said) - set(FIELDS))
    if unknown:
        raise UsageError(f"{unknown[0]!r} cannot be edited.", f"One of: {', '.join(FIELDS)}.")
    with db.transaction():
        old = get(db, feedback_id)
        new: dict[FeedbackField, str | None] = {name: getattr(old, name) for name in FIELDS}
        same = dict(new)
        new.update(said)
        if new["rating"] != "bad" and "reason" not in said:
            new["reason"] = None
        if new == same:
            return old
        _check(new)
        _note(db, "edited", feedback_id)
        assignments = ", ".join(f"{name} = :{name}" for name in FIELDS)
        db.run(
            f"UPDATE feedback SET {assignments} WHERE id = :id",
            {**_columns(new), "id": feedback_id},
        )
        if new["route"] != old.route:
            _reroute(db, old, new["route"])
        return get(db, feedback_id)


def _columns(said: Mapping[FeedbackField, str | None]) -> dict[str, object]:
    return {str(name): text for name, text in said.items()}


def _reroute(db: Connection, item: Feedback, task: str | None) -> None:
    """Let the router learn another task from a piece of feedback, or none."""
    if task is None:
        db.run("DELETE FROM route_corrections WHERE feedback_id = ?", (item.id,))
    elif item.route is not None:
        db.run("UPDATE route_corrections SET to_task = ? WHERE feedback_id = ?", (task, item.id))
    else:
        past = {name: _text_of(item, name) for name in ("user_text", "context", "task")}
        add_route_correction(
            db,
            item.id,
            text=past["user_text"] or "",
            context=past["context"],
            from_task=past["task"],
            to_task=task,
        )


def _text_of(item: Feedback, name: str) -> str | None:
    value = item.snapshot.get(name)
    return value if isinstance(value, str) else None


def _note(db: Connection, what: changes.What, feedback_id: int) -> None:
    state = changes.state_of(db, "feedback", feedback_id)
    if state is None:
        raise _missing(feedback_id)
    changes.note(db, what, "feedback", state)


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


def remove(db: Connection, feedback_id: int, *, for_good: bool = False) -> None:
    """Remove one piece of feedback, with its route correction; ``for_good``: undo cannot reach it."""
    with db.transaction():
        _note(db, "removed", feedback_id)
        db.run("DELETE FROM feedback WHERE id = ?", (feedback_id,))
        if for_good:
            changes.forget(db, "feedback", feedback_id)


def _check(given: Mapping[FeedbackField, str | None]) -> None:
    rating, reason = given["rating"], given["reason"]
    if all(given[name] is None for name in FIELDS if name != "reason"):
        raise UsageError(
            "This feedback says nothing.",
            "Give at least one of: a rating, a correction, a task, a comment.",
        )
    if rating not in (None, "good", "bad"):
        raise UsageError(f"The rating {rating!r} is not known.", "Say good or bad.")
    if reason is not None and reason not in REASONS:
        raise UsageError(f"The reason {reason!r} is not known.", f"One of: {', '.join(REASONS)}.")
    if reason is not None and rating != "bad":
        raise UsageError(
            "A reason says why an answer was bad.", "Rate it bad too, or say it as a comment."
        )
    texts: tuple[tuple[str, FeedbackField], ...] = (
        ("correction", "correction"),
        ("task", "route"),
        ("comment", "comment"),
    )
    for name, column in texts:
        text = given[column]
        if text is not None and not text.strip():
            raise UsageError(f"The {name} is empty.", "Say something or leave it out.")


def _missing(feedback_id: int) -> NotFound:
    return NotFound(
        f"There is no feedback {feedback_id}.", "See what there is with: assistant feedback list"
    )
