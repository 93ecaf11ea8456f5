"""What tests of a session share: a session with stand-ins, and how its events are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assistant import config
from assistant.engine.loader import EngineLoader
from assistant.events import AnswerPiece, Event, TurnFinished
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Route, Turn


class Made:
    """A session and its parts."""

    def __init__(self, store: Store, prompts: Prompts) -> None:
        self.store = store
        self.prompts = prompts

    def __call__(
        self,
        *answers: Any,
        engine: FakeEngine | None = None,
        loader: EngineLoader | None = None,
        rules: dict[str, str] | None = None,
        router: Any = None,
        **settings: Any,
    ) -> Session:
        self.engine = engine or FakeEngine(answers)
        return Session(
            self.store,
            loader or ready_loader(self.engine),
            router or FakeRouter(rules),
            self.prompts,
            config.load(**settings),
        )


def finished(events: Iterator[Event]) -> Turn:
    last = list(events)[-1]
    assert isinstance(last, TurnFinished)
    return last.turn


def pieces_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerPiece))


class Listening(FakeRouter):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []

    def route(self, text: str, context: str | None = None, engine: object = None) -> Route:
        self.asked.append((text, context))
        return super().route(text, context, engine)
