"""``assistant ask``, through the real entry point, with a session that answers from a script."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run, Wired

from assistant.cli.main import main
from assistant.engine.base import CandidateScore
from assistant.engine.loader import EngineLoader, LoadStatus
from assistant.errors import EngineError
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.testing import FakeEngine
from assistant.types import Generation, Message

USAGE = {"prompt_tokens", "cached_prompt_tokens", "completion_tokens"}
TIMING = {"route_s", "first_token_s", "total_s", "tokens_per_s"}
FIELDS = {
    *("text", "task", "route", "strategy", "adapter", "model", "usage", "timing"),
    *("finish_reason", "conversation_id", "turn_id"),
}


@pytest.fixture
def run(wired: Wired, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``assistant ask`` and returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(program, "ask")


def turns() -> list[tuple[str, str, str]]:
    with Store(user_paths().database) as store:
        found = [turn for c in store.conversations() for turn in store.turns(c.id)]
    return [(turn.user_text, turn.answer, turn.state) for turn in found]


# -- answers ---------------------------------------------------------------------------------------


def test_the_answer_goes_to_stdout_and_into_the_history(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["A monad is\na burrito."]
    assert run("what", "is", "a monad?") == (0, "A monad is\na burrito.\n", "")
    assert turns() == [("what is a monad?", "A monad is\na burrito.", "done")]


def test_it_is_printed_as_it_comes_unless_no_stream_is_given(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[str] = []
    monkeypatch.setattr("assistant.cli.ask._write", writes.append)
    wired.engine.answers = ["one two three", "one two three"]
    assert run("count")[0] == 0
    assert writes == ["one ", "two ", "three", "\n"]
    writes.clear()
    assert run("count", "--no-stream")[0] == 0
    assert writes == ["one two three\n"]


def test_json_has_every_field_of_the_contract(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Lima, 你好"]
    wired.rules = {"Peru": "qa"}
    code, out, err = run("Capital of Peru?", "--json")
    value = json.loads(out)
    assert (code, err) == (0, "")
    assert set(value) >= FIELDS
    assert "probabilities" not in value
    assert (value["text"], value["task"], value["strategy"]) == ("Lima, 你好", "qa", "zero_shot")
    assert (value["adapter"], value["model"], value["finish_reason"]) == (None, "fake", "stop")
    route = value["route"]
    assert (route["task"], route["confidence"]) == ("qa", 0.9)
    assert set(route["scores"]) == {"qa", "translation", "summarization", "classification", "chat"}
    assert sum(route["scores"].values()) == pytest.approx(1.0)
    assert set(value["usage"]) == USAGE
    assert value["usage"]["completion_tokens"] == 2
    assert all(isinstance(count, int) for count in value["usage"].values())
    assert set(value["timing"]) == TIMING
    assert value["timing"]["total_s"] > 0
    assert "你好" in out
    with Store(user_paths().database) as store:
        assert store.turn(value["turn_id"]).conversation_id == value["conversation_id"]


def test_labels_make_it_a_classification_with_probabilities(run: Run) -> None:
    code, out, _ = run("I am so happy", "--labels", "sad, happy,,angry , sad", "--json")
    value = json.loads(out)
    assert code == 0
    assert (value["task"], value["text"]) == ("classification", "happy")
    assert list(value["probabilities"]) == ["sad", "happy", "angry"]
    assert sum(value["probabilities"].values()) == pytest.approx(1.0)
    assert value["route"]["scores"]["classification"] == 1.0
    assert run("I am so happy", "--labels", "sad,happy")[1] == "happy\n"


@pytest.mark.parametrize("labels", ["", "one", "one,one", " , "])
def test_too_few_labels_are_wrong_usage(run: Run, labels: str) -> None:
    code, out, err = run("text", "--labels", labels)
    assert (code, out) == (2, "")
    assert "at least two" in err
    assert turns() == []


@pytest.mark.parametrize("language", ["fr", "French"])
def test_to_names_the_language(run: Run, wired: Wired, language: str) -> None:
    text = "The fox jumps over the lazy dog near the river bank."
    assert run("-t", "translation", "--to", language, text)[0] == 0
    assert "French" in wired.engine.calls[0][0].content


def test_the_options_reach_the_turn(run: Run, wired: Wired) -> None:
    code = run(
        *("Hi", "-t", "chat", "-s", "Be a pirate.", "--strategy", "few_shot", "-m", "my-model"),
        *("--max-tokens", "7", "--temperature", "0.3", "--seed", "5"),
    )[0]
    assert code == 0
    with Store(user_paths().database) as store:
        turn = store.turn("last")
    assert (turn.decoding.max_tokens, turn.decoding.temperature, turn.decoding.seed) == (7, 0.3, 5)
    assert turn.choice is not None
    assert turn.choice.strategy == "few_shot"
    assert turn.sent[0].content == "Be a pirate."
    assert turn.route is not None
    assert turn.route.source == "forced"
    assert wired.settings is not None
    assert wired.settings.model == "my-model"


def test_an_unknown_task_is_wrong_usage_and_nothing_is_stored(run: Run) -> None:
    code, out, err = run("A poem", "-t", "poetry")
    assert (code, out) == (2, "")
    assert "no task 'poetry'" in err
    assert "summarization" in err
    assert turns() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-tokens", "0"),
        ("--temperature", "2.5"),
        ("--seed", "-1"),
        ("--strategy", "magic"),
        ("--nonsense",),
    ],
)
def test_wrong_options_are_wrong_usage(run: Run, arguments: Sequence[str]) -> None:
    code, out, err = run("Hi", *arguments)
    assert (code, out) == (2, "")
    assert "Error" in err


def test_a_failure_is_a_message_and_kept_in_the_history(run: Run, wired: Wired) -> None:
    wired.engine.answers = [EngineError("Out of memory.", "Buy some.")]
    assert run("Hi") == (1, "", "Error: Out of memory.\nBuy some.\n")
    assert turns() == [("Hi", "", "failed")]


# -- what is asked ---------------------------------------------------------------------------------


def test_words_file_and_pipe_join_in_this_order(run: Run, wired: Wired, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("from the file\n", encoding="utf-8")
    code = run("Summarize:", "--file", "notes.txt", stdin="aus der Pipe ü\n".encode())[0]
    assert code == 0
    assert wired.asked[-1] == "Summarize:\n\nfrom the file\n\naus der Pipe ü"


def test_a_pipe_alone_is_a_question(run: Run, wired: Wired) -> None:
    assert run(stdin=b"  indented\nlines\n\n")[0] == 0
    assert wired.asked[-1] == "  indented\nlines"


def test_bytes_that_are_not_utf8_are_replaced_in_a_pipe(run: Run, wired: Wired) -> None:
    assert run(stdin=b"caf\xe9")[0] == 0
    assert wired.asked[-1] == "caf\ufffd"


@pytest.mark.parametrize("stdin", [None, b"", b" \n\n"])
def test_nothing_to_ask_is_wrong_usage(run: Run, stdin: bytes | None) -> None:
    code, out, err = run("  ", stdin=stdin)
    assert (code, out) == (2, "")
    assert "Nothing to ask" in err


def test_a_byte_order_mark_is_not_part_of_the_text(run: Run, wired: Wired, tmp_path: Path) -> None:
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfhello")
    run("--file", "bom.txt")
    assert wired.asked[-1] == "hello"


def test_a_file_that_cannot_be_read_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(10_000_001)
    expected = {
        "latin.txt": "not UTF-8",
        "large.txt": "larger than 10 MB",
        "missing.txt": "No such file",
        ".": "Is a directory",
    }
    for name, reason in expected.items():
        code, out, err = run("Summarize", "--file", name)
        assert (code, out) == (2, "")
        assert reason in err
        assert name in err
    assert turns() == []


# -- conversations ---------------------------------------------------------------------------------


def test_continue_goes_on_with_the_last_conversation(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Hello Ann", "Ann"]
    first = json.loads(run("I am Ann", "--json")[1])
    second = json.loads(run("Who am I?", "-c", "--json")[1])
    assert second["conversation_id"] == first["conversation_id"]
    assert Message("assistant", "Hello Ann") in wired.engine.calls[1]
    third = json.loads(run("Who am I?", "--json")[1])
    assert third["conversation_id"] != first["conversation_id"]


def test_continue_begins_a_conversation_when_there_is_none(run: Run) -> None:
    assert run("Hi", "-c")[0] == 0
    assert len(turns()) == 1


def test_a_conversation_can_be_named_by_its_beginning(run: Run, wired: Wired) -> None:
    first = json.loads(run("One", "--json")[1])
    run("Other")
    again = json.loads(run("Two", "--conversation", first["conversation_id"][:12], "--json")[1])
    assert again["conversation_id"] == first["conversation_id"]
    code, _, err = run("Three", "--conversation", "zzzzzzzz")
    assert code == 1
    assert "zzzzzzzz" in err


def test_turns_left_out_are_told(run: Run, wired: Wired) -> None:
    wired.engine = FakeEngine(context_length=700)
    for _ in range(3):
        run("long " * 100, "-c")
    code, _, err = run("long " * 100, "-c")
    assert code == 0
    assert "earlier turns did not fit the model's window" in err


def test_no_log_leaves_nothing(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("Secret", "--no-log", "--json")
    value = json.loads(out)
    assert code == 0
    assert value["text"] == "echo: Secret"
    assert (value["conversation_id"], value["turn_id"]) == (None, None)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_log_can_go_on_with_a_conversation_and_leaves_it_as_it_was(
    run: Run, wired: Wired
) -> None:
    wired.engine.answers = ["Hello Ann", "Ann"]
    run("I am Ann")
    assert run("Who am I?", "-c", "--no-log") == (0, "Ann\n", "")
    assert Message("assistant", "Hello Ann") in wired.engine.calls[1]
    assert turns() == [("I am Ann", "Hello Ann", "done")]


# -- interruptions and terminals -------------------------------------------------------------------


class Interrupted(FakeEngine):
    """Presses Ctrl+C after the second word."""

    def generate(self, *given: Any, **more: Any) -> Any:
        for position, piece in enumerate(super().generate(*given, **more)):
            if position == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield piece


def test_ctrl_c_stops_the_answer_and_keeps_it(run: Run, wired: Wired) -> None:
    before = signal.getsignal(signal.SIGINT)
    wired.engine = Interrupted(["one two three four five"])
    code, out, err = run("Count")
    assert (code, out) == (130, "one two three \n")
    assert "kept" in err
    assert turns() == [("Count", "one two three ", "cancelled")]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_with_json_still_prints_the_turn(run: Run, wired: Wired) -> None:
    wired.engine = Interrupted(["one two three four five"])
    code, out, _ = run("Count", "--json")
    assert code == 130
    assert json.loads(out)["finish_reason"] == "cancelled"


def test_a_second_ctrl_c_ends_the_program(run: Run, wired: Wired) -> None:
    class Stubborn(FakeEngine):
        def generate(self, *given: Any, **more: Any) -> Any:
            yield Generation("one ")
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            yield Generation("two ")

    wired.engine = Stubborn()
    assert run("Count")[0] == 130
    assert turns() == [("Count", "one ", "failed")]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_ctrl_c_while_the_model_loads(run: Run, wired: Wired, arguments: Sequence[str]) -> None:
    import threading

    gate = threading.Event()

    def load(report: object) -> FakeEngine:
        os.kill(os.getpid(), signal.SIGINT)
        gate.wait(10)
        return FakeEngine()

    wired.loader = EngineLoader(load)
    code, out, _ = run("Hi", *arguments)
    gate.set()
    assert (code, out.strip()) == (130, "")
    assert turns() == [("Hi", "", "cancelled")]


def test_a_first_conversion_is_told_on_stderr_once(run: Run, wired: Wired) -> None:
    def load(report: Any) -> FakeEngine:
        report("loading", "Starting torch", None)
        for share in (0.1, 0.5):
            report("loading", "Converting x.gguf (only once)", share)
        return wired.engine

    wired.loader = EngineLoader(load)
    assert run("Hi") == (0, "echo: Hi\n", "Converting x.gguf (only once) …\n")
    assert wired.loader.status == LoadStatus("ready", fraction=1.0)


@pytest.mark.parametrize("no_stream", [(), ("--no-stream",)])
def test_a_terminal_gets_no_control_sequences_and_a_pipe_gets_the_raw_text(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch, no_stream: Sequence[str]
) -> None:
    evil = "a\x1b]0;owned \x07b \x9b2Jc\x1b"
    wired.engine.answers = [evil, evil]
    assert run("Hi", *no_stream)[1] == evil + "\n"

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    run("Hi", *no_stream)
    assert screen.getvalue() == "ab c\n"


def test_a_lone_surrogate_in_an_answer_can_be_printed(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["a\udcffb", "a\udcffb"]
    assert run("Hi")[1] == "a?b\n"
    assert json.loads(run("Hi", "--json")[1])["text"] in ("a?b", "a\ufffdb")


def test_scores_far_apart_still_sum_to_one(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        wired.engine,
        "score",
        lambda messages, candidates, **_: [CandidateScore(-5000.0, 3), CandidateScore(-1.0, 1)],
    )
    value = json.loads(run("x", "--labels", "a,b", "--json")[1])
    assert value["probabilities"] == {"a": 0.0, "b": 1.0}


# -- labels that are not sure ----------------------------------------------------------------------


def score_with(wired: Wired, monkeypatch: pytest.MonkeyPatch, *chances: float) -> None:
    scores = [CandidateScore(math.log(chance), 1) for chance in chances]
    monkeypatch.setattr(wired.engine, "score", lambda *_, **__: scores)


def test_a_label_that_is_not_sure_is_noted_on_stderr(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_with(wired, monkeypatch, 0.38, 0.41, 0.21)
    labels = ("--labels", "positive,neg\x1b[31mative,neutral")
    code, out, err = run("The soup was cold.", *labels)
    assert code == 0
    assert out.startswith("neg")
    assert err == "Not sure: negative 41%, positive 38%.\n"
    _, out, err = run("The soup was cold.", *labels, "--json")
    assert json.loads(out)["unsure"] is True
    assert err.startswith("Not sure: ")


def test_nothing_is_noted_of_a_label_that_is_sure_or_of_a_turn_without(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_with(wired, monkeypatch, 0.9, 0.1)
    code, out, err = run("Lovely.", "--labels", "positive,negative", "--json")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert list(value)[-2:] == ["probabilities", "unsure"]
    assert value["unsure"] is False
    assert "unsure" not in json.loads(run("Hi", "--json")[1])


@pytest.mark.parametrize(("chances", "expected"), [((0.52, 0.48), True), ((0.8, 0.2), False)])
def test_explain_says_whether_a_stored_turn_was_sure(
    run: Run,
    wired: Wired,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    chances: tuple[float, float],
    expected: bool,
) -> None:
    score_with(wired, monkeypatch, *chances)
    run("Fine.", "--labels", "good,bad")
    with pytest.raises(SystemExit):
        main(["explain", "last", "--stored"])
    assert ("Not sure: good 52%, bad 48%." in capsys.readouterr().out) == expected
    with pytest.raises(SystemExit):
        main(["explain", "last", "--stored", "--json"])
    assert json.loads(capsys.readouterr().out)["unsure"] is expected
