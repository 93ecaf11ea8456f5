"""``assistant history``, through the real entry point."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run

from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.types import Turn

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b2J"


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant history`` and returns code, stdout and stderr."""
    return partial(program, "history", stdin="")


def talk(text: str, answer: str, **begin: Any) -> Turn:
    with Store(user_paths().database) as store:
        turn = store.begin_turn(text, **begin)
        store.finish_turn(replace(turn, answer=answer, state="done", finish_reason="stop"))
        return store.turn(turn.id)


def test_an_empty_history(run: Run) -> None:
    assert run("list") == (0, "", "No conversations yet.\n")
    assert run("list", "--json")[:2] == (0, "[]\n")
    code, out, err = run("show")
    assert (code, out) == (1, "")
    assert "no conversation yet" in err


def test_list(run: Run) -> None:
    first = talk("First question", "a")
    talk("第二个问题", "b")
    code, out, _ = run("list")
    assert code == 0
    assert [line.split("  ")[-1] for line in out.splitlines()] == ["第二个问题", "First question"]
    assert first.conversation_id[:8] in out
    listed = json.loads(run("list", "--json", "--limit", "1", "--offset", "1")[1])
    assert [item["id"] for item in listed] == [first.conversation_id]
    assert listed[0]["turn_count"] == 1
    assert run("list", "--limit", "0")[0] == 2


def test_show(run: Run) -> None:
    turn = talk("What?", "This.", system="Be kind.")
    later = talk("What else?", "That.", conversation_id=turn.conversation_id)
    with Store(user_paths().database) as store:
        store.hide_turn(later.id)
        store.add_feedback(turn.id, rating="bad", correction="Those.")
    code, out, _ = run("show")
    assert code == 0
    for part in (
        "System: Be kind.",
        "You: What?",
        "Assistant: This.",
        "Corrected: Those.",
        f"[{turn.id[:8]} · rated bad]",
    ):
        assert part in out
    assert "That." not in out
    assert "That." in run("show", turn.conversation_id[:8], "--all")[1]
    shown = json.loads(run("show", "last", "--json", "-a")[1])
    assert [item["answer"] for item in shown["turns"]] == ["This.", "That."]
    assert shown["conversation"]["system"] == "Be kind."
    code, _, err = run("show", "zzzzzzzz")
    assert code == 1
    assert "assistant history list" in err


def test_search(run: Run) -> None:
    turn = talk("Ask about elephants", "他们很大，非常大")
    code, out, _ = run("search", "非常大")
    assert code == 0
    assert "assistant: 他们很大，非常大" in out
    assert turn.conversation_id[:8] in out
    hits = json.loads(run("search", "about", "elephant", "--json")[1])
    assert {hit["role"] for hit in hits} == {"user", "title"}
    assert run("search", 'OR "', "--json")[:2] == (0, "[]\n")
    assert run("search", "nowhere") == (0, "", "Nothing found.\n")
    assert run("search")[0] == 2


def test_rename(run: Run) -> None:
    turn = talk("What?", "This.")
    code, out, _ = run("rename", "last", "A", "better", "title")
    assert (code, out.rstrip().endswith("A better title")) == (0, True)
    assert json.loads(run("list", "--json")[1])[0]["title"] == "A better title"
    assert run("rename", turn.conversation_id, " ")[0] == 2


def test_delete_asks_first(run: Run) -> None:
    turn = talk("What?", "This.")
    code, out, err = run("delete", "last")
    assert (code, out) == (2, "")
    assert "--yes" in err
    code, out, err = run("delete", "last", stdin="n\n", terminal=True)
    assert (code, out) == (0, "")
    assert "Nothing was deleted" in err
    assert len(json.loads(run("list", "--json")[1])) == 1
    code, out, _ = run("delete", "last", stdin="y\n", terminal=True)
    assert code == 0
    assert f"Deleted {turn.conversation_id}" in out
    assert run("list", "--json")[1] == "[]\n"


def test_delete_several_or_none(run: Run) -> None:
    ids = [talk(text, "x").conversation_id for text in ("one", "two", "three")]
    assert run("delete", "--yes", ids[0], "zzzzzzzz")[0] == 1
    assert len(json.loads(run("list", "--json")[1])) == 3
    assert run("delete", "--yes", ids[0], ids[1], ids[1])[0] == 0
    assert [item["id"] for item in json.loads(run("list", "--json")[1])] == [ids[2]]


def test_export_markdown(run: Run, tmp_path: Path) -> None:
    talk("What?\n\n```py\nx = 1\n```", "**This.**")
    code, out, _ = run("export")
    assert code == 0
    assert out.startswith("# What?\n")
    assert "## You\n\nWhat?\n\n```py\nx = 1\n```\n\n## Assistant\n\n**This.**\n" in out
    target = tmp_path / "talk.md"
    code, nothing, _ = run("export", "last", "--output", str(target))
    assert (code, nothing) == (0, "")
    assert target.read_text(encoding="utf-8") == out
    code, _, err = run("export", "--output", str(tmp_path / "no" / "talk.md"))
    assert code == 1
    assert "cannot be written" in err
    assert run("export", "--format", "pdf")[0] == 2


def test_export_and_import_json(run: Run, tmp_path: Path) -> None:
    turn = talk(f"What? {EVIL}\u2028", "This. \x85", system="Be kind.")
    target = tmp_path / "talk.json"
    assert run("export", "--format", "json", "-o", str(target))[0] == 0
    exported = json.loads(target.read_text(encoding="utf-8"))
    assert exported["turns"][0]["user_text"] == turn.user_text
    piped = run("export", "-f", "json")[1]
    assert json.loads(piped) == exported
    assert "\x9b" not in piped
    assert run("delete", "last", "--yes")[0] == 0
    assert run("import", str(target))[0] == 0
    assert json.loads(run("export", "-f", "json")[1]) == exported
    assert run("import", "-", stdin=piped)[0] == 0
    assert len(json.loads(run("list", "--json")[1])) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"[1]", "expected an object"),
        (b'{"format": "x"}', "format"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_import_says_what_is_wrong(run: Run, tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "talk.json"
    file.write_bytes(content)
    code, out, err = run("import", str(file))
    assert (code, out) == (1, "")
    assert said in err


def test_import_of_a_missing_file(run: Run) -> None:
    code, _, err = run("import", "nowhere.json")
    assert code == 1
    assert "nowhere.json cannot be read" in err


def test_backup_and_path(run: Run, tmp_path: Path) -> None:
    talk("What?", "This.")
    assert run("path") == (0, f"{user_paths().database}\n", "")
    target = tmp_path / "copy.db"
    assert run("backup", str(target))[0] == 0
    with Store(target) as store:
        assert store.turn("last").answer == "This."
    code, _, err = run("backup", str(target))
    assert code == 1
    assert "exists already" in err


def test_terminal_sequences_are_not_printed(run: Run) -> None:
    talk(EVIL, EVIL, system=EVIL)
    for arguments in (("list",), ("show",), ("search", "red"), ("rename", "last", EVIL)):
        out = run(*arguments)[1]
        assert "red" in out
        assert not {"\x1b", "\x07", "\x9b"} & set(out), arguments


def test_a_damaged_database_is_an_error_not_a_traceback(run: Run) -> None:
    database = user_paths().database
    database.parent.mkdir(parents=True)
    database.write_bytes(b"junk" * 5000)
    code, out, err = run("list")
    assert (code, out) == (1, "")
    assert "damaged" in err


def test_every_command_and_option_has_help(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    names = ["list", "show", "search", "rename", "delete", "export", "import", "backup", "path"]
    assert all(f"  {name} " in out for name in names)
    assert all(run(name, "--help")[0] == 0 for name in names)
    from assistant.cli.history import command

    for name in names:
        one = command.commands[name]
        assert one.help
        assert all(getattr(p, "help", None) for p in one.params if p.param_type_name == "option")
