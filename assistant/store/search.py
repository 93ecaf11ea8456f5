"""Full-text search over titles and messages.

What the user types is always text, never FTS5 syntax. Words of three characters or more are found
through the trigram index, which serves Chinese too; shorter ones have no trigram and are looked
for with LIKE. All words must occur in the same message, or in the same title.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.store.connection import Connection, storable

_TRIGRAM = 3
_MAX_TERMS = 64  # FTS5 refuses expressions that are too deep; nobody means so many words
_AROUND = 60

_MESSAGES = """
SELECT messages.conversation_id, messages.turn_id, conversations.title, messages.role,
       messages.content AS text, messages.created_at, messages.id AS tie
FROM messages
JOIN turns ON turns.id = messages.turn_id
JOIN conversations ON conversations.id = messages.conversation_id
WHERE NOT turns.hidden
"""
_TITLES = """
SELECT id AS conversation_id, NULL AS turn_id, title, 'title' AS role,
       title AS text, updated_at AS created_at, 0 AS tie
FROM conversations
WHERE 1
"""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One place where the words occur; ``role`` is ``title`` for a title, which has no turn."""

    conversation_id: str
    turn_id: str | None
    title: str
    role: str
    snippet: str
    created_at: str


def search(db: Connection, query: str, limit: int) -> list[SearchHit]:
    """Return where all words of ``query`` occur, newest first."""
    # SQLite ends an FTS expression at a NUL, so one cannot be searched for.
    words = list(dict.fromkeys(storable(query).replace("\0", " ").split()))[:_MAX_TERMS]
    if not words:
        return []
    messages, values = _condition(
        words, "messages.content", "messages.id IN (SELECT rowid FROM messages_fts", "messages_fts"
    )
    titles, more = _condition(
        words,
        "title",
        "id IN (SELECT conversation_id FROM conversations_fts",
        "conversations_fts",
    )
    rows = db.rows(
        f"{_MESSAGES} {messages} UNION ALL {_TITLES} {titles} "
        "ORDER BY created_at DESC, tie DESC LIMIT ?",
        (*values, *more, limit),
    )
    return [
        SearchHit(
            row["conversation_id"],
            row["turn_id"],
            row["title"],
            row["role"],
            snippet(row["text"], words),
            row["created_at"],
        )
        for row in rows
    ]


def snippet(text: str, words: list[str]) -> str:
    """Return one line of ``text`` round the first word that occurs in it."""
    found = re.search("|".join(map(re.escape, words)), text, re.IGNORECASE)
    at = found.start() if found else 0
    start, end = max(0, at - _AROUND), at + 2 * _AROUND
    line = " ".join(text[start:end].split())
    return ("…" if start > 0 else "") + line + ("…" if end < len(text) else "")


def _condition(words: list[str], column: str, lookup: str, index: str) -> tuple[str, list[str]]:
    """Return SQL that holds where all words occur, and its values; ``words`` are only values."""
    sql, values = "", []
    long = [word for word in words if len(word) >= _TRIGRAM]
    if long:
        sql += f" AND {lookup} WHERE {index} MATCH ?)"
        values.append(" ".join('"' + word.replace('"', '""') + '"' for word in long))
    for word in words:
        if len(word) < _TRIGRAM:
            sql += f" AND {column} LIKE ? ESCAPE '\\'"
            values.append("%" + re.sub(r"([\\%_])", r"\\\1", word) + "%")
    return sql, values
