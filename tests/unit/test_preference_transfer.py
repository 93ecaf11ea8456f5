"""Choices between two answers, written out and taken back: whole as JSON lines, as pairs in TRL's form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run

from assistant.errors import StoreError
from assistant.paths import user_paths
from assistant.store.store import Preference, Store
from assistant.training.examples import Collected, collect
from assistant.training.method_rows import JudgedExample, read_rows
from assistant.types import Choice, Message, Route, Turn

Record = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "other.db") as made:
        yield made


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant feedback`` and returns code, stdout and stderr."""
    return partial(program, "feedback", stdin="")


def said(
    store: Store,
    text: str,
    answer: str,
    task: str = "qa",
    *,
    replaces: Turn | None = None,
    **more: Any,
) -> Turn:
    """Store a finished turn, which may be another answer to the request of an earlier one."""
    begun = store.begin_turn(text, model="m", replaces=replaces.id if replaces else None)
    done = replace(
        begun,
        answer=answer,
        state="done",
        sent=(Message("system", "Be brief."), Message("user", text)),
        route=Route(task, 0.9, {task: 0.9}),
        choice=Choice("zero_shot", "why"),
        **more,
    )
    store.finish_turn(done)
    return store.turn(begun.id)


def choose(store: Store, text: str, better: str, worse: str, task: str = "qa") -> Preference:
    """Answer twice and prefer the second answer, as regenerating and picking does."""
    first = said(store, text, worse, task)
    return store.add_preference(first, replace(first, answer=better), "right", turn_id=first.id)


def through_file(records: object) -> list[Record]:
    found: list[Record] = json.loads(json.dumps(records))
    return found


# -- whole -----------------------------------------------------------------------------------------


def test_a_choice_moves_to_another_machine_with_the_turn_it_is_about(
    store: Store, other: Store
) -> None:
    made = choose(store, "Who?", "Ada.", "Bob.")
    assert made.turn_id is not None
    store.add_feedback(made.turn_id, rating="bad")
    store.edit_preference(made.id, {"comment": "shorter"})
    records = through_file(store.export_feedback())
    # The turn comes with the feedback on it, wherever that stands in the file.
    added = other.import_feedback(records[::-1])
    assert len(added) == 2
    assert other.preferences() == store.preferences()
    assert other.feedback() == store.feedback()
    assert other.import_feedback(records) == []
    # It goes when its turn does.
    other.delete(other.turn(made.turn_id).conversation_id)
    assert other.preferences() == []


def test_without_its_turn_a_choice_stands_alone(store: Store, other: Store) -> None:
    made = choose(store, "Who?", "Ada.", "Bob.")
    records = through_file(store.export_feedback())
    assert other.import_feedback(records) == [replace(made, turn_id=None)]
    assert store.import_feedback(records) == []


def test_what_was_chosen_differently_since_stays_so(store: Store) -> None:
    made = choose(store, "Who?", "Ada.", "Bob.")
    records = store.export_feedback()
    store.edit_preference(made.id, {"choice": "left"})
    assert store.import_feedback(records) == []
    assert [one.choice for one in store.preferences()] == ["left"]


def test_a_number_that_is_taken_is_not_taken_twice(store: Store, other: Store) -> None:
    choose(store, "Who?", "Ada.", "Bob.")
    mine = choose(other, "Where?", "Here.", "There.")
    (added,) = other.import_feedback(store.export_feedback())
    assert added.id != mine.id
    assert {one.text for one in other.preferences()} == {"Who?", "Where?"}


def test_undo_does_not_take_back_what_was_imported(store: Store, other: Store) -> None:
    choose(store, "Who?", "Ada.", "Bob.")
    other.import_feedback(store.export_feedback())
    assert other.undo_feedback() is None
    assert len(other.preferences()) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"choice": "middle"}, r"line 2\.choice"),
        ({"created_at": "yesterday"}, r"line 2\.created_at"),
        ({"text": " "}, r"line 2\.text"),
        ({"text": None}, r"line 2\.text"),
        ({"left": {"answer": "x"}}, r"line 2\.left\.strategy"),
        ({"right": "x"}, r"line 2\.right"),
        ({"blind": 1}, r"line 2\.blind"),
        ({"mood": "x"}, r"line 2\.mood"),
    ],
)
def test_a_wrong_choice_is_named_and_nothing_is_stored(
    store: Store, other: Store, change: Record, named: str
) -> None:
    choose(store, "Who?", "Ada.", "Bob.")
    (record,) = through_file(store.export_feedback())
    with pytest.raises(StoreError, match=named):
        other.import_feedback([record, {**record, "text": "Else?", **change}])
    assert other.preferences() == []


def test_the_command_writes_choices_too_and_reads_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(user_paths().database) as here:
        choose(here, "Who?", "Ada.", "Bob.")
        here.add_feedback(said(here, "Lake?", "Sea").id, correction="Como")
    exported = run("export")[1]
    assert len(exported.splitlines()) == 2
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "elsewhere"))
    assert run("import", "-", stdin=exported)[:2] == (0, "Imported 2\n")
    assert run("import", "-", stdin=exported)[:2] == (0, "Imported 0, 2 known already\n")
    code, _, err = run("import", "-", stdin=exported.replace('"choice": "right"', '"choice": "up"'))
    assert (code, "line 2.choice" in err) == (1, True)


# -- as pairs --------------------------------------------------------------------------------------


def everything(store: Store) -> None:
    """A correction, an answer asked for again and picked, and one rated good over one rated bad."""
    store.add_feedback(said(store, "Capital?", "Sydney").id, correction="Canberra")
    choose(store, "Translate into German: dog", "Hund", "der Katze", "translation")
    first = said(store, "River?", "Rhine")
    again = said(store, "River?", "Elbe", replaces=first)
    store.add_feedback(first.id, rating="bad")
    store.add_feedback(again.id, rating="good")
    labels = {"up": 0.6, "down": 0.4}
    mood = said(store, "Rates fall.", "up", "classification", probabilities=labels)
    store.add_feedback(mood.id, correction="down")


def pairs(found: Collected) -> set[tuple[object, ...]]:
    return {(e.task, e.input, e.chosen, e.rejected, e.labels, e.messages) for e in found.pairs}


def data() -> Collected:
    with Store(user_paths().database) as store:
        return collect(store.feedback(), store.preferences())


def test_pairs_of_every_kind_are_exported_and_come_back(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(user_paths().database) as store:
        everything(store)
    before = pairs(data())
    assert {one[:4] for one in before} == {
        ("qa", "Capital?", "Canberra", "Sydney"),
        ("translation", "Translate into German: dog", "Hund", "der Katze"),
        ("qa", "River?", "Elbe", "Rhine"),
        ("classification", "Rates fall.", "down", "up"),
    }
    file = tmp_path / "pairs.jsonl"
    assert run("export", "-f", "trl-dpo", "-o", str(file))[0] == 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 4
    about = ["task", "lang", "context", "label_names"]
    assert all(list(row) == ["prompt", "chosen", "rejected", *about] for row in rows)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "elsewhere"))
    # Every row says its own task: --task is for those that do not.
    assert run("import", str(file), "--task", "chat")[:2] == (0, "Imported 4\n")
    assert pairs(data()) == before
    assert not data().flagged


@pytest.mark.parametrize(("method", "count"), [("sft", 2), ("dpo", 1), ("kto", 3)])
def test_an_export_of_a_task_is_trained_on_as_it_is(
    run: Run, tmp_path: Path, method: str, count: int
) -> None:
    with Store(user_paths().database) as store:
        labels = {"up": 0.6, "down": 0.4}
        mood = said(store, "Rates fall.", "up", "classification", probabilities=labels)
        store.add_feedback(mood.id, correction="down")
        good = said(store, "Rates rise.", "up", "classification", probabilities=labels)
        store.add_feedback(good.id, rating="good")
    file = tmp_path / "rows.jsonl"
    run("export", "-f", f"trl-{method}", "-t", "classification", "-o", str(file))
    found = read_rows(file, "classification", method).rows
    assert all(isinstance(one, JudgedExample) for one in found)
    assert {one.labels for one in found} == {("up", "down")}
    assert len(found) == count
