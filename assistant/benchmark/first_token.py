"""Suite ``first-token``: seconds until the first piece of an answer, by what is known of its prompt."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.benchmark.results import Result, median_ratio, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import CHAT, SENTENCES

if TYPE_CHECKING:
    from assistant.engine.base import Engine
    from assistant.session import Session
    from assistant.types import Decoding, Message

_SUITE = "first-token"
_ANSWER_TOKENS = 40


def run(subject: Subject) -> list[Result]:
    """Measure a few-shot translation (prefix nowhere, on disk, in memory), a chat, a whole turn."""
    engine = subject.open("auto")
    try:
        with _session(subject, engine) as session, tempfile.TemporaryDirectory() as folder:
            found = _translation(subject, engine, session, Path(folder))
            found += _chat(subject, engine, session)
            return [*found, _whole_turn(subject, session)]
    finally:
        engine.close()


@contextmanager
def _session(subject: Subject, engine: Engine) -> Iterator[Session]:
    """Yield a session as the program makes it, around an engine that is there and no file."""
    from assistant.engine.loader import EngineLoader
    from assistant.paths import shipped
    from assistant.prompts import Prompts
    from assistant.router import Router
    from assistant.session import Session
    from assistant.store.connection import IN_MEMORY
    from assistant.store.store import Store

    loader = EngineLoader(lambda report: engine)
    loader.get()
    with Store(IN_MEMORY) as store:
        router = Router(cache=subject.paths.cache)
        prompts = Prompts.load(shipped("prompts"))
        yield Session(store, loader, router, prompts, subject.settings, paths=subject.paths)


def _prepared(session: Session, text: str, task: str) -> tuple[list[Message], Decoding]:
    """Return the messages that a session would send, and how it would decode."""
    from assistant.events import TurnPrepared
    from assistant.session import AskOptions

    events = session.ask(text, options=AskOptions(task=task))
    prepared = next(event.turn for event in events if isinstance(event, TurnPrepared))
    events.close()  # type: ignore[attr-defined]  # nobody needs the answer
    return list(prepared.sent), prepared.decoding


def _first_piece_s(engine: Engine, messages: Sequence[Message], decoding: Decoding) -> float:
    """Return the seconds to the first text; all messages but the last are the task's own."""
    start = time.perf_counter()
    pieces = engine.generate(messages, decoding, stable=len(messages) - 1)
    for piece in pieces:
        if piece.text:
            break
    seconds = time.perf_counter() - start
    pieces.close()  # type: ignore[attr-defined]
    return seconds


def _translation(subject: Subject, engine: Engine, session: Session, folder: Path) -> list[Result]:
    from assistant.benchmark.own import forget, is_lean, store_prefixes

    def turn(index: int) -> tuple[list[Message], Decoding]:
        sentence = SENTENCES[index % len(SENTENCES)]
        return _prepared(session, f"Translate into French: {sentence}", "translation")

    lean = is_lean(engine)
    measured: dict[str, list[float]] = {
        "nothing known": [],
        "prefix on disk": [],
        "prefix in memory": [],
    }
    for index in range(-1, subject.runs):  # the first round warms up
        for kind, runs in measured.items():
            if kind == "prefix on disk" and not lean:
                continue
            messages, decoding = turn(2 * index + (kind == "prefix in memory"))
            if lean:
                store_prefixes(engine, folder if kind == "prefix on disk" else None)
            if kind != "prefix in memory":  # there, the run before left it in memory
                forget(engine)
            seconds = _first_piece_s(engine, messages, decoding)
            if index >= 0:
                runs.append(seconds)
        subject.note(f"{_SUITE}: translation, round {index + 1} of {subject.runs}")
    return _with_baseline(subject, "few-shot translation", measured, "nothing known")


def _chat(subject: Subject, engine: Engine, session: Session) -> list[Result]:
    from assistant.benchmark.own import forget
    from assistant.types import Message

    first, decoding = _prepared(session, CHAT[0], "chat")
    decoding = replace(decoding, temperature=0.0, max_tokens=_ANSWER_TOKENS)
    measured: dict[str, list[float]] = {"second turn, nothing kept": [], "second turn": []}
    for _ in range(subject.runs):
        forget(engine)
        answer = "".join(piece.text for piece in engine.generate(first, decoding))
        second = [*first, Message("assistant", answer), Message("user", CHAT[1])]
        measured["second turn"].append(_first_piece_s(engine, second, decoding))
        forget(engine)
        measured["second turn, nothing kept"].append(_first_piece_s(engine, second, decoding))
    subject.note(f"{_SUITE}: chat")
    return _with_baseline(subject, "chat", measured, "second turn, nothing kept")


def _whole_turn(subject: Subject, session: Session) -> Result:
    """Measure from the question to the first piece: storing, routing, rendering, reading."""
    from assistant.events import AnswerPiece

    runs = []
    for index in range(-1, subject.runs):  # the first one brings the prefix into memory
        start = time.perf_counter()
        events = session.ask(f"Translate into German: {SENTENCES[index % len(SENTENCES)]}")
        for event in events:
            if isinstance(event, AnswerPiece):
                break
        if index >= 0:
            runs.append(time.perf_counter() - start)
        events.close()  # type: ignore[attr-defined]
    subject.note(f"{_SUITE}: whole turn")
    return result(_SUITE, (subject.name, "whole turn with routing"), runs, "s")


def _with_baseline(
    subject: Subject, what: str, measured: dict[str, list[float]], baseline: str
) -> list[Result]:
    found = []
    for kind, runs in measured.items():
        if not runs:
            continue
        compared = kind != baseline
        found.append(
            result(
                _SUITE,
                (subject.name, what, kind),
                runs,
                "s",
                baseline=baseline if compared else None,
                ratio=median_ratio(runs, measured[baseline]) if compared else None,
            )
        )
    return found
