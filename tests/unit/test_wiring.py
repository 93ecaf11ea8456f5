"""How router and strategy are given what a user taught and measured, and tasks of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant import config
from assistant.measured import read_measurements
from assistant.paths import Paths, shipped, user_paths
from assistant.prompts import Prompts
from assistant.router import router
from assistant.router.head import Head, save_head
from assistant.router.memory import EXAMPLE_STRENGTH, Lesson
from assistant.router.ngrams import BUCKETS
from assistant.store.feedback import RouteCorrection
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.tasks import TASKS
from assistant.wiring import lessons_of, make_chooser, make_router, make_session, own_examples

HAIKU = """\
task: haiku
version: 1
description: {en: Three lines about nature., fr: Trois vers sur la nature.}
instruction: {en: Write a haiku.}
examples:
  - {input: A frog at the pond, target: Old pond, lang: en}
  - {input: Snow, target: White, lang: en, context: It is winter.}
"""


@pytest.fixture
def paths() -> Paths:
    return user_paths()


@pytest.fixture
def store(paths: Paths) -> Iterator[Store]:
    with Store(paths.database) as opened:
        yield opened


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    """The shipped tasks, one of them changed by the user, and a task of the user's own."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "haiku.yaml").write_text(HAIKU)
    (folder / "qa.yaml").write_text((shipped("prompts") / "qa.yaml").read_text())
    return Prompts.load(shipped("prompts"), folder)


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a light classifier that says qa in place of the one that ships."""
    weight = np.zeros((len(TASKS), BUCKETS), dtype=np.float32)
    bias = np.array([2.0, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    save_head(Head(TASKS, weight, bias), tmp_path / "heads" / "light.safetensors")
    monkeypatch.setattr(router.Router.__init__, "__defaults__", (None, tmp_path / "heads"))


def correction(text: str, to_task: str, context: str | None = None) -> RouteCorrection:
    return RouteCorrection(text, context, "chat", to_task, "2026-01-01")


def test_corrections_are_lessons_in_their_order() -> None:
    given = [correction("a", "qa", "User: x"), correction("b", "haiku"), correction("a", "chat")]
    assert lessons_of(given, ["haiku"]) == [
        Lesson("a", "User: x", "qa"),
        Lesson("b", None, "haiku"),
        Lesson("a", None, "chat"),
    ]


def test_corrections_to_a_task_that_is_gone_teach_nothing() -> None:
    given = [correction("a", "qa"), correction("b", "haiku")]
    assert lessons_of(given, ["limerick"]) == lessons_of(given, []) == [Lesson("a", None, "qa")]


def test_examples_are_those_of_the_users_own_tasks_alone(prompts: Prompts) -> None:
    assert own_examples(prompts) == [
        Lesson("A frog at the pond", None, "haiku", EXAMPLE_STRENGTH),
        Lesson("It is winter.\n\nSnow", None, "haiku", EXAMPLE_STRENGTH),
        Lesson("Three lines about nature.", None, "haiku", EXAMPLE_STRENGTH),
        Lesson("Trois vers sur la nature.", None, "haiku", EXAMPLE_STRENGTH),
    ]
    assert own_examples(Prompts.load(shipped("prompts"))) == []


@pytest.mark.usefixtures("light")
def test_a_correction_counts_from_the_next_turn_on(
    paths: Paths, store: Store, prompts: Prompts
) -> None:
    made = make_router(paths, store, prompts)
    before = made.route("Sing to me")
    assert before.task == "qa"
    turn = store.begin_turn("Sing to me", model="m")
    given = store.add_feedback(turn.id, route="chat")
    assert made.route("Sing to me").task == "chat"
    assert make_router(paths, store, prompts).route("Sing to me").task == "chat"
    store.remove_feedback(given.id)
    assert made.route("Sing to me") == before


@pytest.mark.usefixtures("light")
def test_a_task_of_ones_own_is_routed_to(paths: Paths, store: Store, prompts: Prompts) -> None:
    made = make_router(paths, store, prompts)
    assert made.route("A frog at a pond").task == "haiku"
    assert made.route("Hvor ligger Oslo?").task == "qa"


@pytest.mark.usefixtures("light")
def test_a_router_without_a_store_learns_for_itself(paths: Paths, prompts: Prompts) -> None:
    made = make_router(paths, None, prompts)
    assert made.route("Sing to me").task == "qa"
    made.learn("Sing to me", None, "chat")
    assert made.route("Sing to me").task == "chat"


def test_classifiers_trained_here_are_kept_in_the_cache(paths: Paths, prompts: Prompts) -> None:
    folder = make_router(paths, None, prompts).save_folder("a" * 64)
    assert folder == paths.cache / "router" / ("a" * 16)


# -- the strategy ----------------------------------------------------------------------------------

SETTING = {"data": "x.jsonl", "data_sha256": "ab" * 32, "lang": "en", "limit": None, "seed": 0}


def measure(store: Store, strategy: str, f1: float, shots: int = 0) -> int:
    """Put a finished evaluation of answering questions on record; return its number."""
    number = store.begin_evaluation(
        task="qa", strategy=strategy, model="mine", setting={**SETTING, "shots": shots}
    )
    report = {"task": "qa", "strategy": strategy, "model": "mine", "n": 200}
    numbers = {"scores": {"f1": f1}, "ci95": {"f1": [f1 - 1, f1 + 1]}, "timing": {}}
    store.finish_evaluation(number, {**report, **numbers})
    return number


def chosen(chooser: Chooser) -> str:
    return chooser.choose("qa", model="mine", lang="en", default_shots=0).strategy


def test_an_evaluation_counts_from_the_next_turn_on(store: Store) -> None:
    chooser = make_chooser(store, follow=True)
    assert chosen(chooser) == "zero_shot"
    measure(store, "zero_shot", 40.0)
    better = measure(store, "few_shot", 60.0, 4)
    assert chosen(chooser) == "few_shot"
    session = make_session(config.load(), store=store)
    assert set(chooser.rows) <= set(session.planner.chooser.rows)
    store.delete_evaluation(better)
    assert chosen(chooser) == "zero_shot"


def test_evaluations_are_read_again_only_when_there_are_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    listed = store.evaluations
    monkeypatch.setattr(store, "evaluations", lambda: reads.append(1) or listed())
    chooser = make_chooser(store, follow=True)
    measure(store, "zero_shot", 40.0)
    for _ in range(3):
        assert chosen(chooser) == "zero_shot"
    assert len(reads) == 1
    measure(store, "few_shot", 60.0, 4)
    assert [chosen(chooser), chosen(chooser)] == ["few_shot", "few_shot"]
    assert len(reads) == 2


def test_a_chooser_that_does_not_follow_outlives_its_store(paths: Paths) -> None:
    with Store(paths.database) as store:
        measure(store, "zero_shot", 40.0)
        measure(store, "few_shot", 60.0, 4)
        chooser = make_chooser(store)
        measure(store, "zero_shot", 90.0)
    assert chosen(chooser) == "few_shot"
    assert make_chooser(None).rows == tuple(read_measurements())
