"""All that the database holds of one conversation: found, to be shown, exported or erased.

What was said of a conversation goes with its turns. Its words are in other places too: in answered examples
of evaluations, in prompts of other conversations that showed one of its answers as an example, and in what
else the user did with the same text.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.errors import NotFound
from assistant.store import conversations
from assistant.store.connection import Connection
from assistant.store.ids import MIN_PREFIX, is_id, new_id, readings
from assistant.store.lookup import resolve
from assistant.store.rows import to_json
from assistant.types import Conversation

LEAST_TELLING = 20
"""Characters from which on the same text elsewhere is no accident: many say "hello"."""

_JUDGEMENT = re.compile(r"[fp]\d+")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traces:
    """What the database holds of a conversation. Rows are as in the tables, JSON taken apart.

    Attributes:
        conversation: ``None`` for one that was deleted before.
        requests: what the user asked in it.
        words: those, the answers, and what the user wrote about them.
        changes: what undo keeps of feedback and choices.
        evaluated: answered examples of evaluations that are of it.
        quoting: turns of other conversations whose prompt shows answers of this one as examples, and
            which of its examples these are, counted from 0.
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
    quoting: Mapping[str, tuple[int, ...]]
    elsewhere: tuple[str, ...]
    comparisons: tuple[int, ...]
    running: bool

    @property
    def feedback_ids(self) -> frozenset[int]:
        """The numbers of the feedback on it, of what was removed too as far as undo knows it."""
        return _numbers(self.feedback, self.changes, "feedback")

    @property
    def telling(self) -> frozenset[str]:
        """The longer ones of its words."""
        return _telling(self.words)

    @property
    def judged(self) -> bool:
        """Whether anything was said of it that could be trained on."""
        return bool(self.feedback or self.preferences)

    def owns(self, row_id: object, text: object) -> bool:
        """Whether a row of training data or of an evaluation is of it.

        It has to ask the same. A short text may be somebody else's, so that there the row's id decides:
        those made from feedback name the judgements (``example_types.Asked.id``).
        """
        if not isinstance(text, str) or text not in self.requests:
            return False
        choices = _numbers(self.preferences, self.changes, "preferences")
        own = {f"f{number}" for number in self.feedback_ids} | {f"p{number}" for number in choices}
        return len(text) >= LEAST_TELLING or not own.isdisjoint(_JUDGEMENT.findall(str(row_id)))

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
            "prompts elsewhere that show an answer": len(self.quoting),
        }


def whole_id(db: Connection, given: str, deleted: Collection[str]) -> str:
    """Return the id that ``given`` stands for, also one of ``deleted``, or any id that is whole.

    Raises:
        NotFound: there is none, or several begin so.
    """
    if given == "last":
        return resolve(db, "conversations", given)
    names = {str(row["id"]) for row in db.rows("SELECT id FROM conversations")} | set(deleted)
    if given in names:
        return given
    for reading in readings(given):
        found = sorted(name for name in names if name.startswith(reading))
        if len(reading) >= MIN_PREFIX and len(found) == 1:
            return found[0]
        if len(reading) >= MIN_PREFIX and found:
            raise NotFound(
                f"{given!r} is the beginning of several conversations: {', '.join(found[:5])}",
                "Give more characters of the one you mean.",
            )
    if is_id(given) and len(given) == len(new_id()):
        return given  # deleted, and nothing names it any more
    return resolve(db, "conversations", given)  # says why there is none


def traces(db: Connection, conversation_id: str) -> Traces:
    """Return what there is of a conversation; needs the whole id, which may be that of a deleted one."""
    with db.transaction(write=False):
        here = db.row("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,))
        conversation = conversations.get(db, conversation_id) if here else None
        turns = db.rows("SELECT id, state FROM turns WHERE conversation_id = ?", (conversation_id,))
        turn_ids = [str(row["id"]) for row in turns]
        messages = _rows(
            db, "SELECT role, content FROM messages WHERE conversation_id = ?", (conversation_id,)
        )
        feedback = _of_turns(db, "feedback", turn_ids, "snapshot")
        changes = _of_turns(db, "feedback_changes", turn_ids, "before")
        preferences = _of_turns(db, "preferences", turn_ids, "left_details", "right_details")
        requests = _requests(messages, feedback, preferences)
        words = requests | _said(messages, feedback, preferences)
        telling = _telling(words)
        found = Traces(
            conversation_id,
            conversation,
            tuple(turn_ids),
            frozenset(requests),
            frozenset(words),
            len(messages),
            tuple(feedback),
            tuple(changes),
            tuple(_of_turns(db, "route_corrections", turn_ids)),
            tuple(preferences),
            (),
            {},
            tuple(_elsewhere(db, conversation_id, telling)),
            tuple(_comparisons(db, telling)),
            any(row["state"] == "running" for row in turns),
        )
        return _with_traces_elsewhere(db, found)


def copies_beside(db: Connection, conversation_id: str) -> list[Path]:
    """Return the copies of the database that hold the conversation, made before its form was changed."""
    found = sorted(db.path.parent.glob(f"{db.path.stem}-before-schema-*.db"))
    return [path for path in found if _holds(path, conversation_id)]


def _holds(path: Path, conversation_id: str) -> bool:
    """Whether a conversation is in a copy; one that cannot be read may hold anything."""
    sql = "SELECT 1 FROM conversations WHERE id = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            return copy.execute(sql, (conversation_id,)).fetchone() is not None
    except sqlite3.Error:
        return True


# -- other places ----------------------------------------------------------------------------------


def _with_traces_elsewhere(db: Connection, found: Traces) -> Traces:
    rows = _rows(
        db,
        "SELECT * FROM evaluation_examples WHERE input IN (SELECT value FROM json_each(?)) "
        "ORDER BY id",
        (to_json(sorted(found.requests)),),
        "reference_texts",
        "labels",
        "probabilities",
    )
    evaluated = tuple(row for row in rows if found.owns(row["example_id"], row["input"]))
    return replace(found, evaluated=evaluated, quoting=_quoting(db, found))


def _quoting(db: Connection, found: Traces) -> dict[str, tuple[int, ...]]:
    """Return which examples in the prompts of other conversations are of this one.

    Their numbers say it. Of feedback that is gone for good nobody knows the number: there the words tell,
    and where the conversation is gone too, it is taken for this one's.
    """
    alive = db.rows(
        "SELECT id FROM feedback UNION SELECT row_id FROM feedback_changes WHERE about = 'feedback'"
    )
    others = {int(row["id"]) for row in alive} - found.feedback_ids
    rows = db.rows(
        "SELECT id, shots, sent FROM turns WHERE conversation_id != ? AND json_valid(shots) "
        "AND json_array_length(shots, '$.personal') > 0 ORDER BY id",
        (found.conversation_id,),
    )
    quoting = {}
    for row in rows:
        shots, sent = json.loads(row["shots"]), json.loads(row["sent"])
        start = int(shots.get("personal_at", 0))
        places = []
        for place, number in enumerate(shots["personal"]):
            at = start + 2 * place
            lost = number not in others and (
                found.conversation is None or _tells(sent[at : at + 2], found.telling)
            )
            if lost or number in found.feedback_ids:
                places.append(place)
        if places:
            quoting[str(row["id"])] = tuple(places)
    return quoting


def _tells(messages: Sequence[Row], telling: Iterable[str]) -> bool:
    said = [str(one["content"]) for one in messages]
    return any(word in text for text in said for word in telling)


def without_quotes(
    shots: str, sent: str, places: Collection[int]
) -> tuple[dict[str, Any], list[Row]]:
    """Return the columns ``shots`` and ``sent`` of a turn without some of the user's own examples.

    Each was a message of the user and the answer; the first begins at ``personal_at`` (``Choice``).
    """
    told: dict[str, Any] = json.loads(shots)
    shown, at = list(told["personal"]), int(told.get("personal_at", 0))
    gone = {at + 2 * place + side for place in places for side in (0, 1)}
    kept = [message for place, message in enumerate(json.loads(sent)) if place not in gone]
    told["personal"] = [number for place, number in enumerate(shown) if place not in places]
    told["count"] = max(0, int(told.get("count", 0)) - len(places))
    return told, kept


def _elsewhere(db: Connection, conversation_id: str, telling: Iterable[str]) -> list[str]:
    rows = db.rows(
        "SELECT DISTINCT conversation_id AS id FROM messages WHERE conversation_id != ? "
        "AND content IN (SELECT value FROM json_each(?)) ORDER BY id",
        (conversation_id, to_json(sorted(telling))),
    )
    return [str(row["id"]) for row in rows]


def _comparisons(db: Connection, telling: Iterable[str]) -> list[int]:
    rows = db.rows(
        "SELECT id FROM preferences WHERE turn_id IS NULL "
        "AND text IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(sorted(telling)),),
    )
    return [int(row["id"]) for row in rows]


# -- words -----------------------------------------------------------------------------------------


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
    sides = [
        one[name] for one in preferences for name in ("left_answer", "right_answer", "comment")
    ]
    return _texts([*answers, *judged, *written, *sides])


def _texts(values: Iterable[object]) -> set[str]:
    return {text for text in values if isinstance(text, str) and text.strip()}


def _telling(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if len(word) >= LEAST_TELLING)


def _of(snapshot: object, name: str) -> object:
    return snapshot.get(name) if isinstance(snapshot, Mapping) else None


def _numbers(rows: Iterable[Row], changes: Iterable[Row], table: str) -> frozenset[int]:
    gone = {int(one["row_id"]) for one in changes if one["about"] == table}
    return frozenset({int(one["id"]) for one in rows} | gone)


# -- rows ------------------------------------------------------------------------------------------


def _of_turns(db: Connection, table: str, turn_ids: Sequence[str], *parsed: str) -> list[Row]:
    return _rows(
        db,
        f"SELECT * FROM {table} WHERE turn_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (to_json(turn_ids),),
        *parsed,
    )


def _rows(db: Connection, sql: str, params: Sequence[object], *parsed: str) -> list[Row]:
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
