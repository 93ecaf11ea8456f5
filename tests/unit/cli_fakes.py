"""What tests of commands share: a call of the real entry point, and a session in place of the user's."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from assistant.cli.main import main
from assistant.config import Settings
from assistant.engine.loader import EngineLoader
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader

Run = Callable[..., tuple[int, str, str]]
"""Runs the program with arguments and returns exit code, stdout and stderr."""


class Terminal(io.StringIO):
    """A stdin that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Program:
    """The real entry point; what is piped in is ``stdin``, without it there is a terminal.

    ``terminal`` makes ``stdin`` what somebody types. An error that the program does not know is a
    failed test, unless it ``may_fail``.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.may_fail = False

    def __call__(
        self, *arguments: str, stdin: bytes | str | None = None, terminal: bool = False
    ) -> tuple[int, str, str]:
        typed = stdin if isinstance(stdin, bytes) else (stdin or "").encode()
        if stdin is None or terminal:
            given: io.TextIOBase = Terminal(typed.decode())
        else:
            given = io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8")
        self._monkeypatch.setattr(sys, "stdin", given)
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        assert self.may_fail or "Unexpected error" not in err
        return int(caught.value.code or 0), out, err


class Wired:
    """What ``make_session`` was given, and the engine it used."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.loader: EngineLoader | None = None
        self.rules: dict[str, str] = {}
        self.settings: Settings | None = None
        self.prompts = Prompts.load(shipped("prompts"))

    def make_session(self, settings: Settings, *, store: Store, **_: Any) -> Session:
        self.settings = settings
        loader = self.loader or ready_loader(self.engine)
        return Session(store, loader, FakeRouter(self.rules), self.prompts, settings)

    @property
    def asked(self) -> list[str]:
        """The last message of each call of the engine."""
        return [messages[-1].content for messages in self.engine.calls]
