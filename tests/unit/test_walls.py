"""The walls of the house: who may import whom, and what a light command must not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = ("torch", "transformers", "peft", "numba", "llvmlite")
LIBRARIES = ("pydantic", "sqlite_utils", "textual", "langchain_core", "sklearn", "numpy")


def loaded_after(code: str, names: tuple[str, ...], cwd: Path) -> list[str]:
    """Return which of ``names`` a fresh interpreter has loaded after ``code``."""
    script = (
        f"import json, sys\n{code}\n"
        f"print('LOADED', json.dumps([n for n in {names!r} if n in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.rpartition("LOADED ")[2])
    return found


def command(*arguments: str) -> str:
    """Return code that runs a command to its good end."""
    return (
        "from assistant.cli import main\n"
        f"try:\n    main({list(arguments)!r})\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
    )


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("history", "list"),
        ("history", "search", "x"),
        ("history", "path"),
        ("feedback", "list"),
        ("feedback", "export"),
        ("config", "show"),
        ("models", "list"),
        ("adapters", "list"),
    ],
    ids=" ".join,
)
def test_a_light_command_loads_no_model_library(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_after(command(*arguments), MODEL, tmp_path) == []


def test_help_loads_no_large_library(tmp_path: Path) -> None:
    assert loaded_after(command("--help"), (*MODEL, *LIBRARIES), tmp_path) == []


def test_history_and_feedback_load_no_screen_and_no_prompts(tmp_path: Path) -> None:
    names = ("textual", "langchain_core", "pydantic", "sklearn")
    for arguments in (("history", "list"), ("feedback", "list")):
        assert loaded_after(command(*arguments), names, tmp_path) == []


@pytest.mark.parametrize(
    "module", ["assistant.tui.app", "assistant.session", "assistant.wiring", "assistant.testing"]
)
def test_a_module_loads_no_model_library(module: str, tmp_path: Path) -> None:
    assert loaded_after(f"import {module}", MODEL, tmp_path) == []


def test_importing_the_package_makes_no_file(tmp_path: Path) -> None:
    code = "import assistant.cli.main, assistant.tui.app, assistant.wiring, assistant.config"
    assert loaded_after(code, MODEL, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_loaded_model_library_would_be_seen(tmp_path: Path) -> None:
    assert loaded_after("import textual, pydantic", LIBRARIES, tmp_path) == ["pydantic", "textual"]
