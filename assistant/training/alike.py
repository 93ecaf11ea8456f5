"""When two requests, or two answers, count as the same."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from assistant import understand

Key = tuple[str, str, str]


def request_key(task: str, text: str, context: str | None) -> Key:
    """Return what is the same for two requests that ask for the same.

    Case, width and white space make no difference. The turn before counts where the request leans on
    it: in a chat, and where it has no text of its own ("and in German?").
    """
    return (
        task,
        answer_key(text).casefold(),
        answer_key(context or "") if _leans(task, text) else "",
    )


@lru_cache(maxsize=16384)
def answer_key(text: str) -> str:
    """Return an answer without the differences that nobody sees (white space, width of characters)."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


@lru_cache(maxsize=16384)
def _leans(task: str, text: str) -> bool:
    return task in ("chat", "") or understand.refers_back(text)
