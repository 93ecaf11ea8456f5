"""The catalogue, and from a name to files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from assistant.errors import ChecksumError, ConversionError, ModelNotFound, ModelNotInstalled
from assistant.models import checksums
from assistant.models.catalog import (
    CatalogEntry,
    catalog_table,
    default_entry,
    find,
    load_catalog,
    lookup,
)
from assistant.models.installed import installed, installed_names, remove, verify
from assistant.models.resolve import resolve, resolve_entry
from assistant.paths import Paths

ROOT = Path(__file__).parents[2]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return Paths(*(tmp_path / name for name in ("config", "data", "cache", "models")))


def model_folder(folder: Path, weights: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / weights).write_bytes(b"weights")
    return folder


def entry(**changes: object) -> CatalogEntry:
    values: dict[str, object] = {
        "name": "test-model",
        "title": "Test",
        "role": "small",
        "family": "llama",
        "parameters": 100,
        "bytes": 3,
        "context_length": 10,
        "languages": ("en",),
        "licence": "MIT",
        "memory_bytes": 10,
        "hub_repo": "org/Test-GGUF",
        "summary": "",
        "hub_file": "test.gguf",
    }
    return CatalogEntry(**{**values, **changes})  # type: ignore[arg-type]


def test_catalogue_is_consistent() -> None:
    entries = load_catalog()
    assert len({each.name for each in entries}) == len(entries) >= 12
    assert sum(each.default for each in entries) == 1
    for each in entries:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", each.name)
        assert each.gguf == (each.sha256 is not None), "a checksum is known for single files only"
        assert each.memory_bytes > each.bytes * 0.7
        assert all(re.fullmatch("[a-z]{2}", code) for code in each.languages)
        if each.sha256:
            assert re.fullmatch("[0-9a-f]{64}", each.sha256)
        if each.mirror:
            assert each.gguf
            assert all(re.fullmatch(r"[\w-]+==[\w.]+", wheel) for wheel in each.mirror.wheels)
            re.compile(each.mirror.part_pattern)


def test_default_is_the_one_of_the_settings() -> None:
    from assistant.config import DEFAULT_MODEL

    assert default_entry().name == DEFAULT_MODEL


def test_find_ignores_case_and_knows_hub_repositories() -> None:
    assert find("SmolLM2-135M-Instruct").name == "smollm2-135m-instruct"
    assert find("qwen/qwen3-0.6b").name == "qwen3-0.6b"
    assert lookup("nothing") is None


def test_unknown_name_gets_close_ones() -> None:
    with pytest.raises(ModelNotFound) as caught:
        find("smolm2-135-instruct")
    assert "smollm2-135m-instruct" in caught.value.hint


def test_docs_table_is_up_to_date() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    between = text.split("<!-- catalogue -->")[1].split("<!-- /catalogue -->")[0]
    assert between.strip() == catalog_table(), (
        "renew it: python -c 'from assistant.models.catalog import catalog_table as t; print(t())'"
    )


def test_catalogued_but_absent(paths: Paths) -> None:
    with pytest.raises(ModelNotInstalled) as caught:
        resolve("smollm2-135m-instruct", paths)
    assert caught.value.hint == "assistant models pull smollm2-135m-instruct"


def test_catalogued_file_must_have_its_checksum(paths: Paths) -> None:
    folder = paths.models / "test-model"
    folder.mkdir(parents=True)
    (folder / "test.gguf").write_bytes(b"abc")
    good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    files = resolve_entry(entry(sha256=good), paths)
    assert (files.kind, files.sha256, files.path) == ("gguf", good, folder / "test.gguf")
    with pytest.raises(ChecksumError):
        resolve_entry(entry(sha256="0" * 64), paths)


def test_checksum_is_computed_once(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    path = paths.models / "own" / "own.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    first = resolve("own", paths).sha256
    reads: list[Path] = []
    real = checksums.file_sha256

    def counted(path: Path) -> str:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(checksums, "file_sha256", counted)
    assert resolve("own", paths).sha256 == first
    assert reads == []
    path.write_bytes(b"two!")
    assert resolve("own", paths).sha256 != first
    assert reads == [path]


def test_broken_memory_of_a_checksum_is_ignored(paths: Paths, tmp_path: Path) -> None:
    path = paths.models / "own" / "own.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    first = resolve("own", paths).sha256
    (path.parent / "own.gguf.sha256.json").write_text('{"files": [')
    assert resolve("own", paths).sha256 == first


def test_foreign_folder_is_not_written_to(paths: Paths, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "theirs")
    files = resolve(str(folder), paths)
    assert files.kind == "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert list((paths.cache / "checksums").iterdir())
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert resolve(str(folder), paths).sha256 != files.sha256


def test_gguf_path_and_relative_path(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gguf").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert resolve("a.gguf", paths).path == tmp_path / "a.gguf"
    assert resolve(str(tmp_path / "a.gguf"), paths).kind == "gguf"
    with pytest.raises(ModelNotFound):
        resolve("b.gguf", paths)
    with pytest.raises(ModelNotFound):
        resolve("./none", paths)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth"])
def test_pickled_weights_are_refused(paths: Paths, tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path / "m", name)
    with pytest.raises(ConversionError, match="run any code"):
        resolve(str(folder), paths)


def test_folder_without_a_model(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(ConversionError):
        resolve(str(tmp_path), paths)


def test_missing_shard_is_named(paths: Paths, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(ConversionError, match="00002-of-00002"):
        resolve(str(folder), paths)


def hub_cache(paths: Paths, repo: str, files: dict[str, bytes]) -> Path:
    base = Path(os.environ["HF_HOME"]) / "hub" / f"models--{repo.replace('/', '--')}"
    commit = "a" * 40
    snapshot = base / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(commit)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)
    return snapshot


def test_hub_id_from_the_hub_cache(paths: Paths) -> None:
    snapshot = hub_cache(paths, "org/m", {"config.json": b"{}", "model.safetensors": b"w"})
    files = resolve("org/m", paths)
    assert (files.name, files.kind) == ("org/m", "folder")
    assert files.path.samefile(snapshot)


def test_catalogued_gguf_from_the_hub_cache(paths: Paths) -> None:
    snapshot = hub_cache(paths, "org/Test-GGUF", {"test.gguf": b"abc"})
    assert resolve_entry(entry(), paths).path == snapshot / "test.gguf"


def test_hub_id_that_is_nowhere(paths: Paths) -> None:
    with pytest.raises(ModelNotInstalled) as caught:
        resolve("org/absent", paths)
    assert caught.value.hint == "assistant models pull org/absent"


def test_names_cannot_leave_the_folder(paths: Paths) -> None:
    for name in ("..", "../x", "a/../../b", "", "."):
        with pytest.raises((ModelNotFound, ModelNotInstalled, ConversionError)):
            resolve(name, paths)
        with pytest.raises(Exception, match=r"names no model|not on this machine"):
            remove(name, paths)


def test_installed_verify_remove(paths: Paths) -> None:
    model_folder(paths.models / "org--mine")
    (paths.models / "empty").mkdir()
    assert installed_names(paths) == ["org/mine"]
    assert [each.name for each in installed(paths)] == ["org/mine"]
    assert verify("org/mine", paths).kind == "folder"
    weights = paths.models / "org--mine" / "model.safetensors"
    state = weights.stat()
    weights.write_bytes(b"WEIGHTS")  # same size, same time: only reading shows it
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ChecksumError):
        verify("org/mine", paths)
    assert remove("org/mine", paths) > 0
    assert installed_names(paths) == []
    with pytest.raises(ModelNotInstalled):
        remove("org/mine", paths)
