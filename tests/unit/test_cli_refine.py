"""``assistant refine`` from feedback to verdict; the tiny model, everything real but the gate's verdict."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_help import WORDS

from assistant.adapters.registry import Registry
from assistant.adapters.run_record import read_run
from assistant.cli import main
from assistant.errors import Cancelled
from assistant.evaluation.gate import Row
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.testing import tiny_model
from assistant.training import gating, refining
from assistant.training.frozen import is_held_out
from assistant.training.gating import HELD_OUT, touched
from assistant.training.runs import all_runs
from assistant.types import Choice, Message, Route

LABELS = {"glad": 0.5, "sad": 0.5}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the tiny model, quick trainings and a short check."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_THREADS", "1")
    monkeypatch.setattr(os, "nice", lambda by: 0)
    monkeypatch.setattr(refining, "EPOCHS", 0.5)
    monkeypatch.setattr(refining, "_REPLAY_LEAST", 6)
    monkeypatch.setattr(refining, "REPLAYED", 0)
    monkeypatch.setattr(gating, "_GUARDED", {"classification": 12})
    tiny_model(tmp_path / "tiny")
    return tmp_path


def correct(count: int) -> None:
    """Ask and correct so many turns."""
    with Store(user_paths().database) as store:
        for number in range(count):
            text = f"Mood, glad or sad? {WORDS[number % 8]} {WORDS[number // 8 % 8]} {number}"
            begun = store.begin_turn(text, model="tiny")
            done = replace(
                begun,
                answer="sad",
                state="done",
                route=Route("classification", 0.9, {"classification": 0.9}),
                choice=Choice("zero_shot", "why"),
                sent=(Message("user", text),),
                probabilities=dict(LABELS),
            )
            store.finish_turn(done)
            store.add_feedback(begun.id, correction="glad" if number % 2 else "sad")


def refine(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["refine", *arguments])
    return int(end.value.code or 0)


def verdict(monkeypatch: pytest.MonkeyPatch, better: float) -> None:
    def rows(self: gating.Gauge, candidate: str) -> list[Row]:
        return [Row("own", "own", "accuracy", 9, 20.0, 20.0, 90.0, better, 1 - better)]

    monkeypatch.setattr(gating.Gauge, "rows", rows)


def in_use() -> str | None:
    card = Registry(user_paths()).in_use("tiny", "classification").card
    return card.name if card else None


def test_too_little_feedback_is_told_and_nothing_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    correct(5)
    assert refine("classification", "-m", "tiny", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["decision"] == "too_little_feedback"
    assert "too little feedback yet" in said.err
    assert all_runs(user_paths()) == []


def test_a_dry_run_says_what_would_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    correct(40)
    assert refine("-m", "tiny", "--dry-run", "--json") == 0
    said = capsys.readouterr()
    (found,) = [one for one in json.loads(said.out) if one["decision"] == "dry_run"]
    held = sum(is_held_out(f"Mood, glad or sad? {_words(n)} {n}") for n in range(40))
    assert (found["task"], found["method"]) == ("classification", "sft")
    assert (found["trained"], found["held_out"]) == (40 - held, held)
    assert "starting from no adapter" in said.err
    assert all_runs(user_paths()) == []


def _words(number: int) -> str:
    return f"{WORDS[number % 8]} {WORDS[number // 8 % 8]}"


def test_the_real_gate_measures_all_three_ways_and_refuses_what_learned_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    correct(40)
    code = refine("classification", "-m", "tiny", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    names = [row["kind"] for row in found["table"]]
    assert names[:2] == ["own", "guard"]
    assert found["table"][0]["few_shot"] is not None
    assert (code, found["decision"]) in ((3, "refused"), (0, "promoted"))
    assert (in_use() == found["candidate"]) is (code == 0)
    record = read_run(Registry(user_paths()).find(found["candidate"], "tiny").folder)
    assert record is not None
    assert record.settings["feedback"]["feedback_ids"] == found["feedback_ids"]
    assert record.settings["gate"]["reasons"] == found["reasons"]
    with Store(user_paths().database) as store:
        (run,) = store.runs()
    assert run.id == found["run"]


def test_what_is_better_is_in_use_at_once_and_taken_back_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    correct(40)
    verdict(monkeypatch, 0.01)
    assert refine("classification", "-m", "tiny") == 0
    assert in_use() == "classification/v1"
    assert "classification/v1 is in use now" in capsys.readouterr().out
    assert refine("classification", "-m", "tiny") == 0
    second = Registry(user_paths()).find("classification/v2", "tiny")
    assert (in_use(), second.run.parent) == ("classification/v2", "classification/v1")
    Registry(user_paths()).rollback("tiny", "classification")
    assert in_use() == "classification/v1"


def test_a_refused_candidate_exits_with_3_and_stays_on_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    correct(40)
    verdict(monkeypatch, 0.4)
    assert refine("classification", "-m", "tiny") == 3
    assert in_use() is None
    assert "may be chance" in capsys.readouterr().out
    card = Registry(user_paths()).find("classification/v1", "tiny")
    assert card.run.settings["gate"]["promoted"] is False
    own = next(row for row in card.run.settings["gate"]["table"] if row["kind"] == "own")
    score = card.run.scores[HELD_OUT]
    assert (score.n, score.adapter, score.few_shot) == (
        own["n"],
        pytest.approx(own["candidate"], abs=1e-3),
        pytest.approx(own["few_shot"], abs=1e-3),
    )


def test_stopped_while_it_measures_it_goes_on_with_the_same_candidate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    correct(40)

    def stopped(self: gating.Gauge, candidate: str) -> list[Row]:
        raise Cancelled("Stopped.")

    with monkeypatch.context() as once:
        once.setattr(gating.Gauge, "rows", stopped)
        assert refine("classification", "-m", "tiny") == 130
    (run,) = all_runs(user_paths())
    assert f"assistant refine --resume {run.id}" in capsys.readouterr().err
    verdict(monkeypatch, 0.01)
    assert refine("--resume", "last") == 0
    assert [card.name for card in Registry(user_paths()).cards("tiny")] == ["classification/v1"]
    assert in_use() == "classification/v1"
    assert refine("--resume", "last") == 2
    assert "is decided" in capsys.readouterr().err


def test_a_refinement_is_not_gone_on_with_as_a_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    correct(40)
    verdict(monkeypatch, 0.4)
    refine("classification", "-m", "tiny")
    with pytest.raises(SystemExit) as end:
        main(["train", "--resume", "last"])
    assert end.value.code == 2
    assert "assistant refine --resume" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["chat", "nonsense"])
def test_other_tasks_are_refused(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(task) == 2
    assert "One of: qa" in capsys.readouterr().err


def test_a_method_is_for_one_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert refine("--method", "dpo") == 2
    assert "--method goes with one task" in capsys.readouterr().err


def test_the_same_words_are_held_out_for_good() -> None:
    texts = [f"text {number}" for number in range(600)]
    held = [is_held_out(text) for text in texts]
    assert 0.28 < sum(held) / len(held) < 0.40
    assert held == [is_held_out(f"  {text.upper()} ") for text in texts]


def test_the_part_of_a_check_that_feedback_touches() -> None:
    from assistant.evaluation.examples import Example

    def one(lang: str, *labels: str) -> Any:
        return Example("1", "t", "x", "y", ("y",), labels=labels, lang=lang)

    check = [one("en", "Glad", "sad"), one("en", "spam", "ham"), one("zh", "好", "坏")]
    assert touched(check, [one("en", "glad", "sad")]) == [0]
    assert touched([one("en-de"), one("de-en")], [one("en-de")]) == [0]
