"""The schema, as numbered steps that are each one transaction.

A step that was released is never edited; a change is a new step at the end. ``PRAGMA
user_version`` counts the steps done, so that opening an up-to-date file costs one number to read
(sqlite-utils is imported only when there is a step to do).
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import StoreError
from assistant.store.connection import Connection, readable_errors

if TYPE_CHECKING:
    from sqlite_utils.migrations import Migrations

_SET = "assistant"

_CONVERSATIONS = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    system TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX conversations_updated_at ON conversations (updated_at);
CREATE TABLE turns (
    id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('running', 'done', 'cancelled', 'interrupted', 'failed')),
    hidden INTEGER NOT NULL DEFAULT 0,
    replaces TEXT REFERENCES turns (id) ON DELETE SET NULL,
    task TEXT,
    confidence REAL,
    route_source TEXT,
    route_scores TEXT,
    strategy TEXT,
    adapter TEXT,
    strategy_reason TEXT,
    model TEXT NOT NULL DEFAULT '',
    model_sha256 TEXT NOT NULL DEFAULT '',
    prompt_version TEXT NOT NULL DEFAULT '',
    decoding TEXT NOT NULL DEFAULT '{}',
    sent TEXT NOT NULL DEFAULT '[]',
    probabilities TEXT,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    cached_prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    route_s REAL,
    first_token_s REAL,
    total_s REAL,
    tokens_per_s REAL,
    finish_reason TEXT,
    error TEXT,
    left_out_turns INTEGER NOT NULL DEFAULT 0,
    context_limit INTEGER NOT NULL DEFAULT 0,
    owner_pid INTEGER,
    owner_started REAL,
    created_at TEXT NOT NULL,
    UNIQUE (conversation_id, position)
);
CREATE INDEX turns_replaces ON turns (replaces);
CREATE INDEX turns_newest ON turns (hidden, id DESC);
CREATE INDEX turns_running ON turns (id) WHERE state = 'running';
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    content TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (turn_id, role)
);
CREATE INDEX messages_conversation_id ON messages (conversation_id);
"""

_FEEDBACK = """
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    rating TEXT CHECK (rating IN ('good', 'bad')),
    correction TEXT,
    route TEXT,
    comment TEXT,
    source TEXT NOT NULL DEFAULT 'cli',
    snapshot TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL
);
CREATE INDEX feedback_turn_id ON feedback (turn_id);
CREATE TABLE route_corrections (
    id INTEGER PRIMARY KEY,
    feedback_id INTEGER NOT NULL REFERENCES feedback (id) ON DELETE CASCADE,
    turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    context TEXT,
    from_task TEXT,
    to_task TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX route_corrections_feedback_id ON route_corrections (feedback_id);
CREATE INDEX route_corrections_turn_id ON route_corrections (turn_id);
"""

# Trigrams find any three characters in a row, so they serve Chinese, which has no spaces, as well
# as parts of words. Titles keep their own copy in the index: a conversation has a text key, and
# the rowid behind it may change when the file is vacuumed.
_SEARCH = """
CREATE VIRTUAL TABLE messages_fts
    USING fts5 (content, content = 'messages', content_rowid = 'id', tokenize = 'trigram');
CREATE TRIGGER messages_after_insert AFTER INSERT ON messages BEGIN
    INSERT INTO messages_fts (rowid, content) VALUES (new.id, new.content);
END;
CREATE TRIGGER messages_after_delete AFTER DELETE ON messages BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, content)
        VALUES ('delete', old.id, old.content);
END;
CREATE TRIGGER messages_after_update AFTER UPDATE OF content ON messages
    WHEN old.content IS NOT new.content
BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, content)
        VALUES ('delete', old.id, old.content);
    INSERT INTO messages_fts (rowid, content) VALUES (new.id, new.content);
END;
CREATE VIRTUAL TABLE conversations_fts
    USING fts5 (conversation_id UNINDEXED, title, tokenize = 'trigram');
CREATE TRIGGER conversations_after_insert AFTER INSERT ON conversations BEGIN
    INSERT INTO conversations_fts (conversation_id, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER conversations_after_delete AFTER DELETE ON conversations BEGIN
    DELETE FROM conversations_fts WHERE conversation_id = old.id;
END;
CREATE TRIGGER conversations_after_update AFTER UPDATE OF title ON conversations
    WHEN old.title IS NOT new.title
BEGIN
    DELETE FROM conversations_fts WHERE conversation_id = old.id;
    INSERT INTO conversations_fts (conversation_id, title) VALUES (new.id, new.title);
END;
INSERT INTO messages_fts (messages_fts) VALUES ('rebuild');
INSERT INTO conversations_fts (conversation_id, title) SELECT id, title FROM conversations;
"""

_VIEWS = """
CREATE VIEW transcript AS
    SELECT conversations.title, turns.position, messages.role, messages.content,
           messages.created_at, turns.state, turns.hidden, messages.turn_id,
           messages.conversation_id
    FROM messages
    JOIN turns ON turns.id = messages.turn_id
    JOIN conversations ON conversations.id = messages.conversation_id
    ORDER BY messages.conversation_id, turns.position, messages.id;
CREATE VIEW turn_overview AS
    SELECT turns.created_at, conversations.title, question.content AS question,
           answer.content AS answer, turns.task, turns.confidence, turns.strategy, turns.adapter,
           turns.model, turns.state, turns.prompt_tokens, turns.completion_tokens, turns.total_s,
           turns.hidden, turns.id AS turn_id, turns.conversation_id
    FROM turns
    JOIN conversations ON conversations.id = turns.conversation_id
    LEFT JOIN messages AS question ON question.turn_id = turns.id AND question.role = 'user'
    LEFT JOIN messages AS answer ON answer.turn_id = turns.id AND answer.role = 'assistant'
    ORDER BY turns.id DESC;
CREATE VIEW feedback_overview AS
    SELECT feedback.created_at, feedback.rating, feedback.correction, feedback.route,
           feedback.comment, turn_overview.question, turn_overview.answer, turn_overview.task,
           turn_overview.model, turn_overview.adapter, feedback.turn_id, feedback.id
    FROM feedback
    JOIN turn_overview ON turn_overview.turn_id = feedback.turn_id
    ORDER BY feedback.id DESC;
"""

_RUNS = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    method TEXT NOT NULL,
    technique TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    path TEXT,
    details TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    run_id TEXT REFERENCES runs (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    strategy TEXT NOT NULL,
    model TEXT NOT NULL,
    adapter TEXT,
    n INTEGER NOT NULL,
    scores TEXT NOT NULL,
    ci95 TEXT NOT NULL DEFAULT '{}',
    signature TEXT NOT NULL DEFAULT '{}',
    timing TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL
);
CREATE INDEX evaluations_run_id ON evaluations (run_id);
"""

_EVALUATIONS = """
ALTER TABLE turns ADD COLUMN shots TEXT;
ALTER TABLE turns ADD COLUMN route_unsure TEXT;
ALTER TABLE turns ADD COLUMN route_learned REAL;
ALTER TABLE evaluations ADD COLUMN state TEXT NOT NULL DEFAULT 'done';
ALTER TABLE evaluations ADD COLUMN setting TEXT NOT NULL DEFAULT '{}';
ALTER TABLE evaluations ADD COLUMN pairs TEXT NOT NULL DEFAULT '{}';
CREATE TABLE evaluation_examples (
    id INTEGER PRIMARY KEY,
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
    example_id TEXT NOT NULL,
    lang TEXT NOT NULL DEFAULT '',
    input TEXT NOT NULL,
    reference_texts TEXT NOT NULL,
    labels TEXT NOT NULL DEFAULT '[]',
    prediction TEXT NOT NULL,
    probabilities TEXT,
    UNIQUE (evaluation_id, example_id)
);
"""

# One row a choice between two answers; ``details`` holds what of an answer has no column (the messages
# it was given, checksums, decoding). See ``preferences``.
_PREFERENCES = """
CREATE TABLE preferences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id TEXT REFERENCES turns (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    text TEXT NOT NULL,
    model TEXT NOT NULL,
    left_answer TEXT NOT NULL,
    left_strategy TEXT NOT NULL,
    left_adapter TEXT,
    left_details TEXT NOT NULL DEFAULT '{}',
    right_answer TEXT NOT NULL,
    right_strategy TEXT NOT NULL,
    right_adapter TEXT,
    right_details TEXT NOT NULL DEFAULT '{}',
    choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'both_good', 'both_bad')),
    blind INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE INDEX preferences_turn_id ON preferences (turn_id);
"""

# ``feedback_changes`` is what undo reads, see ``changes``. What was said before this step can be taken
# back too, so it is noted as if it had been added with it.
_REASONS = """
ALTER TABLE feedback ADD COLUMN reason TEXT;
ALTER TABLE preferences ADD COLUMN comment TEXT;
CREATE INDEX feedback_created_at ON feedback (created_at);
CREATE INDEX preferences_created_at ON preferences (created_at);
CREATE TABLE feedback_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL CHECK (what IN ('added', 'edited', 'removed')),
    about TEXT NOT NULL CHECK (about IN ('feedback', 'preferences')),
    row_id INTEGER NOT NULL,
    turn_id TEXT REFERENCES turns (id) ON DELETE CASCADE,
    before TEXT,
    created_at TEXT NOT NULL
);
CREATE INDEX feedback_changes_row ON feedback_changes (about, row_id);
CREATE INDEX feedback_changes_kept ON feedback_changes (id) WHERE before NOTNULL;
CREATE INDEX feedback_changes_turn_id ON feedback_changes (turn_id);
INSERT INTO feedback_changes (what, about, row_id, turn_id, created_at)
    SELECT 'added', about, id, turn_id, created_at FROM (
        SELECT 'feedback' AS about, id, turn_id, created_at FROM feedback WHERE source != 'import'
        UNION ALL
        SELECT 'preferences', id, turn_id, created_at FROM preferences
    ) ORDER BY created_at, id;
DROP VIEW feedback_overview;
CREATE VIEW feedback_overview AS
    SELECT feedback.created_at, feedback.rating, feedback.reason, feedback.correction,
           feedback.route, feedback.comment, turn_overview.question, turn_overview.answer,
           turn_overview.task, turn_overview.model, turn_overview.adapter, feedback.turn_id,
           feedback.id
    FROM feedback
    JOIN turn_overview ON turn_overview.turn_id = feedback.turn_id
    ORDER BY feedback.id DESC;
"""

STEPS: tuple[tuple[str, str], ...] = (
    ("0001_conversations", _CONVERSATIONS),
    ("0002_feedback", _FEEDBACK),
    ("0003_search", _SEARCH),
    ("0004_views", _VIEWS),
    ("0005_runs", _RUNS),
    ("0006_evaluations", _EVALUATIONS),
    ("0007_preferences", _PREFERENCES),
    ("0008_reasons", _REASONS),
)


def migrate(db: Connection) -> Path | None:
    """Bring the file to this version; return the backup made first, if there was data to lose.

    Raises StoreError for a file from a newer version, or for a database of another program.
    """
    version = _version(db)
    if version == len(STEPS):
        return None
    if version > len(STEPS):
        raise StoreError(
            f"The database {db.path} was written by a newer version of this program "
            f"(schema {version}, this one knows {len(STEPS)}).",
            "Update the program, or set ASSISTANT_HOME to use another database.",
        )
    if version == 0:
        _refuse_foreign(db)
    backup = _backup_beside(db, version) if version else None
    for number, (name, _) in enumerate(STEPS, start=1):
        _apply_step(db, number, name)
    return backup


def vacuum_into(db: Connection, target: Path) -> None:
    """Write a compact copy of the whole database to ``target``, which must not exist yet."""
    try:
        # Ours from the first moment on: nobody else can read it, and nothing is overwritten.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{target} exists already.", "Choose another name.") from error
    except OSError as error:
        raise StoreError(
            f"The backup {target} cannot be written ({error.strerror}).",
            "Choose another folder.",
        ) from error
    try:
        db.run("VACUUM INTO ?", (str(target),))
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise


def _version(db: Connection) -> int:
    row = db.row("PRAGMA user_version")
    return int(row[0]) if row else 0


def _refuse_foreign(db: Connection) -> None:
    """A file with tables but no version of ours belongs to another program: leave it alone."""
    # Another process may be at the first step right now, hence the lock and the second look.
    with db.transaction():
        if _version(db) == 0 and db.row("SELECT 1 FROM sqlite_schema LIMIT 1") is not None:
            raise StoreError(
                f"{db.path} is a database of another program.",
                "Set ASSISTANT_HOME to another folder.",
            )


def _backup_beside(db: Connection, version: int) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = db.path.with_name(f"{db.path.stem}-before-schema-{version + 1}-{stamp}.db")
    vacuum_into(db, target)
    return target


def _apply_step(db: Connection, number: int, name: str) -> None:
    """Do one step in one transaction, unless it is done (perhaps just now by another process)."""
    from sqlite_utils import Database

    with db.transaction():
        if _version(db) >= number:
            return
        with readable_errors(db.path):
            later = [step for step, _ in STEPS[number:]]
            _migrations().apply(Database(db.raw, execute_plugins=False), stop_before=later)
        db.run(f"PRAGMA user_version = {number}")


def _migrations() -> Migrations:
    from sqlite_utils.db import Database
    from sqlite_utils.migrations import Migrations

    steps = Migrations(_SET)

    def register(name: str, sql: str) -> None:
        @steps(name=name)
        def step(db: Database) -> None:
            db.executescript(sql)

    for name, sql in STEPS:
        register(name, sql)
    return steps
