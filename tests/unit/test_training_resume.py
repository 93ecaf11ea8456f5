"""A training that was killed goes on and ends with the very same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training_help import job, quiet, request

from assistant.errors import AdapterError, Cancelled
from assistant.paths import user_paths
from assistant.training.checkpoint import (
    Position,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from assistant.training.job import TrainRequest
from assistant.training.runs import RunFolder, find_run, new_run
from assistant.training.settings import Progress
from assistant.training.train import train

STEPS: dict[str, Any] = {"epochs": 3, "checkpoint_s": 0.0}


def weights(peft: Any) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in peft.named_parameters() if p.requires_grad}


def whole(asked: TrainRequest) -> dict[str, torch.Tensor]:
    """Train without any interruption."""
    outcome = train(job(asked), new_run(user_paths(), "classification"), quiet)
    assert outcome is not None
    return weights(outcome.peft)


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_a_killed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    asked = request(tmp_path, **STEPS)
    expected = whole(asked)
    run = new_run(user_paths(), "classification")
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from training_help import job, request
        from assistant.training.runs import RunFolder
        from assistant.training.train import train
        def report(progress):
            print(progress.step, flush=True)
            time.sleep(0.05)
        asked = request(Path({str(tmp_path)!r}), **{STEPS!r})
        train(job(asked), RunFolder({run.id!r}, Path({str(run.path)!r})), report)
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "7":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    place = newest_checkpoint(run.checkpoints)
    assert place is not None
    assert 0 < read_checkpoint(place)[0].step < 18
    outcome = train(job(asked), run, quiet)
    assert outcome is not None
    assert_same(weights(outcome.peft), expected)


def stopped_after(run: RunFolder, asked: TrainRequest, step: int) -> None:
    stop = threading.Event()

    def report(progress: Progress) -> None:
        if progress.step == step:
            stop.set()

    with pytest.raises(Cancelled) as caught:
        train(job(asked), run, report, stop=stop)
    assert f"--resume {run.id}" in caught.value.hint


def test_a_stopped_training_ends_with_the_same_bits_and_one_log(tmp_path: Path) -> None:
    asked = request(tmp_path, epochs=3, technique="layers", first=2, last=2)
    expected = whole(asked)
    run = new_run(user_paths(), "classification")
    stopped_after(run, asked, 4)
    assert run.state()["state"] == "stopped"
    stopped_after(run, asked, 9)
    with (run.path / "log.jsonl").open("a") as log:
        log.write('{"step": 99}\n{"ste')  # what was written behind the last checkpoint
    outcome = train(job(asked), run, quiet)
    assert outcome is not None
    assert_same(weights(outcome.peft), expected)
    lines = (run.path / "log.jsonl").read_text().splitlines()
    assert [f'"step": {n},' in line for n, line in enumerate(lines, 1)] == [True] * 18


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    asked = request(tmp_path, epochs=1)
    run = new_run(user_paths(), "classification")
    first = train(job(asked), run, quiet)
    seen: list[Progress] = []
    again = train(job(asked), run, seen.append)
    assert first is not None
    assert again is not None
    assert seen == []
    assert_same(weights(first.peft), weights(again.peft))


def test_only_the_newest_whole_checkpoint_stays(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, Position(step=step), {"a": torch.full((2,), float(step))})
    (tmp_path / ".step-00000004.1").mkdir()
    (tmp_path / "step-00000005").mkdir()  # without a state it was never finished
    place = newest_checkpoint(tmp_path)
    assert place is not None
    position, tensors = read_checkpoint(place)
    assert (position.step, tensors["a"].tolist()) == (3, [3.0, 3.0])
    write_checkpoint(tmp_path, Position(step=6), {"a": torch.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000006"]


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    place = write_checkpoint(tmp_path, Position(step=1), {"a": torch.zeros(3)})
    (place / "tensors.safetensors").write_bytes(b"not tensors")
    with pytest.raises(AdapterError, match="damaged"):
        read_checkpoint(place)


def test_a_run_is_found_by_its_beginning(tmp_path: Path) -> None:
    run = new_run(user_paths(), "my Task!")
    run.write_settings({"request": {}})
    time.sleep(0.01)
    assert "my-task" in run.id
    assert find_run(user_paths(), run.id[:10]).path == run.path
    assert find_run(user_paths(), "last").id == run.id
