"""What training reads: wrong rows are named by file and line, nothing leaks into what is measured on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_help import job, request, write_rows

from assistant.errors import AdapterError, UsageError
from assistant.training.dataset import hold_out, read_sources
from assistant.training.estimate import Memory, choose_checkpointing
from assistant.training.schedule import rate_share
from assistant.training.settings import TrainSettings
from assistant.training.techniques import Shape, peft_config

GOOD = {"input": "Mood? sea", "target": "sad", "labels": ["glad", "sad"]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"input": "x"', "is not JSON"),
        (json.dumps({"input": "x", "labels": ["a", "b"]}), "'target'"),
        (json.dumps({**GOOD, "target": "angry"}), "'angry' is none of its labels"),
        (json.dumps({"input": "sea and hills", "target": "sad"}), "labels"),
        (json.dumps({**GOOD, "task": "qa"}), "is for qa"),
        (json.dumps({**GOOD, "labels": "glad"}), "labels"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path: Path, line: str, says: str) -> None:
    asked = request(tmp_path)
    path = tmp_path / "wrong.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        job(replace(asked, data=(path,)))
    assert f"{path}, line 3" in caught.value.message
    assert says in caught.value.message


def test_an_empty_file_and_a_missing_one_are_said(tmp_path: Path) -> None:
    asked = request(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    for name in ("empty.jsonl", "missing.jsonl"):
        with pytest.raises(UsageError, match=name):
            job(replace(asked, data=(tmp_path / name,)))


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl")
    with pytest.raises(UsageError, match="twice"):
        read_sources([data, tmp_path / "." / "a.jsonl"], "classification")


def test_limits_draw_the_same_rows_for_the_same_seed(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl", 60)

    def drawn(seed: int) -> list[str]:
        (source,) = read_sources([data], "classification", 20, seed)
        return [row.id for row in source.rows]

    assert len(drawn(1)) == 20
    assert drawn(1) == drawn(1) != drawn(2)


def test_what_is_held_out_is_never_trained_on(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "a.jsonl", 400)
    sources = read_sources([data], "classification")
    train, dev = hold_out(sources, 0)
    seen = {row.input for row in train[0].rows}
    held = {row.input for row in dev[0].rows}
    assert seen
    assert held
    assert not seen & held
    assert len(train[0].rows) + len(dev[0].rows) == 400
    assert hold_out(sources, 0)[1] == dev


def test_of_few_rows_none_are_held_out(tmp_path: Path) -> None:
    sources = read_sources([write_rows(tmp_path / "a.jsonl", 20)], "classification")
    train, dev = hold_out(sources, 0)
    assert (len(train[0].rows), dev) == (20, [])


def test_too_long_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    asked = request(tmp_path)
    path = tmp_path / "long.jsonl"
    rows = [GOOD, {**GOOD, "input": "Mood? " + "sea " * 500}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = job(replace(asked, data=(path,)))
    assert (len(made.encoded.rows), made.encoded.too_long) == (1, 1)
    with pytest.raises(UsageError, match="short enough"):
        job(replace(asked, data=(path,), settings=replace(asked.settings, max_length=20)))


def test_each_epoch_of_an_augmented_training_has_rows_of_its_own(tmp_path: Path) -> None:
    made = job(request(tmp_path, augment=True))
    assert made.rows(0) == made.rows(0)
    assert len(made.rows(0)) > 0


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 3)])
def test_layers_that_are_not_there_are_refused(first: int, last: int) -> None:
    shape = Shape(2, 32, 4, 2, 8)
    asked = TrainSettings("qa", technique="layers", first=first, last=last)
    if first == 0:
        asked = replace(asked, first=5)
    with pytest.raises(UsageError, match="the model has layers 1 to 2"):
        peft_config(asked, shape)


def test_the_upper_half_is_what_layers_means() -> None:
    shape = Shape(24, 896, 14, 2, 64)
    config: Any = peft_config(TrainSettings("qa", technique="layers"), shape)
    assert config.layers_to_transform == list(range(12, 24))


def test_memory_decides_on_computing_twice_and_refuses_what_cannot_fit() -> None:
    need = Memory(1000, 100, 500_000_000, 100_000_000)
    assert choose_checkpointing(need, 2_000_000_000) is False
    assert choose_checkpointing(need, 1_000_000_000) is True
    with pytest.raises(AdapterError) as caught:
        choose_checkpointing(need, 500_000_000)
    assert "free" in caught.value.message
    assert caught.value.hint


def test_the_rate_rises_and_falls() -> None:
    shares = [rate_share(step, 100, 0.1) for step in range(100)]
    assert shares[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert 0 < shares[-1] < 0.01


def test_settings_survive_a_file() -> None:
    settings = TrainSettings("qa", rank=3, max_minutes=2.5)
    value = json.loads(json.dumps({**settings.as_json(), "newer": 1}))
    assert TrainSettings.from_json(value) == settings
