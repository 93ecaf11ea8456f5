"""Which adapters are here, which is in use, and switching between them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from adapter_fakes import own_folder, write_adapter, write_own

from assistant.adapters.names import base_folder, is_safe, match, version_order
from assistant.adapters.pointer import Pointer, read_pointer, write_pointer
from assistant.adapters.registry import Registry
from assistant.errors import AdapterError, UsageError
from assistant.paths import user_paths


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with two shipped versions for one task, and one of the user's own."""
    for version in ("v9", "v10"):
        write_adapter(tmp_path / "shipped" / "base" / "classification" / version)
    write_own("mine")
    return Registry(user_paths(), tmp_path / "shipped")


def used(registry: Registry, task: str = "classification") -> str | None:
    card = registry.in_use("base", task).card
    return card.version if card else None


def promote(registry: Registry, version: str) -> str | None:
    before = registry.promote(registry.find(f"classification/{version}", "base"))
    return before.version if before else None


def pointer_file() -> Path:
    return own_folder("base", "classification", "x").parent / "current.json"


# -- finding ---------------------------------------------------------------------------------------


def test_shipped_and_own_ones_in_order(registry: Registry) -> None:
    cards = registry.cards("base")
    assert [(card.version, card.own) for card in cards] == [
        ("mine", True),
        ("v9", False),
        ("v10", False),
    ]
    assert registry.bases() == ["base"]
    assert registry.cards("other") == []
    assert registry.cards("base", "qa") == []


def test_a_broken_record_hides_nothing(registry: Registry) -> None:
    (own_folder("base", "classification", "mine") / "run.json").write_text("{")
    card = registry.find("mine", "base")
    assert "is not JSON" in card.problem
    assert card.size > 0


def test_folders_that_are_no_adapters(registry: Registry) -> None:
    place = own_folder("base", "classification", "x").parent
    (place / "empty").mkdir()
    (place / ".hidden").mkdir()
    (place / "linked").symlink_to(place / "mine")
    assert [card.version for card in registry.cards("base") if card.own] == ["mine"]


def test_an_own_version_hides_a_shipped_one_of_its_name(registry: Registry) -> None:
    write_own("v9")
    assert registry.find("v9", "base").own


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("qa/v1", "qa/v1"), ("mine", "qa/mine"), ("qa/m", "qa/mine"), ("mi", "qa/mine")],
)
def test_a_short_name_is_enough(wanted: str, found: str) -> None:
    assert match(wanted, ["qa/v1", "qa/v11", "qa/mine", "chat/v1"]) == found


def test_names_that_fit_several_or_none() -> None:
    known = ["qa/v1", "chat/v1", "qa/v2"]
    with pytest.raises(UsageError, match="may be qa/v1 or chat/v1"):
        match("v1", known)
    assert match("v1", known, "chat") == "chat/v1"
    with pytest.raises(UsageError, match="may be"):
        match("v", known, "qa")
    for wanted in ("v3", "", "v1/qa"):
        with pytest.raises(AdapterError) as caught:
            match(wanted, known)
        assert "qa/v1, chat/v1, qa/v2" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "../x",
        "a..b",
        "x.json",
        "-x",
        "none",
        "OFF",
        "a b",
        "ä",
        "x" * 65,
        "a\0b",
    ],
)
def test_names_that_are_not_safe(name: str) -> None:
    assert not is_safe(name)


def test_the_folder_of_a_base_model(tmp_path: Path) -> None:
    assert base_folder("Qwen2.5-Coder-0.5B-Instruct") == "qwen2.5-coder-0.5b-instruct"
    assert base_folder("org/model") == "org--model"
    assert base_folder("/some/where/My Model.gguf") == "My-Model"
    for name in ("", "..", "/", "none", "x\ny", "x" * 600):
        with pytest.raises(AdapterError, match="cannot be the name"):
            base_folder(name)


def test_versions_are_ordered_as_people_count() -> None:
    versions = ["v10", "v9", "v9.1", "2026-01-02", "mine"]
    assert sorted(versions, key=version_order) == ["2026-01-02", "mine", "v9", "v9.1", "v10"]


# -- switching -------------------------------------------------------------------------------------


def test_without_a_choice_the_newest_shipped_one_is_in_use(registry: Registry) -> None:
    assert used(registry) == "v10"
    assert used(registry, "qa") is None


def test_promote_and_roll_back(registry: Registry) -> None:
    assert promote(registry, "mine") == "v10"
    assert promote(registry, "v9") == "mine"
    assert promote(registry, "v9") == "v9"  # twice is once
    assert json.loads(pointer_file().read_text()) == {"current": "v9", "before": ["v10", "mine"]}
    now = registry.rollback("base", "classification")
    assert now is not None
    assert (now.version, used(registry)) == ("mine", "mine")
    registry.rollback("base", "classification")
    assert used(registry) == "v10"
    with pytest.raises(AdapterError, match="Nothing was in use for classification before"):
        registry.rollback("base", "classification")


def test_switching_off_and_back_on(registry: Registry) -> None:
    before = registry.switch_off("base", "classification")
    assert before is not None
    assert (before.version, used(registry)) == ("v10", None)
    registry.rollback("base", "classification")
    assert used(registry) == "v10"
    with pytest.raises(AdapterError, match="no adapter for qa of base"):
        registry.switch_off("base", "qa")


def test_to_none_where_none_was_before(registry: Registry) -> None:
    write_own("first", task="qa")
    registry.promote(registry.find("qa/first", "base"))
    assert registry.rollback("base", "qa") is None
    assert used(registry, "qa") is None


def test_a_rollback_passes_over_what_is_gone(registry: Registry) -> None:
    write_own("other")
    for version in ("mine", "other", "v9"):
        promote(registry, version)
    registry.remove(registry.find("other", "base"))
    now = registry.rollback("base", "classification")
    assert now is not None
    assert now.version == "mine"


def test_removing(registry: Registry) -> None:
    with pytest.raises(AdapterError, match="ships with the program and stays"):
        registry.remove(registry.find("v9", "base"), force=True)
    promote(registry, "mine")
    card = registry.find("mine", "base")
    with pytest.raises(AdapterError, match="is in use"):
        registry.remove(card)
    assert registry.remove(card, force=True) > 0
    assert not card.folder.exists()
    assert used(registry) == "v10"
    assert [p.name for p in registry.own_root.iterdir() if p.name.startswith(".removed")] == []


def test_removing_the_only_one_in_use(registry: Registry) -> None:
    write_own("only", task="qa")
    registry.promote(registry.find("only", "base"))
    registry.remove(registry.find("only", "base"), force=True)
    assert used(registry, "qa") is None


# -- the pointer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"before": []}',
        '{"current": 3}',
        '{"current": "../x"}',
        '{"current": "a/b"}',
    ],
)
def test_a_damaged_pointer_breaks_nothing_and_is_told(registry: Registry, text: str) -> None:
    promote(registry, "mine")
    pointer_file().write_text(text)
    found = registry.in_use("base", "classification")
    assert found.card is not None
    assert found.card.version == "v10"
    assert "is damaged" in found.problem
    promote(registry, "mine")
    assert registry.in_use("base", "classification").problem == ""


def test_a_pointer_to_what_is_gone_is_told(registry: Registry) -> None:
    write_pointer(pointer_file().parent, Pointer("lost"))
    found = registry.in_use("base", "classification")
    assert found.problem == "classification/lost, which was in use, is gone"
    assert found.card is not None


def test_a_write_that_fails_leaves_the_old_pointer(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(registry, "mine")
    before = pointer_file().read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AdapterError, match="No space left on device"):
        promote(registry, "v9")
    assert pointer_file().read_bytes() == before
    assert [p.name for p in pointer_file().parent.iterdir() if p.name.startswith(".")] == []


def test_whoever_reads_meanwhile_sees_a_whole_pointer(tmp_path: Path) -> None:
    versions = ["a" * 60, "b"]
    write_pointer(tmp_path, Pointer("b"))
    wrong: list[Any] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                found = read_pointer(tmp_path)
            except AdapterError as error:
                wrong.append(error)
                return
            if found is None or found.current not in versions:
                wrong.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        write_pointer(tmp_path, Pointer(versions[number % 2], tuple(versions)))
    done.set()
    reader.join()
    assert wrong == []


def test_what_is_remembered_has_an_end() -> None:
    pointer = Pointer("v0")
    for number in range(1, 100):
        pointer = pointer.moved(f"v{number}")
    assert (pointer.current, len(pointer.before), pointer.before[-1]) == ("v99", 50, "v98")


def test_switches_at_once_lose_nothing(registry: Registry) -> None:
    names = [f"t{number}" for number in range(8)]
    for name in names:
        write_own(name)
    threads = [threading.Thread(target=promote, args=(registry, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pointer = read_pointer(pointer_file().parent)
    assert pointer is not None
    assert {pointer.current, *pointer.before} == {"v10", *names}
