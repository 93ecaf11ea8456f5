"""Suite ``route``: milliseconds to find the task of a turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from assistant.benchmark.results import Result, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import TURNS

if TYPE_CHECKING:
    from assistant.engine.base import Engine
    from assistant.router import Router

_SUITE = "route"


def run(subject: Subject) -> list[Result]:
    """Route twenty turns in several languages, with the model where a router knows it, and without."""
    from assistant.router import Router

    router = Router(cache=subject.paths.cache)
    found = []
    if router.has_head(subject.model.sha256):
        engine = subject.open("auto")
        try:
            found.append(_measured(subject, router, engine, "with the model"))
        finally:
            engine.close()
    else:
        subject.note(f"{_SUITE}: no router for this model yet (assistant route --fit trains one)")
    return [*found, _measured(subject, router, None, "light")]


def _measured(subject: Subject, router: Router, engine: Engine | None, kind: str) -> Result:
    """Return the milliseconds a turn; a run is all turns once."""
    runs = []
    for index in range(-1, subject.runs):  # the first round warms up
        start = time.perf_counter()
        for text in TURNS:
            router.route(text, None, engine)
        if index >= 0:
            runs.append(1000 * (time.perf_counter() - start) / len(TURNS))
    subject.note(f"{_SUITE}: {kind}")
    return result(_SUITE, (subject.name, kind), runs, "ms")
