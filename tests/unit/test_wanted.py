"""Wanted answers are read once and stay true: after edits, deletions, imports, other processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.store import wanted
from assistant.store.connection import Connection
from assistant.store.store import Store
from assistant.types import Route


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


def rated(store: Store, text: str, answer: str) -> int:
    """Store a finished turn that was rated good; return the number of the rating."""
    turn = store.begin_turn(text)
    route = Route("qa", 1.0, {"qa": 1.0}, "forced")
    store.finish_turn(replace(turn, route=route, answer=answer, state="done", finish_reason="stop"))
    return store.add_feedback(turn.id, rating="good").id


def answers(store: Store) -> list[str]:
    return [one.answer for one in store.wanted_answers()]


def test_snapshots_are_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rated(store, "One?", "1")
    read: list[str] = []
    rows = Connection.rows

    def counting(db: Connection, sql: str, params: Any = ()) -> Any:
        read.append(sql)
        return rows(db, sql, params)

    monkeypatch.setattr(Connection, "rows", counting)
    for _ in range(3):
        assert answers(store) == ["1"]
    assert read.count(wanted._SNAPSHOTS) == 1
    rated(store, "Two?", "2")
    assert answers(store) == ["1", "2"]
    assert read.count(wanted._SNAPSHOTS) == 2


def test_what_is_taken_back_changed_or_deleted_counts_at_once(store: Store) -> None:
    first, second = rated(store, "One?", "1"), rated(store, "Two?", "2")
    assert answers(store) == ["1", "2"]
    store.remove_feedback(first)
    assert answers(store) == ["2"]
    turn = store.feedback()[0].turn_id
    store.add_feedback(turn, correction="two")
    assert answers(store) == ["two"]
    store.add_feedback(turn, rating="bad")  # of the answer; the correction stays what was wanted
    assert answers(store) == ["two"]
    store.delete(store.turn(turn).conversation_id)
    assert answers(store) == []
    assert second not in [one.id for one in store.feedback()]


def test_a_number_that_an_import_gives_anew_is_read_anew(store: Store) -> None:
    number = rated(store, "One?", "1")
    assert answers(store) == ["1"]
    (record,) = store.export_feedback()
    store.remove_feedback(number)
    snapshot = {**record["snapshot"], "answer": "another"}  # type: ignore[dict-item]
    (added,) = store.import_feedback([{**record, "snapshot": snapshot}])
    assert added.id == number
    assert answers(store) == ["another"]


def test_what_another_process_wrote_counts_too(store: Store) -> None:
    number = rated(store, "One?", "1")
    assert answers(store) == ["1"]
    with Store(store.path) as other:
        (record,) = other.export_feedback()
        other.remove_feedback(number)
        snapshot = {**record["snapshot"], "answer": "another"}  # type: ignore[dict-item]
        other.import_feedback([{**record, "snapshot": snapshot}])
        rated(other, "Two?", "2")
    assert answers(store) == ["another", "2"]


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"task": "qa"},
        {"task": "qa", "user_text": 3, "answer": "x"},
        {"task": 1, "user_text": "Who?", "answer": "x"},
        {"task": "qa", "user_text": "Who?", "answer": None},
    ],
)
def test_an_imported_snapshot_of_anything_is_passed_over(
    store: Store, snapshot: dict[str, object]
) -> None:
    rated(store, "One?", "1")
    (record,) = store.export_feedback()
    created = "2020-01-01T00:00:00+00:00"
    store.import_feedback([{**record, "id": 99, "created_at": created, "snapshot": snapshot}])
    other = rated(store, "Two?", "2")
    assert "2" in answers(store)
    assert store.wanted_answers()[-1].feedback_id == other
