"""A linear classifier on a feature vector: weights, file format, prediction. No training here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Head:
    """Multinomial logistic regression with a temperature.

    Attributes:
        tasks: class names, in the order of the rows of ``weight``.
        weight: shape (tasks, features), applied to the raw features.
        bias: shape (tasks,).
        temperature: divides the logits; fitted on held-out predictions (Guo et al. 2017).
        about: where it comes from (data, scores), for people to read.
    """

    tasks: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float = 1.0
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, features: NDArray[np.float32]) -> dict[str, float]:
        """Return one probability a task for ``features`` of shape (features,)."""
        logits = (self.weight @ features + self.bias) / self.temperature
        odds = np.exp(logits - logits.max())
        chances = odds / odds.sum()
        return {task: float(chance) for task, chance in zip(self.tasks, chances, strict=True)}


def save_head(head: Head, file: Path) -> None:
    """Write ``head`` as safetensors; the rest goes into the metadata. Replaces at once."""
    from safetensors.numpy import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    metadata = {
        "tasks": json.dumps(head.tasks),
        "temperature": repr(head.temperature),
        "about": json.dumps(head.about, ensure_ascii=False, sort_keys=True),
    }
    tensors = {"weight": head.weight.astype(np.float16), "bias": head.bias.astype(np.float32)}
    save_file(tensors, str(temporary), metadata=metadata)
    temporary.replace(file)


def load_head(file: Path) -> Head:
    """Read what :func:`save_head` wrote."""
    from safetensors import safe_open

    with safe_open(str(file), framework="numpy") as opened:
        metadata = opened.metadata()
        return Head(
            tasks=tuple(json.loads(metadata["tasks"])),
            weight=opened.get_tensor("weight").astype(np.float32),
            bias=opened.get_tensor("bias").astype(np.float32),
            temperature=float(metadata["temperature"]),
            about=json.loads(metadata["about"]),
        )
