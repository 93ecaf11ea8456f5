"""Suite ``train``: tokens a second and peak memory of training, beside transformers' Trainer with PEFT.

Both train LoRA of rank 8 on all linear layers in bf16, on the same rows, sixteen a step. The other side is
set up as its documentation suggests: padded batches, 32-bit adapter weights, bf16 switched on. Each run has
a process of its own, and the sides take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from assistant.benchmark.results import Result, median_ratio, result
from assistant.benchmark.subject import Subject
from assistant.errors import EngineError
from assistant.paths import shipped

_SUITE = "train"
OURS, TRAINER = "assistant", "Trainer + PEFT"
STEPS = 4


def default_data() -> Path:
    """Return the labelled texts that ship."""
    return shipped("benchmarks") / "texts" / "labelled_examples.jsonl"


def run(subject: Subject, data: Path | None = None, steps: int = STEPS) -> list[Result]:
    """Train on the rows of ``data`` for a few steps, in turns."""
    folder = subject.transformers_folder()
    speed: dict[str, list[float]] = {OURS: [], TRAINER: []}
    peak: dict[str, list[float]] = {OURS: [], TRAINER: []}
    for round_ in range(subject.runs):
        for variant in (OURS, TRAINER):
            found = _measured(folder, variant, subject.threads, data or default_data(), steps)
            speed[variant].append(found["tokens_per_s"])
            peak[variant].append(found["peak_mb"])
            subject.note(
                f"{_SUITE}: round {round_ + 1} of {subject.runs}, {variant}: "
                f"{found['tokens_per_s']:.0f} tokens/s, {found['peak_mb']:.0f} MB"
            )
    return [
        *_compared(subject.name, speed, "tokens/s", ""),
        *_compared(subject.name, peak, "MB", "peak memory"),
    ]


def _compared(model: str, runs: dict[str, list[float]], unit: str, what: str) -> list[Result]:
    ratio = median_ratio(runs[OURS], runs[TRAINER])
    return [
        result(_SUITE, (model, OURS, what), runs[OURS], unit, baseline=TRAINER, ratio=ratio),
        result(_SUITE, (model, TRAINER, what), runs[TRAINER], unit),
    ]


def _measured(folder: Path, variant: str, threads: int, data: Path, steps: int) -> dict[str, float]:
    command = [sys.executable, "-m", "assistant.benchmark.train_probe"]
    done = subprocess.run(
        [*command, str(folder), variant, str(threads), str(data), str(steps)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise EngineError(f"Measuring {variant} in a process of its own failed: {last}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
