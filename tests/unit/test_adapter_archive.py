"""Adapters from outside: good ones come in whole, hostile archives leave nothing behind."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from adapter_fakes import own_folder, write_adapter, write_base, write_own, write_peft

from assistant.adapters.archive import (
    Wanted,
    export_adapter,
    import_adapter,
    readme_of,
)
from assistant.adapters.hub import import_from_hub
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, read_run
from assistant.errors import AdapterError, UsageError
from assistant.paths import user_paths

BASE = Wanted(otherwise="base")
TASK = Wanted(task="classification", otherwise="base")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(user_paths(), tmp_path / "shipped")


def take_in(source: Path, registry: Registry, wanted: Wanted = BASE) -> str:
    return import_adapter(source, wanted, registry, user_paths()).card.name


def zipped(target: Path, files: Mapping[str, bytes], **more: int) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = more.get("mode", stat.S_IFREG | 0o644) << 16
            entry.compress_type = more.get("method", zipfile.ZIP_DEFLATED)
            archive.writestr(entry, data)
    return target


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The files of a good adapter."""
    write_adapter(tmp_path / "made")
    return {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}


def leftovers(registry: Registry) -> list[str]:
    """Return everything below the user's adapters."""
    return [str(path) for path in registry.own_root.rglob("*") if path.name != ".lock"]


# -- good ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "some-folder/"])
def test_a_zip_comes_in(
    tmp_path: Path, registry: Registry, files: dict[str, bytes], prefix: str
) -> None:
    source = zipped(tmp_path / "v3.zip", {f"{prefix}{name}": d for name, d in files.items()})
    assert take_in(source, registry) == "classification/v3"
    folder = own_folder("base", "classification", "v3")
    assert {path.name for path in folder.iterdir()} == set(files)
    assert (folder / "README.md").read_bytes() == files["README.md"]
    assert registry.in_use("base", "classification").card is None


def test_what_is_harmless_but_foreign_stays_outside(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    more = {"tokenizer.json": b"{}", "__MACOSX/._x": b"x", "notes.txt": b"x"}
    take_in(zipped(tmp_path / "v3.zip", {**files, **more}), registry)
    folder = own_folder("base", "classification", "v3")
    assert {path.name for path in folder.iterdir()} == set(files)


def test_a_plain_peft_folder_comes_in_and_its_checksum_is_recorded(
    tmp_path: Path, registry: Registry
) -> None:
    source = write_peft(tmp_path / "mine")
    with pytest.raises(UsageError, match="does not say which task"):
        take_in(source, registry)
    done = import_adapter(source, TASK, registry, user_paths())
    assert done.verified.notes == ("which base model it was trained on is not recorded",)
    record = read_run(done.card.folder)
    assert record is not None
    assert (record.base_model, len(record.sha256)) == (BaseModel("base", ""), 64)
    assert (record.technique, record.rank) == ("lora", 2)
    assert done.card.folder == own_folder("base", "classification", "mine")
    assert sorted(p.name for p in source.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_what_was_exported_comes_in_elsewhere(tmp_path: Path, registry: Registry) -> None:
    write_own("v7")
    card = registry.find("v7", "base")
    target = tmp_path / "base--classification--v7.zip"
    assert export_adapter(card, target) == target.stat().st_size
    first = target.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        export_adapter(card, target)
    export_adapter(card, target, force=True)
    assert target.read_bytes() == first  # the same adapter, the same bytes
    with pytest.raises(AdapterError, match="already; none is ever overwritten"):
        take_in(target, registry)
    registry.remove(card)
    assert take_in(target, registry) == "classification/v7"
    assert readme_of(registry.find("v7", "base")) == "# A card"


def test_an_export_that_fails_leaves_no_file(tmp_path: Path, registry: Registry) -> None:
    write_own("v7")
    with pytest.raises(AdapterError, match="cannot be written"):
        export_adapter(registry.find("v7", "base"), tmp_path / "nowhere" / "x.zip")
    assert not (tmp_path / "nowhere").exists()


def test_a_name_that_ships_is_taken(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    write_adapter(tmp_path / "shipped" / "base" / "classification" / "v1")
    source = zipped(tmp_path / "v1.zip", files)
    with pytest.raises(AdapterError, match="There is an adapter classification/v1"):
        take_in(source, registry)
    assert take_in(source, registry, Wanted(version="v1-mine", otherwise="base")) == (
        "classification/v1-mine"
    )


def test_the_base_model_is_compared(tmp_path: Path, registry: Registry) -> None:
    write_base()
    write_adapter(tmp_path / "wrong")
    with pytest.raises(AdapterError, match="trained on another base model"):
        take_in(tmp_path / "wrong", registry)
    with pytest.raises(AdapterError, match="was trained for classification, not for qa"):
        take_in(tmp_path / "wrong", registry, Wanted(task="qa", otherwise="base"))
    assert leftovers(registry) == []


def test_names_that_lead_out_are_refused(tmp_path: Path, registry: Registry) -> None:
    for number, task in enumerate(("../../x", "a/b", "..", "none")):
        write_adapter(tmp_path / f"v{number}", task=task)
        with pytest.raises(AdapterError, match="cannot be the name of a task"):
            take_in(tmp_path / f"v{number}", registry)
    write_adapter(tmp_path / "v9", base=BaseModel("..", ""))
    with pytest.raises(AdapterError, match="cannot be the name of a base model"):
        take_in(tmp_path / "v9", registry)
    write_adapter(tmp_path / "a bad name")
    with pytest.raises(AdapterError, match="cannot be the name of a version"):
        take_in(tmp_path / "a bad name", registry)
    assert leftovers(registry) == []


# -- hostile ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../README.md", "leads out of the archive"),
        ("a/../../README.md", "leads out of the archive"),
        ("/etc/README.md", "leads out of the archive"),
        ("a//README.md", "leads out of the archive"),
        ("..\\README.md", "not one for every system"),
        ("C:README.md", "not one for every system"),
        ("READ\x1bME.md", "not one for every system"),
        ("a/b/README.md", "several folders"),
        ("adapter_model.bin", "can run any code when it is read"),
        ("optimizer.pt", "can run any code when it is read"),
        ("setup.py", "does not belong into an adapter"),
        ("other.safetensors", "does not belong into an adapter"),
        ("ADAPTER_CONFIG.JSON", "twice"),
    ],
)
def test_an_entry_that_must_not_be_there(
    tmp_path: Path, registry: Registry, files: dict[str, bytes], name: str, why: str
) -> None:
    source = zipped(tmp_path / "v1.zip", {**files, name: b"x"})
    with pytest.raises(AdapterError, match=why):
        take_in(source, registry)
    assert leftovers(registry) == []


def test_a_name_that_ends_at_a_nul(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    source = zipped(tmp_path / "v1.zip", {**files, "README.mdXevil": b"x"})
    source.write_bytes(source.read_bytes().replace(b"README.mdXevil", b"README.md\0evil"))
    with pytest.raises(AdapterError, match="not one for every system"):
        take_in(source, registry)
    assert leftovers(registry) == []


def test_folders_in_folders(tmp_path: Path, registry: Registry, files: dict[str, bytes]) -> None:
    deep = {f"a/b/{name}": data for name, data in files.items()}
    with pytest.raises(AdapterError, match="a folder of a folder"):
        take_in(zipped(tmp_path / "v1.zip", deep), registry)


def test_the_same_name_twice(tmp_path: Path, registry: Registry, files: dict[str, bytes]) -> None:
    source = zipped(tmp_path / "v1.zip", files)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(source, "a") as archive:
        archive.writestr("run.json", "{}")
    with pytest.raises(AdapterError, match=r"'run.json' twice"):
        take_in(source, registry)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(tmp_path: Path, registry: Registry, kind: int) -> None:
    source = zipped(tmp_path / "v1.zip", {"README.md": b"/etc/passwd"}, mode=kind | 0o777)
    with pytest.raises(AdapterError, match="is a link or no plain file"):
        take_in(source, registry)
    assert leftovers(registry) == []


def test_a_bomb_by_ratio(tmp_path: Path, registry: Registry, files: dict[str, bytes]) -> None:
    files["adapter_model.safetensors"] = b"\0" * 20_000_000
    with pytest.raises(AdapterError, match="would become 20,000,000 bytes"):
        take_in(zipped(tmp_path / "v1.zip", files), registry)
    assert leftovers(registry) == []


def test_a_bomb_by_size(tmp_path: Path, registry: Registry, files: dict[str, bytes]) -> None:
    files["run.json"] = b" " * 2_500_000
    source = zipped(tmp_path / "v1.zip", files, method=zipfile.ZIP_STORED)
    with pytest.raises(AdapterError, match="would become 2,500,000 bytes"):
        take_in(source, registry)


def test_too_many_entries(tmp_path: Path, registry: Registry, files: dict[str, bytes]) -> None:
    more = {f"note{number}.txt": b"" for number in range(70)}
    with pytest.raises(AdapterError, match="it holds 74 entries"):
        take_in(zipped(tmp_path / "v1.zip", {**files, **more}), registry)


def test_an_entry_that_is_longer_than_it_says(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    marker = b"M" * 1000
    source = zipped(tmp_path / "v1.zip", {**files, "README.md": marker})
    data = bytearray(source.read_bytes())
    # The size in the central directory is what a reader believes.
    place = data.rindex(b"README.md") - 46
    assert data[place : place + 4] == b"PK\x01\x02"
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    source.write_bytes(bytes(data))
    with pytest.raises(AdapterError, match="The archive is refused"):
        take_in(source, registry)
    assert leftovers(registry) == []


def test_encrypted_or_oddly_packed(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    source = zipped(tmp_path / "v1.zip", files, method=zipfile.ZIP_LZMA)
    with pytest.raises(AdapterError, match="packed in a way that is not known"):
        take_in(source, registry)
    data = bytearray(zipped(tmp_path / "v2.zip", files).read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 8] |= 1
    (tmp_path / "v2.zip").write_bytes(bytes(data))
    with pytest.raises(AdapterError, match="is encrypted"):
        take_in(tmp_path / "v2.zip", registry)


def test_what_is_no_zip_or_is_cut_off(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    (tmp_path / "v1.zip").write_bytes(b"hello")
    whole = zipped(tmp_path / "v2.zip", files).read_bytes()
    (tmp_path / "v3.zip").write_bytes(whole[: len(whole) // 2])
    broken = bytearray(whole)
    place = whole.index(b"adapter_model.safetensors") + 60
    broken[place : place + 20] = b"\xff" * 20
    (tmp_path / "v4.zip").write_bytes(bytes(broken))
    for name in ("v1", "v3", "v4"):
        with pytest.raises(AdapterError, match="The archive is refused"):
            take_in(tmp_path / f"{name}.zip", registry)
    with pytest.raises(AdapterError, match="There is no file or folder"):
        take_in(tmp_path / "v9.zip", registry)
    assert leftovers(registry) == []


def test_every_cut_of_an_archive_is_refused_or_whole(
    tmp_path: Path, registry: Registry, files: dict[str, bytes]
) -> None:
    whole = zipped(tmp_path / "v2.zip", files).read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        with pytest.raises(AdapterError):
            take_in(tmp_path / "cut.zip", registry)
    assert leftovers(registry) == []


def test_a_folder_with_a_link_or_pickled_weights(tmp_path: Path, registry: Registry) -> None:
    source = write_peft(tmp_path / "v1")
    (source / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(AdapterError, match="is a link"):
        take_in(source, registry, TASK)
    (source / "README.md").unlink()
    (source / "training_args.bin").write_bytes(b"x")
    with pytest.raises(AdapterError, match="pickled format"):
        take_in(source, registry, TASK)
    assert leftovers(registry) == []


def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("assistant.adapters.archive.verify_with", interrupted)
    with pytest.raises(KeyboardInterrupt):
        take_in(write_peft(tmp_path / "v1"), registry, TASK)
    assert leftovers(registry) == []


# -- the hub ---------------------------------------------------------------------------------------


def test_without_the_hub_the_reason_is_told(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(AdapterError, match="org/x cannot be fetched from the hub: not asked"):
        import_from_hub("org/x", BASE, registry, user_paths())


def test_a_repository_is_fetched_and_checked_like_a_folder(
    tmp_path: Path, registry: Registry, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.models import hub

    def look(repo: str, _watch: object) -> hub.HubRepo:
        return hub.HubRepo(
            repo,
            "c" * 40,
            tuple(hub.HubFile(name, len(data), None) for name, data in there.items()),
        )

    def download(_repo: object, file: hub.HubFile, partial: Path, _watch: object, **_: int) -> Path:
        fetched.append(file.name)
        target = partial / f"x-{file.name}"
        target.write_bytes(there[file.name])
        return target

    there, fetched = {**files, "adapter_model.bin": b"x"}, []
    monkeypatch.setattr(hub, "look", look)
    monkeypatch.setattr(hub, "download", download)
    done = import_from_hub("org/my-adapter", BASE, registry, user_paths())
    assert done.card.name == "classification/my-adapter"
    assert sorted(fetched) == sorted(files)
    there = {"README.md": b"x"}
    with pytest.raises(AdapterError, match="holds no adapter"):
        import_from_hub("org/other", BASE, registry, user_paths())
