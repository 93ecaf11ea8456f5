"""How a turn is put before the model when its task is to be told.

The hidden state at the end of a short appended question says far more about what is wanted than
the turn alone: the model has been made to think about it (figures in docs/routing.md).
"""

from __future__ import annotations

LAYER_SHARE = 20 / 24
"""The layer whose output is read, as a share of the model's depth."""

MAX_TOKENS = 192
"""Longer turns are cut to head and tail: the request stands at one of the two ends."""

SUFFIX = (
    "\n\n---\nTask of the turn above (question answering, translation, summarization, "
    "classification, chat):"
)

_CONTEXT_CHARACTERS = 400
_FOLLOW_UP_SIZE = 60
_WIDE = 3


def may_follow_up(text: str) -> bool:
    """Return whether a turn is short enough to be about the one before it.

    Nineteen of twenty follow-ups are. A Chinese or Japanese character counts as three Latin ones.
    """
    return sum(_WIDE if character > "\u2e80" else 1 for character in text) <= _FOLLOW_UP_SIZE


def turn_text(text: str, context: str | None) -> str:
    """Return the turn as the model reads it, the previous turn (shortened) in front."""
    if not context:
        return text
    if len(context) > _CONTEXT_CHARACTERS:
        half = _CONTEXT_CHARACTERS // 2
        context = f"{context[:half]} … {context[-half:]}"
    return f"Previous turn:\n{context}\n\nNew turn:\n{text}"


def layer_of(layers: int) -> int:
    """Return which layer to read in a model of ``layers`` layers."""
    return max(1, round(layers * LAYER_SHARE))
