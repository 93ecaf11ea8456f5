"""Tiny trainings on preferences: answers are better when they are not shouted."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from training_help import WORDS, request

from assistant.training.dataset import Row
from assistant.training.job import TrainRequest

Plain = Any
"""A transformers model whose own ``forward`` works."""


def write_preferences(path: Path, method: str, count: int = 32, *, seed: int = 0) -> Path:
    """Write rows for a method: pairs of an answer and the same shouted, or each of them judged."""
    rng = random.Random(seed)
    lines = []
    for number in range(count):
        good = rng.random() < 0.5
        words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 6)))
        answer = "glad" if good else "sad"
        row: dict[str, object] = {
            "id": f"r{number}",
            "task": "classification",
            "input": f"Mood? {words} {'fine' if good else 'bleak'}",
            "target": answer,
            "labels": ["glad", "sad"],
        }
        if method == "dpo":
            row["rejected"] = answer.upper()
        if method == "kto":
            row["desirable"] = number % 3 != 0
            row["target"] = answer if number % 3 else answer.upper()
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def asked(folder: Path, method: str, **settings: Any) -> TrainRequest:
    """Return a request to train the tiny model on preferences; the rows measured on are others."""
    base = request(folder, method=method, **settings)
    train = write_preferences(folder / f"{method}.jsonl", method)
    dev = write_preferences(folder / f"{method}-dev.jsonl", method, 9, seed=1)
    return replace(base, data=(train,), dev=(dev,))


def plain_log_probability(model: Plain, row: Row, answer: Sequence[int]) -> torch.Tensor:
    """Return the log-probability of an answer behind a row's prompt, from all logits of that one text."""
    ids = torch.tensor([[*row.prompt, *answer]])
    chances = torch.log_softmax(model(input_ids=ids).logits[0].float(), -1)
    places = range(len(row.prompt) - 1, ids.shape[1] - 1)
    return torch.stack([chances[at, token] for at, token in zip(places, answer, strict=True)]).sum()
