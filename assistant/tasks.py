"""What a task is: its name, how it is scored, how its answers are decoded, what it needs to know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.types import Decoding

TASKS = ("qa", "translation", "summarization", "classification", "chat")
"""The built-in tasks, in the order they are listed everywhere."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``needs`` names the prompt variables that its instruction makes use of."""

    name: str
    title: str
    metric: str
    decoding: Decoding
    needs: tuple[str, ...] = ()


# The four tasks with one right answer decode greedily, so that the same turn gives the same
# answer; only chat is sampled, with a light penalty because a small model likes to repeat itself.
_CHAT = Decoding(max_tokens=512, temperature=0.7, top_p=0.9, repetition_penalty=1.05)

_BUILT_IN = {
    task.name: task
    for task in (
        Task("qa", "Question answering", "f1", Decoding(max_tokens=200)),
        Task("translation", "Translation", "chrf", Decoding(max_tokens=400), ("target_language",)),
        Task("summarization", "Summarization", "rougeL", Decoding(max_tokens=300)),
        Task("classification", "Classification", "accuracy", Decoding(max_tokens=24), ("labels",)),
        Task("chat", "Chat", "rougeL", _CHAT),
    )
}


def task(name: str) -> Task:
    """Return the task called ``name``; one that a user added gets general defaults."""
    known = _BUILT_IN.get(name)
    return known or Task(name, name.replace("_", " ").capitalize(), "rougeL", Decoding())


def headline(name: str) -> str:
    """Return the metric by which ways of answering a task are compared."""
    return task(name).metric


def decoding_for(name: str, settings: Mapping[str, Any]) -> Decoding:
    """Return the decoding of the task ``name`` with what its prompt file sets on top."""
    return dataclasses.replace(task(name).decoding, **settings)
