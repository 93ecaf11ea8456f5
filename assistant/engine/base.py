"""The protocol every engine speaks. No torch here, so that anything may import it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.types import Decoding, Generation, Message

Progress = Callable[[str, float | None], None]
"""Called with a short sentence and a fraction 0..1 (``None`` when it cannot be told)."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is loaded. ``sha256`` identifies the base weights; lengths are in tokens.

    ``path`` says what runs it: ``lean`` (own kernels) or ``plain`` (transformers).
    """

    model: str
    sha256: str
    context_length: int
    layers: int
    hidden_size: int
    device: str
    precision: str
    path: Literal["lean", "plain"] = "plain"


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """Log-probability of a candidate continuation, summed over its ``tokens`` tokens (nats).

    ``each`` has the summands, one a token.
    """

    logprob: float
    tokens: int
    each: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is read to get a vector from it.

    Attributes:
        layer: the vector is the hidden state after this layer, at the last token.
        suffix: what follows each text.
        max_tokens: a longer text is cut to head and tail, so that it fits together with the suffix.
        adapter: the loaded adapter that is switched on meanwhile.
        mean_layer: where wanted, the mean over the text's own tokens after this (lower) layer comes
            behind the first vector.
    """

    layer: int
    suffix: str
    max_tokens: int
    adapter: str | None = None
    mean_layer: int | None = None


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
        stable: int = 0,
    ) -> Iterator[Generation]:
        """Yield pieces of the answer as they are decoded; the last carries reason and usage.

        Setting ``stop`` ends it within one token (reason ``cancelled``). The first ``stable``
        messages are the same for every turn of a task: an engine may store what it computed of them.

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
        stable: int = 0,
    ) -> list[CandidateScore]:
        """Return the exact log-probability of each candidate as the whole answer."""
        ...

    def choose(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[float]:
        """Return the log-probability (nats) of each candidate where the answer is one of them.

        The probabilities of different candidates sum to 1. Where they begin with different tokens, it
        costs no more than reading the prompt.
        """
        ...

    def complete(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """Return the whole answer to each prompt, in order, computed side by side where possible.

        ``progress`` is called with how many are done. What ``stop`` ended has reason ``cancelled``.
        """
        ...

    def text_logprobs(self, text: str, *, adapter: str | None = None) -> list[float]:
        """Return the log-probability (nats) of each token of a bare text but the first."""
        ...

    def prepare(self, messages: Sequence[Message], *, adapter: str | None = None) -> None:
        """Compute ahead, and store where possible, what all prompts share that begin like this one.

        That is everything before the content of the last message.
        """
        ...

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the adapters in memory."""
        ...

    def load_adapter(self, name: str, folder: Path) -> None:
        """Load a PEFT folder under a name; it is used by naming it in a call.

        Raises:
            AdapterError: it is unsafe, damaged, or does not fit the model.
        """
        ...

    def unload_adapter(self, name: str) -> None:
        """Free an adapter's memory; an unknown name is nothing to complain about."""
        ...

    def hidden_states(
        self,
        texts: Sequence[str],
        reading: Reading,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Return what the model makes of each text, shape (texts, hidden_size or twice that).

        ``progress`` is called with how many are done. A text's vector does not depend on its company.

        Raises:
            AdapterError: the adapter that ``reading`` names is not loaded.
        """
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
