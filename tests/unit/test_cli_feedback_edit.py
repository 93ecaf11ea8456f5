"""``assistant feedback`` list, show, edit, delete and undo, through the real entry point."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest
from cli_fakes import Program, Run

from assistant.paths import user_paths
from assistant.store.judged import Kind
from assistant.store.store import Store
from assistant.types import REASONS, Choice, Message, Route, Turn


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant feedback`` and returns code, stdout and stderr."""
    return partial(program, "feedback", stdin="")


def talk(text: str = "What?", answer: str = "It is Sydney.", task: str = "qa") -> Turn:
    with Store(user_paths().database) as store:
        turn = store.begin_turn(text, model="m")
        store.finish_turn(
            replace(
                turn,
                answer=answer,
                state="done",
                sent=(Message("user", text),),
                route=Route(task, 0.6, {task: 0.6}),
                choice=Choice("adapter", "why", "qa/v1"),
            )
        )
        return store.turn(turn.id)


def prefer(turn: Turn) -> None:
    with Store(user_paths().database) as store:
        other = replace(turn, answer="Bern.", choice=Choice("few_shot", "why"))
        store.add_preference(turn, other, "left", turn_id=turn.id)


def listed(run: Run, *arguments: str) -> list[Any]:
    code, out, _ = run("list", "--json", *arguments)
    assert code == 0
    found: list[Any] = json.loads(out)
    return found


def test_kinds_are_those_of_the_store() -> None:
    from assistant.cli.feedback_edit import KINDS

    assert get_args(Kind) == KINDS


@pytest.mark.parametrize(
    ("given", "stored"),
    [("too_long", "too_long"), ("Too-Long", "too_long"), ("3", "too_long"), ("1", "wrong")],
)
def test_a_reason_is_added_by_name_or_number(run: Run, given: str, stored: str) -> None:
    talk()
    code, out, _ = run("add", "last", "--reason", given)
    assert code == 0
    assert f"bad ({stored.replace('_', ' ')})" in out
    (item,) = listed(run)
    assert (item["rating"], item["reason"]) == ("bad", stored)


@pytest.mark.parametrize("given", ["ugly", "0", str(len(REASONS) + 1), ""])
def test_an_unknown_reason_is_refused(run: Run, given: str) -> None:
    talk()
    code, _, err = run("add", "last", "--bad", "--reason", given)
    assert code == 2
    assert "1 wrong, 2 incomplete" in err
    assert run("add", "last", "--good", "--reason", "wrong")[0] == 2
    assert listed(run) == []


def test_list_filters(run: Run) -> None:
    first, second = talk("The soup?"), talk("Le chat", task="translation")
    run("add", first.id, "--good", "--comment", "nice")
    run("add", second.id, "--route", "chat")
    prefer(first)
    assert [item["name"] for item in listed(run)] == ["1", "2", "p1"]
    assert [item["kind"] for item in listed(run)] == ["feedback", "feedback", "preference"]
    assert [item["name"] for item in listed(run, "--limit", "2")] == ["2", "p1"]
    assert [item["name"] for item in listed(run, "--task", "qa")] == ["1", "p1"]
    assert [item["name"] for item in listed(run, "--task", "chat")] == ["2"]
    assert [item["name"] for item in listed(run, "--kind", "preference")] == ["p1"]
    assert [item["name"] for item in listed(run, "--search", "SOUP nice")] == ["1"]
    assert [item["name"] for item in listed(run, "--turn", second.id[:8])] == ["2"]
    code, out, err = run("list", "--search", "nothing of this")
    assert (code, out, err) == (0, "", "No such feedback.\n")
    assert "1 is better · of: The soup?" in run("list")[1]
    assert run("list", "--kind", "ugly")[0] == 2


def test_show_marks_what_was_changed(run: Run) -> None:
    turn = talk("Which\x1b[31m city?")
    run("add", "last", "--reason", "wrong", "--correction", "It is Canberra.", "--comment", "Hm.")
    code, out, _ = run("show")
    assert code == 0
    assert "It is [-Sydney-]{+Canberra+}." in out
    assert "bad (wrong) · corrected · qa" in out
    assert "Which city?" in out
    assert "adapter · qa/v1 · m" in out
    assert "Comment: Hm." in out
    assert "\x1b" not in out
    record = json.loads(run("show", "1", "--json")[1])
    assert (record["turn_id"], record["correction"]) == (turn.id, "It is Canberra.")


def test_show_a_preference_and_several(run: Run) -> None:
    prefer(talk())
    run("add", "last", "--good")
    out = run("show", "p1", "1")[1]
    assert "p1 · 1 is better · qa" in out
    assert "1 · adapter · qa/v1 · m\nIt is Sydney." in out
    assert "2 · few_shot · m\nBern." in out
    assert "Answer\nIt is Sydney." in out
    assert [one["name"] for one in json.loads(run("show", "p1", "1", "--json")[1])] == ["p1", "1"]
    for wrong in ("7", "p7", "x"):
        assert run("show", wrong)[0] == 1


def test_edit(run: Run) -> None:
    talk()
    run("add", "last", "--good", "--comment", "nice")
    code, out, _ = run("edit", "1", "--reason", "2", "--correction", "Bern.", "--clear", "comment")
    assert code == 0
    assert "bad (incomplete) · correction: Bern." in out
    (item,) = listed(run)
    assert (item["rating"], item["reason"], item["comment"]) == ("bad", "incomplete", None)
    assert run("edit", "1", "--good", "--route", "chat")[0] == 0
    (item,) = listed(run)
    assert (item["rating"], item["reason"], item["route"]) == ("good", None, "chat")


def test_edit_a_preference(run: Run) -> None:
    prefer(talk())
    assert "2 is better" in run("edit", "p1", "--better", "2", "--comment", "short")[1]
    assert "both are bad" in run("edit", "last", "--bad")[1]
    (item,) = listed(run)
    assert (item["choice"], item["comment"]) == ("both_bad", "short")
    assert run("edit", "p1", "--clear", "comment")[0] == 0
    assert listed(run)[0]["comment"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("edit", "1"),
        ("edit", "1", "--good", "--bad"),
        ("edit", "1", "--better", "1"),
        ("edit", "1", "--route", "nonsense"),
        ("edit", "1", "--clear", "rating"),
        ("edit", "p1"),
        ("edit", "p1", "--correction", "x"),
        ("edit", "p1", "--clear", "rating"),
        ("edit", "p1", "--reason", "wrong"),
        ("delete",),
        ("delete", "1"),
        ("undo", "--times", "0"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    prefer(talk())
    run("add", "last", "--good")
    before = listed(run)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err
    assert listed(run) == before


def test_delete_and_undo(run: Run) -> None:
    prefer(talk())
    run("add", "last", "--good")
    before = listed(run)
    assert run("delete", "1", "p1", "p1", "--yes")[1] == "Deleted 2\n"
    assert listed(run) == []
    code, out, _ = run("undo", "-n", "2")
    assert code == 0
    assert out.count("Back again:") == 2
    assert listed(run) == before
    assert "Taken back:" in run("undo")[1]
    (gone,) = json.loads(run("undo", "--json")[1])
    assert (gone["undone"], gone["name"]) == ("added", "p1")
    assert run("undo") == (0, "", "There is nothing to take back.\n")
    assert run("undo", "--json")[1] == "[]\n"


def test_nothing_is_deleted_when_one_does_not_exist(run: Run) -> None:
    talk()
    run("add", "last", "--good")
    assert run("delete", "1", "9", "--yes")[0] == 1
    assert len(listed(run)) == 1


def test_delete_asks_at_a_terminal(program: Program, run: Run) -> None:
    talk()
    run("add", "last", "--good")
    code, _, err = program("feedback", "delete", "1", stdin="n\n", terminal=True)
    assert code == 0
    assert "Nothing deleted." in err
    assert program("feedback", "delete", "1", stdin="y\n", terminal=True)[1] == "Deleted 1\n"
    assert listed(run) == []


def test_for_good(run: Run) -> None:
    talk()
    run("add", "last", "--good")
    assert run("delete", "last", "--yes", "--for-good")[0] == 0
    assert run("undo")[2] == "There is nothing to take back.\n"


def test_words_are_coloured_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from assistant.cli.feedback_edit import marked

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31" in marked("old", "new")
    monkeypatch.setenv("NO_COLOR", "1")
    assert marked("old", "new") == "[-old-]{+new+}"
