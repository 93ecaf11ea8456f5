"""The real program with every way to the network shut."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from real_program import Program

pytestmark = pytest.mark.real

_GUARD = '''
"""Put on PYTHONPATH, this shuts the network and writes down who tried to use it."""
import os, socket, traceback

def _refuse(*given, **more):
    with open(os.environ["NETWORK_LOG"], "a") as log:
        log.write("".join(traceback.format_stack()[-4:]) + "\\n")
    raise OSError("the network is shut")

class _Socket(socket.socket):
    def connect(self, *given):
        return super().connect(*given) if self.family == socket.AF_UNIX else _refuse()
    def connect_ex(self, *given):
        return super().connect_ex(*given) if self.family == socket.AF_UNIX else _refuse()
    def sendto(self, *given):
        return super().sendto(*given) if self.family == socket.AF_UNIX else _refuse()

socket.socket = _Socket
socket.create_connection = _refuse
socket.getaddrinfo = socket.gethostbyname = _refuse
'''


@pytest.fixture
def offline(fresh: Callable[..., Program], tmp_path: Path) -> tuple[Program, Path]:
    """A program that cannot reach the network, and the file in which its attempts stand."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
    log = tmp_path / "network.log"
    # Not HF_HUB_OFFLINE: the program is to stay at home without being told.
    guard = {"PYTHONPATH": str(tmp_path / "guard"), "NETWORK_LOG": str(log), "HF_HUB_OFFLINE": "0"}
    return fresh(**guard), log


def test_the_guard_itself_shuts_the_network(offline: tuple[Program, Path]) -> None:
    program, log = offline
    tries = "import socket; socket.socket().connect(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", tries], env=program.environment, capture_output=True, check=False
    )
    assert b"the network is shut" in done.stderr
    assert log.exists()


def test_the_whole_program_works_without_a_network_and_never_tries_one(
    offline: tuple[Program, Path],
) -> None:
    program, log = offline
    asked = program("ask", "--json", "-t", "qa", "--max-tokens", "8", "Capital of France?").json
    assert asked["text"]
    translation = program("route", "--json", "Translate into French: good morning").json
    assert translation["task"] == "translation"
    assert program("feedback", "add", asked["turn_id"], "--good").code == 0
    assert len(program("feedback", "list", "--json").json) == 1
    assert len(program("history", "list", "--json").json) == 1
    assert any(row["installed"] for row in program("models", "list", "--json").json)
    assert program("models", "recommend", "--json").json["recommendations"]
    assert program("config", "show", "--json").json["model"] == asked["model"]
    doctor = program("doctor", "--json")
    assert [row for row in json.loads(doctor.out) if row["status"] == "problem"] == []
    assert doctor.code == 0
    assert program("ask", "Hi", "--no-log", "--max-tokens", "4").code == 0
    assert not log.exists(), log.read_text()
