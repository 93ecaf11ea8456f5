"""``assistant models`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from assistant.cli.models import command
from assistant.errors import AssistantError, Cancelled, ModelNotFound, UsageError
from assistant.models.progress import PullProgress, Report
from assistant.models.resolve import ModelFiles
from assistant.paths import Paths


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def own_model(home: Path) -> Path:
    folder = home / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "mine.gguf").write_bytes(b"model")
    return folder


def test_list(home: Path) -> None:
    own_model(home)
    text = run("list").output
    assert "qwen2.5-coder-0.5b-instruct (default)" in text
    assert "*  mine" in text
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows if row["installed"]] == ["mine"]
    assert {"bytes", "licence", "languages", "memory_bytes"} <= set(rows[0])


def test_show(home: Path) -> None:
    own_model(home)
    assert "Apache-2.0" in run("show", "SMOLLM2-135M-INSTRUCT").output
    shown = json.loads(run("show", "smollm2-135m-instruct", "--json").stdout)
    assert shown["installed"] is False
    assert json.loads(run("show", "mine", "--json").stdout)["kind"] == "gguf"
    assert isinstance(run("show", "nothing").exception, ModelNotFound)


def test_pull_reports_on_stderr_and_answers_on_stdout(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(name: str, paths: Paths, progress: Report) -> ModelFiles:
        progress(PullProgress("mirror", 1_000_000, 2_000_000, "from the mirror"))
        return ModelFiles(name, paths.models / "x.gguf", "gguf", "ab" * 32)

    monkeypatch.setattr("assistant.models.pull.pull", pull)
    result = run("pull", "toy", "org/x", "--json")
    assert [row["name"] for row in json.loads(result.stdout)] == ["toy", "org/x"]
    assert "toy: 1 of 2 MB, from the mirror" in result.stderr
    assert run("pull").stdout.startswith("qwen2.5-coder-0.5b-instruct: ")


def test_interrupted_pull_says_how_to_go_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(*_: object) -> ModelFiles:
        raise KeyboardInterrupt

    monkeypatch.setattr("assistant.models.pull.pull", pull)
    error = run("pull", "toy").exception
    assert isinstance(error, Cancelled)
    assert error.exit_code == 130
    assert "assistant models pull toy" in error.hint


def test_verify(home: Path) -> None:
    assert run("verify").exit_code == 0
    folder = own_model(home)
    assert "mine: ok" in run("verify").output
    (folder / ".pulled.json").write_text(json.dumps({"sha256": {"mine.gguf": "0" * 64}}))
    result = run("verify", "mine", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["ok"] is False


def test_remove_needs_a_yes(home: Path) -> None:
    folder = own_model(home)
    assert isinstance(run("remove", "mine").exception, UsageError)
    assert folder.is_dir()
    assert "mine is gone" in run("remove", "mine", "--yes").output
    assert not folder.exists()
    assert isinstance(run("remove", "mine", "--yes").exception, AssistantError)


def test_recommend(home: Path) -> None:
    result = run(
        "recommend", "--memory", "2", "--task", "translation", "--language", "de", "--json"
    )
    said = json.loads(result.stdout)
    assert said["hardware"]["memory_bytes"] == 2_000_000_000
    assert said["recommendations"][0]["fits"] is True
    assert "1. " in run("recommend", "--memory", "16").output
    assert run("recommend", "--task", "cooking").exit_code == 2


def test_module_imports_nothing_heavy() -> None:
    heavy = ["huggingface_hub", "torch", "rich", "httpx2", "psutil", "pydantic", "assistant.models"]
    program = (
        "import sys, assistant.cli.models\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
