"""The dashboard's values: rows, the chosen way with its reason, trends, single answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.adapters.card import Card
from assistant.adapters.run_record import RunRecord, Score
from assistant.adapters.shelf import OnShelf
from assistant.evaluation.dashboard import (
    AS_CHOSEN,
    NOT_IN_USE,
    Dashboard,
    Row,
    read_dashboard,
    read_details,
)
from assistant.measured import Measurement, write_measurements
from assistant.store.store import EvaluatedExample, Store
from assistant.tasks import headline

NOWHERE = Path("there-is-none.json")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as made:
        yield made


def measure(
    store: Store,
    strategy: str,
    value: float | None,
    *,
    task: str = "qa",
    model: str = "small",
    adapter: str | None = None,
    answers: tuple[EvaluatedExample, ...] = (),
    **setting: Any,
) -> int:
    """Store a finished evaluation and return its number."""
    known = {
        "data": "/somewhere/questions.jsonl",
        "data_sha256": "a" * 64,
        "limit": None,
        "seed": 0,
        "lang": "en",
        "shots": 0 if strategy == "zero_shot" else 4,
        "nearest": False,
        "version": "1.0",
    }
    number = store.begin_evaluation(
        task=task, strategy=strategy, model=model, adapter=adapter, setting={**known, **setting}
    )
    store.add_evaluated(number, answers)
    metric = headline(task)
    scores = {} if value is None else {metric: value}
    report = {
        "task": task,
        "strategy": strategy,
        "model": model,
        "n": 100,
        "scores": scores,
        "ci95": {name: [one - 2, one + 2] for name, one in scores.items()},
        "timing": {"total_s": 50.0, "examples_per_s": 2.0},
    }
    store.finish_evaluation(number, report)
    return number


def adapter(version: str, task: str = "qa", **scores: Score) -> Card:
    return Card("small", task, version, NOWHERE, own=True, run=RunRecord(task=task, scores=scores))


def read(store: Store, *in_use: Card, model: str = "") -> Dashboard:
    """Read everything, where these adapters of the model `small` are in use."""
    there = OnShelf({one.name: one for one in in_use}, {one.task: one.name for one in in_use})
    return read_dashboard(
        store, lambda name: there if name == "small" else OnShelf(), NOWHERE, model=model
    )


def of_way(dashboard: Dashboard, way: str) -> Row:
    (found,) = [row for row in dashboard.rows if row.way == way]
    return found


def test_nothing_measured(store: Store) -> None:
    found = read(store)
    assert found.rows == found.runs == found.models == ()
    assert found.notes == ("No measurements come with this version: only your own stand here.",)


def test_an_own_evaluation_becomes_a_row(store: Store) -> None:
    number = measure(store, "few_shot", 61.5, nearest=True)
    (row,) = read(store).rows
    assert row.way == "few-shot (4 nearest)"
    assert row.value == 61.5
    assert (row.measured.low, row.measured.high, row.measured.n) == (59.5, 63.5, 100)
    assert row.measured.seconds == 0.5
    assert row.data == "questions.jsonl"
    assert (row.number, row.version, row.runs) == (number, "1.0", 1)
    assert row.when.startswith("20")
    assert row.counts


def test_the_chosen_way_is_marked_with_the_reason(store: Store) -> None:
    measure(store, "zero_shot", 40.0)
    measure(store, "few_shot", 50.0)
    found = read(store)
    assert [row.chosen for row in found.rows] == [True, False]
    best, other = found.rows
    assert best.way == "few-shot (4 fixed)"
    assert best.reason == other.reason
    assert "your own measurement f1 50.0 on 100 examples" in best.reason
    assert "against zero-shot 40.0" in best.reason


def test_each_model_and_language_has_a_choice_of_its_own(store: Store) -> None:
    for model, zero, few in (("small", 40.0, 50.0), ("large", 60.0, 50.0)):
        measure(store, "zero_shot", zero, model=model)
        measure(store, "few_shot", few, model=model)
    chosen = {(row.measured.model, row.way) for row in read(store).rows if row.chosen}
    assert chosen == {("small", "few-shot (4 fixed)"), ("large", "zero-shot")}
    assert read(store).models == ("large", "small")


def test_shipped_rows_are_shown_until_own_ones_compare_ways(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    shipped = [
        Measurement("small", "qa", "en", "zero_shot", "f1", 55.0, 50, 60, 300, data="squad"),
        Measurement(
            "small", "qa", "en", "few_shot", "f1", 45.0, 40, 50, 300, shots=4, data="squad"
        ),
    ]
    write_measurements(path, shipped)
    found = read_dashboard(store, shipped=path)
    assert [(row.way, row.number, row.data) for row in found.rows if row.chosen] == [
        ("zero-shot", None, "squad")
    ]
    assert found.notes == ()
    assert found.trend(found.rows[0]) == ()
    measure(store, "zero_shot", 30.0)
    measure(store, "few_shot", 40.0)
    chosen = [row for row in read_dashboard(store, shipped=path).rows if row.chosen]
    assert [(row.way, row.data) for row in chosen] == [("few-shot (4 fixed)", "questions.jsonl")]


def test_a_broken_file_of_measurements_is_said_and_own_rows_stay(
    store: Store, tmp_path: Path
) -> None:
    measure(store, "zero_shot", 40.0)
    path = tmp_path / "measured.json"
    for text in ("{", '[{"model": "m"}]', "[1]"):
        path.write_text(text, encoding="utf-8")
        found = read_dashboard(store, shipped=path)
        assert len(found.rows) == 1
        assert "cannot be read" in found.notes[0]


def test_old_evaluations_that_lack_fields_are_shown_and_choose_nothing(store: Store) -> None:
    bare = {"task": "summarization", "strategy": "few_shot", "model": "m", "n": 3, "scores": {}}
    store.record_evaluation(bare)
    store.record_evaluation({**bare, "strategy": "zero_shot", "scores": {"rougeL": 20.0}})
    store.record_evaluation({**bare, "task": "poems", "setting": None, "ci95": {"rougeL": None}})
    found = read(store)
    assert len(found.rows) == 3
    assert not any(row.chosen or row.counts for row in found.rows)
    assert {row.data for row in found.rows} == {"unknown data"}
    zero = of_way(found, "zero-shot")
    assert zero.value == zero.measured.low == zero.measured.high == 20.0
    assert "not on record" in zero.reason
    summarized = [row for row in found.rows if row.measured.task == "summarization"]
    empty = next(row for row in summarized if row.way == "few-shot")
    assert empty.value is None
    assert empty.reason == "Its rougeL is not on record."
    assert found.trend(empty) == (found.runs[1],)


def test_what_the_program_chose_by_itself_is_no_way_of_its_own(store: Store) -> None:
    measure(store, "auto", 99.0)
    measure(store, "zero_shot", 40.0)
    found = read(store)
    auto = of_way(found, AS_CHOSEN)
    assert not auto.chosen
    assert "no way of its own" in auto.reason
    assert of_way(found, "zero-shot").chosen


def test_own_answers_in_the_prompt_are_shown_apart(store: Store) -> None:
    measure(store, "few_shot", 50.0)
    measure(store, "few_shot", 70.0, personal=True)
    found = read(store)
    assert {row.way for row in found.rows} == {"few-shot (4 fixed)", "few-shot (4 fixed) + yours"}
    assert not of_way(found, "few-shot (4 fixed) + yours").chosen


def test_only_the_adapter_in_use_can_be_chosen(store: Store) -> None:
    for version, value in (("qa/v1", 90.0), ("qa/v2", 80.0)):
        measure(store, "adapter", value, adapter=version)
    measure(store, "zero_shot", 40.0)
    measure(store, "adapter", 99.0, adapter="qa/v2", model="large")
    found = read(store, adapter("v2"))
    assert of_way(found, "adapter qa/v1").reason == NOT_IN_USE
    ours, theirs = (row for row in found.rows if row.way == "adapter qa/v2")
    if ours.measured.model == "large":
        ours, theirs = theirs, ours
    assert ours.chosen
    assert theirs.reason == NOT_IN_USE  # an adapter of that name is in use for another model


def test_what_only_the_record_of_an_adapter_says_counts_as_it_does_for_a_turn(
    store: Store,
) -> None:
    card = adapter("v1", squad=Score("f1", 60, 70.0, few_shot=50.0, lang="en"))
    found = read(store, card, model="small")
    assert [(row.way, row.value, row.chosen, row.recorded) for row in found.rows] == [
        ("adapter qa/v1", 70.0, True, True),
        ("few-shot (4 fixed)", 50.0, False, True),
    ]
    assert {row.data for row in found.rows} == {"squad (qa/v1)"}
    assert found.runs == ()
    assert read(store, card).rows == ()  # nothing is known of a model that does not answer
    measure(store, "adapter", 30.0, adapter="qa/v1")
    (row,) = read(store, card, model="small").rows  # measured since: the record is passed over
    assert (row.value, row.recorded) == (30.0, False)


def test_the_newest_of_several_runs_stands_in_the_table(store: Store) -> None:
    for value in (40.0, 44.0, 42.0):
        measure(store, "zero_shot", value)
    found = read(store)
    (row,) = found.rows
    assert (row.value, row.runs) == (42.0, 3)
    assert [run.value for run in found.trend(row)] == [40.0, 44.0, 42.0]


def test_a_trend_keeps_to_its_data_and_joins_the_versions_of_an_adapter(store: Store) -> None:
    measure(store, "adapter", 70.0, adapter="v1")
    measure(store, "adapter", 75.0, adapter="v2")
    measure(store, "zero_shot", 50.0)
    measure(store, "zero_shot", 51.0, data_sha256="b" * 64)
    found = read(store)
    first = of_way(found, "adapter v1")
    runs = found.trend(first)
    assert [run.value for run in runs] == [70.0, 75.0, 50.0]
    assert [run.series == first.series for run in runs] == [True, True, False]


def test_files_of_one_name_and_draws_are_told_apart(store: Store) -> None:
    measure(store, "zero_shot", 50.0)
    measure(store, "zero_shot", 51.0, data_sha256="b" * 64)
    measure(store, "zero_shot", 52.0, limit=100, seed=7)
    assert sorted(row.data for row in read(store).rows) == [
        "questions.jsonl (aaaaaa)",
        "questions.jsonl (aaaaaa), 100 drawn with seed 7",
        "questions.jsonl (bbbbbb)",
    ]


def test_rows_go_by_task_then_data_then_value(store: Store) -> None:
    for task, strategy, value in (
        ("poems", "zero_shot", 10.0),
        ("translation", "zero_shot", 20.0),
        ("qa", "zero_shot", 30.0),
        ("qa", "few_shot", 40.0),
    ):
        measure(store, strategy, value, task=task)
    assert [(row.measured.task, row.value) for row in read(store).rows] == [
        ("qa", 40.0),
        ("qa", 30.0),
        ("translation", 20.0),
        ("poems", 10.0),
    ]


def test_chat_says_why_it_is_answered_without_examples(store: Store) -> None:
    measure(store, "few_shot", 40.0, task="chat")
    measure(store, "zero_shot", 30.0, task="chat")
    found = read(store)
    assert of_way(found, "zero-shot").chosen
    assert of_way(found, "few-shot (4 fixed)").reason.startswith("zero-shot, ")


def test_details_hold_the_worst_answers_with_something_wrong(store: Store) -> None:
    answers = (
        EvaluatedExample("a", "Where?", ("Paris", "in Paris"), "London", "en"),
        EvaluatedExample("b", "When?", ("1937",), "1937", "en"),
        EvaluatedExample("c", "Who?", ("Ada Lovelace",), "Ada", "en"),
    )
    measure(store, "zero_shot", 55.0, answers=answers)
    details = read_details(store, read(store).rows[0])
    assert details.answers == 3
    assert details.calibration is None
    assert [bad.id for bad in details.worst] == ["a", "c"]
    first = details.worst[0]
    assert (first.wanted, first.said, first.score) == (("Paris", "in Paris"), "London", 0.0)


def test_details_of_classified_texts_hold_calibration_and_probabilities(store: Store) -> None:
    answers = tuple(
        EvaluatedExample(str(i), "x", ("yes",), said, "en", ("yes", "no"), {said: 0.9, other: 0.1})
        for i, (said, other) in enumerate([("yes", "no"), ("no", "yes")])
    )
    measure(store, "zero_shot", 50.0, task="classification", answers=answers)
    details = read_details(store, read(store).rows[0])
    assert details.calibration is not None
    assert details.calibration.error == pytest.approx(0.4)
    assert [bad.id for bad in details.worst] == ["1"]
    assert details.worst[0].probabilities == {"no": 0.9, "yes": 0.1}


def test_details_need_a_stored_evaluation(store: Store) -> None:
    shipped = Measurement("small", "qa", "en", "zero_shot", "f1", 55.0, 50, 60, 300)
    with pytest.raises(ValueError, match="no answers"):
        read_details(store, Row(shipped, "squad"))
    number = measure(store, "zero_shot", 50.0)
    row = read(store).rows[0]
    assert read_details(store, row).worst == ()
    store.delete_evaluation(number)
