"""``assistant adapters``, through the real entry point."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from adapter_fakes import own_folder, tensors, write_adapter, write_base, write_own, write_peft
from cli_fakes import Program, Run, Wired
from safetensors.numpy import save_file

from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, DataFile, Score, read_run, write_run
from assistant.adapters.shelf import Shelf
from assistant.config import Settings
from assistant.paths import user_paths
from assistant.session import Session
from assistant.store.store import Store
from assistant.testing import FakeRouter, ready_loader

SCORES = {"sst2": Score("accuracy", 100, 93.0, 83.0, 85.5, {"adapter": (88.0, 97.0)}, "en")}
EVIL = "\x1b]0;owned\x07"


@pytest.fixture
def run(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``assistant adapters`` for a base model of its own."""
    monkeypatch.setenv("ASSISTANT_MODEL", "base")
    monkeypatch.setattr("assistant.adapters.registry.shipped", lambda _name: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    return partial(program, "adapters", stdin="")


@pytest.fixture
def base() -> BaseModel:
    return write_base()


def value(run: Run, *arguments: str) -> Any:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_nothing_is_here(run: Run) -> None:
    code, out, err = run("list")
    assert (code, out) == (0, "")
    assert "No adapter is here" in err
    assert value(run, "list") == []
    assert value(run, "verify") == []
    code, _, err = run("show", "v1")
    assert code == 1
    assert "No adapter named 'v1' is installed for this model" in err


def test_list(run: Run, base: BaseModel, tmp_path: Path) -> None:
    write_adapter(tmp_path / "shipped" / "base" / "qa" / "v1", task="qa", base=base)
    write_own("mine", scores=SCORES)
    write_own("theirs", base="other")
    code, out, _ = run("list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["NAME", "BASE", "MODEL", "FROM", "KIND", "SIZE", "SCORES"]
    assert lines[1].split()[:4] == ["classification/mine", "base", "own", "lora"]
    assert lines[1].endswith("sst2 83.0 → 85.5 → 93.0")
    assert lines[2].startswith("*  qa/v1")
    assert len(lines) == 4
    rows = value(run, "list", "-m", "base")
    assert [(one["name"], one["shipped"], one["in_use"]) for one in rows] == [
        ("classification/mine", False, False),
        ("qa/v1", True, True),
    ]
    assert rows[0]["scores"]["sst2"]["adapter"] == 93.0
    assert rows[0]["rank"] == 2
    assert [one["name"] for one in value(run, "list", "-t", "qa")] == ["qa/v1"]


def test_show(run: Run, base: BaseModel) -> None:
    write_own("v1", base_model=base)
    folder = write_own("v2", base_model=base, scores=SCORES, parent="classification/v1")
    record = read_run(folder)
    assert record is not None
    from dataclasses import replace

    data = (DataFile("train.jsonl", "", 1200, ("SST-2",), ("CC-BY-4.0",)),)
    write_run(folder, replace(record, data=data, settings={"lr": EVIL}))
    code, out, _ = run("show", "v2")
    assert code == 0
    assert "train.jsonl: 1,200 rows, SST-2 (CC-BY-4.0)" in out
    assert "trained from  classification/v1" in out
    assert "[88.0, 97.0]" in out
    assert "\x1b" not in out
    assert out.endswith("# A card\n")
    shown = value(run, "show", "v2")
    assert shown["lineage"] == [{"name": "classification/v1", "here": True}]
    assert (shown["card"], shown["trained_on"]["sha256"]) == ("# A card", base.sha256)


def test_a_circle_of_parents_has_an_end(run: Run) -> None:
    write_own("v1", parent="classification/v2")
    write_own("v2", parent="classification/v1")
    assert [one["name"] for one in value(run, "show", "v1")["lineage"]] == ["classification/v2"]


def test_verify(run: Run, base: BaseModel) -> None:
    write_own("v1", base_model=base)
    bad = write_own("v2", base_model=base)
    assert run("verify", "v1")[0] == 0
    save_file(tensors(), str(bad / "adapter_model.safetensors"), {"changed": "yes"})
    code, out, _ = run("verify")
    assert code == 1
    assert "base classification/v1: ok (" in out
    assert "base classification/v2: failed: The weights of classification/v2 are not those" in out
    code, out, _ = run("verify", "v2", "--json")
    assert code == 1
    (one,) = json.loads(out)
    assert (one["ok"], one["sha256"]) == (False, None)


def test_promote_off_and_rollback(run: Run, base: BaseModel) -> None:
    for version in ("v1", "v2"):
        write_own(version, base_model=base, scores=SCORES)
    code, out, err = run("promote", "v1")
    assert (code, out, err) == (0, "classification/v1 is in use now (before: no adapter).\n", "")
    assert value(run, "promote", "classification/v2") == {
        "base_model": "base",
        "task": "classification",
        "current": "classification/v2",
        "before": "classification/v1",
    }
    assert value(run, "off", "classification")["current"] is None
    assert value(run, "rollback", "classification")["current"] == "classification/v2"
    assert value(run, "rollback", "classification")["current"] == "classification/v1"
    _, out, _ = run("rollback", "classification")
    assert out == ("No adapter is in use for classification now (before: classification/v1).\n")
    code, _, err = run("rollback", "classification")
    assert code == 1
    assert "Nothing was in use" in err


def test_one_without_scores_is_told_apart(run: Run, base: BaseModel) -> None:
    write_own("v1", base_model=base)
    code, _, err = run("promote", "v1")
    assert code == 0
    assert "answers only with --strategy adapter" in err


def test_what_does_not_pass_is_not_promoted(run: Run, base: BaseModel) -> None:
    write_own("wrong", base_model=BaseModel("other", "f" * 64))
    code, out, err = run("promote", "wrong")
    assert (code, out) == (1, "")
    assert "trained on another base model" in err
    assert not (own_folder("base", "classification", "x").parent / "current.json").exists()
    assert run("promote", "nothing")[0] == 1
    write_own("wrong2", base_model=base)
    assert run("promote", "wro")[0] == 2  # which of the two?


def test_export_and_import(run: Run, base: BaseModel, tmp_path: Path) -> None:
    write_own("v1", base_model=base)
    code, out, _ = run("export", "v1")
    assert code == 0
    assert out.startswith("base--classification--v1.zip (")
    assert run("export", "v1")[0] == 2
    assert run("export", "v1", "--force")[0] == 0
    assert value(run, "export", "v1", "-o", "x.zip")["path"] == "x.zip"
    code, _, err = run("import", "base--classification--v1.zip")
    assert code == 1
    assert "already" in err
    got = value(run, "import", "x.zip", "--version", "copy")
    assert (got["name"], got["in_use"], got["notes"]) == ("classification/copy", False, [])
    assert run("import", "x.zip", "--version", "../x")[0] == 1
    assert run("import", "nowhere.zip")[0] == 1
    write_peft(tmp_path / "plain")
    assert run("import", "plain")[0] == 2  # for which task?
    code, out, err = run("import", "plain", "-t", "qa")
    assert code == 0
    assert out.startswith("qa/plain for base is here:")
    assert "not recorded" in err


def test_the_hub_when_offline(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, err = run("import", "org/some-adapter")
    assert code == 1
    assert "cannot be fetched from the hub" in err


def test_remove(run: Run, base: BaseModel, tmp_path: Path) -> None:
    write_adapter(tmp_path / "shipped" / "base" / "classification" / "v0", base=base)
    for version in ("v1", "v2"):
        write_own(version, base_model=base)
    assert run("remove", "v1")[0] == 2  # nobody there to say yes
    run("promote", "v1")
    code, _, err = run("remove", "v1", "--yes")
    assert code == 1
    assert "is in use" in err
    assert value(run, "remove", "v1", "--yes", "--force")[0]["in_use"] == "classification/v0"
    assert run("remove", "v0", "--yes")[0] == 1
    assert run("remove", "v2", "--yes")[1].startswith("classification/v2 is gone")


def test_doctor(program: Program, run: Run, base: BaseModel) -> None:
    def said() -> str:
        return program("doctor", stdin="")[1]

    assert "none in use" in said()
    folder = write_own("v1", base_model=base)
    run("promote", "v1")
    assert "classification/v1 in use, its files are as they should be" in said()
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    assert "classification/v1 in use, cannot be:" in said()
    (folder.parent / "current.json").write_text("{")
    assert "is damaged" in said()


# -- assistant ask ---------------------------------------------------------------------------------


def test_ask_with_an_adapter(
    program: Program, wired: Wired, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_session(settings: Settings, *, store: Store, **_: Any) -> Session:
        shelf = Shelf(Registry(user_paths()))
        loader = ready_loader(wired.engine)
        return Session(store, loader, FakeRouter(), wired.prompts, settings, shelf=shelf)

    monkeypatch.setattr("assistant.wiring.make_session", make_session)
    write_own("v1", task="qa", base="fake", base_model=BaseModel("fake", "0" * 64))
    code, out, err = program("ask", "--adapter", "qa/v1", "--json", "Why?", stdin="")
    assert code == 0, err
    turn = json.loads(out)
    assert (turn["task"], turn["strategy"], turn["adapter"]) == ("qa", "adapter", "qa/v1")
    code, _, err = program("ask", "--adapter", "v7", "Why?", stdin="")
    assert code == 1
    assert "There are: qa/v1." in err
    code, _, err = program("ask", "-t", "qa", "--strategy", "adapter", "Why?", stdin="")
    assert code == 1
    assert "assistant adapters promote NAME" in err


PLAIN = "It answers on plain transformers only, which is slower: assistant config set engine plain"


def test_one_that_the_lean_engine_does_not_run_says_so(
    run: Run, base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own("v1", base_model=base, scores=SCORES)
    write_own("v2", base_model=base, scores=SCORES, config={"use_dora": True})
    assert PLAIN not in run("show", "v1")[1]
    assert PLAIN not in run("promote", "v1")[2]
    assert f"needs         {PLAIN}" in run("show", "v2")[1]
    assert run("promote", "v2")[2].strip() == PLAIN
    assert [one["needs_plain"] for one in value(run, "list")] == [False, True]
    monkeypatch.setenv("ASSISTANT_ENGINE", "plain")
    assert PLAIN not in run("show", "v2")[1]
    assert run("promote", "v2")[2] == ""


def test_without_settings_of_peft_the_record_says_what_an_adapter_needs() -> None:
    from dataclasses import replace

    from assistant.adapters.card import Card
    from assistant.adapters.plain import needs_plain
    from assistant.adapters.run_record import RunRecord

    card = Card("base", "qa", "v1", Path("nowhere"), True)
    record = RunRecord()
    found = {
        one: needs_plain(replace(card, run=replace(record, technique=one)))
        for one in ("", "lora", "layers", "dora", "ia3", "prefix")
    }
    assert [one for one, needs in found.items() if needs] == ["dora", "ia3", "prefix"]
