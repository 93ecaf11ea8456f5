"""Feedback as training data in TRL's conversational formats, and as a table. No SQL, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from assistant.types import Feedback

Row = dict[str, object]

TABLE_COLUMNS = (
    "id",
    "turn_id",
    "created_at",
    "rating",
    "correction",
    "route",
    "comment",
    "task",
    "strategy",
    "adapter",
    "model",
    "user_text",
    "answer",
)


def sft(items: Sequence[Feedback]) -> list[Row]:
    """Return ``prompt`` and ``completion`` of every corrected turn."""
    return [
        {"prompt": prompt_of(item), "completion": _said(item.correction or "")}
        for item in _latest(items, "correction")
    ]


def dpo(items: Sequence[Feedback]) -> list[Row]:
    """Return the correction as ``chosen`` and the answer it corrects as ``rejected``."""
    return [
        {
            "prompt": prompt_of(item),
            "chosen": _said(item.correction or ""),
            "rejected": _said(answer),
        }
        for item in _latest(items, "correction")
        # Without a difference there is no preference.
        if (answer := _text(item, "answer")) and answer != item.correction
    ]


def kto(items: Sequence[Feedback]) -> list[Row]:
    """Return every rated answer with ``label`` true for a thumb up."""
    return [
        {
            "prompt": prompt_of(item),
            "completion": _said(answer),
            "label": item.rating == "good",
        }
        for item in _latest(items, "rating")
        if (answer := _text(item, "answer"))
    ]


def table(items: Sequence[Feedback]) -> Iterator[Row]:
    """Yield one flat row a piece of feedback, with :data:`TABLE_COLUMNS`."""
    for item in items:
        own = {name: getattr(item, name) for name in TABLE_COLUMNS if hasattr(item, name)}
        yield {name: own.get(name, item.snapshot.get(name)) for name in TABLE_COLUMNS}


def prompt_of(item: Feedback) -> list[Row]:
    """Return the messages as they were sent; what the user typed when none had been sent yet."""
    sent = item.snapshot.get("messages")
    if isinstance(sent, list) and sent:
        return cast(list[Row], sent)
    return [{"role": "user", "content": _text(item, "user_text")}]


def _latest(items: Sequence[Feedback], field: str) -> list[Feedback]:
    """Return for each turn the last feedback that has ``field``: people change their minds."""
    last = {item.turn_id: item for item in items if getattr(item, field) is not None}
    return sorted(last.values(), key=lambda item: item.id)


def _said(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def _text(item: Feedback, name: str) -> str:
    value = item.snapshot.get(name)
    return value if isinstance(value, str) else ""
