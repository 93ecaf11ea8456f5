"""The store when things go wrong: killed processes, two writers, damaged and unwritable files."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from assistant.errors import StoreError
from assistant.store.store import Store

_ROOT = Path(__file__).resolve().parents[2]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python process that can import the program."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


_TALKING = """
    import sys, time
    from pathlib import Path
    from assistant.store.store import Store
    store = Store(Path(sys.argv[1]))
    turn = store.begin_turn("What is it?")
    store.save_partial(turn.id, "It is")
    store.save_partial(turn.id, "It is a half")
    print(turn.id, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_killed_in_the_middle_of_an_answer(tmp_path: Path, reaped: bool) -> None:
    path = tmp_path / "assistant.db"
    process = start(_TALKING, path)
    assert process.stdout is not None
    turn_id = process.stdout.readline().strip()
    with Store(path) as store:
        assert store.turn(turn_id).state == "running", "its process is alive"
    process.send_signal(signal.SIGKILL)
    if reaped:
        process.wait()
    else:
        time.sleep(0.3)
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT role, content FROM messages ORDER BY id").fetchall()
    assert rows == [("user", "What is it?"), ("assistant", "It is a half")]
    with Store(path) as store:
        assert [turn.id for turn in store.recovered] == [turn_id]
        turn = store.turn("last")
        assert (turn.state, turn.finish_reason) == ("interrupted", "interrupted")
        assert turn.answer == "It is a half"
        assert store.begin_turn("Go on", conversation_id=turn.conversation_id).position == 1
    process.communicate()


_WRITING = """
    import sys
    from dataclasses import replace
    from pathlib import Path
    from assistant.store.store import Store
    print("ready", flush=True)
    store = Store(Path(sys.argv[1]))
    for number in range(int(sys.argv[2])):
        turn = store.begin_turn(f"question {number} 问题")
        for piece in range(4):
            store.save_partial(turn.id, "answer " * piece * 20)
        store.finish_turn(replace(turn, answer="answer " * 80, state="done"))
        store.add_feedback(turn.id, rating="good")
"""


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    """They also all create and migrate the file at once."""
    path = tmp_path / "assistant.db"
    processes = [start(_WRITING, path, 25) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with Store(path) as store:
        stats = store.stats()
        assert (stats["turns"], stats["messages"], stats["feedback"]) == (100, 200, 100)
    assert list(tmp_path.glob("*before*")) == []


def test_killed_at_any_moment_leaves_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "assistant.db"
    chance = random.Random(1)
    for _ in range(5):
        process = start(_WRITING, path, 10_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 + chance.random() * 0.4)
        process.kill()
        process.communicate()
        with Store(path) as store:
            assert all(turn.state == "interrupted" for turn in store.recovered)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        db.execute("INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")
        without = "SELECT count(*) FROM turns WHERE id NOT IN (SELECT turn_id FROM messages)"
        assert db.execute(without).fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM turns").fetchone()[0] > 0


@pytest.mark.parametrize("content", [b"this is no database at all" * 400, b"SQLite format 3\0bad"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "assistant.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged or not a database") as caught:
        Store(path)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content, "the damaged file is left as it was"


def test_damaged_pages(tmp_path: Path) -> None:
    path = tmp_path / "assistant.db"
    with Store(path) as store:
        for number in range(50):
            store.begin_turn(f"question {number} " + "x" * 2000)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)

    def read_everything() -> None:
        with Store(path) as store:
            store.conversations()
            store.search("question")
            store.turn("last")

    with pytest.raises(StoreError, match="damaged"):
        read_everything()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "a.db", tmp_path):
        with pytest.raises(StoreError, match="cannot be opened for writing") as caught:
            Store(path)
        assert "ASSISTANT_HOME" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "assistant.db"
    Store(path).close()
    path.chmod(0o400)
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        Store(path)


def test_a_lock_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.store.connection.BUSY_SECONDS", 0.1)
    path = tmp_path / "assistant.db"
    with Store(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            store.begin_turn("x")
        other.execute("ROLLBACK")
        assert store.begin_turn("x").position == 0
        other.close()
