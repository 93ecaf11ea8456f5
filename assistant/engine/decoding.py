"""The token loop that all engines share: sample, stop, and let text out as it becomes whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from tokenizers.decoders import DecodeStream

from assistant.engine.chat_format import ChatFormat
from assistant.engine.sampling import Logits
from assistant.engine.stop_text import StopText
from assistant.types import FinishReason, Generation, Usage

NextTokens = Callable[[Sequence[int]], Sequence[int]]
"""Given all tokens answered so far, returns the next one or more; none when it was stopped."""


class Answer:
    """One answer as it grows, token by token; knows when and why it ends."""

    def __init__(self, form: ChatFormat, stops: Sequence[str], max_tokens: int) -> None:
        self._form = form
        self._stream = DecodeStream(skip_special_tokens=True)
        self._stops = StopText(stops)
        self._max_tokens = max_tokens
        self.tokens: list[int] = []
        self.reason: FinishReason | None = None if max_tokens > 0 else "length"

    def add(self, token: int) -> str:
        """Take the next token; return the text that may be shown now."""
        if token in self._form.end_ids:
            self.reason = "stop"
            return ""
        self.tokens.append(token)
        shown = self._stops.feed(self._stream.step(self._form.backend, token) or "")
        if self._stops.stopped:
            self.reason = "stop"
        elif len(self.tokens) >= self._max_tokens:
            self.reason = "length"
        return shown

    def rest(self) -> str:
        """Return the text that was still held back at the end."""
        return self._stops.flush()


def stream(
    answer: Answer,
    following: NextTokens,
    usage: Callable[[int], Usage],
    stop: threading.Event | None,
) -> Iterator[Generation]:
    """Yield the pieces of an answer; the last one carries the reason and ``usage(tokens)``."""
    while answer.reason is None:
        if stop is not None and stop.is_set():
            answer.reason = "cancelled"
            break
        tokens = following(answer.tokens)
        if not tokens:
            answer.reason = "cancelled"
        for position, token in enumerate(tokens):
            if position and stop is not None and stop.is_set():
                break  # a step may give several tokens; the loop above ends the answer
            piece = answer.add(token)
            if piece:
                yield Generation(piece)
            if answer.reason is not None:
                break
    rest = answer.rest()
    if rest:
        yield Generation(rest)
    yield Generation("", answer.reason, usage(len(answer.tokens)))


__all__ = ["Answer", "Logits", "NextTokens", "stream"]
