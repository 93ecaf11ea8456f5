"""``assistant feedback``, through the real entry point."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run

from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.types import Choice, Message, Route, Turn

SENT = (Message("system", "Be brief."), Message("user", "What?"))


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant feedback`` and returns code, stdout and stderr."""
    return partial(program, "feedback", stdin="")


def talk(text: str = "What?", answer: str = "This.") -> Turn:
    with Store(user_paths().database) as store:
        turn = store.begin_turn(text, model="m")
        route = Route("chat", 0.6, {"chat": 0.6, "qa": 0.4})
        store.finish_turn(replace(turn, answer=answer, state="done", sent=SENT, route=route))
        return store.turn(turn.id)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line]


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_nothing_yet(run: Run) -> None:
    assert run("list") == (0, "", "No feedback yet.\n")
    assert run("list", "--json")[:2] == (0, "[]\n")
    for kind in ("trl-sft", "trl-dpo", "trl-kto", "jsonl"):
        assert run("export", "--format", kind) == (0, "", "")
    assert run("add", "last", "--good")[0] == 1


def test_add_and_list(run: Run) -> None:
    first, second = talk(), talk("Why?")
    code, out, _ = run(
        "add", first.id[:8], "--bad", "--correction", "\x1b[31mThat.", "--comment", "Too\nlong"
    )
    assert code == 0
    assert "bad · correction: That. · comment: Too long" in out
    assert run("add", "last", "--good")[0] == 0
    listed = json.loads(run("list", "--json")[1])
    assert [(item["turn_id"], item["rating"]) for item in listed] == [
        (first.id, "bad"),
        (second.id, "good"),
    ]
    assert listed[0]["correction"] == "\x1b[31mThat."
    assert listed[0]["snapshot"]["answer"] == "This."
    assert len(json.loads(run("list", "--json", "--limit", "1")[1])) == 1
    assert len(run("list", "--turn", first.id)[1].splitlines()) == 1


def test_a_route_teaches_the_router(run: Run) -> None:
    talk()
    assert run("add", "last", "--route", "qa")[0] == 0
    with Store(user_paths().database) as store:
        (noted,) = store.route_corrections()
    assert (noted.text, noted.from_task, noted.to_task) == ("What?", "chat", "qa")
    code, _, err = run("add", "last", "--route", "cooking")
    assert code == 2
    assert "summarization" in err
    own = user_paths().prompts
    own.mkdir(parents=True)
    (own / "cooking.yaml").write_text("", encoding="utf-8")
    assert run("add", "last", "--route", "cooking")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "last"), 2),
        (("add", "last", "--good", "--bad"), 2),
        (("add", "last", "--correction", " "), 2),
        (("add", "--good"), 2),
        (("add", "zzzzzzzz", "--good"), 1),
        (("export", "--format", "xml"), 2),
        (("import", "nowhere.jsonl"), 1),
        (("list", "--limit", "0"), 2),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], code: int) -> None:
    talk()
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert err


def test_trl_formats(run: Run) -> None:
    wrong, good, same, silent = (
        talk("Wrong?"),
        talk("Good?"),
        talk("Same?"),
        talk("Silent?", answer=""),
    )
    moved = talk("Moved?")
    prompt = [said("system", "Be brief."), said("user", "What?")]
    about = {"task": "chat", "lang": "en", "context": "", "label_names": []}
    with Store(user_paths().database) as store:
        store.add_feedback(wrong.id, rating="good")
        store.add_feedback(wrong.id, correction="Draft.")
        store.add_feedback(wrong.id, rating="bad", correction="That.")
        store.add_feedback(good.id, rating="good")
        store.add_feedback(same.id, correction="This.")
        store.add_feedback(silent.id, rating="bad", correction="Something.")
        store.add_feedback(moved.id, rating="good", route="qa")
        alone = replace(good, choice=Choice("zero_shot", "why"))
        store.add_preference(alone, replace(alone, answer="Other."), "right", turn_id=good.id)

    sft = lines(run("export", "--format", "trl-sft")[1])
    assert sft == [
        {"prompt": prompt, "completion": [said("assistant", text)], **about}
        for text in ("That.", "This.", "This.", "Something.")
    ]
    dpo = lines(run("export", "--format", "trl-dpo")[1])
    assert dpo == [
        {
            "prompt": prompt,
            "chosen": [said("assistant", chosen)],
            "rejected": [said("assistant", "This.")],
            **about,
        }
        for chosen in ("That.", "Other.")
    ]
    kto = lines(run("export", "--format", "trl-kto")[1])
    assert kto == [
        {"prompt": prompt, "completion": [said("assistant", text)], "label": label, **about}
        for text, label in (
            ("This.", False),
            ("That.", True),
            ("This.", True),
            ("This.", True),
            ("Something.", True),
        )
    ]
    assert run("export", "--format", "trl-sft", "--task", "qa")[:2] == (0, "")


def test_a_turn_that_was_never_sent_has_the_users_text_as_prompt(run: Run) -> None:
    with Store(user_paths().database) as store:
        turn = store.begin_turn("Say it")
        store.add_feedback(turn.id, correction="It.")
    (row,) = lines(run("export", "-f", "trl-sft")[1])
    assert row["prompt"] == [said("user", "Say it")]


def test_csv(run: Run, tmp_path: Path) -> None:
    turn = talk('多行\n"quoted", text', "a,b")
    run("add", turn.id, "--bad", "--correction", "c\nd")
    target = tmp_path / "table.csv"
    assert run("export", "-f", "csv", "-o", str(target))[:2] == (0, "")
    with target.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["user_text"] == turn.user_text
    assert (row["turn_id"], row["rating"], row["correction"]) == (turn.id, "bad", "c\nd")
    assert (row["task"], row["model"], row["route"]) == ("chat", "m", "")


def test_import_on_another_machine(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = talk("Odd \u2028 \x85 text")
    run("add", turn.id, "--bad", "--correction", "That.", "--route", "qa")
    run("add", turn.id, "--good")
    file = tmp_path / "feedback.jsonl"
    assert run("export", "--output", str(file))[0] == 0
    exported = run("export")[1]
    assert len(exported.splitlines()) == 2
    assert run("import", str(file))[:2] == (0, "Imported 0, 2 known already\n")

    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "elsewhere"))
    assert run("import", "-", stdin=exported)[:2] == (0, "Imported 2\n")
    assert run("export")[1] == exported
    with Store(user_paths().database) as store:
        assert store.turn("last").user_text == turn.user_text
        assert len(store.route_corrections()) == 1


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "line 2: not JSON"),
        ("3", "line 2: expected an object"),
        ('{"turn_id": "aaaaaaaa"}', "line 2.created_at"),
        ('{"turn_id": "aaaaaaaa", "created_at": "2026-01-01", "rating": "ok"}', "line 2.rating"),
        ('{"turn_id": "aaaaaaaa", "created_at": "2026-01-01", "rating": "bad"}', "line 2.snapshot"),
        ('{"turn_id": "../../a", "created_at": "2026-01-01", "rating": "bad"}', "line 2.turn_id"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_imported(
    run: Run, tmp_path: Path, line: str, named: str
) -> None:
    talk()
    run("add", "last", "--good")
    record = lines(run("export")[1])[0]
    fine = json.dumps({**record, "rating": "bad"})
    file = tmp_path / "feedback.jsonl"
    file.write_text(f"{fine}\n{line}\n", encoding="utf-8")
    code, _, err = run("import", str(file))
    assert code == 1
    assert named in err
    assert len(json.loads(run("list", "--json")[1])) == 1


def test_every_command_and_option_has_help(run: Run) -> None:
    from assistant.cli.feedback import command

    names = "list show add edit delete undo review import export balance"
    assert set(command.commands) == set(names.split())
    for name, one in command.commands.items():
        assert run(name, "--help")[0] == 0
        assert one.help
        assert all(getattr(p, "help", None) for p in one.params if p.param_type_name == "option")


def test_the_commands_import_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, assistant.cli.history, assistant.cli.feedback; "
        "heavy = {'torch', 'pydantic', 'sqlite_utils', 'sqlite3', 'textual', 'psutil', 'numpy'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
