"""Rows in TRL's conversational formats, made and read, and feedback as a table. No SQL, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from assistant.store.codec import wrong
from assistant.types import Feedback, Message

Row = dict[str, object]

TABLE_COLUMNS = (
    "id",
    "turn_id",
    "created_at",
    "rating",
    "correction",
    "route",
    "comment",
    "reason",
    "task",
    "strategy",
    "adapter",
    "model",
    "user_text",
    "answer",
)
OF_THE_TURN = ("task", "strategy", "adapter", "model", "user_text", "answer")
"""Those of the columns that stand in the snapshot."""

ID_LENGTH = 16


def sft(prompt: Sequence[Message], completion: str) -> Row:
    """Return an answer as it should be."""
    return {"prompt": _messages(prompt), "completion": _said(completion)}


def dpo(prompt: Sequence[Message], chosen: str, rejected: str) -> Row:
    """Return a better answer and a worse one."""
    return {"prompt": _messages(prompt), "chosen": _said(chosen), "rejected": _said(rejected)}


def kto(prompt: Sequence[Message], completion: str, label: bool) -> Row:
    """Return one answer; ``label`` is true where it was wanted."""
    return {"prompt": _messages(prompt), "completion": _said(completion), "label": label}


def table(items: Sequence[Feedback]) -> Iterator[Row]:
    """Yield one flat row a piece of feedback, with :data:`TABLE_COLUMNS`."""
    for item in items:
        own = {name: getattr(item, name) for name in TABLE_COLUMNS if hasattr(item, name)}
        yield {name: own.get(name, item.snapshot.get(name)) for name in TABLE_COLUMNS}


def is_row(row: object) -> bool:
    """Return whether a row is in one of the formats, as far as its names tell."""
    return isinstance(row, Mapping) and "prompt" in row and "turn_id" not in row


def record_of(row: Mapping[str, Any], path: str) -> Row:
    """Return a row as a record that an import of feedback takes.

    The better answer of two becomes the correction of the other one; a single answer is rated, good
    where no ``label`` says otherwise. The row may also have ``task``, ``context`` and ``labels`` (or
    ``label_names``). The same row always becomes the same turn; of which time it is, it does not say.

    Raises:
        StoreError: something is missing or of another kind; the message begins with ``path``.
    """
    prompt = _prompt(row["prompt"], f"{path}.prompt")
    correction = rating = None
    if "chosen" in row or "rejected" in row:
        correction = _answer(row, "chosen", path)
        answer = _answer(row, "rejected", path)
    else:
        answer = _answer(row, "completion", path)
        label = row.get("label", True)
        if not isinstance(label, bool):
            raise wrong(f"{path}.label", "true or false", label)
        rating = "good" if label else "bad"
    task = _optional(row, "task", path) or "chat"
    said = [*([one.role, one.content] for one in prompt), answer, correction]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    return {
        # Ids begin with the time they were made at; 0 is before all others, so that none of these is
        # ever the last turn.
        "turn_id": f"0{digest.hexdigest()}"[:ID_LENGTH],
        "created_at": "",
        "rating": rating,
        "correction": correction,
        "snapshot": {
            "user_text": prompt[-1].content,
            "answer": answer,
            "messages": [asdict(message) for message in prompt],
            "task": task,
            "route": {"task": task, "confidence": 1.0, "scores": {task: 1.0}, "source": "forced"},
            "context": _optional(row, "context", path),
            "labels": _labels(row, path),
        },
    }


def record_of_cells(cells: Mapping[str, str]) -> Row:
    """Return a row of the table as a record that an import of feedback takes."""
    said = {name: cells.get(name) or None for name in TABLE_COLUMNS}
    number = said["id"] or ""
    record: Row = {name: said[name] for name in TABLE_COLUMNS if name not in OF_THE_TURN}
    record |= {
        "id": int(number) if number.isascii() and number.isdigit() else 0,
        "turn_id": said["turn_id"] or "",
        "created_at": said["created_at"],
        "snapshot": {name: said[name] or "" for name in ("user_text", "answer", "model")}
        | {name: said[name] for name in ("task", "strategy", "adapter")},
    }
    if said["route"]:
        record["route_correction"] = {
            "text": said["user_text"] or "",
            "from_task": said["task"],
            "to_task": said["route"],
        }
    return record


def _messages(prompt: Sequence[Message]) -> list[Row]:
    return [asdict(message) for message in prompt]


def _said(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def _prompt(value: object, path: str) -> list[Message]:
    """Return the messages of a prompt, which ends with the user's; a text is one of them."""
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise wrong(path, "a text or a list of messages", value)
    found = [_message(one, f"{path}[{place}]") for place, one in enumerate(value)]
    if found[-1].role != "user" or not found[-1].content.strip():
        raise wrong(path, "a message of the user at its end", value[-1])
    return found


def _message(value: object, path: str) -> Message:
    role, content = (
        (value.get("role"), value.get("content")) if isinstance(value, Mapping) else (None, None)
    )
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise wrong(path, "a message with 'role' and 'content'", value)
    return Message(role, content)


def _answer(row: Mapping[str, Any], name: str, path: str) -> str:
    value = row.get(name)
    if isinstance(value, list) and len(value) == 1:
        value = _message(value[0], f"{path}.{name}[0]").content
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"{path}.{name}", "a text or one message", value)
    return value


def _optional(row: Mapping[str, Any], name: str, path: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(f"{path}.{name}", "text", value)
    return value or None


def _labels(row: Mapping[str, Any], path: str) -> list[str]:
    value = row.get("labels") or row.get("label_names") or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(f"{path}.labels", "a list of texts", value)
    return value
