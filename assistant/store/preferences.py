"""Two answers to the same request, and which of them the user preferred.

The answers belong to no conversation: only what was chosen is kept, with all that later training
needs. What was asked in a conversation goes when that turn is deleted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from assistant.errors import NotFound, UsageError
from assistant.store import changes
from assistant.store.connection import Connection
from assistant.store.ids import now
from assistant.store.lookup import resolve
from assistant.store.rows import to_json
from assistant.types import Message, Strategy, Turn

Verdict = Literal["left", "right", "both_good", "both_bad"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
PreferenceField = Literal["choice", "comment"]
FIELDS: tuple[PreferenceField, ...] = get_args(PreferenceField)
"""What of a preference can be said differently later."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the two answers and how it came about.

    Attributes:
        adapter: ``task/version``, ``None`` where the model answered alone.
        messages: what the model was sent, without examples from other conversations of the user.
        decoding: as in ``types.Decoding``.
        probabilities: of a classified text, one a label.
    """

    answer: str
    strategy: Strategy
    adapter: str | None
    model: str
    model_sha256: str
    prompt_version: str
    messages: tuple[Message, ...]
    decoding: Mapping[str, Any]
    probabilities: Mapping[str, float] | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """What the user chose. ``blind``: without knowing which answer came about in which way.

    ``left`` and ``right`` are as they stood on the screen; ``turn_id`` is the turn whose request was
    answered again, ``None`` for one that was written for this.
    """

    id: int
    turn_id: str | None
    task: str
    text: str
    left: Candidate
    right: Candidate
    choice: Verdict
    blind: bool
    created_at: str
    comment: str | None = None


def candidate_of(turn: Turn) -> Candidate:
    """Return the answer of a turn that ended well.

    Raises:
        UsageError: it did not, so that there is nothing to prefer.
    """
    if turn.state != "done" or turn.choice is None:
        raise UsageError(
            "One of the answers did not come to its end.", "Answer again, then choose."
        )
    return Candidate(
        answer=turn.answer,
        strategy=turn.choice.strategy,
        adapter=turn.choice.adapter,
        model=turn.model,
        model_sha256=turn.model_sha256,
        prompt_version=turn.prompt_version,
        messages=turn.shareable,
        decoding=asdict(turn.decoding),
        probabilities=turn.probabilities,
        finish_reason=turn.finish_reason,
    )


def add(
    db: Connection,
    left: Turn,
    right: Turn,
    choice: Verdict,
    *,
    blind: bool,
    turn_id: str | None,
) -> Preference:
    """Store a choice between the answers of two turns (which need not be stored themselves)."""
    _check(choice)
    sides = {"left": candidate_of(left), "right": candidate_of(right)}
    columns: dict[str, object] = {}
    for name, side in sides.items():
        columns |= columns_of(name, side)
    with db.transaction():
        number = db.insert(
            "preferences",
            {
                "turn_id": None if turn_id is None else resolve(db, "turns", turn_id),
                "task": left.route.task if left.route else "",
                "text": left.user_text,
                "model": left.model,
                **columns,
                "choice": choice,
                "blind": int(blind),
                "created_at": now(),
            },
        )
        _note(db, "added", number)
        return get(db, number)


def columns_of(name: str, side: Candidate) -> dict[str, object]:
    """Return the columns of one answer; ``name`` is ``left`` or ``right``."""
    return {
        f"{name}_answer": side.answer,
        f"{name}_strategy": side.strategy,
        f"{name}_adapter": side.adapter,
        f"{name}_details": to_json(_details(side)),
    }


def edit(db: Connection, number: int, said: Mapping[PreferenceField, str | None]) -> Preference:
    """Choose differently, or comment (``None`` takes the comment out).

    Raises:
        NotFound: there is none with this number.
        UsageError: there is no such choice.
    """
    unknown = sorted(set(said) - set(FIELDS))
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is not part of a preference.", f"One of: {', '.join(FIELDS)}."
        )
    with db.transaction():
        old = get(db, number)
        new: dict[PreferenceField, str | None] = {"choice": old.choice, "comment": old.comment}
        same = dict(new)
        new.update(said)
        if new == same:
            return old
        _check(new["choice"])
        _note(db, "edited", number)
        db.run(
            "UPDATE preferences SET choice = :choice, comment = :comment WHERE id = :id",
            {"choice": new["choice"], "comment": new["comment"], "id": number},
        )
        return get(db, number)


def _check(choice: str | None) -> None:
    if choice not in VERDICTS:
        raise UsageError(f"The choice {choice!r} is not known.", f"One of: {', '.join(VERDICTS)}.")


def _note(db: Connection, what: changes.What, number: int) -> None:
    state = changes.state_of(db, "preferences", number)
    if state is None:
        raise _missing(number)
    changes.note(db, what, "preferences", state)


def get(db: Connection, number: int) -> Preference:
    """Return one preference.

    Raises:
        NotFound: there is none with this number.
    """
    row = db.row("SELECT * FROM preferences WHERE id = ?", (number,))
    if row is None:
        raise _missing(number)
    return _from(row)


def listed(db: Connection, task: str | None) -> list[Preference]:
    """Return the preferences, those of one task or all, oldest first."""
    rows = db.rows(
        "SELECT * FROM preferences WHERE :task IS NULL OR task = :task ORDER BY id", {"task": task}
    )
    return [_from(row) for row in rows]


def remove(db: Connection, number: int, *, for_good: bool = False) -> None:
    """Remove one preference; ``for_good``: undo cannot reach it.

    Raises:
        NotFound: there is none with this number.
    """
    with db.transaction():
        _note(db, "removed", number)
        db.run("DELETE FROM preferences WHERE id = ?", (number,))
        if for_good:
            changes.forget(db, "preferences", number)


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference as training takes it: the better answer and the other one, with their prompt."""

    preference: Preference
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


def pairs(items: Sequence[Preference]) -> Iterator[Pair]:
    """Yield the better answer and the other one of each preference.

    The prompt is that of the answer with the adapter, which is the bare one that training shows; of two
    answers without an adapter, or with one each, that of the chosen one. Where both were good or bad,
    or both said the same, nothing was preferred.
    """
    for item in items:
        if item.choice not in ("left", "right"):
            continue
        left_won = item.choice == "left"
        chosen, rejected = (item.left, item.right) if left_won else (item.right, item.left)
        if chosen.answer.strip() == rejected.answer.strip():
            continue
        bare = rejected if rejected.adapter and not chosen.adapter else chosen
        yield Pair(item, bare.messages, chosen.answer, rejected.answer)


def _details(side: Candidate) -> dict[str, object]:
    """Return what of an answer has no column of its own."""
    value = asdict(side)
    return {key: value[key] for key in value if key not in ("answer", "strategy", "adapter")}


def _from(row: sqlite3.Row) -> Preference:
    return Preference(
        id=row["id"],
        turn_id=row["turn_id"],
        task=row["task"],
        text=row["text"],
        left=_side(row, "left"),
        right=_side(row, "right"),
        choice=row["choice"],
        blind=bool(row["blind"]),
        created_at=row["created_at"],
        comment=row["comment"],
    )


def _side(row: sqlite3.Row, name: str) -> Candidate:
    details = json.loads(row[f"{name}_details"])
    messages = tuple(Message(**message) for message in details.pop("messages"))
    return Candidate(
        answer=row[f"{name}_answer"],
        strategy=row[f"{name}_strategy"],
        adapter=row[f"{name}_adapter"],
        messages=messages,
        **details,
    )


def _missing(number: int) -> NotFound:
    return NotFound(f"There is no preference {number}.", "It may have been taken back already.")
