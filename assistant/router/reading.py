"""How a turn is put before the model when its task is to be told.

The hidden state at the end of a short appended line says far more about what is wanted than the
turn alone (figures in docs/routing.md).
"""

from __future__ import annotations

SUFFIX = "\n---\nTask:"

MAX_TOKENS = 128
"""Longer turns are cut to head and tail: the request stands at one of the two ends."""

CONTEXT_TOKENS = 64
"""How many more tokens are read when a previous turn stands in front."""

_CONTEXT_CHARACTERS = 400


def turn_text(text: str, context: str | None) -> str:
    """Return the turn as the model reads it, the previous turn (shortened) in front."""
    if not context:
        return text
    if len(context) > _CONTEXT_CHARACTERS:
        half = _CONTEXT_CHARACTERS // 2
        context = f"{context[:half]} … {context[-half:]}"
    return f"Previous turn:\n{context}\n\nNew turn:\n{text}"


def token_limit(context: str | None) -> int:
    """Return how many tokens of a turn are read, suffix included."""
    return MAX_TOKENS + (CONTEXT_TOKENS if context else 0)
