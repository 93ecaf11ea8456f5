"""Examples to evaluate on: the JSONL format of docs/cli.md, read and checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageError


@dataclass(frozen=True, slots=True)
class Example:
    """One example. ``references`` are all right answers, ``target`` among them, first."""

    id: str
    task: str
    input: str
    target: str
    references: tuple[str, ...]
    context: str | None = None
    labels: tuple[str, ...] = ()
    lang: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Examples:
    """What was read from which file; ``sha256`` is that of the file's bytes."""

    rows: tuple[Example, ...]
    path: str
    sha256: str


def read_examples(path: Path, task: str | None = None) -> Examples:
    """Read a JSONL file of ``{"id", "input", "target", "task"?, "answers"?, "labels"?, …}``.

    A row may lack its task when ``task`` says it; rows of another task are an error. A row without
    an id is called by the number of its line.

    Raises:
        UsageError: the file cannot be read or a line is wrong; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Say another file with --data."
        ) from error
    rows: dict[int, Example] = {
        number: _example(line, f"{path}, line {number}", number, task)
        for number, line in enumerate(_text_of(data, path).split("\n"), 1)
        if line.strip()
    }
    if not rows:
        raise UsageError(f"{path} has no examples.", "It needs one JSON object a line.")
    _check_ids(rows, path)
    return Examples(tuple(rows.values()), str(path), hashlib.sha256(data).hexdigest())


def sample(rows: Sequence[Example], limit: int | None, seed: int) -> tuple[Example, ...]:
    """Return ``limit`` rows drawn with ``seed``, in the order of the file; all without a limit."""
    if limit is None or limit >= len(rows):
        return tuple(rows)
    chosen = sorted(random.Random(seed).sample(range(len(rows)), limit))
    return tuple(rows[i] for i in chosen)


def _text_of(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Where the file has a mark at its beginning, decoding counts from behind it.
        number = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}, line {number} is not UTF-8 text.", "Convert the file to UTF-8 first."
        ) from error


def _check_ids(rows: Mapping[int, Example], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, row in rows.items():
        if row.id in seen:
            raise UsageError(
                f"{path}, line {number} has the id {row.id!r} of line {seen[row.id]} again.",
                "Every example needs an id of its own.",
            )
        seen[row.id] = number


def _example(line: str, where: str, number: int, task: str | None) -> Example:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "too large or too deep")
        raise UsageError(f"{where} is not JSON: {reason}.") from error
    if not isinstance(row, dict):
        raise UsageError(f"{where} is not a JSON object.")
    _check_characters(line, row, where)
    own = _text(row, "task", where) or task
    if not own:
        raise UsageError(f"{where} has no 'task'.", "Say it in the row or with --task.")
    if task is not None and own != task:
        raise UsageError(
            f"{where} is for {own}, not {task}.",
            f"Use --task {own}, or give each task a file of its own.",
        )
    for key in ("input", "target"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UsageError(f"{where} needs a text in '{key}'.")
    answers = _texts(row, "answers", where)
    return Example(
        id=_id(row, number, where),
        task=own,
        input=row["input"],
        target=row["target"],
        references=tuple(dict.fromkeys((row["target"], *answers))),
        context=_text(row, "context", where) or None,
        labels=_texts(row, "labels", where),
        lang=_text(row, "lang", where),
        source=_text(row, "source", where),
    )


def _check_characters(line: str, row: dict[str, Any], where: str) -> None:
    """Refuse half of a pair of ``\\uD83D\\uDE00``: no file and no database could hold it."""
    if "\\u" not in line:
        return
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{where} has half a character (a lone surrogate).") from error


def _id(row: dict[str, Any], number: int, where: str) -> str:
    value = row.get("id")
    if value is None or value == "":
        return str(number)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"{where}: 'id' is to be a text or a number.")
    return str(value)


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{where}: '{key}' is to be a text.")
    return value


def _texts(row: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = row.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item.strip() for item in value
    ):
        raise UsageError(f"{where}: '{key}' is to be a list of texts.")
    return tuple(value)
