"""The protocol every engine speaks. No torch here, so that anything may import it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.types import Decoding, Generation, Message

Progress = Callable[[str, float | None], None]
"""Called with a short sentence and a fraction 0..1 (``None`` when it cannot be told)."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is loaded. ``sha256`` identifies the base weights; lengths are in tokens."""

    model: str
    sha256: str
    context_length: int
    layers: int
    hidden_size: int
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """Log-probability of a candidate continuation, summed over its ``tokens`` tokens (nats)."""

    logprob: float
    tokens: int


class Engine(Protocol):
    """Turns messages into text, one call at a time (calls from several threads wait in line)."""

    @property
    def info(self) -> EngineInfo: ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens ``messages`` take with the chat template and answer header."""
        ...

    def count_text_tokens(self, text: str) -> int:
        """Return how many tokens a bare text takes."""
        ...

    def generate(
        self,
        messages: Sequence[Message],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Generation]:
        """Yield pieces of the answer as they are decoded; the last carries reason and usage.

        Setting ``stop`` ends it within one token (reason ``cancelled``).

        Raises:
            ContextOverflow: the messages alone fill the window.
            EngineError: the model failed.
        """
        ...

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
    ) -> list[CandidateScore]:
        """Return the exact log-probability of each candidate as the whole answer."""
        ...

    def hidden_state(self, text: str, *, layer: int, suffix: str, max_tokens: int) -> list[float]:
        """Return the hidden state (``hidden_size`` floats) after ``layer`` at the last token.

        ``text`` is cut to head and tail when longer than ``max_tokens``, then ``suffix`` follows.
        """
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
