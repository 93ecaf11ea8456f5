"""``assistant route``, through the real entry point."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run

from assistant.paths import Paths, user_paths
from assistant.prompts import Prompts
from assistant.router.memory import Lesson
from assistant.router.router import Reasons
from assistant.store.store import Store
from assistant.testing import FakeRouter, ready_loader
from assistant.types import Route

TASKS = {"qa", "translation", "summarization", "classification", "chat"}


class Listening(FakeRouter):
    """Keeps what it was asked, and how many turns at a time."""

    asked: list[tuple[str, str | None, object]] = []  # noqa: RUF012
    together: list[int] = []  # noqa: RUF012
    lessons: list[Lesson] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(
            {"Translate": "translation", "?": "qa"}, {"Translate": ("translation", "qa")}
        )

    def route(self, text: str, context: str | None = None, engine: object = None) -> Route:
        self.asked.append((text, context, engine))
        return super().route(text, context, engine)

    def route_all(self, turns: Any, engine: object = None, progress: Any = None) -> list[Route]:
        self.together.append(len(turns))
        return super().route_all(turns, engine, progress)

    def taught(self, engine: object = None) -> list[Lesson]:
        return self.lessons

    def explain(self, text: str, context: str | None = None, engine: object = None) -> Reasons:
        found = super().explain(text, context, engine)
        return replace(found, lessons=((Lesson("once\nsaid", None, "qa"), 0.25),))


def made(paths: Paths, store: Store, prompts: Prompts) -> Listening:
    """Stand in for ``make_router``; what it is given has to be there and open."""
    assert store.route_corrections() == []
    assert paths.database.is_file()
    assert set(prompts.tasks()) == TASKS
    return Listening()


@pytest.fixture
def run(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``assistant route`` and returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Listening, "asked", [])
    monkeypatch.setattr(Listening, "together", [])
    monkeypatch.setattr("assistant.wiring.make_router", made)
    loader = ready_loader()
    monkeypatch.setattr("assistant.wiring.make_loader", lambda settings, paths: loader)
    return partial(program, "route")


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def test_one_turn_shows_every_task_the_likeliest_first(run: Run) -> None:
    code, out, _ = run("Translate", "this")
    assert code == 0
    shown = [line.split() for line in out.splitlines()]
    assert shown[0] == ["translation", "90.0%"]
    assert {task for task, _ in shown} == TASKS


def test_json(run: Run) -> None:
    code, out, _ = run("Translate this", "--json", "--context", "User: a\nAssistant: b")
    value = json.loads(out)
    assert code == 0
    assert (value["task"], value["confidence"]) == ("translation", 0.9)
    assert set(value["scores"]) == TASKS
    assert (value["source"], value["unsure"]) == ("light", ["translation", "qa"])
    assert set(value) == {"task", "confidence", "scores", "source", "unsure"}
    assert Listening.asked[0][:2] == ("Translate this", "User: a\nAssistant: b")


def test_why_shows_each_part_with_its_effect_and_what_was_learned(run: Run) -> None:
    code, out, _ = run("Translate", "th\x1b[31mis", "--why", "--context", "User: a")
    assert code == 0
    shown, told = out.split("\n\n")
    assert shown.split()[:2] == ["translation", "90.0%"]
    lines = told.splitlines()
    assert "translation" in lines[0]
    assert lines[1].split() == ["+1.00", "Translate"]
    assert lines[2].split()[0] == "+1.00"
    assert "\x1b" not in out
    assert lines[3].split() == "25% of the decision is what you taught for qa: once said".split()
    assert [asked[:2] for asked in Listening.asked] == [("Translate th\x1b[31mis", "User: a")]


def test_why_as_json(run: Run) -> None:
    code, out, _ = run("Translate this", "--why", "--json")
    value = json.loads(out)
    assert code == 0
    assert value["task"] == "translation"
    assert [part["text"] for part in value["parts"]] == ["Translate", "this"]
    assert value["parts"][0] == {
        "text": "Translate",
        "start": -1,
        "end": -1,
        "effects": {"translation": 1.0},
    }
    assert "parts" not in json.loads(run("Translate this", "--json")[1])


def test_a_broken_task_file_of_ones_own_is_named(run: Run) -> None:
    folder = user_paths().prompts
    folder.mkdir(parents=True)
    (folder / "haiku.yaml").write_text("task: [")
    code, out, err = run("Hi", "--light")
    assert (code, out) == (1, "")
    assert "haiku.yaml" in err


def test_a_pipe_is_routed_when_there_is_no_text(run: Run) -> None:
    assert run("--json", stdin="Où est-il ?\n".encode())[0] == 0
    assert Listening.asked[0][0] == "Où est-il ?"


def test_light_uses_no_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("Hi")[0] == 0
    assert Listening.asked[-1][2] is not None
    monkeypatch.setattr("assistant.wiring.make_loader", lambda *_: pytest.fail("loads a model"))
    assert run("Hi", "--light")[0] == 0
    assert Listening.asked[-1][2] is None


@pytest.mark.parametrize("from_file", [True, False])
def test_a_batch_comes_out_in_the_order_given(run: Run, tmp_path: Path, from_file: bool) -> None:
    rows = [
        {"id": "b", "input": "Translate das"},
        {"id": 7, "input": "Hello", "context": "User: x\nAssistant: y"},
        {"id": "a", "input": "Warum\u2028?", "extra": 1},
        {"id": "b", "input": "twice the same id", "context": None},
    ]
    data = b"\xef\xbb\xbf" + lines(*rows[:2]) + b"\n  \n" + lines(*rows[2:])
    (tmp_path / "in.jsonl").write_bytes(data)
    code, out, err = run("--batch", "in.jsonl") if from_file else run("--batch", "-", stdin=data)
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(row["id"], row["task"]) for row in found] == [
        ("b", "translation"),
        (7, "chat"),
        ("a", "qa"),
        ("b", "chat"),
    ]
    for row in found:
        assert set(row) == {"id", "task", "confidence", "scores"}
        assert set(row["scores"]) == TASKS
        assert sum(row["scores"].values()) == pytest.approx(1.0)
        assert row["confidence"] == max(row["scores"].values())
    assert [asked[:2] for asked in Listening.asked] == [
        (row["input"], row.get("context")) for row in rows
    ]


def test_a_large_batch_is_routed_in_parts_and_keeps_its_order(run: Run) -> None:
    rows = [{"id": n, "input": "Translate" if n % 3 else f"{n}?"} for n in range(130)]
    code, out, _ = run("--batch", "-", stdin=lines(*rows))
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["id"] for row in found] == list(range(130))
    assert [row["task"] for row in found] == ["translation" if n % 3 else "qa" for n in range(130)]
    assert sum(Listening.together) == 130
    assert 1 < len(Listening.together) < 5
    assert max(Listening.together) <= 64


def test_an_empty_batch_is_an_empty_answer(run: Run) -> None:
    assert run("--batch", "-", stdin=b"\n") == (0, "", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json", "Line 3 is not JSON"),
        (b'{"id": 1, "input": ', "Line 3 is not JSON"),
        (b"[1, 2]", "Line 3 needs an 'id' and a text in 'input'"),
        (b'"text"', "Line 3 needs an 'id'"),
        (b'{"id": 1}', "Line 3 needs an 'id'"),
        (b'{"input": "x"}', "Line 3 needs an 'id'"),
        (b'{"id": 1, "input": 5}', "Line 3 needs an 'id'"),
        (b'{"id": 1, "input": "x", "context": ["y"]}', "Line 3: 'context' is"),
        (b"[" * 100_000, "Line 3 is not JSON"),
        (b'{"id": ' + b"1" * 5000 + b', "input": "x"}', "Line 3 is not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_line_is_named_before_anything_is_routed(run: Run, line: bytes, said: str) -> None:
    data = lines({"id": 1, "input": "fine"}) + b"\n" + line + b"\n"
    code, out, err = run("--batch", "-", stdin=data)
    assert (code, out) == (2, "")
    assert said in err
    assert Listening.asked == []


def test_a_batch_that_cannot_be_read_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": 1, "input": "caf\xe9"}')
    for name, said in (("latin.jsonl", "not UTF-8"), ("missing.jsonl", "No such file")):
        code, out, err = run("--batch", name)
        assert (code, out) == (2, "")
        assert said in err
        assert name in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("text", "--batch", "x.jsonl"), "not both"),
        ((), "Nothing to route"),
        (("  ",), "Nothing to route"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_what_was_taught_is_listed_with_how_much_it_counts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run("--taught", "--light")
    assert (code, out) == (0, "")
    assert "No route was corrected yet" in err
    lessons = [Lesson("in\n\x1b[31mFrench", None, "qa", 0.25), Lesson("odd", "User: a", "chat")]
    monkeypatch.setattr(Listening, "lessons", lessons)
    code, out, err = run("--taught", "--light")
    assert (code, out.splitlines()) == (
        0,
        ["   25%  qa              in French", "  100%  chat            odd"],
    )
    assert "assistant feedback delete" in err
    code, out, _ = run("--taught", "--light", "--json")
    assert json.loads(out)[1] == {
        "input": "odd",
        "context": "User: a",
        "task": "chat",
        "counts": 1.0,
    }
    code, _, err = run("--taught", "text")
    assert code == 2
    assert "Give it alone" in err
