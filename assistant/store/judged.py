"""Everything that was judged in one list, newest first: feedback on answers, and preferences.

Feedback goes by its number, a preference by ``p`` and its number; ``last`` is the newest of both.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, replace
from typing import Literal, get_args

from assistant.errors import NotFound
from assistant.store import feedback, preferences
from assistant.store.changes import Table
from assistant.store.connection import Connection, storable
from assistant.store.lookup import resolve
from assistant.store.preferences import Preference, Verdict
from assistant.types import Feedback, Rating, Reason

Kind = Literal["good", "bad", "corrected", "route", "preference"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_TEXT = 300
"""Characters of a request that a line needs at most."""

# Texts come from the messages, which are whole and indexed; snapshots hold long prompts as JSON.
_ALL = """
WITH judged AS (
    SELECT 'feedback' AS about, feedback.id AS number, feedback.turn_id, feedback.created_at,
           coalesce(turns.task, '') AS task, rating, correction, route, reason, comment,
           NULL AS choice, question.content AS text, answer.content AS answer, '' AS second
    FROM feedback
    JOIN turns ON turns.id = feedback.turn_id
    LEFT JOIN messages AS question
        ON question.turn_id = feedback.turn_id AND question.role = 'user'
    LEFT JOIN messages AS answer
        ON answer.turn_id = feedback.turn_id AND answer.role = 'assistant'
    UNION ALL
    SELECT 'preferences', id, turn_id, created_at, task, NULL, NULL, NULL, NULL, comment,
           choice, text, left_answer, right_answer
    FROM preferences
)
"""
_KIND_IS: dict[Kind, str] = {
    "good": "rating = 'good'",
    "bad": "rating = 'bad'",
    "corrected": "correction NOTNULL",
    "route": "route NOTNULL",
    "preference": "about = 'preferences'",
}
_WORDS = (
    "folded(coalesce(text, '') || char(10) || coalesce(answer, '') || char(10) || "
    "coalesce(second, '') || char(10) || coalesce(correction, '') || char(10) || "
    "coalesce(comment, ''))"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which judgements are looked for; empty means all.

    Attributes:
        task: the task of the turn, as it was routed or as the user said it should have been.
        search: words that all occur in the request, the answers, the correction or the comment,
            whatever their case.
        turn_id: one turn, by its id or the beginning of it, or ``last``.
    """

    task: str = ""
    kind: Kind | None = None
    search: str = ""
    turn_id: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement, as much of it as a line of a list shows; ``text`` is the beginning of the request."""

    about: Table
    number: int
    turn_id: str | None
    created_at: str
    task: str
    text: str
    rating: Rating | None = None
    reason: Reason | None = None
    corrected: bool = False
    route: str | None = None
    comment: str | None = None
    choice: Verdict | None = None

    @property
    def name(self) -> str:
        """What it is called: ``12``, or ``p3`` for a preference."""
        return f"{'p' if self.about == 'preferences' else ''}{self.number}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many judgements there are, and how many of each kind (one may be of several)."""

    total: int
    kinds: dict[Kind, int]
    tasks: dict[str, int]


def listed(
    db: Connection, wanted: Wanted, limit: int | None, after: Judged | None = None
) -> list[Judged]:
    """Return judgements, newest first: at most ``limit``, those that come after one of a list."""
    where, params = _conditions(db, wanted)
    if after is not None:
        where += " AND (created_at, about, number) < (:at, :about, :number)"
        params |= {"at": after.created_at, "about": after.about, "number": after.number}
    sql = (
        f"{_ALL} SELECT about, number, turn_id, created_at, task, rating, reason, route, comment, "
        f"choice, correction NOTNULL AS corrected, substr(text, 1, {_TEXT}) AS text FROM judged "
        f"WHERE {where} ORDER BY created_at DESC, about DESC, number DESC LIMIT :limit"
    )
    with db.transaction(write=False):
        _make_folding(db)
        rows = db.rows(sql, {**params, "limit": -1 if limit is None else limit})
    return [_judged(row) for row in rows]


def counted(db: Connection, wanted: Wanted) -> Counts:
    """Return how many judgements there are of what is wanted, by kind and by task.

    The kinds are counted within the wanted task and words, the tasks within all there are.
    """
    where, params = _conditions(db, replace(wanted, kind=None))
    sums = ", ".join(f"coalesce(sum({_KIND_IS[kind]}), 0) AS {kind}" for kind in KINDS)
    total = "count(*)"
    if wanted.kind is not None:
        total = f"coalesce(sum({_KIND_IS[wanted.kind]}), 0)"
    with db.transaction(write=False):
        _make_folding(db)
        row = db.row(f"{_ALL} SELECT {total} AS total, {sums} FROM judged WHERE {where}", params)
        tasks = db.rows(
            "SELECT task, count(*) AS n FROM (SELECT turns.task FROM feedback JOIN turns "
            "ON turns.id = feedback.turn_id UNION ALL SELECT task FROM preferences) "
            "WHERE task != '' GROUP BY task ORDER BY n DESC, task"
        )
    assert row is not None
    return Counts(
        row["total"],
        {kind: row[kind] for kind in KINDS},
        {found["task"]: found["n"] for found in tasks},
    )


def named(db: Connection, given: str) -> tuple[Table, int]:
    """Return table and number of what ``given`` calls: ``12``, ``p3`` or ``last``.

    Raises:
        NotFound: it calls nothing that is here.
    """
    if given == "last":
        newest = listed(db, Wanted(), 1)
        if not newest:
            raise NotFound("There is no feedback yet.", "Say something: assistant feedback add …")
        return newest[0].about, newest[0].number
    found = re.fullmatch(r"(p?)([0-9]{1,18})", given.strip().lower())
    if found is None:
        raise NotFound(
            f"There is no feedback {given!r}.",
            "Give its number (p and its number for a preference), or last.",
        )
    return ("preferences" if found[1] else "feedback"), int(found[2])


def get(db: Connection, given: str) -> Feedback | Preference:
    """Return one judgement by what it is called.

    Raises:
        NotFound: there is none of that name.
    """
    table, number = named(db, given)
    return feedback.get(db, number) if table == "feedback" else preferences.get(db, number)


def line_from(item: Feedback | Preference) -> Judged:
    """Return a judgement as a line of the list."""
    if not isinstance(item, Feedback):
        return Judged(
            about="preferences",
            number=item.id,
            turn_id=item.turn_id,
            created_at=item.created_at,
            task=item.task,
            text=item.text[:_TEXT],
            comment=item.comment,
            choice=item.choice,
        )
    task, text = item.snapshot.get("task"), item.snapshot.get("user_text")
    return Judged(
        about="feedback",
        number=item.id,
        turn_id=item.turn_id,
        created_at=item.created_at,
        task=task if isinstance(task, str) else "",
        text=text[:_TEXT] if isinstance(text, str) else "",
        rating=item.rating,
        reason=item.reason,
        corrected=item.correction is not None,
        route=item.route,
        comment=item.comment,
    )


def _conditions(db: Connection, wanted: Wanted) -> tuple[str, dict[str, object]]:
    parts, params = ["1"], dict[str, object]()
    if wanted.task:
        parts.append("(task = :task OR route = :task)")
        params["task"] = wanted.task
    if wanted.kind is not None:
        parts.append(_KIND_IS[wanted.kind])
    if wanted.turn_id:
        parts.append("turn_id = :turn")
        params["turn"] = resolve(db, "turns", wanted.turn_id)
    for place, word in enumerate(storable(wanted.search).casefold().split()):
        parts.append(f"instr({_WORDS}, :word{place}) > 0")
        params[f"word{place}"] = word
    return " AND ".join(parts), params


def _make_folding(db: Connection) -> None:
    """SQLite's own LIKE knows no upper case beyond English."""
    db.raw.create_function("folded", 1, _folded, deterministic=True)


def _folded(text: object) -> str:
    return str(text).casefold()


def _judged(row: sqlite3.Row) -> Judged:
    values = dict(row)
    return Judged(
        **{**values, "corrected": bool(values["corrected"]), "text": values["text"] or ""}
    )
