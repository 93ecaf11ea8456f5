"""Fixtures of the tests of commands and of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_fakes import Program, Wired
from session_fakes import Made

from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.store.store import Store


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Return a function that runs the program and returns exit code, stdout and stderr."""
    return Program(monkeypatch, capsys)


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Wired:
    """Put a session that answers from a script in place of the user's."""
    made = Wired()
    monkeypatch.setattr("assistant.wiring.make_session", made.make_session)
    return made


@pytest.fixture(scope="session")
def shipped_prompts() -> Prompts:
    return Prompts.load(shipped("prompts"))


@pytest.fixture
def make(tmp_path: Path, shipped_prompts: Prompts) -> Iterator[Made]:
    """Return a function that makes sessions on one store."""
    with Store(tmp_path / "assistant.db") as store:
        yield Made(store, shipped_prompts)
