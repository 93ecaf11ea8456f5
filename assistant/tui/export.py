"""A conversation as a file: Markdown to read, JSON with every field."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from assistant.sanitize import clean
from assistant.tui.wording import badge, one_line
from assistant.types import Turn


def default_name(title: str, now: datetime) -> str:
    """Return a file name made of the title and the day."""
    words = re.findall(r"\w+", one_line(title).lower())[:6]
    return f"{'-'.join(words)[:60] or 'chat'}-{now:%Y-%m-%d}.md"


def as_markdown(title: str, turns: Iterable[Turn]) -> str:
    """Return a conversation as Markdown, cleaned: it may well be read in a terminal."""
    parts = [f"# {one_line(title)}"]
    for turn in turns:
        quoted = "\n".join(f"> {line}".rstrip() for line in clean(turn.user_text).split("\n"))
        parts += [quoted, clean(turn.correction or turn.answer).strip()]
        if turn.error:
            parts.append(f"*Failed: {one_line(turn.error)}*")
        parts.append(f"*{badge(turn).plain}*" if badge(turn).plain else "")
    return "\n\n".join(part for part in parts if part) + "\n"


def write(
    where: str, title: str, turns: Iterable[Turn], record: Mapping[str, Any], now: datetime
) -> Path:
    """Write the conversation and return the file's path; an existing file is never overwritten.

    ``where`` may be empty, a folder or a file; ``.json`` writes the whole record.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    path = Path(os.path.expandvars(where or ".")).expanduser().absolute()
    if path.is_dir():
        path = path / default_name(title, now)
    if path.suffix.lower() == ".json":
        text = json.dumps(record, ensure_ascii=False, indent=2, default=str) + "\n"
    else:
        text = as_markdown(title, turns)
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already.", "Name another file: /export FILE.md") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "Name another file: /export FILE.md"
        ) from error
    return path
