"""Rows in the forms of the TRL library, as ``assistant feedback export`` writes them too.

``prompt`` with ``completion`` (sft), with ``chosen`` and ``rejected`` (dpo), or with ``completion`` and
``label`` (kto); each a text, or a list of messages. Of a conversation the last user message is what is
asked: the program puts its own instruction before it. A row may name its ``task``, its ``lang``, its
``context`` (the turn before) and, for a classification, its ``labels`` or ``label_names``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.errors import UsageError

Fields = dict[str, Any]


def is_trl(row: Mapping[str, Any]) -> bool:
    """Return whether a row is in one of TRL's forms rather than the contract's."""
    return "prompt" in row and "input" not in row and "target" not in row


def from_trl(row: Mapping[str, Any], where: str, method: str) -> Fields:
    """Return what a row says, by the names of the contract's fields.

    Raises:
        UsageError: something is missing or is of another kind; the message begins with ``where``.
    """
    if not is_trl(row):
        raise UsageError(
            f"{where} has no 'prompt', as the rows before have.", "Use one form of rows in a file."
        )
    paired = "chosen" in row
    if method == "dpo" and not paired:
        raise UsageError(
            f"{where} needs 'chosen' and 'rejected'.", "Judged single answers are for --method kto."
        )
    if method == "kto" and (paired or not isinstance(row.get("label"), bool)):
        raise UsageError(
            f"{where} needs 'completion', and true or false in 'label'.",
            "Pairs of answers are for --method dpo.",
        )
    label = row.get("label")
    return {
        "input": _asked(row["prompt"], where),
        "target": _answer(row, "chosen" if paired else "completion", where),
        "rejected": _answer(row, "rejected", where) if "rejected" in row else "",
        "desirable": label is not False,
        "context": _optional(row, "context", where) or None,
        "labels": _labels(row, where),
        "lang": _optional(row, "lang", where),
        "task": _optional(row, "task", where),
        "source": _optional(row, "source", where),
    }


def _asked(prompt: object, where: str) -> str:
    if isinstance(prompt, str):
        return _text(prompt, "prompt", where)
    messages = _messages(prompt, "prompt", where)
    if messages[-1]["role"] != "user":
        raise UsageError(f"{where}: 'prompt' has to end with a message of the user.")
    return _text(messages[-1]["content"], "prompt", where)


def _answer(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if isinstance(value, str):
        return _text(value, key, where)
    messages = _messages(value, key, where)
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise UsageError(f"{where}: '{key}' has to be one message of the assistant.")
    return _text(messages[0]["content"], key, where)


def _messages(value: object, key: str, where: str) -> list[dict[str, Any]]:
    good = isinstance(value, list) and all(
        isinstance(one, dict) and {"role", "content"} <= one.keys() for one in value
    )
    if not good or not value:
        raise UsageError(f"{where} needs a text or messages in '{key}'.")
    return value  # type: ignore[return-value]


def _text(value: object, key: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where} needs a text in '{key}'.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{where} has half a character (a lone surrogate).") from error
    return value


def _optional(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    return _text(value, key, where) if value not in (None, "") else ""


def _labels(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    value = row.get("labels") or row.get("label_names") or []
    if not isinstance(value, list):
        raise UsageError(f"{where}: 'labels' is to be a list of texts.")
    return tuple(_text(one, "labels", where) for one in value)
