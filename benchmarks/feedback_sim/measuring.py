"""Answers to the held-out turns of a preference, in the ways that a user gets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from assistant.answering import AskOptions
from assistant.cli.common import user_settings
from assistant.engine.base import Engine
from assistant.evaluation.examples import Example
from assistant.evaluation.predict import predict
from assistant.evaluation.report import score
from assistant.paths import user_paths
from assistant.session import Session
from assistant.store.store import Store
from assistant.tasks import headline
from assistant.wiring import make_session
from feedback_sim.cells import Cell, share
from feedback_sim.preference import Case, Preference

WAYS = {
    "without": {"strategy": "auto", "personal": False},
    "shots": {"strategy": "auto", "personal": True},
    "few_shot": {"strategy": "few_shot", "personal": True},
}
"""As it answers without feedback; with the user's answers as shots; few-shot with them, where an adapter that
takes no shots would answer."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """What a refinement is asked for; ``minutes`` bounds its training."""

    task: str
    model: str
    minutes: float
    seed: int


Refine = Callable[[Refinement], dict[str, Any]]
"""Refines in the present home and returns what ``assistant refine --json`` says of the task."""


def by_command(wish: Refinement) -> dict[str, Any]:
    """Refine as a user does, in a process of its own.

    Raises:
        RuntimeError: it failed; the message is the end of what it said.
    """
    command = [sys.executable, "-m", "assistant", "refine", *arguments(wish)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"refine ended with {done.returncode}: {done.stderr[-600:]}")
    return dict(json.loads(done.stdout)[0])


def arguments(wish: Refinement) -> list[str]:
    """Return the arguments of ``assistant refine``."""
    fixed = [wish.task, "-m", wish.model, "--priority", "normal", "--json"]
    return [*fixed, "--max-minutes", str(wish.minutes), "--seed", str(wish.seed)]


@contextmanager
def opened(model: str) -> Iterator[tuple[Session, Engine]]:
    """Open the present home as the app does, and close it again."""
    with Store(user_paths().database) as store:
        session = make_session(user_settings(model=model), store=store)
        try:
            yield session, session.loader.get()
        finally:
            session.loader.close()


def adapter_in_use(session: Session, engine: Engine, task: str) -> str | None:
    """Return the adapter that answers a task, if one may."""
    return session.planner.chooser_for(engine.info.model).adapters.get(task)


def answered(
    preference: Preference, session: Session, engine: Engine, way: str, candidate: str | None = None
) -> Cell:
    """Answer the held-out turns and return the cell.

    ``candidate`` is the adapter that answers, for another way than :data:`WAYS`.
    """
    fixed: dict[str, Any] = WAYS.get(way, {"strategy": "adapter", "personal": False})
    options = AskOptions(**fixed, adapter=candidate, temperature=0.0, seed=0)
    examples = [_example(case, preference.task) for case in preference.held_out]
    started = time.perf_counter()
    answers = predict(examples, session.planner, engine, options)
    seconds = time.perf_counter() - started
    scores, main = score(examples, answers), headline(preference.task)
    pairs = zip(preference.held_out, answers, strict=True)
    followed = [preference.follows(case, one.text) for case, one in pairs]
    value, ci95 = share(followed)
    return {
        "n": len(examples),
        "follows": value,
        "follows_ci95": ci95,
        "metric": main,
        "score": scores.values[main],
        "score_ci95": list(scores.ci95[main]),
        "seconds": round(seconds, 1),
        "adapter_in_use": adapter_in_use(session, engine, preference.task),
        "followed": followed,
        "answers": [one.text for one in answers],
    }


def refined(preference: Preference, wish: Refinement, refine: Refine) -> Cell:
    """Refine on what is in the present home, and measure the candidate whatever the gate said.

    Without enough feedback there is no candidate and no score.
    """
    started = time.perf_counter()
    said = refine(wish)
    cell: Cell = {
        "refine_seconds": round(time.perf_counter() - started, 1),
        "decision": said["decision"],
        "trained": said["trained"],
        "held_out_of_feedback": said["held_out"],
        "flagged": said.get("flagged", 0),
        "reasons": said.get("reasons", []),
        "table": said.get("table", []),
    }
    if "candidate" not in said:
        return cell
    with opened(wish.model) as (session, engine):
        return cell | answered(preference, session, engine, "refined", said["candidate"])


def _example(case: Case, task: str) -> Example:
    return Example(
        case.id,
        task,
        case.text,
        case.wanted,
        (case.wanted,),
        labels=case.labels,
        lang=case.lang,
        source="feedback-sim",
    )
