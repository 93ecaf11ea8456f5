"""Choices between two answers as JSON, one complete record each: out as they are, in checked field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from assistant.store import feedback_transfer, preferences
from assistant.store.codec import decode, wrong
from assistant.store.connection import Connection
from assistant.store.feedback_transfer import sortable_time
from assistant.store.preferences import Preference, Verdict
from assistant.types import Decoding, Feedback, FinishReason, Message, Strategy


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two answers as it is exported; the fields are those of ``preferences.Candidate``."""

    answer: str
    strategy: Strategy
    adapter: str | None = None
    model: str = ""
    model_sha256: str = ""
    prompt_version: str = ""
    messages: tuple[Message, ...] = ()
    decoding: Decoding = field(default_factory=Decoding)
    probabilities: dict[str, float] | None = None
    finish_reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """One choice as it is exported; the fields are those of ``preferences.Preference``."""

    text: str
    left: _Side
    right: _Side
    choice: Verdict
    created_at: str
    id: int = 0
    turn_id: str | None = None
    task: str = ""
    blind: bool = False
    comment: str | None = None


def export(db: Connection) -> list[dict[str, object]]:
    """Return all choices, oldest first."""
    return [asdict(one) for one in preferences.listed(db, None)]


def is_choice(record: object) -> bool:
    """Return whether a record is a choice rather than feedback on one answer, as far as its names tell."""
    return isinstance(record, Mapping) and {"choice", "left", "right"} <= record.keys()


def import_records(db: Connection, records: Sequence[object]) -> list[Feedback | Preference]:
    """Store exported feedback and exported choices, all or none; what is here already is left out.

    Feedback comes first, whatever the order: it brings the turns that choices are about.

    Raises:
        StoreError: a record is wrong; the message names its line.
    """
    numbered = dict(enumerate(records, start=1))
    choices = {number: one for number, one in numbered.items() if is_choice(one)}
    added: list[Feedback | Preference] = []
    with db.transaction():
        said = {number: one for number, one in numbered.items() if number not in choices}
        added += feedback_transfer.import_records(db, said)
        for number, record in choices.items():
            made = insert_new(db, record, f"line {number}")
            if made is not None:
                added.append(made)
    return added


def insert_new(db: Connection, record: object, path: str) -> Preference | None:
    """Store an exported choice, or return ``None`` where it is here already, whatever it says now.

    It goes with the turn that it is about, where that is here, else with none. Undo does not reach it.

    Raises:
        StoreError: a field is missing or wrong; the message begins with ``path``.
    """
    given = decode(_Choice, record, path)
    if not given.text.strip():
        raise wrong(f"{path}.text", "a request", given.text)
    time = sortable_time(given.created_at, f"{path}.created_at")
    known = db.row(
        "SELECT 1 FROM preferences "
        "WHERE created_at = ? AND text = ? AND left_answer = ? AND right_answer = ?",
        (time, given.text, given.left.answer, given.right.answer),
    )
    if known is not None:
        return None
    turn = db.row("SELECT id FROM turns WHERE id = ?", (given.turn_id,))
    taken = db.row("SELECT 1 FROM preferences WHERE id = ?", (given.id,)) is not None
    columns: dict[str, object] = {}
    for name, side in (("left", given.left), ("right", given.right)):
        columns |= preferences.columns_of(name, _stored(side))
    number = db.insert(
        "preferences",
        {
            "id": None if taken or given.id < 1 else given.id,
            "turn_id": None if turn is None else turn["id"],
            "task": given.task,
            "text": given.text,
            "model": given.left.model,
            **columns,
            "choice": given.choice,
            "blind": int(given.blind),
            "created_at": time,
            "comment": given.comment,
        },
    )
    return preferences.get(db, number)


def _stored(side: _Side) -> preferences.Candidate:
    """Return one of the answers as it is stored."""
    return preferences.Candidate(
        answer=side.answer,
        strategy=side.strategy,
        adapter=side.adapter,
        model=side.model,
        model_sha256=side.model_sha256,
        prompt_version=side.prompt_version,
        messages=side.messages,
        decoding=asdict(side.decoding),
        probabilities=side.probabilities,
        finish_reason=side.finish_reason,
    )
