"""``assistant train`` from flags to an adapter among the others; the tiny model, everything real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from preference_help import write_preferences
from training_help import write_rows
from transformers import AutoModelForCausalLM

from assistant.adapters.registry import Registry
from assistant.adapters.run_record import read_run
from assistant.cli import main
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.testing import tiny_model
from assistant.training import worth
from assistant.training.worth import Worth


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the tiny model and a file of examples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_THREADS", "1")
    tiny_model(tmp_path / "tiny")
    write_rows(tmp_path / "moods.jsonl", 60)
    monkeypatch.setattr(os, "nice", lambda by: 0)
    return tmp_path


def program(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    return int(end.value.code or 0)


def run(*arguments: str) -> int:
    return program("train", *arguments)


START = ("-t", "classification", "--data", "moods.jsonl", "-m", "tiny", "--rank", "4")
SHORT = (*START, "--max-steps", "3")


def test_an_adapter_is_there_with_record_card_and_scores(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*SHORT, "--eval-limit", "3", "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["adapter"], value["steps"], value["promoted"]) == ("classification/v1", 3, False)
    folder = Path(value["folder"])
    record = read_run(folder)
    assert record is not None
    assert (record.task, record.technique, record.rank) == ("classification", "lora", 4)
    assert record.base_model.name == "tiny"
    assert record.data[0].licences == ("CC0-1.0",)
    assert record.data[0].rows == 57
    assert set(record.scores) == {"moods"}
    assert record.scores["moods"].n == 3
    card = (folder / "README.md").read_text()
    assert "CC0-1.0" in card
    assert "moods" in card
    assert str(Path.cwd()) not in (folder / "adapter_config.json").read_text() + card
    base = AutoModelForCausalLM.from_pretrained("tiny")
    PeftModel.from_pretrained(base, str(folder))
    assert Registry(user_paths()).in_use("tiny", "classification").card is None
    (stored,) = Store(user_paths().database).runs()
    assert (stored.id, stored.state) == (value["run"], "done")


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_an_adapter_learns_from_preferences_and_is_measured_on_right_answers(
    method: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_preferences(place / "said.jsonl", method, 60)
    start = ("-t", "classification", "--data", str(data), "-m", "tiny", "--rank", "4")
    more = ("--method", method, "--beta", "0.2", "--max-steps", "3", "--eval-limit", "3")
    assert run(*start, *more, "--json") == 0
    said = capsys.readouterr()
    value = json.loads(said.out)
    assert value["steps"] == 3
    assert "as judged)" in said.err
    record = read_run(Path(value["folder"]))
    assert record is not None
    assert (record.settings["method"], record.settings["beta"]) == (method, 0.2)
    assert 0 < record.scores["said"].n <= 3
    assert f"method {method}" in (Path(value["folder"]) / "README.md").read_text()


def test_versions_count_up_and_one_starts_from_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SHORT, "--no-eval") == 0
    assert run(*SHORT, "--no-eval", "--from", "v1") == 0
    assert "adapters promote classification/v2" in capsys.readouterr().err
    first, second = Registry(user_paths()).cards("tiny")
    assert (second.name, second.run.parent) == ("classification/v2", "classification/v1")
    assert first.run.parent is None
    assert first.run.sha256 != second.run.sha256


@pytest.mark.parametrize(("gain", "code"), [(4.0, 0), (-1.0, 3)])
def test_only_what_beats_few_shot_is_promoted(
    gain: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: Any, **__: Any) -> Worth:
        return Worth({}, {"moods": (gain, gain - 1, gain + 1, 0.01)})

    monkeypatch.setattr(worth, "measure", measured)
    assert run(*SHORT, "--promote") == code
    used = Registry(user_paths()).in_use("tiny", "classification").card
    assert (used is not None) == (code == 0)
    assert f"{gain:+.1f} points over few-shot" in capsys.readouterr().err


def test_without_a_measurement_nothing_is_promoted() -> None:
    assert run(*SHORT, "--promote", "--no-eval") == 3


def test_a_dry_run_tells_time_and_memory_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*SHORT, "--dry-run", "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["steps"] == 3
    assert value["seconds"] > 0
    assert value["memory_bytes"] > 0
    assert not (user_paths().data / "runs").exists()
    assert not (user_paths().data / "adapters").exists()


def test_ctrl_c_saves_the_state_and_says_how_to_go_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*START, "--epochs", "300", "--rate", "0.001", "--no-eval"]
    code = (
        "import os, signal, assistant.training.runs as runs\n"
        "log = runs.RunFolder.log\n"
        "def interrupting(self, progress):\n"
        "    log(self, progress)\n"
        "    if progress.step == 5: os.kill(os.getpid(), signal.SIGINT)\n"
        "runs.RunFolder.log = interrupting\n"
        "from assistant.cli import main\n"
        f"main(['train', *{arguments!r}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 130, done.stderr
    assert "Stopped after step 5" in done.stderr
    assert run("--list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["state"], listed["step"]) == ("stopped", 5)
    assert f"assistant train --resume {listed['id']}" in done.stderr


def test_a_run_is_resumed_once_and_only_on_the_same_data(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant.training.runs import RunFolder

    def failing(self: Any, *_: Any) -> None:
        raise OSError(28, "No space left")

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "log", failing)
        assert run(*SHORT, "--no-eval") == 1
    data = (place / "moods.jsonl").read_text()
    (place / "moods.jsonl").write_text(data.replace("sea", "tea", 1))
    assert run("--resume", "last") == 2
    assert "was changed since the run began" in capsys.readouterr().err
    (place / "moods.jsonl").write_text(data)
    assert run("--resume", "last", "--no-eval") == 0
    assert run("--resume", "last") == 2
    assert "is done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("-t", "qa"), 2, "on what"),
        ((*SHORT, "--method", "dpo"), 2, "line 1 needs a text in 'rejected'"),
        ((*SHORT, "--method", "kto"), 2, "line 1 needs true or false in 'desirable'"),
        ((*SHORT, "--beta", "0.2"), 2, "--beta goes with --method dpo or kto only"),
        ((*SHORT, "--method", "kto", "--augment"), 2, "do not go with --method kto"),
        ((*SHORT, "--layers", "2-1"), 2, "no range of layers"),
        ((*SHORT, "--technique", "layers", "--layers", "2-9"), 2, "layers 1 to 2"),
        ((*SHORT, "--technique", "ia3", "--layers", "1-1"), 2, "all layers"),
        ((*SHORT, "--from", "v9"), 1, "v9"),
        ((*SHORT, "--init-from", "tiny"), 2, "no adapter"),
        (("--resume", "x"), 2, "no run 'x'"),
        (("-t", "qa", "--data", "moods.jsonl", "-m", "tiny"), 2, "line 1 is for classification"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(
    arguments: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == code
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert not list((user_paths().data / "adapters").glob("*/*/*"))


@pytest.mark.parametrize("technique", ["dora", "ia3", "prefix"])
def test_what_the_lean_engine_cannot_run_is_measured_and_used_on_plain_transformers(
    technique: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SHORT, "--technique", technique, "--eval-limit", "3") == 0
    said = capsys.readouterr()
    assert f"{technique} needs plain transformers: all three ways are measured there" in said.err
    assert "assistant config set engine plain" in said.err
    assert "zero-shot" in said.out
    monkeypatch.setattr(sys, "stdin", None)
    name = "classification/v1"
    ask = ("ask", "--adapter", name, "-m", "tiny", "--labels", "glad,sad", "--no-log", "sea fine")
    measure = ("eval", "--adapter", name, "-m", "tiny", "--data", "moods.jsonl", "--limit", "3")
    for command in (ask, measure):
        assert program(*command) == 1
        err = capsys.readouterr().err
        assert "is more than plain LoRA" in err
        assert "assistant config set engine plain" in err
    monkeypatch.setenv("ASSISTANT_ENGINE", "plain")
    for command in (ask, measure):
        assert program(*command, "--json") == 0
        assert json.loads(capsys.readouterr().out)["adapter"] == name


def test_plain_is_not_spoken_of_where_it_is_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSISTANT_ENGINE", "plain")
    assert run(*SHORT, "--technique", "ia3", "--eval-limit", "3") == 0
    assert "plain transformers" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "more", "says"),
    [
        ((), ("--rank", "8"), "--rank 8 does not go with classification/v1: it was made with 4"),
        ((), ("--alpha", "5"), "--alpha 5 does not go with"),
        ((), ("--technique", "dora"), "--technique dora does not go with"),
        ((), ("--technique", "layers"), "--technique layers does not go with"),
        (
            (),
            ("--layers", "1-1"),
            "--layers 1-1 does not go with classification/v1: it was made with all",
        ),
        (("--layers", "2-2"), ("--layers", "1-2"), "it was made with 2-2"),
        (("--technique", "ia3"), ("--technique", "lora"), "it was made with ia3"),
    ],
)
def test_an_adapter_to_start_from_keeps_its_shape(
    made: tuple[str, ...], more: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SHORT, "--no-eval", *made) == 0
    assert run(*SHORT, "--no-eval", "--from", "v1", *more) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "says", "technique"),
    [
        ((), "lora, rank 4, alpha 8, layers all", "lora"),
        (("--alpha", "3", "--technique", "dora"), "dora, rank 4, alpha 3, layers all", "dora"),
        (("--technique", "layers"), "layers, rank 4, alpha 8, layers 2-2", "layers"),
        (("--technique", "prefix"), "prefix, 4 virtual tokens", "prefix"),
        (("--technique", "ia3"), "made: ia3.", "ia3"),
    ],
)
def test_what_the_start_fixes_is_said(
    made: tuple[str, ...], says: str, technique: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SHORT, "--no-eval", *made) == 0
    bare = tuple(word for word in SHORT if word not in ("--rank", "4"))
    assert run(*bare, "--no-eval", "--from", "v1") == 0
    assert says in capsys.readouterr().err
    record = Registry(user_paths()).find("classification/v2", "tiny").run
    assert record.technique == technique
    if technique != "ia3":
        assert record.rank == 4


def test_a_development_file_beside_the_data_is_measured_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(place / "a.train.jsonl", 50)
    write_rows(place / "a.dev.jsonl", 7, seed=1)
    bare = ("-t", "classification", "-m", "tiny", "--rank", "4", "--dry-run")
    assert run(*bare, "--data", "a.train.jsonl") == 0
    err = capsys.readouterr().err
    assert "Measuring on a.dev.jsonl, found beside the data." in err
    assert "50 rows to train on" in err
    assert "7 to measure on" in err
    assert run(*bare, "--data", "a.train.jsonl", "--dev", "moods.jsonl") == 0
    err = capsys.readouterr().err
    assert "found beside" not in err
    assert "60 to measure on" in err
    assert run(*bare, "--data", "a.train.jsonl", "--data", "a.dev.jsonl") == 0
    assert "found beside" not in capsys.readouterr().err


def test_the_base_model_is_not_changed(place: Path) -> None:
    before = (place / "tiny" / "model.safetensors").read_bytes()
    assert run(*SHORT, "--no-eval") == 0
    assert (place / "tiny" / "model.safetensors").read_bytes() == before


def test_no_runs_are_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the only run as ``--list --json`` tells it."""
    capsys.readouterr()
    assert run("--list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    return dict(row)


def test_why_it_failed_is_kept_shown_and_forgotten_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant.training.following import read_all
    from assistant.training.sft import Trainer

    with monkeypatch.context() as patched:
        patched.setattr(
            Trainer,
            "_loss",
            lambda self, pack, rows: torch.full((), float("nan"), requires_grad=True),
        )
        assert run(*SHORT, "--no-eval") == 1
    row = listed(capsys)
    assert row["state"] == "failed"
    assert row["error"].startswith("The loss at step 1 is no number.\nTry a lower rate: --rate ")
    assert run("--list") == 0
    assert "    Try a lower rate: --rate" in capsys.readouterr().out
    (watched,) = read_all(user_paths())
    assert watched.error == tuple(row["error"].splitlines())
    (stored,) = Store(user_paths().database).runs()
    assert stored.state == "failed"
    assert run("--resume", "last", "--no-eval") == 0
    row = listed(capsys)
    assert (row["state"], "error" in row) == ("done", False)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_want_of_memory_is_said_in_words(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant.training.sft import Trainer

    def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Trainer, "_loss", failing)
    assert run(*SHORT, "--no-eval") == 1
    printed = capsys.readouterr().err
    row = listed(capsys)
    assert row["state"] == "failed"
    assert row["error"].splitlines()[:2] == [
        "There was not enough memory to go on.",
        f"Close other programs, then: assistant train --resume {row['id']}",
    ]
    assert row["error"] in printed
    assert "Unexpected" not in printed


def test_what_cannot_be_put_in_its_place_has_failed_and_can_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant.training import install

    def failing(*_: Any) -> None:
        raise OSError(28, "No space left")

    with monkeypatch.context() as patched:
        patched.setattr(install, "write_adapter", failing)
        assert run(*SHORT, "--no-eval") == 1
    row = listed(capsys)
    assert (row["state"], row["step"]) == ("failed", 3)
    assert "No space left" in row["error"]
    assert run("--resume", "last", "--no-eval") == 0
    assert listed(capsys)["state"] == "done"


def test_what_goes_wrong_when_the_adapter_is_there_is_kept_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant.errors import EngineError

    def failing(*_: Any, **__: Any) -> Worth:
        raise EngineError("The model cannot be loaded.", "Close other programs.")

    monkeypatch.setattr(worth, "measure", failing)
    assert run(*SHORT) == 1
    row = listed(capsys)
    assert (row["state"], row["adapter"]) == ("done", "classification/v1")
    assert row["error"] == "The model cannot be loaded.\nClose other programs."
