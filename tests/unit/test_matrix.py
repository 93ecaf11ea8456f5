"""The matrix: data sets of a folder, ways of answering, rows kept and not measured twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant import config
from assistant.answering import Planner
from assistant.cli.eval_matrix import parse_way, print_table
from assistant.errors import UsageError
from assistant.evaluation.matrix import WAYS, Way, merged, read_folder, run_matrix
from assistant.measured import read_measurements, write_measurements
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.testing import FakeEngine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as opened:
        yield opened


def write(file: Path, task: str, count: int = 5, lang: str = "en") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"{task}-{i}",
            "task": task,
            "input": f"Question {i}?",
            "target": f"{i}",
            "lang": lang,
        }
        for i in range(count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def planner() -> Planner:
    return Planner(Prompts.load(shipped("prompts")), config.load(), Chooser())


def test_development_parts_are_read_and_other_tasks_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "qa" / "facts.dev.jsonl", "qa")
    write(tmp_path / "qa" / "facts.train.jsonl", "qa")
    write(tmp_path / "sum" / "news_zh.dev.jsonl", "summarization", lang="zh")
    write(tmp_path / "routing" / "routing.dev.jsonl", "routing")
    found = read_folder(tmp_path)
    assert [(one.name, one.task, one.lang) for one in found] == [
        ("facts", "qa", "en"),
        ("news_zh", "summarization", "zh"),
    ]
    assert [one.name for one in read_folder(tmp_path, ["qa"])] == ["facts"]
    with pytest.raises(UsageError, match="no examples"):
        read_folder(tmp_path, ["translation"])
    with pytest.raises(UsageError, match="no folder"):
        read_folder(tmp_path / "nothing")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "facts.jsonl", "qa")
    (tmp_path / "bad.jsonl").write_text("{not json\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.jsonl, line 1"):
        read_folder(tmp_path)


def test_every_way_is_measured_on_the_same_examples_once(tmp_path: Path, store: Store) -> None:
    write(tmp_path / "facts.jsonl", "qa", 8)
    sets = read_folder(tmp_path)
    engine = FakeEngine()
    rows = run_matrix(sets, WAYS, planner(), engine, store, limit=4)
    assert [(row.strategy, row.shots, row.nearest, row.n) for row in rows] == [
        ("zero_shot", 0, False, 4),
        ("few_shot", 4, False, 4),
        ("few_shot", 4, True, 4),
    ]
    assert {(row.data, row.lang, row.metric) for row in rows} == {("facts", "en/no_passage", "f1")}
    asked = len(engine.calls)
    assert asked == 12
    again = run_matrix(sets, WAYS, planner(), engine, store, limit=4)
    assert len(engine.calls) == asked
    assert [row.value for row in again] == [row.value for row in rows]
    more = run_matrix(sets, WAYS[:1], planner(), engine, store, limit=6)
    assert (len(engine.calls), more[0].n) == (asked + 6, 6)


def test_rows_are_kept_and_new_ones_replace_old(tmp_path: Path, store: Store) -> None:
    write(tmp_path / "facts.jsonl", "qa", 8)
    rows = run_matrix(read_folder(tmp_path), WAYS, planner(), FakeEngine(), store, limit=4)
    file = tmp_path / "measured.json"
    write_measurements(file, merged([], rows))
    better = [rows[0].__class__(**{**_fields(rows[0]), "value": 99.0})]
    kept = merged(read_measurements(file), better)
    assert len(kept) == 3
    assert {row.value for row in kept if row.strategy == "zero_shot"} == {99.0}


def _fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("zero_shot", Way("zero_shot")),
        ("few_shot:4", Way("few_shot", 4)),
        ("few_shot:8:nearest", Way("few_shot", 8, nearest=True)),
        ("adapter:qa-1", Way("adapter", adapter="qa-1")),
    ],
)
def test_ways_in_words(text: str, way: Way) -> None:
    assert parse_way(text) == way


@pytest.mark.parametrize("text", ["", "few_shot", "few_shot:x", "few_shot:4:far", "zero_shot:1"])
def test_what_is_no_way(text: str) -> None:
    with pytest.raises(UsageError, match="no way of answering"):
        parse_way(text)


def test_the_table_marks_the_best(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "facts.jsonl", "qa", 4)
    rows = run_matrix(read_folder(tmp_path), WAYS[:2], planner(), FakeEngine(), store, limit=4)
    print_table(rows)
    out = capsys.readouterr().out.splitlines()
    assert "zero-shot" in out[0]
    assert "few-shot (4 fixed)" in out[0]
    assert out[1].startswith("facts f1 n=4")
    assert "*" in out[1]


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    write(tmp_path / "facts.jsonl", "qa")
    (tmp_path / "more.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"more\.jsonl cannot be read"):
        read_folder(tmp_path)


def test_a_line_of_brackets_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    with pytest.raises(UsageError, match=r"deep\.jsonl, line 1 is not JSON"):
        read_folder(tmp_path)
