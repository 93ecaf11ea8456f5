"""The adapters that ship: whole, small, better than the prompts they stand in for, and made for them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from statistics import fmean

import pytest

from assistant.adapters.run_record import read_run
from assistant.paths import shipped
from assistant.prompts import Prompts

FOLDERS = sorted(path.parent for path in shipped("adapters").glob("*/*/*/adapter_config.json"))
MOST_BYTES = 10_000_000


def test_some_ship() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: "-".join(f.parts[-3:]))
def test_a_shipped_adapter_is_what_its_record_says(folder: Path) -> None:
    record = read_run(folder)
    assert record is not None
    weights = (folder / "adapter_model.safetensors").read_bytes()
    assert record.sha256 == hashlib.sha256(weights).hexdigest()
    assert len(weights) == record.size <= MOST_BYTES
    assert (record.base_model.name, record.task) == folder.parts[-3:-1]
    assert record.data
    assert all(one.sources and one.licences for one in record.data)
    assert all("/" not in one.file for one in record.data)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == record.base_model.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: "-".join(f.parts[-3:]))
def test_a_shipped_adapter_beats_few_shot(folder: Path) -> None:
    record = read_run(folder)
    assert record is not None
    assert record.scores
    compared = [one for one in record.scores.values() if one.few_shot is not None]
    # Of thirty answers a point or two is chance; what lies outside the interval is not.
    assert all(one.few_shot <= one.ci95["adapter"][1] for one in compared)
    assert sum(one.few_shot > one.adapter for one in compared) <= len(compared) / 10
    assert fmean(one.adapter - one.few_shot for one in compared) > 2
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(name in card for name in record.scores)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: "-".join(f.parts[-3:]))
def test_a_shipped_adapter_was_trained_with_the_prompt_that_ships(folder: Path) -> None:
    record = read_run(folder)
    assert record is not None
    prompt = Prompts.load(shipped("prompts"), None).get(record.task)
    assert record.prompt_version == prompt.version_id
