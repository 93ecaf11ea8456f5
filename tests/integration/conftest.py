"""The whole program with the real SmolLM2-135M, each command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assistant.paths import user_paths

NAME = "smollm2-135m-instruct"
# Before any test puts ASSISTANT_HOME elsewhere: this is where `make test` has pulled the model to.
PULLED = user_paths().models / NAME
HANGS_AFTER_S = 300


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON; the command must have gone well."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """The installed program with a home of its own."""

    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ASSISTANT_")}
        return {
            **kept,
            "ASSISTANT_HOME": str(self.home),
            "ASSISTANT_MODEL": NAME,
            "HF_HUB_OFFLINE": "1",
            **self.more,
        }

    @property
    def database(self) -> Path:
        return self.home / "data" / "assistant.db"

    def __call__(self, *arguments: str, stdin: str = "") -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "assistant", *arguments],
            input=stdin.encode(),
            capture_output=True,
            env=self.environment,
            cwd=self.home,
            timeout=HANGS_AFTER_S,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command and return while it runs."""
        return subprocess.Popen(
            [sys.executable, "-m", "assistant", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.home,
        )


@pytest.fixture(scope="session")
def smollm2_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the pulled model in it; what is converted there is shared by all tests."""
    if not list(PULLED.glob("*.gguf")):
        pytest.fail(
            f"SmolLM2 is not in {PULLED}. Run `make test`, which fetches it first, or: "
            f"assistant models pull {NAME}",
            pytrace=False,
        )
    home = tmp_path_factory.mktemp("smollm2")
    folder = home / "models" / NAME
    folder.mkdir(parents=True)
    (home / "cache").mkdir()
    for file in PULLED.glob("*.gguf"):
        (folder / file.name).symlink_to(file)
    return home


@pytest.fixture(scope="session")
def shared(smollm2_home: Path) -> Program:
    """One program for the tests that only read what others have left, or do not mind it."""
    return Program(smollm2_home)


@pytest.fixture
def fresh(smollm2_home: Path, tmp_path: Path) -> Callable[..., Program]:
    """Return a function that makes a home without history, with the model and its conversion."""

    def make(**more: str) -> Program:
        home = tmp_path / "fresh"
        home.mkdir()
        for name in ("models", "cache"):
            (home / name).symlink_to(smollm2_home / name)
        return Program(home, more)

    return make
