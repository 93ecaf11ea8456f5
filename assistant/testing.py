"""Stand-ins for tests, here and in plug-ins: a scripted engine and a tiny real model."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.engine.base import CandidateScore, EngineInfo, Reading
from assistant.engine.loader import EngineLoader
from assistant.errors import AssistantError
from assistant.router.router import Reasons
from assistant.router.why import Part
from assistant.types import Decoding, FinishReason, Generation, Message, Route, Usage


class FakeEngine:
    """An engine that answers from a script, word by word, without any model.

    Answers are used up in order; without a script it echoes the last message. ``calls`` keeps
    every list of messages it was given, ``adapters_used`` the adapter of each.
    """

    def __init__(
        self,
        answers: Sequence[str | AssistantError] = (),
        *,
        delay_s: float = 0.0,
        context_length: int = 4096,
    ) -> None:
        self.answers = list(answers)
        self.delay_s = delay_s
        self.calls: list[tuple[Message, ...]] = []
        self.adapters_used: list[str | None] = []
        self.closed = False
        self.prepared: list[tuple[Message, ...]] = []
        self._adapters: dict[str, Path] = {}
        self._info = EngineInfo("fake", "0" * 64, context_length, 2, 8, "cpu", "none")

    @property
    def info(self) -> EngineInfo:
        return self._info

    def count_text_tokens(self, text: str) -> int:
        return len(text.split()) + 1

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(self.count_text_tokens(message.content) + 3 for message in messages)

    def generate(
        self,
        messages: Sequence[Message],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        stable: int = 0,
    ) -> Iterator[Generation]:
        self.calls.append(tuple(messages))
        self.adapters_used.append(adapter)
        answer = self.answers.pop(0) if self.answers else f"echo: {messages[-1].content}"
        if isinstance(answer, AssistantError):
            raise answer
        words = [word + " " for word in answer.split(" ")]
        words[-1] = words[-1][:-1]
        prompt = self.count_tokens(messages)
        for position, word in enumerate(words[: decoding.max_tokens]):
            if stop is not None and stop.is_set():
                yield Generation("", "cancelled", Usage(prompt, 0, position))
                return
            if self.delay_s:
                time.sleep(self.delay_s)
            yield Generation(word)
        reason: FinishReason = "length" if len(words) > decoding.max_tokens else "stop"
        yield Generation("", reason, Usage(prompt, 0, min(len(words), decoding.max_tokens)))

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        """Score the first candidate found in the last message best."""
        self.calls.append(tuple(messages))
        self.adapters_used.append(adapter)
        text = messages[-1].content.lower()
        return [CandidateScore(-0.1 if c.lower() in text else -2.0, 1) for c in candidates]

    def choose(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[float]:
        """Choose between the candidates by their scores."""
        scores = self.score(messages, candidates, adapter=adapter, stable=stable)
        total = math.log(sum(math.exp(score.logprob) for score in scores))
        return [score.logprob - total for score in scores]

    def hidden_states(
        self,
        texts: Sequence[str],
        reading: Reading,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        width = self._info.hidden_size * (1 if reading.mean_layer is None else 2)
        rows = [[float(len(text) % (i + 2)) for i in range(width)] for text in texts]
        if progress is not None:
            progress(len(texts))
        return np.asarray(rows, dtype=np.float32).reshape(len(texts), width)

    def complete(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        results = []
        for messages in prompts:
            pieces = list(self.generate(messages, decoding, adapter=adapter, stop=stop))
            results.append(replace(pieces[-1], text="".join(piece.text for piece in pieces)))
            if progress is not None:
                progress(len(results))
        return results

    def text_logprobs(self, text: str, *, adapter: str | None = None) -> list[float]:
        return [-1.0] * (self.count_text_tokens(text) - 1)

    def prepare(self, messages: Sequence[Message], *, adapter: str | None = None) -> None:
        self.prepared.append(tuple(messages))

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def load_adapter(self, name: str, folder: Path) -> None:
        self._adapters[name] = folder

    def unload_adapter(self, name: str) -> None:
        self._adapters.pop(name, None)

    def close(self) -> None:
        self.closed = True


class FakeRouter:
    """A router that says ``chat`` unless a rule given by the test says otherwise."""

    def __init__(
        self,
        rules: dict[str, str] | None = None,
        unsure: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.rules = rules or {}
        self.unsure = unsure or {}

    def route(self, text: str, context: str | None = None, engine: object = None) -> Route:
        tasks = ("qa", "translation", "summarization", "classification", "chat")
        task = next((task for word, task in self.rules.items() if word in text), "chat")
        scores = {name: (0.9 if name == task else 0.025) for name in tasks}
        unsure = next((pair for word, pair in self.unsure.items() if word in text), ())
        return Route(task, 0.9, scores, "light", unsure)

    def route_all(
        self,
        turns: Sequence[tuple[str, str | None]],
        engine: object = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Route]:
        return [self.route(text, context, engine) for text, context in turns]

    def explain(self, text: str, context: str | None = None, engine: object = None) -> Reasons:
        route = self.route(text, context, engine)
        parts = [Part(word, {route.task: 1.0}) for word in text.split()]
        return Reasons(route, tuple(parts), ())


def ready_loader(engine: FakeEngine | None = None) -> EngineLoader:
    """Return a loader whose engine is there at once."""
    made = engine or FakeEngine()
    loader = EngineLoader(lambda report: made)
    loader.get()
    return loader


def tiny_model(folder: Path) -> Path:
    """Write a random two-layer Qwen2 model with a byte-level tokenizer to ``folder``.

    It is a real model in every respect but its size (hidden size 32) and its random weights;
    the answers are noise, the machinery is real.
    """
    from assistant.engine.tiny import write_tiny_model

    return write_tiny_model(folder)
