"""What was made from a conversation: refinements, trainings on files of the user, adapters; and its end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from privacy_help import adapter, ended, found_material, open_store, refined, talk, texts, told

from assistant.adapters.registry import Registry
from assistant.adapters.run_record import write_run
from assistant.errors import UsageError
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.training import forgetting
from assistant.training.derived import Derived, derived, known_conversations, logs_with
from assistant.training.gating import OWN_FILE
from assistant.training.launching import Launch, Wanted, write_launch
from assistant.training.owner import Owner
from assistant.training.refining import OWN_DATA, REPLAY_DATA
from assistant.training.runs import RunFolder, all_runs, new_run, reserve

TRAINED = texts("zanzibar", held_out=False)[0]
HELD = texts("zanzibar", held_out=True)[0]
OTHERS = [*texts("lighthouse", held_out=False, count=3), *texts("lighthouse", held_out=True)]


def said(store: Store, *asked: str, correction: str = "glad") -> str:
    """Make a conversation of corrected turns; return its id."""
    begun: str | None = None
    for text in asked:
        turn = talk(store, text, conversation_id=begun)
        begun = turn.conversation_id
        store.add_feedback(turn.id, correction=correction)
    assert begun is not None
    return begun


def made(conversation_id: str) -> Derived:
    with open_store() as store:
        return derived(user_paths(), store.traces(conversation_id))


def test_nothing_was_made_of_what_nobody_judged() -> None:
    with open_store() as store:
        said(store, *OTHERS)
        quiet = talk(store, "Just a question that nobody judged").conversation_id
        refined(store, adapter="classification/v1")
    adapter("v1")
    assert made(quiet) == Derived((), (), (), ())


def test_a_refinement_that_was_trained_on_it_and_one_that_was_measured_on_it() -> None:
    with open_store() as store:
        others = said(store, *OTHERS)
        both = said(store, TRAINED, HELD)
        measured = said(store, texts("mombasa", held_out=True)[0])
        run = refined(store, adapter="classification/v1")
    adapter("v1")
    (found,) = made(both).runs
    assert (found.run.id, found.role, found.at_work) == (run.id, "trained on it", False)
    assert {name: [row["input"] for row in rows] for name, rows in found.rows.items()} == {
        OWN_DATA: [TRAINED],
        REPLAY_DATA: [],
        OWN_FILE: [HELD],
    }
    assert (found.base, found.adapter) == ("base", "classification/v1")
    (found,) = made(measured).runs
    assert found.role == "measured on it"
    assert made(measured).adapters == ()
    assert [one.card.name for one in made(others).adapters] == ["classification/v1"]


def test_adapters_that_learned_from_it_and_those_built_on_them() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        about = told(found_material(store))
    first = adapter("v1", about)
    second = adapter("v2", parent="classification/v1")
    adapter("v3")
    registry = Registry(user_paths())
    registry.promote(second)
    found = {one.card.name: one for one in made(mine).adapters}
    assert list(found) == ["classification/v1", "classification/v2"]
    assert [one.link for one in found.values()] == ["trained on it", "built on one"]
    assert found["classification/v2"].via == "classification/v1"
    assert [one.in_use for one in found.values()] == [False, True]
    registry.remove(first)
    assert made(mine).adapters == ()  # without its run nothing tells what v1 was


def test_what_a_deleted_adapter_was_is_told_by_its_run() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        refined(store, adapter="classification/v1")
    adapter("v2", parent="classification/v1")
    assert [one.link for one in made(mine).adapters] == ["built on one"]


def test_a_name_that_was_given_again_is_another_adapter() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        run = refined(store, adapter="classification/v1")
    name = "29990101-000000-classification-aaaa"
    later = RunFolder(name, run.path.with_name(name))
    later.path.mkdir()
    later.write_settings({"request": {"model": "base", "data": []}, "refine": {}})
    ended(later, state="done", adapter="classification/v1")
    adapter("v1")
    assert made(mine).adapters == ()


def test_numbers_of_feedback_in_a_foreign_adapter_mean_nothing_here() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        (item,) = store.feedback()
    adapter("v1", {"feedback_ids": [item.id], "conversation_ids": ["somebodyelses000"]})
    assert made(mine).adapters == ()


def test_a_choice_between_answers_is_found_in_the_rows_though_nothing_names_it() -> None:
    with open_store() as store:
        turn = talk(store, TRAINED)
        other = replace(turn, answer="glad")
        store.add_preference(other, turn, "left", turn_id=turn.id)
        run = new_run(user_paths(), "classification")
        row = {"id": "p1", "input": TRAINED, "target": "glad", "rejected": "sad"}
        (run.path / OWN_DATA).write_text(json.dumps(row) + "\n{broken\n")
        run.write_settings({"request": {"model": "base"}, "refine": {"conversation_ids": []}})
        ended(run, state="done", adapter="classification/v1")
    adapter("v1")
    found = made(turn.conversation_id)
    assert [one.role for one in found.runs] == ["trained on it"]
    assert [one.link for one in found.adapters] == ["trained on it"]


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.tsv"])
def test_a_training_on_a_file_with_its_texts_is_named_and_is_no_proof(
    name: str, tmp_path: Path
) -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        other = said(store, "Hi")
    file = tmp_path / name
    if name.endswith("jsonl"):
        file.write_text(json.dumps({"prompt": [{"content": TRAINED}]}) + "\n")
    else:
        mark = "," if name.endswith("csv") else "\t"
        file.write_text(f'input{mark}target\n"{TRAINED}"{mark}glad\nHi{mark}glad\n')
    run = new_run(user_paths(), "classification")
    run.write_settings({"request": {"model": "base", "data": [str(file)]}})
    ended(run, state="done", adapter="classification/v1")
    adapter("v1")
    found = made(mine)
    assert [(one.run.id, one.file) for one in found.plain] == [(run.id, file)]
    assert [(one.link, one.via, one.removable) for one in found.adapters] == [
        ("maybe trained on it", name, False)
    ]
    assert made(other) == Derived((), (), (), ())


def test_a_run_under_way_that_uses_it_or_may() -> None:
    with open_store() as store:
        quiet = talk(store, "Just a question that nobody judged").conversation_id
        mine = said(store, TRAINED)
        run = refined(store, state="running")
        run.write_state(state="running")
        assert made(mine).at_work == (run.id,)
        ended(run, state="stopped")
        assert made(mine).at_work == ()
        about = reserve(user_paths(), "all")
        write_launch(about, Launch(Wanted("all", (), refine="all"), Owner.this()))
        assert (made(mine).at_work, made(quiet).at_work) == ((about.id,), ())
        write_launch(about, Launch(Wanted("qa", ("x.jsonl",)), Owner.this()))
        assert made(mine).at_work == ()


def test_deleted_conversations_are_known_by_what_was_made_of_them() -> None:
    with open_store() as store:
        first = said(store, TRAINED)
        about = told(found_material(store))
        store.delete(first)
        second = said(store, *texts("mombasa", held_out=False))
        said(store, *texts("mombasa", held_out=True))
        refined(store)
    adapter("v1", about)
    assert known_conversations(user_paths()) == {first, second}


def test_a_record_or_folder_that_is_damaged_is_passed_over() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        run = refined(store)
    (run.path / "settings.json").write_text(
        '{"refine": {"conversation_ids": 3, "feedback_ids": {}}}'
    )
    card = adapter("v1")
    write_run(card.folder, replace(card.run, settings={"feedback": ["odd"]}))
    (run.path.parent / "empty").mkdir()
    found = made(mine)
    assert [one.run.id for one in found.runs] == [run.id]  # by its rows
    assert known_conversations(user_paths()) == set()


def test_logs_in_which_it_stands() -> None:
    with open_store() as store:
        traces = store.traces(said(store, TRAINED))
    log = user_paths().log_file
    log.write_text("nothing\n")
    older = log.with_name(log.name + ".1")
    older.write_text(f"ERROR odd: {TRAINED!r}\n")
    assert logs_with(user_paths(), traces) == [older]


# -- forgetting ------------------------------------------------------------------------------------


def test_rows_it_was_measured_on_are_taken_out_and_the_run_stays() -> None:
    with open_store() as store:
        said(store, *OTHERS)
        mine = said(store, HELD)
        run = refined(store)
        before = (run.path / OWN_FILE).read_text().splitlines()
        done = forgetting.erase(store, user_paths(), mine, adapters=True)
    after = (run.path / OWN_FILE).read_text().splitlines()
    assert (done.runs, done.rows) == ((), 1)
    assert after == [line for line in before if "zanzibar" not in line]
    assert len(before) == len(after) + 1
    assert (run.path / OWN_FILE).stat().st_mode & 0o777 == 0o600


def test_what_is_in_use_falls_back_to_what_did_not_learn_from_it() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        about = told(found_material(store))
        registry = Registry(user_paths())
        for card in (
            adapter("v1"),
            adapter("v2", about, parent="classification/v1"),
            adapter("v3", parent="classification/v2"),
        ):
            registry.promote(card)
        done = forgetting.erase(store, user_paths(), mine, adapters=True)
    assert [card.name for card in done.adapters] == ["classification/v2", "classification/v3"]
    (switch,) = done.switched
    assert switch.now is not None
    assert (switch.before.name, switch.now.name) == ("classification/v3", "classification/v1")
    assert [card.name for card in registry.cards("base")] == ["classification/v1"]


def test_nothing_is_touched_while_a_run_uses_it() -> None:
    with open_store() as store:
        mine = said(store, TRAINED)
        run = refined(store)
        run.write_state(state="running")
        card = adapter("v1", told(found_material(store)))
        with pytest.raises(UsageError, match="is under way"):
            forgetting.erase(store, user_paths(), mine, adapters=True)
        assert store.conversation(mine).turn_count == 1
    assert [one.id for one in all_runs(user_paths())] == [run.id]
    assert card.folder.is_dir()


def test_stored_beginnings_of_prompts_go() -> None:
    folder = user_paths().cache / "prefixes"
    folder.mkdir(parents=True)
    (folder / "a.safetensors").write_bytes(b"zanzibar")
    with open_store() as store:
        forgetting.erase(store, user_paths(), said(store, TRAINED), adapters=False)
    assert list(folder.iterdir()) == []
