"""The real program, interrupted and killed in the middle of an answer."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from real_program import HANGS_AFTER_S, Program

from assistant.store.store import Store
from assistant.types import Turn

pytestmark = pytest.mark.real

STORY = "Write a very long story about a dragon and a princess."
LONG = ("ask", "-t", "chat", "--seed", "1", "--max-tokens", "4000", STORY)


@pytest.fixture
def program(fresh: Callable[..., Program]) -> Program:
    return fresh()


def when_half_answered(program: Program, process: subprocess.Popen[bytes]) -> Turn:
    """Wait until a part of the answer is stored."""
    deadline = time.monotonic() + HANGS_AFTER_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if program.database.exists():
            with Store(program.database) as store:
                if store.conversations() and (turn := store.turn("last")).answer:
                    assert turn.state == "running"
                    return turn
        time.sleep(0.05)
    raise AssertionError("no answer came")


def test_ctrl_c_ends_with_130_and_keeps_what_was_said(program: Program) -> None:
    process = program.begin(*LONG)
    half = when_half_answered(program, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANGS_AFTER_S)
    assert process.returncode == 130, err
    assert b"kept" in err
    assert b"Traceback" not in err
    turn = program("history", "show", "--json").json["turns"][0]
    assert (turn["id"], turn["state"], turn["finish_reason"]) == (half.id, "cancelled", "cancelled")
    assert turn["answer"].startswith(half.answer)
    # What was printed is what is kept, to the last character.
    assert out.decode() == turn["answer"] + "\n"


def test_ctrl_c_while_the_model_loads_ends_with_130(program: Program) -> None:
    process = program.begin(*LONG)
    deadline = time.monotonic() + HANGS_AFTER_S
    while not program.database.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    while True:  # the question is stored before the model is loaded
        with Store(program.database) as store:
            if store.conversations():
                break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANGS_AFTER_S)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    turn = program("history", "show", "--json").json["turns"][0]
    assert (turn["user_text"], turn["state"]) == (STORY, "cancelled")
    assert out.decode().strip() == turn["answer"].strip()


def test_a_killed_answer_is_shown_as_interrupted_at_the_next_start(program: Program) -> None:
    process = program.begin(*LONG)
    half = when_half_answered(program, process)
    process.kill()
    process.communicate(timeout=HANGS_AFTER_S)
    turn = program("history", "show", "--json").json["turns"][0]
    assert (turn["state"], turn["finish_reason"]) == ("interrupted", "interrupted")
    assert (turn["id"], turn["user_text"]) == (half.id, STORY)
    assert turn["answer"].startswith(half.answer)
    assert "interrupted" in program("history", "show").out
    goes_on = program("ask", "-c", "-t", "chat", "--json", "--max-tokens", "8", "Go on.").json
    assert goes_on["conversation_id"] == half.conversation_id
