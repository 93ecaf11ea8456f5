"""The balance of stored feedback: what is counted, what stands out, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.cli.main import main
from assistant.evaluation.balance import UNKNOWN, balance
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.types import Feedback, Rating, Route

TEXTS = {"en": "What is the name of the river in this text?", "zh": "这段文字里的河叫什么名字？"}
_numbers = iter(range(1, 10_000))


def said(
    rating: Rating | None = None,
    *,
    turn: str | None = None,
    task: str | None = "qa",
    lang: str = "en",
    **given: Any,
) -> Feedback:
    number = next(_numbers)
    snapshot: dict[str, object] = {"task": task, "user_text": TEXTS[lang]}
    return Feedback(number, turn or f"turn {number}", "", rating, snapshot=snapshot, **given)


def kinds(items: list[Feedback], least: int = 1) -> set[tuple[str, str, str]]:
    found = balance(items, least).findings
    return {(one.kind, one.task, one.lang) for one in found if one.kind != "none"}


def test_counts_by_task_and_language() -> None:
    items = [
        said("good"),
        said("bad", correction="The Lun."),
        said("good", lang="zh"),
        said("bad", task="translation", lang="zh"),
        said(comment="hm", task=None),
    ]
    found = balance(items)
    assert [(one.task, one.lang, one.turns) for one in found.groups] == [
        ("qa", "en", 2),
        ("qa", "zh", 1),
        ("translation", "zh", 1),
        (UNKNOWN, "en", 1),
    ]
    english = found.groups[0]
    assert (english.good, english.bad, english.corrections, english.usable) == (1, 1, 1, 2)
    assert english.good_share == 0.5
    assert found.groups[3].usable == 0
    assert found.groups[3].good_share is None
    by_task = {one.task: one for one in found.tasks}
    assert (by_task["qa"].turns, by_task["qa"].good, by_task["chat"].turns) == (3, 2, 0)


def test_the_last_word_on_a_turn_counts() -> None:
    items = [
        said("bad", turn="a", correction="x"),
        said("good", turn="a"),
        said(turn="a", comment="so"),
    ]
    (one,) = balance(items).groups
    assert (one.turns, one.good, one.bad, one.corrections) == (1, 1, 0, 1)


def test_a_turn_counts_for_the_task_it_was_moved_to() -> None:
    items = [
        said("bad", task="chat", route="qa"),
        said("good", task="qa", route="qa"),
        said("good", task="qa", turn="b"),
        said(task="qa", turn="b", route="translation"),
    ]
    found = {one.task: one for one in balance(items).groups}
    assert (found["qa"].turns, found["qa"].rerouted, found["qa"].bad) == (2, 1, 1)
    assert (found["translation"].good, found["translation"].rerouted) == (1, 1)
    assert "chat" not in found


def test_too_few() -> None:
    items = [said("good"), said("bad"), said("good", lang="zh", correction="x")]
    assert ("few", "qa", "zh") in kinds(items, least=2)
    assert ("few", "qa", "en") not in kinds(items, least=2)
    text = next(one.text for one in balance(items, 5).findings if one.lang == "en")
    assert text.startswith("2 of 5 turns")


def test_tasks_without_anything_are_named() -> None:
    found = balance([said("good"), said(task="chat", comment="nice")])
    none = {one.task for one in found.findings if one.kind == "none"}
    assert none == {"chat", "translation", "summarization", "classification"}


def test_one_sided_and_skewed() -> None:
    assert ("one_sided", "qa", "") in kinds([said("good"), said("good")])
    assert ("one_sided", "qa", "") in kinds([said("bad")])
    even = [said("good"), said("bad")] * 1 + [said("good") for _ in range(3)]
    assert not {kind for kind, *_ in kinds(even)} & {"one_sided", "skewed"}
    skewed = [said("good") for _ in range(9)] + [said("bad")]
    assert ("skewed", "qa", "") in kinds(skewed)
    text = next(one.text for one in balance(skewed).findings if one.kind == "skewed")
    assert "only 1 of 10 ratings are bad" in text
    assert "9.0 times" in text
    assert ("skewed", "qa", "") not in kinds(skewed[1:]), "nine ratings say too little"
    other = [said("bad") for _ in range(9)] + [said("good")]
    assert any("are good" in one.text for one in balance(other).findings if one.kind == "skewed")


def test_corrections_are_missed() -> None:
    assert ("no_corrections", "qa", "") in kinds([said("good"), said("bad")])
    assert ("no_corrections", "qa", "") not in kinds([said("bad", correction="x")])


def test_one_language_dominates() -> None:
    most = [said("good") for _ in range(8)] + [said("bad", lang="zh") for _ in range(2)]
    assert ("one_language", "qa", "en") in kinds(most)
    assert not any(kind == "one_language" for kind, *_ in kinds(most[1:])), "nine say too little"
    half = [said("good") for _ in range(6)] + [said("bad", lang="zh") for _ in range(6)]
    assert not any(kind == "one_language" for kind, *_ in kinds(half))


def test_nothing_and_odd_snapshots() -> None:
    assert balance([]).groups == ()
    odd = replace(said("good"), snapshot={"user_text": 3})
    (one,) = balance([odd]).groups
    assert one.task == UNKNOWN


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["feedback", "balance", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(caught.value.code or 0), out, err

    return call


def test_command(run: Any) -> None:
    assert run() == (0, "", "No feedback yet.\n")
    with Store(user_paths().database) as store:
        for text, rating in ((TEXTS["en"], "good"), (TEXTS["zh"], "bad")):
            turn = store.begin_turn(text, model="m")
            route = Route("qa", 0.9, {"qa": 0.9})
            store.finish_turn(replace(turn, answer="x", state="done", route=route))
            store.add_feedback(turn.id, rating=rating)  # type: ignore[arg-type]
    code, out, err = run("--least", "2")
    assert code == 0
    assert "qa              en         1     1     0          0      0" in out
    assert "qa (zh): 1 of 2 turns" in out
    assert "translation: no rating and no correction" in out
    assert "no sample" in err
    value = json.loads(run("--json")[1])
    assert (value["least"], value["turns"]) == (50, 2)
    assert {(one["lang"], one["good_share"]) for one in value["groups"]} == {
        ("en", 1.0),
        ("zh", 0.0),
    }
    assert {one["kind"] for one in value["findings"]} == {"few", "none", "no_corrections"}
    assert run("--least", "0")[0] == 2
