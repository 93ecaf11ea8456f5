"""``assistant privacy``: a conversation shown, exported and erased, through the real entry point."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run
from privacy_help import (
    adapter,
    data,
    ended,
    files_with,
    found_material,
    open_store,
    quote,
    refined,
    talk,
    texts,
    told,
)
from training_help import WORDS

from assistant.adapters.registry import Registry
from assistant.evaluation.gate import Row
from assistant.paths import user_paths
from assistant.testing import tiny_model
from assistant.training import gating, refining
from assistant.training.frozen import is_held_out
from assistant.training.runs import all_runs

TRAINED, HELD = texts("zanzibar", held_out=False)[0], texts("zanzibar", held_out=True)[0]
OTHERS = [*texts("lighthouse", held_out=False), *texts("lighthouse", held_out=True)]


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant privacy`` and returns code, stdout and stderr."""
    return partial(program, "privacy", stdin="")


def whole_loop() -> tuple[str, str]:
    """Talk, correct, change one's mind, refine and promote; return the ids of two conversations."""
    with open_store() as store:
        other = talk(store, OTHERS[0])
        store.add_feedback(other.id, correction="glad")
        more = talk(store, OTHERS[1], conversation_id=other.conversation_id)
        store.add_feedback(more.id, correction="glad", comment="of the lighthouse")
        turn = talk(store, TRAINED, "sad zanzibar", system="You know zanzibar.")
        item = store.add_feedback(turn.id, correction="glad", comment="zanzibar is fine")
        store.edit_feedback(item.id, {"comment": "zanzibar is very fine"})
        held = talk(store, HELD, conversation_id=turn.conversation_id)
        store.add_feedback(held.id, correction="glad")
        store.add_preference(held, turn, "left", turn_id=held.id)
        quote(store, item.id, TRAINED, "glad")
        refined(store, adapter="classification/v2")
        registry = Registry(user_paths())
        registry.promote(adapter("v1"))
        second = adapter("v2", told(found_material(store)), parent="classification/v1")
        registry.promote(second)
    return turn.conversation_id, other.conversation_id


def shown(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, _ = run(*arguments, "--json", stdin="")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def in_use() -> str | None:
    card = Registry(user_paths()).in_use("base", "classification").card
    return card.name if card else None


def test_what_there_is_is_shown(run: Run) -> None:
    mine, _ = whole_loop()
    code, out, err = run(mine[:10])
    assert code == 0
    assert out.startswith(f"{mine}  {TRAINED}\n")
    assert "  turns                                 2\n" in out
    assert "trained on it (2 rows) → classification/v2" in out
    assert "classification/v2 for base: trained on it, in use" in out
    assert "With --adapters it is deleted too." in out
    assert f"assistant privacy {mine} --erase" in err


def test_json_has_all_that_is_shown(run: Run) -> None:
    mine, _ = whole_loop()
    found = shown(run, mine)
    assert found["counts"]["feedback"] == 2
    assert found["counts"]["prompts elsewhere that show an answer"] == 1
    (refinement,) = found["runs"]
    assert refinement["rows"] == {"my-feedback.jsonl": 1, "held-out.jsonl": 1}
    (linked,) = found["adapters"]
    assert (linked["name"], linked["version"], linked["in_use"], linked["link"]) == (
        *("classification/v2", "v2", True),
        "trained on it",
    )
    assert found["stays"][0]["what"] == "adapter classification/v2 for base"


def test_an_export_holds_everything_and_is_for_its_owner_only(run: Run, tmp_path: Path) -> None:
    mine, _ = whole_loop()
    file = tmp_path / "mine.json"
    code, out, err = run(mine, "--export", str(file))
    assert (code, out) == (0, "")
    assert "Written:" in err
    assert file.stat().st_mode & 0o777 == 0o600
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [turn["user_text"] for turn in found["conversation"]["turns"]] == [TRAINED, HELD]
    assert found["conversation"]["turns"][0]["feedback"][0]["comment"] == "zanzibar is very fine"
    before = [one["before"] for one in found["kept_for_undo"] if one["before"]]
    assert before[0]["row"]["comment"] == "zanzibar is fine"
    assert [one["text"] for one in found["choices"]] == [HELD]
    assert [one["input"] for one in found["evaluated"]] == [HELD]
    assert found["runs"][0]["data"]["my-feedback.jsonl"][0]["input"] == TRAINED
    assert "lighthouse" not in file.read_text(encoding="utf-8")
    assert run(mine, "--export", str(file))[0] == 2
    assert run(mine, "--export", str(file), "--force")[0] == 0


def test_no_byte_of_it_stays_below_the_data_folder(run: Run) -> None:
    mine, other = whole_loop()
    with open_store() as store:
        record = store.export_conversation(other)
    before = [path.name for path in files_with("zanzibar", data())]
    assert {"assistant.db", "my-feedback.jsonl", "held-out.jsonl"} <= set(before)
    done = shown(run, mine, "--erase", "--adapters", "--yes")
    assert files_with("zanzibar", data()) == []
    assert done["cleaned"]
    assert len(done["runs"]) == 1
    assert done["adapters"] == ["classification/v2"]
    assert done["switched"][0]["now"] == in_use() == "classification/v1"
    with open_store() as store:
        assert store.export_conversation(other) == record
        assert store.runs() == []
        assert [item.comment for item in store.feedback()] == [None, "of the lighthouse"]


def test_adapters_stay_unless_they_are_asked_for(run: Run) -> None:
    mine, _ = whole_loop()
    code, out, _ = run(mine, "--erase", "--yes")
    assert code == 0
    assert f"Erased {mine}\n" in out
    assert "Stays:\n  adapter classification/v2 for base: trained on it, in use\n" in out
    assert in_use() == "classification/v2"
    assert files_with("zanzibar", data()) == []
    code, out, _ = run(mine[:8])  # its adapter knows its id
    assert code == 0
    assert "deleted before" in out
    assert run(mine, "--erase", "--adapters", "--yes")[0] == 0
    assert in_use() == "classification/v1"
    assert run(mine[:8])[0] == 1
    assert "nothing" in run(mine)[1]


def test_it_asks_and_takes_no_for_an_answer(program: Program) -> None:
    mine, _ = whole_loop()
    code, out, err = program("privacy", mine, "--erase", stdin="n\n", terminal=True)
    assert (code, out) == (0, "")
    assert "  run 2" in err
    assert "adapter classification/v2" not in err
    assert "Nothing was deleted." in err
    code, _, err = program("privacy", mine, "--erase", "--adapters", stdin="y\n", terminal=True)
    assert code == 0
    assert "adapter classification/v2 for base: trained on it, in use" in err
    assert files_with("zanzibar", data()) == []


def test_without_a_terminal_it_needs_a_yes(run: Run) -> None:
    mine, _ = whole_loop()
    code, out, err = run(mine, "--erase")
    assert (code, out) == (2, "")
    assert "Add --yes to erase." in err
    assert shown(run, mine)["counts"]["turns"] == 2


def test_export_and_erase_in_one_go(run: Run, tmp_path: Path) -> None:
    mine, _ = whole_loop()
    file = tmp_path / "mine.json"
    assert run(mine, "--export", str(file), "--erase", "--yes")[0] == 0
    assert "zanzibar" in file.read_text(encoding="utf-8")
    assert files_with("zanzibar", data()) == []


def test_nothing_is_erased_while_it_is_answered_or_trained_on(run: Run) -> None:
    mine, _ = whole_loop()
    with open_store() as store:
        folder = refined(store)
        folder.write_state(state="running")
        code, _, err = run(mine, "--erase", "--yes")
        assert (code, f"The run {folder.id} is under way" in err) == (2, True)
        turn = store.begin_turn("zanzibar?", conversation_id=mine)
        code, _, err = run(mine, "--erase", "--yes")
        assert (code, "being answered" in err) == (2, True)
        assert store.turn(turn.id).conversation_id == mine


@pytest.mark.parametrize("flag", ["--adapters", "--yes"])
def test_flags_of_erase_alone_are_refused(run: Run, flag: str) -> None:
    mine, _ = whole_loop()
    code, _, err = run(mine, flag)
    assert (code, "go with --erase" in err) == (2, True)


def test_unknown_conversations_are_told(run: Run) -> None:
    whole_loop()
    code, _, err = run("nosuch")
    assert (code, "There is no conversation 'nosuch'." in err) == (1, True)


def test_titles_are_cleaned(run: Run) -> None:
    with open_store() as store:
        turn = talk(store, "\x1b]0;owned\x07Is it mine?")
    assert "\x1b" not in run(turn.conversation_id)[1]


def test_after_a_real_refinement(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained with the tiny model, measured in part, promoted; then one of its conversations goes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "nice", lambda by: 0)
    for name, value in (("EPOCHS", 0.5), ("_REPLAY_LEAST", 6), ("REPLAYED", 0)):
        monkeypatch.setattr(refining, name, value)
    monkeypatch.setattr(
        gating.Gauge,
        "rows",
        lambda *_: [Row("own", "own", "accuracy", 9, 20.0, 20.0, 90.0, 0.01, 0.99)],
    )
    tiny_model(tmp_path / "tiny")
    with open_store() as store:
        for number in range(30):
            turn = talk(store, f"Mood, glad or sad? {WORDS[number % 8]} zanzibar{number}x")
            store.add_feedback(turn.id, correction="glad" if number % 2 else "sad")
            if not is_held_out(turn.user_text):
                mine, word = turn.conversation_id, turn.user_text.split()[-1]
    assert program("refine", "classification", "-m", "tiny", stdin="")[0] == 0
    (linked,) = shown(program, "privacy", mine)["adapters"]
    assert (linked["name"], linked["in_use"]) == ("classification/v1", True)
    (done,) = all_runs(user_paths())
    ended(done)  # it was this very process
    assert program("privacy", mine, "--erase", "--yes", stdin="")[0] == 0
    assert files_with(word, data()) == []
    assert program("privacy", mine, "--erase", "--yes", "--adapters", stdin="")[0] == 0
    assert Registry(user_paths()).cards("tiny") == []
    with open_store() as store:
        assert len(store.conversations()) == 29
