"""The installed program, each command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
            "ASSISTANT_THREADS": "1",  # a second thread waits long for the first on a busy machine
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
