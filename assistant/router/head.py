"""The classifier on a model's hidden states: weights, file format, prediction. No training here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HEAD_FILE = "head.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Background:
    """Labelled turns that ship with a classifier, as points: what corrections are weighed against.

    Attributes:
        projection: shape (features, dimensions); takes features to the space of the points.
        center: shape (features,), subtracted first.
        points: shape (turns, dimensions), of length 1 each.
        labels: shape (turns,), positions in the classifier's tasks.
        crowd: shape (turns,), how many votes the others have at each point (see ``memory``).
    """

    projection: Floats
    center: Floats
    points: Floats
    labels: NDArray[np.int64]
    crowd: Floats

    def point(self, features: Floats) -> Floats:
        """Return where features of shape (features,) lie, a vector of length 1."""
        vector = (features - self.center) @ self.projection
        return (vector / max(float(np.linalg.norm(vector)), 1e-6)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Head:
    """Multinomial logistic regression with a temperature, and how its features are read.

    Attributes:
        tasks: class names, in the order of the rows of ``weight``.
        weight: shape (tasks, features).
        bias: shape (tasks,).
        temperature: divides the logits; fitted on held-out predictions (Guo et al. 2017).
        ask_below: a probability below this is too unsure to go by without asking.
        layer: the hidden state after this layer is read at the last token (0: other features).
        mean_layer: see :class:`assistant.engine.base.Reading`.
        suffix: what is appended to the turn.
        adapted: an adapter trained along with the classifier lies beside it.
        background: labelled turns as points, where the file holds some.
        about: where it comes from (data, scores), for people to read.
    """

    tasks: tuple[str, ...]
    weight: Floats
    bias: Floats
    temperature: float = 1.0
    ask_below: float = 0.0
    layer: int = 0
    mean_layer: int | None = None
    suffix: str = ""
    adapted: bool = False
    background: Background | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, features: Floats) -> dict[str, float]:
        """Return one probability a task for ``features`` of shape (features,)."""
        logits = (self.weight @ features + self.bias) / self.temperature
        odds = np.exp(logits - logits.max())
        chances = odds / odds.sum()
        return {task: float(chance) for task, chance in zip(self.tasks, chances, strict=True)}


def normalized(states: Floats, parts: int = 1) -> Floats:
    """Return hidden states with a root mean square of 1 in each of ``parts`` equal parts.

    Args:
        states: shape (texts, features).
    """
    split = states.reshape(len(states), parts, -1)
    size = np.sqrt(np.mean(split * split, axis=2, keepdims=True) + 1e-6)
    even: Floats = (split / size).reshape(states.shape).astype(np.float32)
    return even


def save_head(head: Head, file: Path) -> None:
    """Write ``head`` as safetensors; the rest goes into the metadata. Replaces at once."""
    from safetensors.numpy import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    metadata = {
        "tasks": json.dumps(head.tasks),
        "temperature": repr(head.temperature),
        "ask_below": repr(head.ask_below),
        "layer": str(head.layer),
        "mean_layer": str(head.mean_layer or 0),
        "suffix": head.suffix,
        "adapted": json.dumps(head.adapted),
        "about": json.dumps(head.about, ensure_ascii=False, sort_keys=True),
    }
    tensors: dict[str, NDArray[Any]] = {
        "weight": head.weight.astype(np.float16),
        "bias": head.bias.astype(np.float32),
    }
    if head.background is not None:
        tensors["projection"] = head.background.projection.astype(np.float16)
        tensors["center"] = head.background.center.astype(np.float16)
        tensors["points"] = np.round(head.background.points * _POINT_SCALE).astype(np.int8)
        tensors["labels"] = head.background.labels.astype(np.uint8)
        tensors["crowd"] = head.background.crowd.astype(np.float32)
    save_file(tensors, str(temporary), metadata=metadata)
    temporary.replace(file)


_POINT_SCALE = 127
"""Coordinates of a unit vector lie between -1 and 1: one byte each is enough to compare them."""


def load_head(file: Path) -> Head:
    """Read what :func:`save_head` wrote."""
    from safetensors import safe_open

    with safe_open(str(file), framework="numpy") as opened:
        metadata = opened.metadata()
        names = set(opened.keys())
        return Head(
            tasks=tuple(json.loads(metadata["tasks"])),
            weight=opened.get_tensor("weight").astype(np.float32),
            bias=opened.get_tensor("bias").astype(np.float32),
            temperature=float(metadata["temperature"]),
            ask_below=float(metadata["ask_below"]),
            layer=int(metadata["layer"]),
            mean_layer=int(metadata["mean_layer"]) or None,
            suffix=metadata["suffix"],
            adapted=json.loads(metadata["adapted"]),
            background=_background(opened) if "points" in names else None,
            about=json.loads(metadata["about"]),
        )


def _background(opened: Any) -> Background:
    points = opened.get_tensor("points").astype(np.float32)
    return Background(
        projection=opened.get_tensor("projection").astype(np.float32),
        center=opened.get_tensor("center").astype(np.float32),
        points=points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6),
        labels=opened.get_tensor("labels").astype(np.int64),
        crowd=opened.get_tensor("crowd"),
    )
