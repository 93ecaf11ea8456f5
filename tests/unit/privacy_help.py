"""Conversations with everything that hangs on them, made with the ordinary code, for tests of privacy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter_fakes import write_own

from assistant.adapters.card import Card
from assistant.adapters.registry import Registry
from assistant.paths import Paths, user_paths
from assistant.store.records import RunRecord
from assistant.store.store import EvaluatedExample, Store
from assistant.training.examples import collect
from assistant.training.frozen import is_held_out
from assistant.training.gating import OWN_FILE
from assistant.training.material import Material, material
from assistant.training.refining import Wish, prepare, told_of_feedback
from assistant.training.runs import RunFolder, new_run
from assistant.types import Choice, Message, Route, Turn

LABELS = {"glad": 0.5, "sad": 0.5}
OTHER = "Mood, glad or sad? lighthouse"


def open_store() -> Store:
    return Store(user_paths().database)


def texts(word: str, *, held_out: bool, count: int = 1) -> list[str]:
    """Return requests with a word in them that a refinement trains on, or measures on."""
    every = (f"Mood, glad or sad? {word} number {number}" for number in range(1000))
    found = [text for text in every if is_held_out(text) is held_out]
    return found[:count]


def talk(store: Store, text: str, answer: str = "sad", **begin: Any) -> Turn:
    """Ask and answer one turn; its task is classification."""
    turn = store.begin_turn(text, model="base", **begin)
    done = replace(
        turn,
        answer=answer,
        state="done",
        route=Route("classification", 0.9, {"classification": 0.9}),
        choice=Choice("few_shot", "why", shots=1),
        sent=(Message("system", "Say the mood."), Message("user", text)),
        probabilities=dict(LABELS),
    )
    store.finish_turn(done)
    return store.turn(turn.id)


def quote(store: Store, feedback_id: int, request: str, answer: str) -> Turn:
    """Answer a turn of another conversation with an example of the user's own in its prompt."""
    turn = talk(store, OTHER, "glad")
    shown = (Message("user", "Mood? rain"), Message("assistant", "sad"))
    own = (Message("user", request), Message("assistant", answer))
    first, last = turn.sent
    sent = (first, *shown, *own, last)
    choice = Choice("few_shot", "why", shots=2, personal=(feedback_id,), personal_at=3)
    store.save_turn(replace(turn, sent=sent, choice=choice))
    return store.turn(turn.id)


def found_material(store: Store) -> Material:
    return material("classification", collect(store.feedback(), store.preferences()))


def told(found: Material) -> dict[str, Any]:
    """Return what a refinement writes down of its material."""
    return {
        "method": found.method,
        "feedback_ids": list(found.feedback_ids),
        "conversation_ids": list(found.conversation_ids),
    }


def refined(store: Store, *, adapter: str = "", state: str = "done") -> RunFolder:
    """Make the folder and the record of a refinement on all feedback there is, with evaluations of it."""
    paths = user_paths()
    run, found = new_run(paths, "classification"), found_material(store)
    request = prepare(run, Wish("classification", "base", 1.0), found, paths, None, {})
    run.write_settings({"request": request.as_json(), "hashes": {}, "refine": told(found)})
    ended(run, state=state, adapter=adapter)
    record = RunRecord(run.id, "classification", "sft", "lora", "base", state, str(run.path))
    store.record_run(record)
    number = store.begin_evaluation(
        task="classification",
        strategy="few_shot",
        model="base",
        setting={"data": str(run.path / OWN_FILE)},
    )
    store.add_evaluated(
        number,
        [
            EvaluatedExample(one.id, one.input, (one.target,), f"said to {one.input}")
            for one in found.held_out
        ],
    )
    return run


def ended(run: RunFolder, **state: Any) -> None:
    """Write how a run stands, as if its process were gone."""
    run.write_state(**state)
    run.write_state(pid=0, began=0.0)


def adapter(version: str, about: dict[str, Any] | None = None, parent: str | None = None) -> Card:
    """Install one of the user's own adapters; ``about`` is what it was refined on."""
    write_own(version, parent=parent)
    card = Registry(user_paths()).find(f"classification/{version}", "base")
    return told_of_feedback(card, about) if about else card


def files_with(word: str, folder: Path) -> list[Path]:
    """Return every file below a folder in whose bytes a word stands."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if word.encode() in path.read_bytes()]


def data(paths: Paths | None = None) -> Path:
    return (paths or user_paths()).data
