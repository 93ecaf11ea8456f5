"""Adapters as the app shows and switches them: a whole list, checks, pointers, lineage."""

from __future__ import annotations

from pathlib import Path

import pytest
from adapter_fakes import own_folder, write_adapter, write_base, write_own

from assistant.adapters.keeper import Keeper, Kept, Parent
from assistant.adapters.registry import Registry
from assistant.errors import AdapterError
from assistant.paths import user_paths


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    write_adapter(tmp_path / "shipped" / "base" / "classification" / "v1")
    return Keeper(Registry(user_paths(), tmp_path / "shipped"), user_paths(), "base")


def named(keeper: Keeper, name: str) -> Kept:
    return next(kept for kept in keeper.all() if kept.card.name == name)


def used(keeper: Keeper) -> list[str]:
    return [kept.card.name for kept in keeper.all() if kept.in_use]


def test_all_lists_those_of_the_model_first(keeper: Keeper) -> None:
    write_own("v1", base="a-model", task="qa")
    write_own("v2", parent="classification/v1")
    found = [(k.card.base, k.card.name, k.current, k.in_use, k.card.own) for k in keeper.all()]
    assert found == [
        ("base", "classification/v1", True, True, False),
        ("base", "classification/v2", True, False, True),
        ("a-model", "qa/v1", False, False, True),
    ]
    assert named(keeper, "classification/v1").readme == "# A card"
    keeper.model = "x\ny"  # no folder can have that name
    assert [kept.current for kept in keeper.all()] == [False] * 3


def test_parents_are_named_nearest_first_and_never_in_a_circle(keeper: Keeper) -> None:
    write_own("v2", parent="classification/v1")
    write_own("v3", parent="classification/v2")
    write_own("v4", parent="classification/gone")
    write_own("v5", parent="classification/v6")
    write_own("v6", parent="classification/v5")
    assert named(keeper, "classification/v3").parents == (
        Parent("classification/v2", True),
        Parent("classification/v1", True),
    )
    assert named(keeper, "classification/v4").parents == (Parent("classification/gone", False),)
    assert named(keeper, "classification/v5").parents == (Parent("classification/v6", True),)


def test_switching_and_back(keeper: Keeper) -> None:
    base = write_base()
    write_own("v2", base_model=base)
    found = keeper.promote(named(keeper, "classification/v2").card)
    assert (found.now and found.now.name, found.before and found.before.name) == (
        "classification/v2",
        "classification/v1",
    )
    assert used(keeper) == ["classification/v2"]
    assert keeper.switch_off("base", "classification").now is None
    assert used(keeper) == []
    back = keeper.rollback("base", "classification")
    assert (back.now and back.now.name, back.before) == ("classification/v2", None)
    keeper.rollback("base", "classification")
    assert used(keeper) == ["classification/v1"]
    with pytest.raises(AdapterError, match="Nothing was in use"):
        keeper.rollback("base", "classification")


def test_one_that_is_not_what_it_says_is_never_promoted(keeper: Keeper) -> None:
    write_own("v2")
    weights = own_folder("base", "classification", "v2") / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    card = named(keeper, "classification/v2").card
    for attempt in (keeper.promote, keeper.verify):
        with pytest.raises(AdapterError, match="not those that were recorded"):
            attempt(card)
    assert used(keeper) == ["classification/v1"]


def test_verify_says_what_could_not_be_compared(keeper: Keeper) -> None:
    found = keeper.verify(named(keeper, "classification/v1").card)
    assert found.tensors == 4
    assert found.notes == ("its base model is not here, so nothing was compared with it",)


def test_removing_the_one_in_use_falls_back(keeper: Keeper) -> None:
    folder = write_own("v2")
    card = named(keeper, "classification/v2").card
    keeper.promote(card)
    found = keeper.remove(card)
    assert (found.before and found.before.name, found.now and found.now.name) == (
        "classification/v2",
        "classification/v1",
    )
    assert not folder.exists()
    with pytest.raises(AdapterError, match="ships with the program"):
        keeper.remove(named(keeper, "classification/v1").card)


def test_one_that_the_lean_engine_does_not_run_is_told_apart(keeper: Keeper) -> None:
    write_own("v2", config={"use_dora": True})
    assert not named(keeper, "classification/v1").needs_plain
    dora = named(keeper, "classification/v2")
    assert dora.needs_plain
    assert "it answers on plain transformers only" in keeper.promote(dora.card).notes[-1]
    plain = Keeper(Registry(user_paths()), user_paths(), "base", plain=True)
    assert not named(plain, "classification/v2").needs_plain
    assert not any("plain" in note for note in plain.promote(dora.card).notes)
