"""``assistant bench`` on a tiny random model: what is printed, not how fast it is."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from assistant.benchmark import batch, load, store
from assistant.benchmark.results import median_ratio, result
from assistant.benchmark.suites import SUITES, chosen_suites
from assistant.cli.bench import command
from assistant.cli.main import main
from assistant.errors import AssistantError, UsageError
from assistant.testing import tiny_model

ROOT = Path(__file__).parents[2]
FIELDS = {"suite", "name", "value", "unit", "runs", "machine"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("bench") / "tiny")


def run(model: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(command, ["-m", str(model), "--runs", "1", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def rows_of(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert isinstance(rows, list)
    assert rows
    for row in rows:
        assert set(row) - {"baseline", "ratio"} == FIELDS
        assert ("baseline" in row) == ("ratio" in row)
        assert row["suite"] in SUITES
        assert row["value"] > 0
        assert row["runs"]
        assert all(value > 0 for value in row["runs"])
        assert row.get("ratio", 1.0) > 0
        assert {"cpu", "cores", "memory_gb", "os", "python", "versions"} <= set(row["machine"])
    return rows


@pytest.mark.parametrize("suite", ["decode", "prefill"])
def test_engines_are_compared_with_transformers(model: Path, suite: str) -> None:
    done = run(model, "--suite", suite, "--json")
    rows = rows_of(done)
    assert {row["unit"] for row in rows} == {"tokens/s"}
    compared = [(row["name"], row["baseline"]) for row in rows if "baseline" in row]
    baselines = ("transformers fp32", "transformers bf16")
    ours = [f"tiny, {mode}" for mode in ("auto", "accurate", "fast")]
    assert compared == [(name, baseline) for name in ours for baseline in baselines]
    alone = [row["name"] for row in rows if "baseline" not in row]
    assert alone == [f"tiny, {baseline}" for baseline in baselines]
    assert f"{suite}: round 1 of 1" in done.stderr


def test_the_first_token_by_what_is_known_of_the_prompt(model: Path) -> None:
    rows = rows_of(run(model, "--suite", "first-token", "--json"))
    found = {row["name"].removeprefix("tiny, "): row.get("baseline") for row in rows}
    assert found == {
        "few-shot translation, nothing known": None,
        "few-shot translation, prefix on disk": "nothing known",
        "few-shot translation, prefix in memory": "nothing known",
        "chat, second turn, nothing kept": None,
        "chat, second turn": "second turn, nothing kept",
        "whole turn with routing": None,
    }


def test_a_batch_gives_the_answers_that_one_by_one_gives(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PROMPTS", 4)  # a byte is a token here, and the window is small
    rows = rows_of(run(model, "--suite", "batch", "--json"))
    assert [row["name"] for row in rows] == [
        f"tiny, {kind}, {what}"
        for kind in ("answers that repeat", "answers of their own")
        for what in ("one by one", "batch", "share of identical answers")
    ]
    assert rows[2]["value"] == rows[5]["value"] == 1.0


def test_adapters(model: Path) -> None:
    rows = rows_of(run(model, "--suite", "adapter", "--json"))
    assert [row["name"] for row in rows][:2] == ["tiny, no adapter", "tiny, rank 8"]
    assert rows[1]["baseline"] == "no adapter"


def test_loading_in_a_process_of_its_own(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "variants", lambda subject: [load.OURS])  # torch takes its time
    (row,) = rows_of(run(model, "--suite", "load", "--json"))
    assert (row["name"], row["unit"]) == ("tiny, auto", "s")


def test_a_process_that_fails_is_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(subject: object, variant: str) -> dict[str, float]:
        raise AssistantError(f"Measuring {variant} failed.")

    monkeypatch.setattr(load, "variants", lambda subject: [load.OURS])
    monkeypatch.setattr(load, "probe", fail)
    done = run(model, "--suite", "load,route", "--json")
    assert done.exit_code == 1
    assert "Measuring auto failed." in done.stderr
    assert [row["suite"] for row in json.loads(done.stdout)] == ["route"]  # the others go on


def test_quality_of_the_accurate_mode(model: Path) -> None:
    found = {
        row["name"]: row for row in json.loads(run(model, "--suite", "quality", "--json").stdout)
    }
    assert found["tiny, accurate, perplexity en"]["ratio"] == pytest.approx(1.0, abs=1e-4)
    assert found["tiny, accurate, KL zh"]["value"] == pytest.approx(0.0, abs=1e-4)
    assert found["tiny, accurate, top-1 en"]["value"] > 0.99


def test_the_table(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TURNS", 20)
    lines = run(model, "--suite", "store", "--suite", "route").stdout.splitlines()
    assert lines[0].split() == ["SUITE", "WHAT", "VALUE", "UNIT", "RATIO", "OVER"]
    assert [line.split()[0] for line in lines[1:]] == ["store", "store", "route"]


def test_suites_are_chosen_by_name() -> None:
    assert chosen_suites(["load, store", "load"]) == ["load", "store"]
    assert chosen_suites([]) == chosen_suites(["all"]) == list(SUITES)
    with pytest.raises(UsageError, match="no suite 'fast'"):
        chosen_suites(["decode,fast"])


def test_a_suite_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "--suite", "nope"])
    assert end.value.code == 2
    assert "no suite" in capsys.readouterr().err


def test_ratios_come_from_runs_side_by_side() -> None:
    assert median_ratio([10.0, 30.0, 50.0], [5.0, 10.0]) == 2.5
    made = result("decode", ("a", "", "b"), [1.0, 3.0, 2.0], "tokens/s", baseline="c", ratio=0.5)
    assert (made.name, made.value) == ("a, b", 2.0)
    assert made.as_dict({})["ratio"] == 0.5


def _report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_report", ROOT / "benchmarks" / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_newest_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _report(monkeypatch)
    machine = {
        "cpu": "A CPU",
        "cores": 2,
        "threads": 2,
        "memory_gb": 8.0,
        "os": "Linux",
        "python": "3.11",
        "instruction_set": "avx2",
        "busy_percent": 1.0,
        "versions": {"torch": "2"},
    }
    for date, value in (("2001-01-01", 5.0), ("2001-01-02", 7.0)):
        ours = result("decode", ("m", "auto"), [value], "tokens/s", baseline="llama.cpp", ratio=1.5)
        theirs = result("decode", ("m", "llama.cpp"), [4.0], "tokens/s")
        rows = [ours.as_dict(machine), theirs.as_dict(machine)]
        (tmp_path / f"{date}-m.json").write_text(json.dumps(rows), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n", encoding="utf-8")
    report.rewrite(page, report.page_part(report.newest(tmp_path), None))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| auto | 7 | 1.50 |" in text
    assert "m, 2001-01-02: A CPU" in text
    assert "old" not in text
