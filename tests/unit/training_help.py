"""A tiny training for tests: the tiny model, a handful of questions, everything real."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant import config
from assistant.paths import user_paths
from assistant.testing import tiny_model
from assistant.training.job import Job, TrainRequest
from assistant.training.settings import Progress, TrainSettings

WORDS = ["sea", "hill", "lamp", "road", "tree", "stone", "bird", "cup"]


def write_rows(path: Path, count: int = 48, *, seed: int = 0) -> Path:
    """Write short classifications with a rule in them: the label is the word asked for."""
    rng = random.Random(seed)
    lines = []
    for number in range(count):
        good = rng.random() < 0.5
        words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 6)))
        row = {
            "id": f"r{number}",
            "task": "classification",
            "input": f"Mood? {words} {'fine' if good else 'bleak'}",
            "target": "glad" if good else "sad",
            "labels": ["glad", "sad"],
            "lang": "en",
            "source": "made up",
            "license": "CC0-1.0",
        }
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def request(folder: Path, **settings: Any) -> TrainRequest:
    """Return a request to train the tiny model on a few rows, quick and with a high rate."""
    model = folder / "tiny"
    if not model.is_dir():
        tiny_model(model)
    data = folder / "moods.jsonl"
    if not data.is_file():
        write_rows(data)
    base = TrainSettings("classification", rank=4, alpha=8, epochs=2, rate=1e-2, batch=8)
    return TrainRequest(replace(base, **settings), str(model), (data,))


def job(asked: TrainRequest) -> Job:
    """Return the job for a request, without a word."""
    user = config.load(model=asked.model, threads=1)
    return Job(asked, user, user_paths(), lambda text: None)


def quiet(progress: Progress) -> None:
    """Report nothing."""
