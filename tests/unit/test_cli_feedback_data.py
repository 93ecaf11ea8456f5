"""``assistant feedback review``, ``export`` and ``import`` as data for training, through the entry point."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_fakes import Program, Run

from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.training.examples import Collected, collect
from assistant.types import Choice, Message, Route, Turn

MAIL = "Write to anna.b@posteo.de"
LABELS = {"good": 0.9, "bad": 0.1}


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs ``assistant feedback`` and returns code, stdout and stderr."""
    return partial(program, "feedback", stdin="")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which the program is on another machine, so to speak."""
    return lambda: monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "elsewhere"))


def talk(
    text: str, answer: str, task: str = "qa", probabilities: dict[str, float] | None = None
) -> Turn:
    with Store(user_paths().database) as store:
        turn = store.begin_turn(text, model="m")
        done = replace(
            turn,
            answer=answer,
            state="done",
            sent=(Message("system", "Be brief."), Message("user", text)),
            route=Route(task, 0.9, {task: 0.9}),
            choice=Choice("few_shot", "why"),
            probabilities=probabilities,
        )
        store.finish_turn(done)
        return store.turn(turn.id)


def give(turn: Turn, **said: Any) -> int:
    with Store(user_paths().database) as store:
        return store.add_feedback(turn.id, **said).id


def data() -> Collected:
    with Store(user_paths().database) as store:
        return collect(store.feedback(), store.preferences())


def essence(found: Collected) -> dict[str, set[tuple[object, ...]]]:
    """Return what is learnt, without ids and times."""
    return {
        "sft": {(e.task, e.input, e.target, e.context, e.labels, e.messages) for e in found.sft},
        "dpo": {(e.task, e.input, e.chosen, e.rejected, e.labels, e.messages) for e in found.pairs},
        "kto": {(e.task, e.input, e.answer, e.desirable, e.labels) for e in found.judged},
    }


def some_feedback() -> None:
    give(talk("Capital?", "Sydney"), correction="Canberra")
    give(talk("River?", "Rhine"), rating="good")
    give(talk("Lake?", "Sea"), rating="bad")
    give(talk("The soup.", "good", "classification", LABELS), correction="bad")


def written(folder: Path, text: str, name: str = "rows.jsonl") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def rows(*some: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in some)


# -- review ----------------------------------------------------------------------------------------


def test_nothing_to_review(run: Run) -> None:
    assert run("review") == (0, "", "Nothing is flagged.\n")
    assert run("review", "--json")[:2] == (0, "[]\n")


def test_review_says_what_is_left_out_and_why(run: Run) -> None:
    private = give(talk(MAIL + "\x1b[31m", "Done."), rating="good")
    old = give(talk("Name?", "A"), correction="B")
    give(talk("Name?", "A"), correction="C")
    code, out, err = run("review")
    assert code == 0
    first, why, second, _ = out.splitlines()
    assert first.split()[:3] == [str(private), "private", "qa"]
    assert why.strip() == "An e-mail address in the input (anna…)."
    assert second.split()[:2] == [str(old), "contradiction"]
    assert "\x1b" not in out
    assert "--include-flagged" in err
    listed = json.loads(run("review", "--json")[1])
    assert [(one["feedback_id"], one["kind"], one["may_pass"]) for one in listed] == [
        (private, "secret", True),
        (old, "contradiction", False),
    ]
    assert run("review", "--task", "chat", "--json")[1] == "[]\n"


def test_what_is_flagged_stays_out_of_exports_until_it_may_pass(run: Run, tmp_path: Path) -> None:
    give(talk(MAIL, "Done."), rating="good")
    give(talk("Name?", "A"), correction="B")
    give(talk("Name?", "A"), correction="C")
    for kind, fine, all_of_it in (("trl-sft", 1, 2), ("trl-dpo", 1, 1), ("trl-kto", 2, 3)):
        code, out, err = run("export", "--format", kind)
        assert (code, len(out.splitlines())) == (0, fine)
        assert "Left out: 2 pieces of feedback" in err
        assert "assistant feedback review" in err
        assert "anna" not in out + err
        code, out, err = run("export", "--format", kind, "--include-flagged")
        assert (code, len(out.splitlines())) == (0, all_of_it)
        assert "Left out: 1 piece of feedback" in err
    folder = tmp_path / "data"
    assert "Left out" in run("export", "--format", "datasets", "-o", str(folder))[2]
    assert "anna" not in "".join(file.read_text("utf-8") for file in folder.iterdir())
    # A copy for another machine is complete.
    assert len(run("export")[1].splitlines()) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--format", "datasets"),
        ("export", "--format", "jsonl", "--include-flagged"),
        ("export", "--format", "csv", "--task", "qa"),
        ("import", "x.jsonl", "--task", "cooking"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err


# -- the folder ------------------------------------------------------------------------------------


def test_the_folder_names_its_parts(run: Run, tmp_path: Path) -> None:
    some_feedback()
    folder = tmp_path / "data"
    code, out, err = run("export", "-f", "datasets", "-o", str(folder))
    assert (code, out) == (0, "")
    assert "sft 3, dpo 2, kto 6 rows" in err
    _, head, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n")
    configs = yaml.safe_load(head)["configs"]
    assert configs == [
        {"config_name": "sft", "data_files": "sft.jsonl", "default": True},
        {"config_name": "dpo", "data_files": "dpo.jsonl"},
        {"config_name": "kto", "data_files": "kto.jsonl"},
    ]
    assert "`kto`, 6 rows" in text
    columns = {
        one["config_name"]: [
            list(json.loads(line))
            for line in (folder / one["data_files"]).read_text(encoding="utf-8").splitlines()
        ]
        for one in configs
    }
    about = ["task", "lang", "context", "label_names"]
    assert columns["sft"] == [["prompt", "completion", *about]] * 3
    assert columns["dpo"] == [["prompt", "chosen", "rejected", *about]] * 2
    assert columns["kto"] == [["prompt", "completion", "label", *about]] * 6
    assert run("export", "-f", "datasets", "-o", str(folder))[0] == 2  # it is not empty


def test_parts_without_rows_are_left_out(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert run("export", "-f", "datasets", "-o", str(folder))[0] == 2
    assert not folder.exists()
    give(talk("Lake?", "Sea"), rating="bad")
    assert run("export", "-f", "datasets", "-o", str(folder))[0] == 0
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "kto.jsonl"]
    assert "default: true" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("again", [False, True])
def test_the_folder_comes_back_as_it_was(
    run: Run, tmp_path: Path, elsewhere: Callable[[], None], again: bool
) -> None:
    some_feedback()
    before = data()
    folder = tmp_path / "data"
    run("export", "-f", "datasets", "-o", str(folder))
    if not again:
        elsewhere()
    code, out, _ = run("import", str(folder))
    assert code == 0
    assert "known" in out  # sft and kto say the same of an answer
    assert essence(data()) == essence(before)
    assert not data().flagged
    assert run("import", str(folder))[1].startswith("Imported 0, ")


# -- rows of TRL -----------------------------------------------------------------------------------

PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"}]


def answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize("plain", [False, True])
def test_rows_of_trl_become_feedback(run: Run, tmp_path: Path, plain: bool) -> None:
    def form(value: str) -> object:
        return value if plain else answer(value)

    def prompt(value: str) -> object:
        return value if plain else [{"role": "user", "content": value}]

    file = written(
        tmp_path,
        rows(
            {"prompt": prompt("One?"), "completion": form("1")},
            {"prompt": prompt("Two?"), "chosen": form("2"), "rejected": form("3")},
            {"prompt": prompt("Three?"), "completion": form("4"), "label": False},
            {"prompt": prompt("Three?"), "completion": form("3"), "label": True},
        ),
    )
    assert run("import", file, "--task", "qa")[:2] == (0, "Imported 4\n")
    found = data()
    assert {(e.task, e.input, e.target) for e in found.sft} == {
        ("qa", "One?", "1"),
        ("qa", "Two?", "2"),
        ("qa", "Three?", "3"),
    }
    # Of the last two, one answer to a message is better than the other.
    assert {(e.chosen, e.rejected) for e in found.pairs} == {("2", "3"), ("3", "4")}
    assert not found.flagged
    with Store(user_paths().database) as store:
        (conversation,) = store.conversations()
        assert (conversation.title, conversation.turn_count) == ("Imported feedback", 4)
        turns = store.turns(conversation.id)
        assert [turn.answer for turn in turns] == ["1", "3", "4", "3"]
        assert {turn.route.task for turn in turns if turn.route} == {"qa"}
        assert {(one.text, one.answer) for one in store.wanted_answers()} >= {("Two?", "2")}
    assert run("import", file, "--task", "qa")[:2] == (0, "Imported 0, 4 known already\n")
    with Store(user_paths().database) as store:
        assert len(store.conversations()) == 1


def test_a_row_may_say_its_task_and_labels(run: Run, tmp_path: Path) -> None:
    row = {"prompt": PROMPT, "completion": "x", "task": "classification", "labels": ["x", "y"]}
    assert run("import", written(tmp_path, rows(row)), "--task", "qa")[0] == 0
    (one,) = data().sft
    assert (one.task, one.input, one.labels) == ("classification", "Capital?", ("x", "y"))
    assert [message.role for message in one.messages] == ["system", "user"]
    # It survives a copy to another machine, labels included.
    copied = run("export")[1]
    assert json.loads(copied)["snapshot"]["labels"] == ["x", "y"]


def test_what_was_imported_is_never_the_last_turn(run: Run, tmp_path: Path) -> None:
    mine = talk("Mine?", "Yes")
    run("import", written(tmp_path, rows({"prompt": "One?", "completion": "1"})))
    assert run("add", "last", "--good")[0] == 0
    with Store(user_paths().database) as store:
        assert store.turn("last").id == mine.id


def test_one_file_that_says_two_things_is_flagged(run: Run, tmp_path: Path) -> None:
    row = {"prompt": "Name?", "rejected": "A"}
    file = written(tmp_path, rows({**row, "chosen": "B"}, {**row, "chosen": "C"}))
    assert run("import", file)[:2] == (0, "Imported 2\n")
    assert data().sft == ()
    assert len(data().flagged) == 2
    give(talk("Name?", "A", "chat"), correction="D")  # later than the import, and clear
    assert [one.target for one in data().sft] == ["D"]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"prompt": 3, "completion": "x"}, "line 2.prompt"),
        ({"prompt": [], "completion": "x"}, "line 2.prompt"),
        ({"prompt": answer("x"), "completion": "x"}, "line 2.prompt"),
        ({"prompt": [{"role": "tool", "content": "x"}], "completion": "x"}, "line 2.prompt[0]"),
        ({"prompt": " ", "completion": "x"}, "line 2.prompt"),
        ({"prompt": "A?"}, "line 2.completion"),
        ({"prompt": "A?", "completion": ""}, "line 2.completion"),
        ({"prompt": "A?", "completion": answer("x") * 2}, "line 2.completion"),
        ({"prompt": "A?", "chosen": "x"}, "line 2.rejected"),
        ({"prompt": "A?", "completion": "x", "label": 1}, "line 2.label"),
        ({"prompt": "A?", "completion": "x", "task": 1}, "line 2.task"),
        ({"prompt": "A?", "completion": "x", "labels": "a,b"}, "line 2.labels"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_imported(
    run: Run, tmp_path: Path, row: dict[str, object], named: str
) -> None:
    file = written(tmp_path, rows({"prompt": "A?", "completion": "x"}, row))
    code, _, err = run("import", file)
    assert code == 1
    assert named in err
    assert json.loads(run("list", "--json")[1]) == []


def test_a_folder_without_rows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run("import", str(tmp_path / "empty"))
    assert code == 1
    assert ".jsonl" in err


# -- the table -------------------------------------------------------------------------------------


def test_the_table_comes_back(run: Run, tmp_path: Path, elsewhere: Callable[[], None]) -> None:
    some_feedback()
    give(talk('多行\n"quoted", text', "a,b"), rating="bad", reason="too_long", comment="c\nd")
    give(talk("Where?", "There"), route="chat")
    file = str(tmp_path / "feedback.csv")
    assert run("export", "-f", "csv", "-o", file)[0] == 0
    assert run("import", file)[:2] == (0, "Imported 0, 6 known already\n")
    table = Path(file).read_text(encoding="utf-8")
    elsewhere()
    assert run("import", file)[:2] == (0, "Imported 6\n")
    assert run("export", "-f", "csv")[1] == table
    with Store(user_paths().database) as store:
        (route,) = store.route_corrections()
        assert (route.text, route.from_task, route.to_task) == ("Where?", "qa", "chat")
    assert run("import", file)[:2] == (0, "Imported 0, 6 known already\n")


def test_another_table_is_refused(run: Run, tmp_path: Path) -> None:
    code, _, err = run("import", written(tmp_path, "a,b\n1,2\n", "other.csv"))
    assert code == 2
    assert "turn_id" in err
    code, _, err = run("import", written(tmp_path, "turn_id,rating\nabcdefgh,good\n", "few.csv"))
    assert code == 1
    assert "created_at" in err
