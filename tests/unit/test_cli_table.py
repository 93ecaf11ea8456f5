"""``assistant ask --column``: tables of texts, through the real entry point, with a scripted engine."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run, Wired

from assistant.engine.base import CandidateScore
from assistant.engine.loader import EngineLoader
from assistant.errors import EngineError
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.testing import FakeEngine
from assistant.types import Message

Rows = list[dict[str, str]]


@pytest.fixture
def run(wired: Wired, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``assistant ask`` and returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(program, "ask", stdin=b"")


def write(rows: Sequence[Sequence[str]], name: str = "r.csv") -> tuple[str, ...]:
    """Write a CSV with the columns ``id`` and ``review``; return the options that name it."""
    with Path(name).open("w", newline="") as file:
        csv.writer(file).writerows([("id", "review"), *rows])
    return ("--file", name, "--column", "review")


def read(text: str) -> Rows:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def number_of_conversations() -> int:
    with Store(user_paths().database) as store:
        return len(list(store.conversations()))


REVIEWS = [("1", "good soup"), ("2", ""), ("3", "a bad,\nbad waiter"), ("4", " "), ("5", "good")]


# -- classification --------------------------------------------------------------------------------


def test_labels_give_a_label_and_a_probability_each(run: Run) -> None:
    code, out, err = run(*write(REVIEWS), "--labels", "good,bad")
    assert (code, err) == (0, "")
    rows = read(out)
    assert out.splitlines()[0] == "id,review,label,confidence,p_good,p_bad"
    assert [(row["id"], row["review"]) for row in rows] == REVIEWS
    assert [row["label"] for row in rows] == ["good", "", "bad", "", "good"]
    assert rows[1]["confidence"] == rows[1]["p_good"] == rows[3]["p_bad"] == ""
    for row in (rows[0], rows[2], rows[4]):
        chances = [float(row["p_good"]), float(row["p_bad"])]
        assert sum(chances) == pytest.approx(1.0)
        assert float(row["confidence"]) == max(chances)


def test_nothing_is_kept_in_the_history(run: Run) -> None:
    assert run(*write(REVIEWS), "--labels", "good,bad")[0] == 0
    assert number_of_conversations() == 0


def test_no_log_makes_no_file(run: Run, tmp_path: Path) -> None:
    assert run(*write(REVIEWS), "--labels", "good,bad", "--no-log")[0] == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["r.csv"]


def test_without_words_the_instruction_is_in_the_language_of_the_text(
    run: Run, wired: Wired
) -> None:
    rows = [("1", "The soup was cold."), ("2", "味道很好。"), ("3", "Привет, как дела?")]
    assert run(*write(rows), "-t", "classification", "--labels", "好,坏")[0] == 0
    assert wired.asked == [
        "Classify this text:\n\nThe soup was cold.",
        "给这段文本分类：\n\n味道很好。",
        "Classify this text:\n\nПривет, как дела?",
    ]
    assert ["Classify" in messages[0].content for messages in wired.engine.calls] == [
        *(True, False, True)
    ]


def test_the_words_are_the_instruction_and_name_the_labels(run: Run, wired: Wired) -> None:
    words = "Is this review good or bad?"
    # What looks like a list of labels in one of the texts changes no columns.
    rows = [("1", "good"), ("2", "Labels: x, y, z. Is it happy or sad?"), ("3", "bad")]
    code, out, err = run(words, *write(rows), "-t", "classification")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "id,review,label,confidence,p_good,p_bad"
    assert len(read(out)) == 3
    assert wired.asked == [f"{words}\n\n{text}" for _, text in rows]


def test_words_that_mean_a_set_of_labels_are_enough(run: Run) -> None:
    out = run("What is the sentiment?", *write(REVIEWS), "-t", "classification")[1]
    assert out.splitlines()[0].endswith(",p_positive,p_negative,p_neutral")


def test_without_labels_nothing_is_done(run: Run, wired: Wired) -> None:
    code, out, err = run(*write([("1", "Is it good or bad?")]), "-t", "classification")
    assert (code, out) == (2, "")
    assert "needs labels" in err
    assert wired.engine.calls == []


def test_names_that_are_taken_get_a_number(run: Run) -> None:
    Path("r.csv").write_text("label,p_a,text\nx,y,a\n", encoding="utf-8")
    out = run("--file", "r.csv", "--column", "text", "--labels", "a,b")[1]
    assert out.splitlines()[0] == "label,p_a,text,label_2,confidence,p_a_2,p_b"
    (row,) = read(out)
    assert (row["label"], row["p_a"], row["label_2"]) == ("x", "y", "a")


# -- other tasks -----------------------------------------------------------------------------------


def test_a_translation_of_every_row(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Bonjour", " Tschüss \n"]
    code, out, _ = run(*write([("1", "Hello"), ("2", ""), ("3", "Bye")]), "--to", "fr")
    assert code == 0
    assert [row["answer"] for row in read(out)] == ["Bonjour", "", "Tschüss"]
    assert wired.asked == ["Translate this text:\n\nHello", "Translate this text:\n\nBye"]
    assert all("French" in messages[0].content for messages in wired.engine.calls)


def test_a_question_is_asked_of_each_text(run: Run, wired: Wired) -> None:
    assert run("Where does she live", *write([("1", "Ann lives in Lima.")]), "-t", "qa")[0] == 0
    assert wired.asked == ["Where does she live?\n\nAnn lives in Lima."]
    assert "passage" in wired.engine.calls[0][0].content  # the prompt for questions about a text


def test_without_words_each_text_is_a_question(run: Run, wired: Wired) -> None:
    assert run(*write([("1", "Who wrote Emma?")]), "-t", "qa")[0] == 0
    assert wired.asked == ["Who wrote Emma?"]


def test_the_router_takes_the_words_once(run: Run, wired: Wired) -> None:
    wired.rules = {"Shorten": "summarization", "trap": "translation"}
    code, out, err = run("Shorten this:", *write([("1", "one"), ("2", "trap")]))
    assert (code, err) == (0, "Taken for summarization. Another task: -t.\n")
    assert wired.asked == ["Shorten this:\n\none", "Shorten this:\n\ntrap"]
    assert len(read(out)) == 2
    assert all("Summarize" in messages[0].content for messages in wired.engine.calls)


def test_options_of_a_turn_reach_every_row(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["one two three", "one two three"]
    code, out, _ = run(
        *("Reply.", *write([("1", "Hi"), ("2", "Ho")]), "-t", "chat", "-s", "Be a pirate."),
        *("--max-tokens", "2", "-m", "my-model"),
    )
    assert code == 0
    assert [row["answer"] for row in read(out)] == ["one two", "one two"]
    assert wired.engine.calls[1][0] == Message("system", "Be a pirate.")
    assert wired.settings is not None
    assert wired.settings.model == "my-model"


def test_many_rows_stay_in_order(run: Run, wired: Wired) -> None:
    rows = [(str(i), f"text {i}" if i % 7 else "") for i in range(50)]
    out = run(*write(rows), "-t", "summarization")[1]
    assert [(row["id"], row["review"]) for row in read(out)] == rows
    for row in read(out):
        assert row["answer"].endswith(row["review"])
        assert bool(row["answer"]) == bool(row["review"])


# -- where the rows go -----------------------------------------------------------------------------


def test_json_prints_a_line_a_row(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["=1"]
    code, out, _ = run(*write([("1", "x"), ("2", "")]), "-t", "qa", "--json")
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"id": "1", "review": "x", "answer": "=1"},
        {"id": "2", "review": "", "answer": ""},
    ]
    out = run(*write(REVIEWS[:2]), "--labels", "good,bad", "--json")[1]
    first, second = map(json.loads, out.splitlines())
    assert (first["label"], first["confidence"]) == ("good", first["p_good"])
    assert (second["label"], second["confidence"], second["p_bad"]) == ("", None, None)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.jsonl"])
def test_the_suffix_says_the_format(run: Run, wired: Wired, name: str) -> None:
    wired.engine.answers = ["@a,\tb"]
    assert run(*write([("1", "x")]), "-t", "qa", "--output", name)[:2] == (0, "")
    text = Path(name).read_text(encoding="utf-8")
    assert (
        text
        == {
            "out.csv": 'id,review,answer\n1,x,"\'@a,\tb"\n',
            "out.tsv": 'id\treview\tanswer\n1\tx\t"\'@a,\tb"\n',
            "out.jsonl": '{"id": "1", "review": "x", "answer": "@a,\\tb"}\n',
        }[name]
    )


def test_a_file_is_replaced_only_with_force(run: Run, wired: Wired) -> None:
    Path("out.csv").write_text("old")
    given = (*write(REVIEWS), "--labels", "good,bad", "--output", "out.csv")
    code, _, err = run(*given)
    assert code == 2
    assert "out.csv exists already" in err
    assert wired.engine.calls == []
    assert Path("out.csv").read_text() == "old"
    assert run(*given, "--force")[0] == 0
    assert len(read(Path("out.csv").read_text())) == 5


def test_a_table_may_take_the_place_of_the_one_it_was_made_from(run: Run) -> None:
    assert run(*write(REVIEWS), "--labels", "good,bad", "--output", "r.csv", "--force")[0] == 0
    assert [row["label"] for row in read(Path("r.csv").read_text())] == [
        "good",
        "",
        "bad",
        "",
        "good",
    ]


def test_an_empty_table_gives_its_header(run: Run, wired: Wired) -> None:
    assert run(*write([]), "-t", "qa")[:2] == (0, "id,review,answer\n")
    assert run(*write([]), "-t", "qa", "--output", "out.csv")[0] == 0
    assert Path("out.csv").read_text() == "id,review,answer\n"


def test_a_terminal_gets_no_control_sequences(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    wired.engine.answers = ["a\x1b]0;owned \x07b"]
    given = write([("1", "x\x9b2J")])
    monkeypatch.setattr(sys, "stdout", screen)
    run(*given, "-t", "qa")
    assert screen.getvalue() == "id,review,answer\n1,x,ab\n"


def test_a_bar_shows_how_far_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    given = write([(str(i), "x") for i in range(20)])
    monkeypatch.setattr(sys, "stderr", screen)
    run(*given, "-t", "qa", "--output", "out.csv")
    assert "16/20" in screen.getvalue()
    assert "20/20" in screen.getvalue()


# -- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--column", "review"), "needs --file"),
        (("--file", "r.csv", "--column", "text", "-t", "qa"), "It has: id, review."),
        (("--file", "none.csv", "--column", "review", "-t", "qa"), "No such file"),
        (("--file", "r.csv", "--column", "review"), "what to do with the texts"),
        (("--file", "r.csv", "--column", "review", "-t", "poetry"), "no task 'poetry'"),
        (("--file", "r.csv", "--column", "review", "-t", "qa", "-c"), "no conversation"),
        (("--file", "r.csv", "--column", "review", "--labels", "a"), "at least two"),
        (("--file", "r.csv", "--column", "review", "-t", "qa", "--force"), "--output"),
        (("--file", "r.csv", "--column", "review", "-t", "qa", "--output", "o.xlsx"), "*.jsonl"),
        (("--file", "r.csv", "--column", "review", "--output", "o.csv", "--json"), "--json"),
        (("Hi", "--output", "o.csv"), "go with --column"),
        (("Hi", "--force"), "go with --column"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_answered(
    run: Run, wired: Wired, arguments: Sequence[str], reason: str
) -> None:
    write(REVIEWS)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert wired.engine.calls == []
    assert not Path("o.csv").exists()


def test_texts_too_long_are_told_and_the_others_answered(run: Run, wired: Wired) -> None:
    wired.engine = FakeEngine(context_length=700)
    rows = [("1", "short"), ("2", "long " * 900), ("3", ""), ("4", "also short")]
    code, out, err = run(*write(rows), "-t", "translation", "--to", "fr")
    assert code == 1
    assert "without an answer: row 2." in err
    assert [bool(row["answer"]) for row in read(out)] == [True, False, False, True]


def test_a_failure_keeps_what_is_done(run: Run, wired: Wired) -> None:
    wired.engine.answers = [*["fine"] * 16, EngineError("Out of memory.", "Buy some.")]
    rows = [(str(i), "x") for i in range(40)]
    code, _, err = run(*write(rows), "-t", "qa", "--output", "out.csv")
    assert code == 1
    assert err == "16 of 40 rows are in out.csv.\nError: Out of memory.\nBuy some.\n"
    assert [row["answer"] for row in read(Path("out.csv").read_text())] == ["fine"] * 16
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["out.csv", "r.csv"]


class Interrupted(FakeEngine):
    """Presses Ctrl+C, once or more, when it is asked for the answer ``at``."""

    def __init__(self, at: int, times: int = 1) -> None:
        super().__init__()
        self._at, self._times = at, times

    def _press(self) -> None:
        if len(self.calls) == self._at:
            times, self._times = self._times, 0
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    def generate(self, *given: Any, **more: Any) -> Any:
        for piece in super().generate(*given, **more):
            self._press()
            yield piece

    def score(self, *given: Any, **more: Any) -> list[CandidateScore]:
        scores = super().score(*given, **more)
        self._press()
        return scores


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_keeps_the_rows_that_are_done(run: Run, wired: Wired, times: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    wired.engine = Interrupted(20, times)
    rows = [(str(i), f"text {i}") for i in range(40)]
    code, _, err = run(*write(rows), "-t", "qa", "--output", "out.csv")
    assert code == 130
    stopped = "16 of 40 rows are in out.csv.\n"
    said = (f"Error: Stopped; {stopped}", f"{stopped}\nError: Interrupted.\n")
    assert err == said[times - 1]
    kept = read(Path("out.csv").read_text())
    assert [row["id"] for row in kept] == [str(i) for i in range(16)]
    assert all(row["answer"] for row in kept)
    assert len(wired.engine.calls) < 40
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_keeps_rows_on_stdout_and_scored_ones(run: Run, wired: Wired) -> None:
    wired.engine = Interrupted(6)
    rows = [(str(i), "good") for i in range(40)]
    code, out, err = run(*write(rows), "--labels", "good,bad")
    assert code == 130
    assert "Stopped; 4 of 40 rows are written." in err
    assert [row["label"] for row in read(out)] == ["good"] * 4


def test_ctrl_c_before_the_first_row_leaves_no_file(run: Run, wired: Wired) -> None:
    wired.engine = Interrupted(1)
    code, _, err = run(*write(REVIEWS), "--labels", "good,bad", "--output", "out.csv")
    assert code == 130
    assert "0 of 5 rows are written" in err
    assert not Path("out.csv").exists()


def test_ctrl_c_while_the_model_loads(run: Run, wired: Wired) -> None:
    import threading

    gate = threading.Event()

    def load(report: object) -> FakeEngine:
        os.kill(os.getpid(), signal.SIGINT)
        gate.wait(10)
        return FakeEngine()

    wired.loader = EngineLoader(load)
    code, out, _ = run(*write(REVIEWS), "--labels", "good,bad")
    gate.set()
    assert (code, out) == (130, "")
