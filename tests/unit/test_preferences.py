"""Choices between two answers: stored, read back, deleted with their turn, made into pairs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.store import migrations
from assistant.store.preferences import Verdict, pairs
from assistant.store.store import Store
from assistant.types import Choice, Decoding, Message, Route, Turn

BARE = (Message("system", "Answer."), Message("user", "Who?"))
SHOTS = (
    BARE[0],
    Message("user", "Mine?"),
    Message("assistant", "Private."),
    Message("user", "Ex?"),
    Message("assistant", "Ex."),
    BARE[1],
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as made:
        yield made


def turn(answer: str, adapter: str | None = None) -> Turn:
    way = "adapter" if adapter else "few_shot"
    own = () if adapter else (7,)
    return Turn(
        "t",
        "c",
        0,
        "Who?",
        answer=answer,
        state="done",
        route=Route("qa", 0.9, {"qa": 0.9}),
        choice=Choice(way, "why", adapter, personal=own, personal_at=1),  # type: ignore[arg-type]
        model="fake",
        model_sha256="0" * 64,
        prompt_version="1",
        decoding=Decoding(max_tokens=7, stop=("x",)),
        sent=BARE if adapter else SHOTS,
        probabilities={"a": 1.0},
        finish_reason="stop",
    )


ALONE, TRAINED = turn("Few."), turn("Trained.", "qa/v1")


def test_examples_from_other_conversations_stay_at_home(store: Store) -> None:
    made = store.add_preference(ALONE, TRAINED, "left")
    assert made.left.messages == (SHOTS[0], *SHOTS[3:])
    assert made.left.probabilities == {"a": 1.0}
    assert made.left.decoding["max_tokens"] == 7
    assert made == store.preferences(task="qa")[0]
    assert store.stats()["preferences"] == 1


def test_a_preference_goes_with_its_turn(store: Store) -> None:
    asked = store.begin_turn("Who?")
    made = store.add_preference(ALONE, TRAINED, "both_bad", turn_id=asked.id[:8])
    assert made.turn_id == asked.id
    store.add_preference(ALONE, TRAINED, "both_good")
    store.delete(asked.conversation_id)
    assert [one.choice for one in store.preferences()] == ["both_good"]


@pytest.mark.parametrize(
    ("choice", "chosen", "rejected"), [("left", "Few.", "Trained."), ("right", "Trained.", "Few.")]
)
def test_pairs_have_the_prompt_that_training_shows(
    store: Store, choice: Verdict, chosen: str, rejected: str
) -> None:
    store.add_preference(ALONE, TRAINED, choice)
    (pair,) = pairs(store.preferences())
    assert pair.prompt == BARE
    assert (pair.chosen, pair.rejected) == (chosen, rejected)
    assert pair.preference == store.preferences()[0]


def test_without_a_preference_there_is_no_pair(store: Store) -> None:
    store.add_preference(ALONE, TRAINED, "both_good")
    store.add_preference(ALONE, TRAINED, "both_bad")
    store.add_preference(ALONE, replace(TRAINED, answer=" Few.\n"), "right")
    assert list(pairs(store.preferences())) == []


def test_a_file_from_before_gets_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.db"
    now = migrations.STEPS
    before = [name for name, _ in now].index("0007_preferences")
    monkeypatch.setattr(migrations, "STEPS", now[:before])
    with Store(path) as store:
        asked = store.begin_turn("Who?")
        with pytest.raises(sqlite3.Error):
            store._db.raw.execute("SELECT * FROM preferences")
    monkeypatch.setattr(migrations, "STEPS", now)
    with Store(path) as store:
        assert store.migration_backup is not None
        store.add_preference(ALONE, TRAINED, "left", turn_id=asked.id)
        assert len(store.preferences()) == 1
