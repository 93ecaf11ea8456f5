"""A fresh home with so many corrections in its store, as if a user had made them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.types import Choice, Message, Route
from feedback_sim.preference import Case

HOME = "ASSISTANT_HOME"


@contextmanager
def fresh_home() -> Iterator[Path]:
    """Work in a home of its own, with the models and the cache of the user's; it is removed at the end."""
    before, user = os.environ.get(HOME), user_paths()
    with tempfile.TemporaryDirectory(prefix="feedback-") as name:
        home = Path(name)
        for link, folder in (("models", user.models), ("cache", user.cache)):
            if folder.is_dir():
                (home / link).symlink_to(folder.resolve(), target_is_directory=True)
        os.environ[HOME] = name
        try:
            yield home
        finally:
            if before is None:
                del os.environ[HOME]
            else:
                os.environ[HOME] = before


def correct(store: Store, task: str, cases: Sequence[Case], model: str) -> None:
    """Ask each case, get the usual answer, correct it."""
    for case in cases:
        chances = dict.fromkeys(case.labels, 1 / len(case.labels)) if case.labels else None
        turn = _turn(store, case.text, task, case.usual, model, probabilities=chances)
        store.add_feedback(turn, correction=case.wanted)


def correct_routes(store: Store, rows: Sequence[dict[str, Any]], model: str) -> None:
    """Ask each turn of a habit, have it go where it usually goes, say where it should have gone."""
    for row in rows:
        turn = _turn(store, row["input"], row["usual"], "", model)
        store.add_feedback(turn, route=row["target"])


def _turn(store: Store, text: str, task: str, answer: str, model: str, **more: Any) -> str:
    begun = store.begin_turn(text, model=model)
    store.finish_turn(
        replace(
            begun,
            answer=answer,
            state="done",
            route=Route(task, 0.9, {task: 0.9}),
            choice=Choice("zero_shot", "simulated"),
            sent=(Message("user", text),),
            **{name: value for name, value in more.items() if value is not None},
        )
    )
    return begun.id
