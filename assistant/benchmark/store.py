"""Suite ``store``: how fast turns are stored and found again, in a database of its own."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.benchmark.results import Result, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import LANGUAGES, SENTENCES, prose

if TYPE_CHECKING:
    from assistant.store.store import Store

_SUITE = "store"
TURNS = 2000
_A_CONVERSATION = 10
_QUERIES = ("umbrella", "garden behind", "violin", "library Mondays", "图书馆", "no such words")


def run(subject: Subject) -> list[Result]:
    """Store 2000 turns, then search them."""
    from assistant.store.store import Store

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "bench.db") as store:
        stored = _fill(store, subject.runs)
        subject.note(f"{_SUITE}: {TURNS} turns stored")
        searched = _search(store, subject.runs)
    return [
        result(_SUITE, ("turns stored",), stored, "turns/s"),
        result(_SUITE, (f"search among {TURNS} turns",), searched, "ms"),
    ]


def _fill(store: Store, runs: int) -> list[float]:
    """Store turns with answers; return turns a second, one figure for each part of them."""
    answers = [p for language in LANGUAGES for p in prose(language).split("\n\n")]
    speeds = []
    conversation: str | None = None
    count = -(-TURNS // runs)
    for part in range(runs):
        start = time.perf_counter()
        for index in range(part * count, (part + 1) * count):
            text = f"{SENTENCES[index % len(SENTENCES)]} ({index})"
            if index % _A_CONVERSATION == 0:
                conversation = None
            turn = store.begin_turn(text, conversation_id=conversation)
            conversation = turn.conversation_id
            answer = answers[index % len(answers)]
            store.finish_turn(replace(turn, answer=answer, state="done", finish_reason="stop"))
        speeds.append(count / (time.perf_counter() - start))
    return speeds


def _search(store: Store, runs: int) -> list[float]:
    """Return milliseconds a search."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        for query in _QUERIES:
            store.search(query)
        found.append(1000 * (time.perf_counter() - start) / len(_QUERIES))
    return found
