"""Rows to values and back: which column holds which field of a turn, conversation or feedback."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import asdict
from typing import Any, cast

from assistant.types import (
    Choice,
    Conversation,
    Decoding,
    Feedback,
    Message,
    Route,
    Timing,
    Turn,
    Usage,
)

TURN_SELECT = """
SELECT turns.*,
    (SELECT content FROM messages WHERE turn_id = turns.id AND role = 'user') AS user_text,
    (SELECT content FROM messages WHERE turn_id = turns.id AND role = 'assistant') AS answer,
    (SELECT rating FROM feedback WHERE turn_id = turns.id AND rating IS NOT NULL
        ORDER BY id DESC LIMIT 1) AS rating,
    (SELECT correction FROM feedback WHERE turn_id = turns.id AND correction IS NOT NULL
        ORDER BY id DESC LIMIT 1) AS correction
FROM turns
"""

CONVERSATION_SELECT = """
SELECT conversations.*,
    (SELECT count(*) FROM turns WHERE conversation_id = conversations.id AND NOT hidden)
        AS turn_count
FROM conversations
"""


def to_json(value: object) -> str:
    """Return compact JSON text that people can read in the database."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def turn_from(row: sqlite3.Row) -> Turn:
    """Return the turn of a row of :data:`TURN_SELECT`."""
    sent = tuple(Message(**message) for message in json.loads(row["sent"]))
    decoding = json.loads(row["decoding"])
    decoding["stop"] = tuple(decoding.get("stop", ()))
    return Turn(
        id=row["id"],
        conversation_id=row["conversation_id"],
        position=row["position"],
        user_text=row["user_text"] or "",
        answer=row["answer"] or "",
        state=row["state"],
        route=_route_from(row),
        choice=_choice_from(row),
        model=row["model"],
        model_sha256=row["model_sha256"],
        prompt_version=row["prompt_version"],
        decoding=Decoding(**decoding),
        sent=sent,
        probabilities=json.loads(row["probabilities"]) if row["probabilities"] else None,
        usage=Usage(row["prompt_tokens"], row["cached_prompt_tokens"], row["completion_tokens"]),
        timing=Timing(
            row["route_s"] or 0.0,
            row["first_token_s"] or 0.0,
            row["total_s"] or 0.0,
            row["tokens_per_s"] or 0.0,
        ),
        finish_reason=row["finish_reason"],
        error=row["error"],
        left_out_turns=row["left_out_turns"],
        context_limit=row["context_limit"],
        replaces=row["replaces"],
        hidden=bool(row["hidden"]),
        created_at=row["created_at"],
        rating=row["rating"],
        correction=row["correction"],
    )


def turn_columns(turn: Turn) -> dict[str, object]:
    """Return the columns of ``turns`` that change while a turn goes on.

    Left out are what never changes (its place, when it began, the user's text) and ``hidden``:
    whoever carries a turn along does not know whether it was hidden meanwhile.
    """
    route, choice = turn.route, turn.choice
    return {
        "state": turn.state,
        "task": route.task if route else None,
        "confidence": _finite(route.confidence) if route else None,
        "route_source": route.source if route else None,
        "route_scores": to_json(_all_finite(route.scores)) if route else None,
        "route_unsure": to_json(route.unsure) if route else None,
        "route_learned": _finite(route.learned) if route else None,
        "strategy": choice.strategy if choice else None,
        "adapter": choice.adapter if choice else None,
        "strategy_reason": choice.reason if choice else None,
        "shots": to_json(_shots(choice)) if choice else None,
        "model": turn.model,
        "model_sha256": turn.model_sha256,
        "prompt_version": turn.prompt_version,
        "decoding": to_json(asdict(turn.decoding)),
        "sent": to_json([asdict(message) for message in turn.sent]),
        "probabilities": (
            to_json(_all_finite(turn.probabilities)) if turn.probabilities is not None else None
        ),
        **asdict(turn.usage),
        **{name: _finite(value) for name, value in asdict(turn.timing).items()},
        "finish_reason": turn.finish_reason,
        "error": turn.error,
        "left_out_turns": turn.left_out_turns,
        "context_limit": turn.context_limit,
    }


def conversation_from(row: sqlite3.Row) -> Conversation:
    """Return the conversation of a row of :data:`CONVERSATION_SELECT`."""
    return Conversation(
        id=row["id"],
        title=row["title"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        system=row["system"],
        turn_count=row["turn_count"],
    )


def feedback_from(row: sqlite3.Row) -> Feedback:
    """Return the feedback of a row of the table."""
    return Feedback(
        id=row["id"],
        turn_id=row["turn_id"],
        created_at=row["created_at"],
        rating=row["rating"],
        correction=row["correction"],
        route=row["route"],
        comment=row["comment"],
        reason=row["reason"],
        snapshot=cast(dict[str, object], json.loads(row["snapshot"])),
    )


def _route_from(row: sqlite3.Row) -> Route | None:
    if row["task"] is None:
        return None
    scores: dict[str, float] = json.loads(row["route_scores"] or "{}")
    return Route(
        row["task"],
        row["confidence"] or 0.0,
        scores,
        row["route_source"],
        tuple(json.loads(row["route_unsure"] or "[]")),
        row["route_learned"] or 0.0,
    )


def _choice_from(row: sqlite3.Row) -> Choice | None:
    if row["strategy"] is None:
        return None
    shots = json.loads(row["shots"] or "{}")
    return Choice(
        row["strategy"],
        row["strategy_reason"] or "",
        row["adapter"],
        shots.get("count", 0),
        shots.get("nearest", False),
        tuple(shots.get("personal", ())),
        shots.get("personal_at", 0),
        shots.get("model_labels"),
    )


def _shots(choice: Choice) -> dict[str, object]:
    return {
        "count": choice.shots,
        "nearest": choice.nearest,
        "personal": choice.personal,
        "personal_at": choice.personal_at,
        **({"model_labels": _all_finite(choice.model_labels)} if choice.model_labels else {}),
    }


def _finite(value: Any) -> float:
    """JSON and SQLite have no NaN; a measurement that failed counts as nothing measured."""
    number = float(value)
    return number if math.isfinite(number) else 0.0


def _all_finite(values: dict[str, float]) -> dict[str, float]:
    return {name: _finite(value) for name, value in values.items()}
