"""Which answers the user wanted: what they rated good or wrote themselves, one a turn.

Asked for at every turn, so what a judgement's snapshot says is read once and remembered; who judged what
is read anew each time, which takes a few milliseconds for thousands of judgements.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from assistant.store.connection import Connection
from assistant.store.feedback import WantedAnswer

# Snapshots hold whole prompts: they are read only where they are needed, and taken apart by SQLite.
_JUDGEMENTS = """
SELECT feedback.id, feedback.turn_id, rating, correction, route FROM feedback
JOIN turns ON turns.id = feedback.turn_id
WHERE rating NOTNULL OR correction NOTNULL OR route NOTNULL ORDER BY feedback.id
"""
_SNAPSHOTS = """
SELECT id, json_extract(snapshot, '$.task') AS task, json_extract(snapshot, '$.user_text') AS text,
       json_extract(snapshot, '$.answer') AS answer, json_extract(snapshot, '$.context') AS context
FROM feedback WHERE id IN (SELECT value FROM json_each(?)) AND json_valid(snapshot)
"""


@dataclass(frozen=True, slots=True)
class _Past:
    """A turn as it was when judged."""

    task: str
    text: str
    answer: str
    context: str | None


class WantedAnswers:
    """The wanted answers of one store. Threads may share it: each reading holds the connection."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._past: dict[int, _Past | None] = {}
        self._version = -1

    def all(self) -> list[WantedAnswer]:
        """Return the answers that the user wanted, oldest first: the last correction of a turn, else
        the answer itself where the last rating is good."""
        with self._db.transaction(write=False):
            self._forget_if_changed()
            rows = self._db.rows(_JUDGEMENTS)
            wanted = _last_words(rows)
            past = self._read(row["id"] for row in wanted.values())
        tasks = {row["turn_id"]: row["route"] for row in rows if row["route"]}
        found = [
            _answer(row, then, tasks.get(turn))
            for turn, row in wanted.items()
            if (then := past[row["id"]]) is not None
        ]
        return sorted((one for one in found if one is not None), key=lambda one: one.feedback_id)

    def forget(self) -> None:
        """Read all snapshots anew: an import may give the number of removed feedback to another."""
        self._past = {}

    def _forget_if_changed(self) -> None:
        """Forget when another process has written: it may have imported feedback as well."""
        row = self._db.row("PRAGMA data_version")
        version = int(row[0]) if row else 0
        if version != self._version:
            self.forget()
        self._version = version

    def _read(self, numbers: Iterable[int]) -> Mapping[int, _Past | None]:
        """Return what each judgement's snapshot says, ``None`` where it is none of ours."""
        wanted, known = list(numbers), self._past
        missing = [number for number in wanted if number not in known]
        if missing:
            rows = self._db.rows(_SNAPSHOTS, (json.dumps(missing),))
            known |= dict.fromkeys(missing) | {row["id"]: _past(row) for row in rows}
        return {number: known[number] for number in wanted}


def _last_words(rows: Iterable[sqlite3.Row]) -> dict[str, sqlite3.Row]:
    """Return for each turn the judgement that says which answer was wanted, if any was.

    A rating after a correction says nothing about what was written.
    """
    found: dict[str, sqlite3.Row] = {}
    for row in rows:
        turn = row["turn_id"]
        if row["correction"]:
            found[turn] = row
        elif row["rating"] and not (turn in found and found[turn]["correction"]):
            if row["rating"] == "good":
                found[turn] = row
            else:
                found.pop(turn, None)
    return found


def _past(row: sqlite3.Row) -> _Past | None:
    """Return a snapshot's turn; one that was imported may hold anything."""
    task, text, answer, context = row["task"], row["text"], row["answer"], row["context"]
    if not (isinstance(task, str) and task and isinstance(text, str)):
        return None
    return _Past(
        task,
        text,
        answer if isinstance(answer, str) else "",
        context if isinstance(context, str) else None,
    )


def _answer(row: sqlite3.Row, past: _Past, task: str | None) -> WantedAnswer | None:
    """Return the wanted answer of a turn whose route was corrected to ``task``, if it was.

    What answers one task well says nothing about another, unless it was written for that one.
    """
    found = WantedAnswer(
        row["id"], past.task, past.text, row["correction"] or past.answer, past.context
    )
    if not found.answer or (not row["correction"] and task not in (None, past.task)):
        return None
    return replace(found, task=task or past.task)
