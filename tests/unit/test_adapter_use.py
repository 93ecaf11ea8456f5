"""Adapters at work: chosen by what was measured, loaded when needed, done without when they fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from adapter_fakes import own_folder, write_own
from session_fakes import Made, finished

from assistant import config
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, Score, read_run, write_run
from assistant.adapters.scores import measurements
from assistant.adapters.shelf import Shelf
from assistant.answering import AskOptions, Planner
from assistant.errors import AdapterError, UsageError
from assistant.evaluation.examples import read_examples
from assistant.evaluation.matrix import DataSet, Way, measure
from assistant.evaluation.run import EvalRequest, evaluate
from assistant.measured import Measurement
from assistant.paths import user_paths
from assistant.session import Session
from assistant.strategy import Chooser
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Choice, Turn

FAKE = BaseModel("fake", "0" * 64)
GOOD = {"d": Score("accuracy", 100, 95.0, 60.0, 70.0, {"adapter": (92.0, 98.0)}, "en")}
BAD = {"d": Score("accuracy", 100, 55.0, 60.0, 70.0, {"adapter": (50.0, 60.0)}, "en")}
LABELS = AskOptions(task="classification", labels=("good", "bad"))
TEXT = "The food was good and the service was quick as well."


def own(version: str, *, task: str = "classification", **more: Any) -> Path:
    return write_own(version, task=task, base="fake", **{"base_model": FAKE, **more})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(user_paths(), tmp_path / "shipped")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def session(make: Made, engine: FakeEngine, registry: Registry) -> Session:
    return Session(
        make.store,
        ready_loader(engine),
        FakeRouter(),
        make.prompts,
        config.load(model="fake"),
        shelf=Shelf(registry),
    )


def ask(session: Session, text: str = TEXT, **options: Any) -> Turn:
    return finished(session.ask(text, options=replace(LABELS, **options)))


def choice_of(turn: Turn) -> Choice:
    assert turn.choice is not None
    return turn.choice


def promote(registry: Registry, name: str) -> None:
    registry.promote(registry.find(name, "fake"))


# -- in a turn -------------------------------------------------------------------------------------


def test_a_better_adapter_in_use_answers_with_a_bare_prompt(
    session: Session, engine: FakeEngine, registry: Registry
) -> None:
    own("v1", scores=GOOD)
    assert choice_of(ask(session)).strategy == "few_shot"
    promote(registry, "v1")
    turn = ask(session)
    choice = choice_of(turn)
    assert (choice.strategy, choice.adapter, choice.shots) == ("adapter", "classification/v1", 0)
    assert choice.reason.startswith("adapter classification/v1: measured accuracy 95.0 on 100")
    assert engine.adapters == ("classification/v1",)
    assert engine.adapters_used[-1] == "classification/v1"
    assert [message.role for message in turn.sent] == ["system", "user"]
    assert session.store.turn(turn.id).choice == choice
    assert turn.sent[0].content.startswith("Choose the label")  # what training saw
    zero = ask(session, strategy="zero_shot")
    assert zero.sent[0].content.startswith("Classify the text")
    assert engine.adapters_used[-1] is None


def test_a_worse_adapter_is_used_when_asked_for_only(
    session: Session, engine: FakeEngine, registry: Registry
) -> None:
    own("v1", scores=BAD)
    promote(registry, "v1")
    assert choice_of(ask(session)).strategy == "few_shot"
    assert engine.adapters == ()
    for options in ({"strategy": "adapter"}, {"adapter": "v1"}, {"adapter": "classification/v1"}):
        choice = choice_of(ask(session, **options))
        assert (choice.strategy, choice.adapter) == ("adapter", "classification/v1")
        assert choice.reason == "adapter classification/v1, as asked for"


def test_another_language_than_the_adapter_was_measured_in(
    session: Session, registry: Registry
) -> None:
    own("v1", scores={**GOOD, "z": replace(BAD["d"], lang="zh")})
    promote(registry, "v1")
    assert choice_of(ask(session)).strategy == "adapter"
    assert choice_of(ask(session, "这家餐厅的菜很好吃，服务也很快。")).strategy == "few_shot"


def test_one_that_is_not_in_use_can_be_named(session: Session, engine: FakeEngine) -> None:
    own("v1")
    own("v2")
    with pytest.raises(AdapterError, match="No adapter is in use for classification") as caught:
        ask(session, strategy="adapter")
    assert "There are: classification/v1, classification/v2." in caught.value.hint
    assert choice_of(ask(session, adapter="v2")).adapter == "classification/v2"
    with pytest.raises(UsageError, match="may be classification/v1 or"):
        ask(session, adapter="v")
    with pytest.raises(AdapterError, match="No adapter named 'v3'") as caught:
        ask(session, adapter="v3")
    assert "There are: classification/v1, classification/v2." in caught.value.hint


def test_a_switch_counts_from_the_next_turn_on(
    session: Session, engine: FakeEngine, registry: Registry
) -> None:
    for version in ("v1", "v2"):
        own(version, scores=GOOD)
    promote(registry, "v1")
    assert choice_of(ask(session)).adapter == "classification/v1"
    promote(registry, "v2")
    assert choice_of(ask(session)).adapter == "classification/v2"
    assert engine.adapters == ("classification/v2",)  # the other's memory is free again
    registry.rollback("fake", "classification")
    assert choice_of(ask(session)).adapter == "classification/v1"
    registry.switch_off("fake", "classification")
    assert choice_of(ask(session)).adapter is None
    promote(registry, "v2")
    registry.remove(registry.find("v2", "fake"), force=True)
    assert choice_of(ask(session)).adapter is None


def test_scores_that_are_recorded_later_count(session: Session, registry: Registry) -> None:
    folder = own("v1")
    promote(registry, "v1")
    assert "compared with nothing" in choice_of(ask(session)).reason
    record = read_run(folder)
    assert record is not None
    write_run(folder, replace(record, scores=BAD))
    assert choice_of(ask(session)).adapter is None
    write_run(folder, replace(record, scores=GOOD))
    assert "measured" in choice_of(ask(session)).reason
    assert choice_of(ask(session)).adapter == "classification/v1"


def test_it_is_loaded_once(session: Session, engine: FakeEngine, registry: Registry) -> None:
    loads: list[str] = []
    load = engine.load_adapter

    def counted(name: str, folder: Path) -> None:
        loads.append(name)
        load(name, folder)

    engine.load_adapter = counted  # type: ignore[method-assign]
    own("v1", scores=GOOD)
    promote(registry, "v1")
    for _ in range(3):
        ask(session)
    assert loads == ["classification/v1"]
    engine.unload_adapter("classification/v1")
    ask(session)
    assert len(loads) == 2
    registry.remove(registry.find("v1", "fake"), force=True)
    own("v1", scores=GOOD, rank=4, config={"r": 4})
    ask(session, adapter="v1")  # another one of the same name
    assert len(loads) == 3


@pytest.mark.parametrize("fault", ["base", "weights", "engine"])
def test_one_that_cannot_be_loaded_is_done_without(
    session: Session, engine: FakeEngine, registry: Registry, fault: str
) -> None:
    own("v1", scores=GOOD, base_model=BaseModel("fake", "f" * 64) if fault == "base" else FAKE)
    promote(registry, "v1")
    if fault == "weights":
        (own_folder("fake", "classification", "v1") / "adapter_model.safetensors").write_bytes(b"x")
    if fault == "engine":

        def refuse(_name: str, _folder: Path) -> None:
            raise AdapterError("It needs something this engine has not.")

        engine.load_adapter = refuse  # type: ignore[method-assign]
    turn = ask(session)
    choice = choice_of(turn)
    assert (turn.state, choice.strategy, choice.adapter) == ("done", "few_shot", None)
    assert "; adapter classification/v1 cannot be used: " in choice.reason
    for options in ({"strategy": "adapter"}, {"adapter": "v1"}):
        with pytest.raises(AdapterError):
            ask(session, **options)
    assert set(engine.adapters_used) == {None}


def test_a_damaged_pointer_does_not_stop_a_turn(session: Session, registry: Registry) -> None:
    folder = own("v1", scores=GOOD)
    promote(registry, "v1")
    (folder.parent / "current.json").write_text("{")
    assert choice_of(ask(session)).strategy == "few_shot"


def test_with_the_strategy_set_to_adapter_other_tasks_go_on(
    make: Made, engine: FakeEngine, registry: Registry
) -> None:
    session = Session(
        make.store,
        ready_loader(engine),
        FakeRouter(),
        make.prompts,
        config.load(model="fake", strategy="adapter"),
        shelf=Shelf(registry),
    )
    with pytest.raises(AdapterError, match="No adapter is installed for chat"):
        list(session.ask("Hello"))
    own("v1", scores=BAD)
    promote(registry, "v1")
    assert choice_of(ask(session)).adapter == "classification/v1"
    turn = finished(session.ask("Hello"))
    assert choice_of(turn).strategy == "zero_shot"
    assert choice_of(turn).reason.endswith("; no adapter is in use for chat")


def test_another_model_has_other_adapters(
    make: Made, engine: FakeEngine, registry: Registry
) -> None:
    other = FakeEngine()
    other._info = replace(other.info, model="other", sha256="1" * 64)
    session = Session(
        make.store,
        ready_loader(engine),
        FakeRouter(),
        make.prompts,
        config.load(model="fake"),
        shelf=Shelf(registry),
        reload=lambda name: (config.load(model=name), ready_loader(other)),
    )
    own("v1", scores=GOOD)
    promote(registry, "v1")
    assert choice_of(ask(session)).adapter == "classification/v1"
    assert session.planner.chooser.adapters == {"classification": "classification/v1"}
    session.use_model("other")
    assert session.planner.chooser.adapters == {}
    assert choice_of(ask(session)).adapter is None
    write_own("w", base="other", base_model=BaseModel("other", "1" * 64), scores=GOOD)
    registry.promote(registry.find("w", "other"))
    assert choice_of(ask(session)).adapter == "classification/w"
    assert other.adapters == ("classification/w",)


# -- the scores of a record ------------------------------------------------------------------------


def shipped_row(strategy: str, value: float, n: int = 100, data: str = "d") -> Measurement:
    return Measurement(
        *("fake", "classification", "en", strategy, "accuracy", value, value - 3, value + 3, n),  # type: ignore[arg-type]
        shots=4 if strategy == "few_shot" else 0,
        data=data,
    )


def test_scores_join_what_was_measured_on_the_same_examples(registry: Registry) -> None:
    own("v1", scores=GOOD)
    card = registry.find("v1", "fake")
    rows = [shipped_row("zero_shot", 61), shipped_row("few_shot", 72)]
    (row,) = measurements([card], "fake", rows)
    assert (row.data, row.strategy, row.adapter) == ("d", "adapter", "classification/v1")
    assert (row.low, row.high, row.value, row.own) == (92.0, 98.0, 95.0, False)
    # Another number of examples is other data: then the record's own figures stand against it.
    apart = measurements([card], "fake", [shipped_row("zero_shot", 61, n=50)])
    assert [(one.strategy, one.value, one.shots) for one in apart] == [
        ("adapter", 95.0, 0),
        ("zero_shot", 60.0, 0),
        ("few_shot", 70.0, 4),
    ]
    assert {one.data for one in apart} == {"d (classification/v1)"}


def test_what_was_measured_goes_before_what_a_record_says(registry: Registry) -> None:
    own("v1", scores=GOOD)
    card = registry.find("v1", "fake")
    measured = replace(shipped_row("zero_shot", 40), strategy="adapter", adapter=card.name)
    assert measurements([card], "fake", [measured]) == []


def test_scores_of_another_metric_or_of_nothing_do_not_count(registry: Registry) -> None:
    own("v1", scores={"a": replace(GOOD["d"], metric="macro_f1"), "b": replace(GOOD["d"], n=0)})
    assert measurements([registry.find("v1", "fake")], "fake", []) == []


def test_data_sets_that_the_adapter_never_saw_do_not_hide_it() -> None:
    rows = [
        shipped_row(way, value, data=data)
        for data in ("a", "b", "c")
        for way, value in (("zero_shot", 60.0), ("few_shot", 70.0))
    ]
    more = [replace(shipped_row("few_shot", 75, data=data), nearest=True) for data in ("a", "c")]
    adapter = replace(shipped_row("zero_shot", 95, data="b"), strategy="adapter", adapter="x/v1")
    chooser = Chooser([*rows, *more, adapter], {"classification": "x/v1"}, ["x/v1"])
    assert chooser.choose("classification", model="fake", lang="en").adapter == "x/v1"
    assert chooser.without("x/v1").choose("classification", model="fake", lang="en").nearest
    mixed = replace(adapter, lang="")  # on a mixture of languages, with nothing to compare it with
    chooser = Chooser([*rows, *more, mixed], {"classification": "x/v1"}, ["x/v1"])
    choice = chooser.choose("classification", model="fake", lang="en")
    assert (choice.adapter, "compared with nothing" in choice.reason) == ("x/v1", True)


# -- in an evaluation ------------------------------------------------------------------------------


def examples(tmp_path: Path) -> Path:
    file = tmp_path / "d.dev.jsonl"
    row = '{"id": "%d", "task": "classification", "input": "good %d", "target": "good", "labels": ["good", "bad"], "lang": "en"}'
    file.write_text("\n".join(row % (n, n) for n in range(3)), encoding="utf-8")
    return file


def test_an_evaluation_names_the_adapter_in_full(
    tmp_path: Path, make: Made, engine: FakeEngine, registry: Registry
) -> None:
    own("v1")
    promote(registry, "v1")
    planner = Planner(make.prompts, config.load(model="fake"), Chooser(), shelf=Shelf(registry))
    data = read_examples(examples(tmp_path))
    for options in (AskOptions(strategy="adapter"), AskOptions(adapter="v1")):
        report = evaluate(EvalRequest(data, options), planner, engine, make.store).report
        assert (report["strategy"], report["adapter"]) == ("adapter", "classification/v1")
    assert set(engine.adapters_used) == {"classification/v1"}
    one = DataSet("d", "classification", "en", data)
    row = measure(one, Way("adapter", adapter="v1"), planner, engine, make.store, limit=None)
    assert (row.strategy, row.adapter) == ("adapter", "classification/v1")
    assert Way("adapter").options.strategy == "adapter"
    with pytest.raises(AdapterError, match="No adapter named 'v9'"):
        evaluate(EvalRequest(data, AskOptions(adapter="v9")), planner, engine, make.store)
