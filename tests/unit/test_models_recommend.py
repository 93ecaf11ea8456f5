"""Which model is recommended, and what the machine is taken to have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assistant import measured
from assistant.cli.models import command
from assistant.measured import Measurement, write_measurements
from assistant.models import hardware
from assistant.models.catalog import load_catalog
from assistant.models.hardware import Hardware, detect_hardware
from assistant.models.recommend import Recommendation, expected_speed, recommend
from assistant.store.store import Store


def machine(memory: float, cores: int = 4, **gpu: object) -> Hardware:
    size = int(memory * 1e9)
    return Hardware(size, size, cores, **gpu)  # type: ignore[arg-type]


def ranked(memory: float, **wishes: object) -> list[Recommendation]:
    return recommend(machine(memory), entries=load_catalog(), **wishes)  # type: ignore[arg-type]


def test_all_are_judged_and_the_fitting_come_first() -> None:
    found = ranked(2.0)
    assert len(found) == len(load_catalog())
    fits = [each.fits for each in found]
    assert fits == sorted(fits, reverse=True)
    assert all(each.entry.memory_bytes <= 2e9 for each in found if each.fits)
    assert all("too large" in each.reason for each in found if not each.fits)


def test_reason_holds_the_figures() -> None:
    best = ranked(8.0)[0]
    assert f"{best.entry.memory_bytes / 1e9:.1f} GB" in best.reason
    assert "8.0 GB free" in best.reason
    assert "tokens a second" in best.reason


def test_memory_and_speed_are_figures_too() -> None:
    for each in ranked(8.0):
        assert each.memory_bytes == each.entry.memory_bytes
        assert each.memory in each.reason
        assert each.tokens_per_s == expected_speed(each.entry, machine(8.0))
    gpu = machine(2, 4, gpu="GPU", gpu_memory_bytes=int(24e9))
    there = recommend(gpu, entries=load_catalog())[0]
    assert there.memory_bytes == 2 * there.entry.parameters + 1_000_000_000


def test_more_memory_never_recommends_a_smaller_model_alone() -> None:
    small, large = ranked(1.1)[0], ranked(16.0)[0]
    assert small.entry.parameters < large.entry.parameters


def test_no_memory_at_all() -> None:
    assert not any(each.fits for each in ranked(0.2))


@pytest.mark.parametrize("language", ["de", "de-AT", "DE_de"])
def test_language_decides(language: str) -> None:
    found = ranked(16.0, languages=[language])
    assert "de" in found[0].entry.languages
    english = next(each for each in found if each.entry.languages == ("en",))
    assert "not made for de" in english.reason


def test_translation_wants_several_languages() -> None:
    assert len(ranked(16.0, task="translation")[0].entry.languages) > 1


def test_a_licence_that_binds_is_said() -> None:
    bound = [each for each in ranked(16.0) if each.entry.licence != "Apache-2.0"]
    assert bound
    assert all("licence:" in each.reason for each in bound)


def test_installed_is_passed_through() -> None:
    found = ranked(16.0, installed={"qwen3-0.6b"})
    assert [each.entry.name for each in found if each.installed] == ["qwen3-0.6b"]


def test_speed_grows_with_cores_and_gpu() -> None:
    entry = load_catalog()[0]
    one, four = (expected_speed(entry, machine(8, cores)) for cores in (1, 4))
    assert one < four
    assert expected_speed(entry, machine(8, 2)) == pytest.approx(40, rel=0.25)  # as measured
    large = next(each for each in load_catalog() if each.parameters > 3e9)
    gpu = machine(8, 4, gpu="GPU", gpu_memory_bytes=int(24e9))
    assert expected_speed(large, gpu) > expected_speed(large, machine(8, 4))


def test_gpu_memory_counts() -> None:
    gpu = machine(2, 4, gpu="GPU", gpu_memory_bytes=int(24e9))
    found = recommend(gpu, entries=load_catalog())
    assert all(each.fits for each in found)
    assert "on the GPU" in found[0].reason


def test_this_machine() -> None:
    found = detect_hardware()
    assert found.cores >= 1
    assert 0 < found.available_bytes <= found.memory_bytes


def test_container_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.current").write_text("5\n")
    (inner.parent / "memory.max").write_text("1000\n")
    (inner.parent / "memory.current").write_text("700\n")
    (inner.parent / "memory.stat").write_text("anon 1\ninactive_file 200\n")
    (inner / "cpu.max").write_text("150000 100000\n")
    groups = [inner, inner.parent, tmp_path]
    monkeypatch.setattr(hardware, "_own_groups", lambda root, kind: groups)
    assert hardware._cgroup_memory(tmp_path) == (1000, 500)
    assert hardware._cores(tmp_path) <= 2


def test_no_container(tmp_path: Path) -> None:
    assert hardware._cgroup_memory(tmp_path) is None


def test_gpu_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA Test, 1024'\n")
    tool.chmod(0o755)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: str(tool))
    assert hardware._gpu() == ("NVIDIA Test", 1 << 30)
    tool.write_text("#!/bin/sh\necho 'no driver'; exit 9\n")
    assert hardware._gpu() == (None, None)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and measurements as they might ship."""
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    rows = [
        Measurement(
            model,
            "translation",
            "en-zh",
            "zero_shot",
            "chrf",
            value,
            value - 1,
            value + 1,
            200,
            data="news",
        )
        for model, value in (
            ("qwen3-0.6b", 30.0),
            ("qwen3-1.7b", 31.5),
            ("qwen2.5-3b-instruct", 40.0),
        )
    ]
    path = tmp_path / "measured.json"
    write_measurements(path, rows)
    monkeypatch.setattr(measured.read_measurements, "__defaults__", (path,))
    return tmp_path


def asked(*arguments: str) -> dict[str, Any]:
    options = ("--task", "translation", "--memory", "4", "--json", *arguments)
    result = CliRunner().invoke(command, ("recommend", *options))
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def test_command_recommends_by_what_ships(shipped: Path) -> None:
    said = asked("--lang", "en-zh", "--examples", "20")
    assert said["recommended"] == said["recommendations"][0]["name"] == "qwen3-0.6b"
    assert (said["lang"], said["examples"], said["by_measurement"]) == ("en-zh", 20, True)
    assert len(said["explanation"]) == 3
    first = said["recommendations"][0]
    assert first["memory_bytes"] == 1_600_000_000
    assert first["tokens_per_s"] > 0
    assert {"value": 30.0, "low": 29.0, "high": 31.0, "n": 200}.items() <= first["measured"][
        0
    ].items()
    by_name = {each["name"]: each for each in said["recommendations"]}
    assert by_name["qwen2.5-0.5b-instruct"]["measured"] == []
    assert by_name["qwen2.5-3b-instruct"]["fits"] is False
    assert not (shipped / "data").exists()


def test_command_takes_the_users_own_evaluations(shipped: Path) -> None:
    from assistant.paths import user_paths

    path = user_paths().database
    path.parent.mkdir(parents=True, exist_ok=True)
    with Store(path) as store:
        for model, value in (("qwen3-0.6b", 20.0), ("qwen3-1.7b", 45.0)):
            store.record_evaluation(
                {
                    "task": "translation",
                    "strategy": "zero_shot",
                    "model": model,
                    "n": 30,
                    "scores": {"chrf": value},
                    "ci95": {"chrf": [value - 4, value + 4]},
                    "timing": {"examples_per_s": 1.0},
                    "setting": {"lang": "en-zh", "data_sha256": "ab" * 32},
                }
            )
    said = asked("--lang", "en-zh")
    assert said["recommended"] == "qwen3-1.7b"
    assert said["recommendations"][0]["measured"][0]["own"] is True


def test_command_in_words(shipped: Path) -> None:
    options = ("--task", "translation", "--language", "en-zh", "--memory", "4", "--examples", "500")
    text = CliRunner().invoke(command, ("recommend", *options)).output
    assert "Recommended: qwen3-0.6b\n" in text
    assert (
        "measured: chrf 31.5 (95 % interval 30.5 to 32.5, n = 200) with zero-shot on news (en-zh)"
        in text
    )
    assert "   not measured\n" in text
    assert "assistant train" in text
    wrong = CliRunner().invoke(command, ("recommend", "--examples", "-1"))
    assert wrong.exit_code == 2
