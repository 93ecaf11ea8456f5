"""Evaluations on record: begun, filled, finished, found again, deleted; files of older versions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import NotFound, StoreError
from assistant.store import migrations
from assistant.store.evaluations import EvaluatedExample
from assistant.store.store import Store

REPORT: dict[str, Any] = {
    "task": "qa",
    "strategy": "few_shot",
    "model": "m",
    "adapter": None,
    "n": 2,
    "scores": {"f1": 75.0},
    "ci95": {"f1": [50.0, 100.0]},
    "signature": {"f1": "f1|…"},
    "timing": {"total_s": 1.5, "examples_per_s": 1.333},
}
SETTING = {"data": "数据.jsonl", "data_sha256": "ab" * 32, "limit": None, "seed": 0, "shots": 4}
FIRST = EvaluatedExample("a", "Who?", ("Ann", "Ann Lee"), "Ann", "en")
SECOND = EvaluatedExample(
    "b", "好吗？", ("好",), "不好\n", "zh", ("好", "不好"), {"好": 0.25, "不好": 0.75}
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


def sql(store: Store, query: str, *values: object) -> list[Any]:
    with sqlite3.connect(store.path) as db:
        return db.execute(query, values).fetchall()


def begin(store: Store, **changes: Any) -> int:
    given = {"task": "qa", "strategy": "few_shot", "model": "m", "setting": SETTING, **changes}
    return store.begin_evaluation(**given)


def test_an_evaluation_and_its_answers_survive(store: Store) -> None:
    number = begin(store)
    store.add_evaluated(number, [SECOND])
    store.add_evaluated(number, [FIRST])
    assert store.evaluated(number) == [SECOND, FIRST]  # in the order they came
    store.finish_evaluation(number, {**REPORT, "pairs": {"en-zh": {"chrf": 1.0}}})
    found = store.evaluation(number)
    assert {name: found[name] for name in REPORT} == REPORT
    assert (found["id"], found["setting"], found["state"]) == (number, SETTING, "done")
    assert found["pairs"] == {"en-zh": {"chrf": 1.0}}
    assert store.evaluations() == [found]
    assert store.evaluations(task="chat") == []


def test_an_unfinished_evaluation_is_found_by_its_setting_and_shown_to_nobody(store: Store) -> None:
    number = begin(store)
    assert begin(store) == number
    assert store.evaluations() == []
    for key in (number, "last"):
        with pytest.raises(NotFound):
            store.evaluation(key)
    store.finish_evaluation(number, REPORT)
    assert begin(store) != number


@pytest.mark.parametrize(
    "change",
    [
        {"task": "chat"},
        {"strategy": "zero_shot"},
        {"model": "other"},
        {"adapter": "qa-v1"},
        {"setting": {**SETTING, "seed": 1}},
    ],
)
def test_another_setting_is_another_evaluation(store: Store, change: dict[str, Any]) -> None:
    number = begin(store)
    other = begin(store, **change)
    assert other != number
    assert begin(store, **change) == other
    assert begin(store) == number


def test_answers_are_stored_all_or_none(store: Store) -> None:
    number = begin(store)
    store.add_evaluated(number, [FIRST])
    with pytest.raises(StoreError):
        store.add_evaluated(number, [SECOND, FIRST])
    assert store.evaluated(number) == [FIRST]
    store.add_evaluated(begin(store, model="other"), [FIRST])  # the same id in another run


def test_last_is_the_newest_that_is_finished(store: Store) -> None:
    first, second, _ = begin(store), begin(store, model="b"), begin(store, model="c")
    store.finish_evaluation(second, REPORT)
    assert store.evaluation("last")["id"] == second
    store.finish_evaluation(first, REPORT)
    assert store.evaluation("last")["id"] == second
    assert [one["id"] for one in store.evaluations()] == [first, second]


def test_deleting_takes_the_answers_along(store: Store) -> None:
    number, other = begin(store), begin(store, model="other")
    for one in (number, other):
        store.add_evaluated(one, [FIRST, SECOND])
        store.finish_evaluation(one, REPORT)
    store.delete_evaluation(number)
    assert store.evaluated(number) == []
    assert sql(store, "SELECT DISTINCT evaluation_id FROM evaluation_examples") == [(other,)]
    for fail in (
        lambda: store.delete_evaluation(number),
        lambda: store.evaluation(number),
        lambda: store.finish_evaluation(number, REPORT),
    ):
        with pytest.raises(NotFound, match=str(number)):
            fail()


def test_what_a_report_needs(store: Store) -> None:
    number = begin(store)
    bare = {name: value for name, value in REPORT.items() if name not in ("scores", "n")}
    with pytest.raises(StoreError, match="lacks n, scores"):
        store.finish_evaluation(number, bare)
    with pytest.raises(StoreError, match="lacks n, scores"):
        store.record_evaluation(bare)
    assert store.evaluations() == []


def test_evaluations_from_before_answers_were_kept_are_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "assistant.db"
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:5])
        with Store(path) as store:
            (version,) = sql(store, "PRAGMA user_version")[0]
            assert version == 5
            names = ", ".join([*REPORT, "created_at"])
            values = [json.dumps(v) if isinstance(v, dict) else v for v in REPORT.values()]
            with sqlite3.connect(path) as db:
                slots = ", ".join("?" * (len(REPORT) + 1))
                db.execute(f"INSERT INTO evaluations ({names}) VALUES ({slots})", [*values, "2026"])
    with Store(path) as store:
        assert store.migration_backup is not None
        (found,) = store.evaluations()
        assert {name: found[name] for name in REPORT} == REPORT
        assert (found["state"], found["setting"], found["pairs"]) == ("done", {}, {})
        assert store.evaluation("last") == found
        assert store.evaluated(found["id"]) == []
        store.add_evaluated(begin(store), [FIRST])
        store.delete_evaluation(found["id"])
        assert store.evaluations() == []


def test_the_stamp_is_another_when_an_evaluation_was_finished_or_deleted(store: Store) -> None:
    def finished() -> int:
        number = begin(store)
        store.finish_evaluation(number, REPORT)
        return number

    seen = [store.evaluations_stamp()]
    first = finished()
    seen.append(store.evaluations_stamp())
    running = begin(store)
    assert store.evaluations_stamp() == seen[-1]
    store.finish_evaluation(running, REPORT)
    seen.append(store.evaluations_stamp())
    store.delete_evaluation(running)
    assert store.evaluations_stamp() == seen[1]
    assert finished() == running  # its number is given anew
    seen.append(store.evaluations_stamp())
    store.delete_evaluation(first)
    seen.append(store.evaluations_stamp())
    assert len(set(seen)) == len(seen)
