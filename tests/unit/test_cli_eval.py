"""``assistant eval``, through the real entry point, with an engine that answers from a script."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Program, Run, Wired

from assistant.engine.loader import EngineLoader
from assistant.errors import ModelNotInstalled
from assistant.evaluation import predict
from assistant.paths import user_paths
from assistant.store.store import EvaluatedExample, Store
from assistant.testing import FakeEngine
from assistant.types import Decoding, Generation, Message

FIELDS = ["task", "strategy", "model", "adapter", "n", "scores", "ci95", "signature", "timing"]
CAPITALS = {"Peru": "Lima", "France": "Paris", "Japan": "Tokyo", "Italy": "Rome"}


@pytest.fixture
def run(wired: Wired, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``assistant eval`` and returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(program, "eval")


def written(name: str, rows: Sequence[object]) -> str:
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    Path(name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    return name


def questions(name: str = "qa.jsonl") -> str:
    return written(
        name,
        [
            {"id": one, "task": "qa", "input": f"Capital of {one}?", "target": city}
            for one, city in CAPITALS.items()
        ],
    )


def moods(name: str = "moods.jsonl") -> str:
    row = {"task": "classification", "labels": ["happy", "sad"]}
    return written(
        name,
        [
            {**row, "id": "ä", "input": "I am happy", "target": "happy"},
            {**row, "id": "b", "input": "I am sad", "target": "sad"},
            {**row, "id": "c", "input": "happy? no", "target": "sad"},
        ],
    )


def measure(run: Run, wired: Wired, *answers: str, name: str = "qa.jsonl") -> None:
    """Measure the questions, answered by ``answers``."""
    wired.engine.answers = list(answers)
    assert run("--data", questions(name), "--strategy", "zero_shot", "--json")[0] == 0


# -- a measurement ---------------------------------------------------------------------------------


def test_json_has_the_fields_of_the_contract(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Lima", "paris.", "the Tokyo", "Rome, Italy"]
    code, out, err = run("-t", "qa", "--data", questions(), "--strategy", "zero_shot", "--json")
    value = json.loads(out)
    assert (code, err) == (0, "")
    assert list(value) == FIELDS
    assert (value["task"], value["strategy"], value["model"]) == ("qa", "zero_shot", "fake")
    assert (value["adapter"], value["n"]) == (None, 4)
    assert value["scores"] == {"exact_match": 75.0, "f1": 91.67}
    assert set(value["ci95"]) == set(value["signature"]) == set(value["scores"])
    for name, (low, high) in value["ci95"].items():
        assert 0 <= low <= value["scores"][name] <= high <= 100
    assert all(isinstance(text, str) and text for text in value["signature"].values())
    assert set(value["timing"]) == {"total_s", "examples_per_s"}


@pytest.mark.parametrize(
    ("task", "row", "names"),
    [
        (
            "classification",
            {"input": "I am sad", "target": "sad", "labels": ["happy", "sad"]},
            ["accuracy", "macro_f1", "ece"],
        ),
        ("translation", {"input": "Auf Deutsch: yes", "target": "ja"}, ["chrf", "bleu"]),
        ("summarization", {"input": "Sum up: a b", "target": "a"}, ["rouge1", "rouge2", "rougeL"]),
        ("qa", {"input": "Who?", "target": "Ann", "answers": ["Bo"]}, ["exact_match", "f1"]),
    ],
)
def test_each_task_has_its_metrics(
    run: Run, task: str, row: dict[str, object], names: list[str]
) -> None:
    data = written("one.jsonl", [row])
    code, out, _ = run("--task", task, "--data", data, "--json", "--perplexity")
    value = json.loads(out)
    assert code == 0
    assert list(value["scores"]) == [*names, "perplexity"]
    assert (value["task"], value["strategy"], value["n"]) == (task, "auto", 1)


def test_translations_are_broken_down_by_language_pair(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["你好", "Hello"]
    row = {"task": "translation"}
    data = written(
        "pairs.jsonl",
        [
            {**row, "input": "Translate to Chinese: Hello", "target": "你好", "lang": "en-zh"},
            {**row, "input": "翻译成英文：你好", "target": "Hello", "lang": "zh-en"},
        ],
    )
    value = json.loads(run("--data", data, "--json")[1])
    assert list(value) == [*FIELDS, "pairs"]
    assert {pair: list(scores) for pair, scores in value["pairs"].items()} == {
        "en-zh": ["chrf", "bleu"],
        "zh-en": ["chrf", "bleu"],
    }
    assert "en-zh" in run("show", "last")[1]


def test_predictions_are_saved_in_order(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Lima\n", "Paris", "東京", "Rome"]
    data = questions()
    code, _, _ = run("--data", data, "--strategy", "few_shot", "--save-predictions", "out.jsonl")
    rows = [json.loads(line) for line in Path("out.jsonl").read_text("utf-8").splitlines()]
    assert code == 0
    assert rows == [
        {"id": one, "prediction": said, "task": "qa", "strategy": "few_shot"}
        for one, said in zip(CAPITALS, ["Lima", "Paris", "東京", "Rome"], strict=True)
    ]
    assert "東京" in Path("out.jsonl").read_text("utf-8")  # as it is, for people who look


def test_saved_labels_have_probabilities(run: Run) -> None:
    assert run("--data", moods(), "--save-predictions", "out.jsonl", "--json")[0] == 0
    rows = [json.loads(line) for line in Path("out.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["ä", "b", "c"]
    for row in rows:
        assert list(row) == ["id", "prediction", "probabilities", "task", "strategy"]
        assert set(row["probabilities"]) == {"happy", "sad"}
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["prediction"] == max(row["probabilities"], key=row["probabilities"].get)


def test_options_reach_the_plan(run: Run, wired: Wired) -> None:
    row = {"task": "classification", "input": "I am furious", "target": "angry"}
    data = written("own.jsonl", [row])
    assert run("--data", data, "--labels", "happy, angry", "-m", "tiny", "--json")[0] == 0
    assert wired.settings is not None
    assert wired.settings.model == "tiny"
    found = json.loads(run("show", "last", "--json")[1])
    assert found["setting"]["labels"] == ["happy", "angry"]
    code, _, _ = run(
        *("--data", questions(), "--strategy", "few_shot", "--shots", "2", "--nearest"),
        *("--max-tokens", "9", "--limit", "3", "--seed", "5", "--json"),
    )
    assert code == 0
    setting = json.loads(run("show", "last", "--json")[1])["setting"]
    assert (setting["shots"], setting["nearest"], setting["max_tokens"]) == (2, True, 9)
    assert (setting["limit"], setting["seed"], setting["temperature"]) == (3, 5, 0.0)


def test_the_report_for_people(run: Run, wired: Wired) -> None:
    wired.engine.answers = ["Lima", "Paris", "Tokyo", "Rome"]
    code, out, err = run("--data", questions(), "--strategy", "zero_shot")
    assert code == 0
    assert out.splitlines() == [
        "qa, zero_shot, fake, n = 4   (evaluation 1)",
        "  exact_match    100.00   95 % [100.00, 100.00]",
        "  f1             100.00   95 % [100.00, 100.00]",
    ]
    assert "SQuAD v1.1" in err
    assert "Answering" not in err  # no progress where there is no terminal


# -- what was measured -----------------------------------------------------------------------------


def test_list_and_show(run: Run, wired: Wired) -> None:
    assert run("list") == (
        0,
        "",
        "Nothing was measured yet: assistant eval --task T --data FILE\n",
    )
    assert json.loads(run("list", "--json")[1]) == []
    measure(run, wired, "Lima", "Paris", "Tokyo", "Milan")
    assert run("--data", moods(), "--json")[0] == 0
    code, out, _ = run("list")
    first, second = out.splitlines()
    assert code == 0
    assert first.split()[0] == "1"
    for part in ("qa", "zero_shot", "n=4", "f1  75.00", "fake", "qa.jsonl"):
        assert part in first
    assert "accuracy  66.67" in second
    assert [one["task"] for one in json.loads(run("list", "-t", "qa", "--json")[1])] == ["qa"]
    shown = json.loads(run("show", "1", "--json")[1])
    assert shown["id"] == 1
    assert set(FIELDS) < set(shown)
    assert run("show", "1")[1].startswith("qa, zero_shot, fake, n = 4   (evaluation 1)")


def test_the_worst_answers_are_shown(run: Run, wired: Wired) -> None:
    measure(run, wired, "Lima", "Paris", "Tokyo or\n\x1b[31mKyoto", "Milan")
    found = json.loads(run("show", "last", "--worst", "2", "--json")[1])["worst"]
    assert [(one["id"], one["score"]) for one in found] == [("Italy", 0.0), ("Japan", 50.0)]
    _, out, _ = run("show", "last", "--worst", "2")
    assert "\x1b" not in out  # an answer does nothing to the terminal
    lines = out.splitlines()
    place = lines.index("  0.00  Italy")
    assert [line.split() for line in lines[place + 1 : place + 4]] == [
        ["input", "Capital", "of", "Italy?"],
        ["wanted", "Rome"],
        ["said", "Milan"],
    ]


def test_two_evaluations_are_compared(run: Run, wired: Wired) -> None:
    measure(run, wired, "no", "no", "no", "no")
    measure(run, wired, *CAPITALS.values())
    value = json.loads(run("compare", "1", "last", "--json")[1])
    assert list(value) == ["exact_match", "f1"]
    assert set(value["f1"]) == {"difference", "low", "high", "p"}
    assert value["f1"]["difference"] == 100
    assert value["f1"]["p"] < 0.05
    _, out, _ = run("compare", "1", "2")
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["better", "better"]
    assert all(line.endswith("worse") for line in run("compare", "2", "1")[1].splitlines()[1:])
    _, out, _ = run("compare", "1", "1")
    assert all(line.endswith("no clear difference") for line in out.splitlines()[1:])


def test_a_smaller_calibration_error_is_better(run: Run) -> None:
    labels = ("happy", "sad")
    with Store(user_paths().database) as store:
        for sure in (0.55, 0.99):  # all are right, so the surer the better calibrated
            chances = {"happy": sure, "sad": 1 - sure}
            number = store.begin_evaluation(
                task="classification", strategy="zero_shot", model="m", setting={"sure": sure}
            )
            store.add_evaluated(
                number,
                [
                    EvaluatedExample(str(i), "I am happy", ("happy",), "happy", "", labels, chances)
                    for i in range(20)
                ],
            )
            report = {"task": "classification", "strategy": "zero_shot", "model": "m", "n": 20}
            store.finish_evaluation(number, {**report, "scores": {"ece": 1 - sure}})
    found = json.loads(run("compare", "1", "2", "--json")[1])["ece"]
    assert found["difference"] == pytest.approx(-0.44)
    line = run("compare", "1", "2")[1].splitlines()[-1]
    assert line.split()[:2] == ["ece", "-0.4400"]
    assert line.endswith("better")


def test_an_evaluation_is_deleted(run: Run, wired: Wired) -> None:
    measure(run, wired)
    assert run("delete", "1") == (0, "", "")
    assert json.loads(run("list", "--json")[1]) == []
    code, _, err = run("delete", "1")
    assert (code, err) == (1, "Error: There is no evaluation 1.\nList them: assistant eval list\n")


# -- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say what to evaluate on."),
        (["--task", "qa"], "assistant eval --task qa --data"),
        (["--data", "none.jsonl"], "none.jsonl cannot be read: No such file"),
        (["--data", "."], ". cannot be read: Is a directory"),
        (["--data", "empty.jsonl"], "empty.jsonl has no examples."),
        (["--data", "wrong.jsonl"], "wrong.jsonl, line 2 needs a text in 'target'."),
        (["--data", "qa.jsonl", "-t", "chat"], "qa.jsonl, line 1 is for qa, not chat."),
        (["--data", "mixed.jsonl"], "The data is for several tasks: chat, qa."),
        (["--data", "qa.jsonl", "--save-predictions", "none/out.jsonl"], "cannot be written"),
        (["--data", "qa.jsonl", "--save-predictions", "."], ". cannot be written"),
        (["--data", "qa.jsonl", "--limit", "0"], "--limit"),
        (["--data", "moods.jsonl", "--labels", "happy"], "at least two different labels"),
        (["--data", "moods.jsonl", "--labels", "sad,sad"], "at least two different labels"),
        (["--calibrate", "--data", "moods.jsonl", "--output", "wrong.jsonl"], "wrong.jsonl"),
        (["--matrix", "--data", ".", "--output", "wrong.jsonl"], "wrong.jsonl"),
        (["--matrix", "--data", ".", "--output", "qa.jsonl/rows.json"], "Not a directory"),
        (["--data", "qa.jsonl", "--strategy", "magic"], "magic"),
        (["show", "first"], "'first' is no number of an evaluation."),
        (["show", "²"], "'²' is no number of an evaluation."),
        (["show", "9" * 40], "is no number of an evaluation."),
        (["compare", "1"], "Missing argument 'B'"),
    ],
)
def test_wrong_usage(run: Run, wired: Wired, arguments: list[str], said: str) -> None:
    questions()
    moods()
    row = {"id": "1", "task": "qa", "input": "Who?", "target": "Ann"}
    written("empty.jsonl", ["", " "])
    written("wrong.jsonl", [row, {**row, "id": "2", "target": 3}])
    written("mixed.jsonl", [row, {**row, "id": "2", "task": "chat"}])
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert wired.engine.calls == []  # found out before anything was computed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "7"], "There is no evaluation 7.\nList them: assistant eval list"),
        (["show", "last"], "There is no evaluation last."),
        (["compare", "7", "last"], "There is no evaluation 7."),
        (["delete", "7"], "There is no evaluation 7."),
        (["--data", "qa.jsonl", "--adapter", "mine"], "No adapter named 'mine' is installed"),
        (["--data", "poem.jsonl"], "No task 'poetry'.\nKnown: "),
    ],
)
def test_what_is_not_there(run: Run, arguments: list[str], said: str) -> None:
    questions()
    written("poem.jsonl", [{"task": "poetry", "input": "Rose", "target": "Red"}])
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert said in err


def test_other_tasks_and_other_data_are_not_compared(run: Run, wired: Wired) -> None:
    measure(run, wired)
    assert run("--data", moods(), "--json")[0] == 0
    row = {"id": "x", "task": "qa", "input": "Who?", "target": "Ann"}
    assert run("--data", written("x.jsonl", [row]), "--json")[0] == 0
    code, _, err = run("compare", "1", "2")
    assert (code, "Evaluation 1 is for qa, 2 for classification." in err) == (2, True)
    code, _, err = run("compare", "1", "3")
    assert (code, "share no example" in err) == (2, True)


def test_a_model_that_is_not_there_is_said(run: Run, wired: Wired) -> None:
    def fail(report: object) -> FakeEngine:
        raise ModelNotInstalled("The model is not here.", "Get it: assistant models pull x")

    wired.loader = EngineLoader(fail)
    code, out, err = run("--data", questions())
    assert (code, out) == (1, "")
    assert "The model is not here.\nGet it" in err


class Interrupted(FakeEngine):
    """Presses Ctrl+C during its third answer."""

    def generate(
        self, messages: Sequence[Message], decoding: Decoding, **more: Any
    ) -> Iterator[Generation]:
        if len(self.calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        yield from super().generate(messages, decoding, **more)


def test_ctrl_c_ends_it_and_the_same_command_goes_on(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "TOGETHER", 2)
    before = signal.getsignal(signal.SIGINT)
    wired.engine = Interrupted(["Lima", "Paris"])
    code, out, err = run("--data", questions(), "--json", "--save-predictions", "out.jsonl")
    assert (code, out) == (130, "")
    assert "the same command goes on" in err
    assert not Path("out.jsonl").exists()
    assert signal.getsignal(signal.SIGINT) is before
    wired.engine = FakeEngine(["Tokyo", "Rome"])
    code, out, _ = run("--data", questions(), "--json", "--save-predictions", "out.jsonl")
    assert code == 0
    assert json.loads(out)["scores"]["exact_match"] == 100
    assert len(wired.engine.calls) == 2
    assert len(Path("out.jsonl").read_text("utf-8").splitlines()) == 4


def test_the_strategy_asked_for_goes_before_that_of_the_settings(
    run: Run, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSISTANT_STRATEGY", "adapter")  # there is none: every answer would fail
    name = questions()
    assert run("--data", name)[0] == 1
    assert run("--data", name, "--strategy", "auto")[0] == 0
    assert wired.settings is not None
    assert wired.settings.strategy == "auto"
