"""A training of the real SmolLM2-135M from the shell, killed in the middle and taken up again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_program import HANGS_AFTER_S, Program

pytestmark = pytest.mark.real

STEPS = 6
GOOD = ("The bread was still warm.", "A kind word at every table.", "My lamp works again.")
BAD = ("The soup was cold.", "An hour of waiting for nothing.", "The lamp broke on Monday.")
TRAIN = (
    *("train", "-t", "classification", "--rank", "4", "--batch", "4"),
    *("--max-steps", str(STEPS), "--no-eval"),
)
METHODS = ("sft", "dpo", "kto")
# What is kept every two minutes is kept after every step here.
EVERY_STEP = """
import dataclasses, sys
from assistant.cli import main, train_request
read = train_request.read_flags
def short(*given):
    asked = read(*given)
    settings = dataclasses.replace(asked.settings, checkpoint_s=0.0)
    return dataclasses.replace(asked, settings=settings)
train_request.read_flags = short
main(sys.argv[1:])
"""


@pytest.fixture
def program(fresh: Callable[..., Program]) -> Program:
    made = fresh()
    for method in METHODS:
        text = "".join(json.dumps(row) + "\n" for row in rows_for(method))
        (made.home / f"{method}.jsonl").write_text(text, encoding="utf-8")
    return made


def rows_for(method: str) -> Iterator[dict[str, object]]:
    """Yield a row for each text; of judged answers every other one is the wrong label, judged bad."""
    labels = ["positive", "negative"]
    for label, texts in (("positive", GOOD), ("negative", BAD)):
        for place, text in enumerate(texts):
            wrong = labels[label == labels[0]]
            row: dict[str, object] = {
                "input": f"Positive or negative?\n\n{text}",
                "target": label,
                "labels": labels,
            }
            if method == "dpo":
                row["rejected"] = wrong
            if method == "kto":
                row["desirable"] = place % 2 == 0
                row["target"] = label if place % 2 == 0 else wrong
            yield row


def training(method: str) -> tuple[str, ...]:
    return (*TRAIN, "--method", method, "--data", f"{method}.jsonl")


def steps_kept(runs: Path, step: int) -> list[Path]:
    """Return the runs that have a checkpoint of this step or a later one."""
    kept = runs.glob("*/checkpoints/step-*/state.json")
    return [path.parents[2] for path in kept if int(path.parts[-2].split("-")[1]) >= step]


def killed_after(program: Program, arguments: tuple[str, ...], step: int) -> Path:
    """Start a training, kill it when so many steps were kept; return its run's folder."""
    runs = program.home / "data" / "runs"
    before = steps_kept(runs, 0)
    process = subprocess.Popen(
        [sys.executable, "-c", EVERY_STEP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=program.environment,
        cwd=program.home,
    )
    deadline = time.monotonic() + HANGS_AFTER_S
    while not (found := [run for run in steps_kept(runs, step) if run not in before]):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=HANGS_AFTER_S)
    assert process.returncode == -signal.SIGKILL
    return found[0]


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_training_ends_with_the_same_bits_as_one_that_ran_through(
    program: Program, method: str
) -> None:
    whole = program(*training(method), "--json").json
    run = killed_after(program, training(method), 2)
    assert not list((program.home / "data" / "adapters").glob("*/*/v2"))
    assert "-end" not in "".join(place.name for place in (run / "checkpoints").iterdir())
    done = program("train", "--resume", "last", "--no-eval", "--json")
    taken_up = done.json
    assert taken_up["run"] == run.name
    assert "Going on after step" in done.err
    assert (taken_up["adapter"], taken_up["steps"]) == ("classification/v2", whole["steps"])
    first, second = (
        (Path(one["folder"]) / "adapter_model.safetensors").read_bytes()
        for one in (whole, taken_up)
    )
    assert first == second
    listed = {row["id"]: row["state"] for row in program("train", "--list", "--json").json}
    assert listed == {whole["run"]: "done", run.name: "done"}
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))
