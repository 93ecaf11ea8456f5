"""Files of measurements and corrections: whole or not at all, and damaged ones are said by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant import calibration, config
from assistant.calibration import Calibration
from assistant.errors import ConfigError
from assistant.measured import Measurement, read_measurements, write_measurements
from assistant.paths import user_paths
from assistant.store.store import Store
from assistant.wiring import make_session, own_calibrations

READERS = [calibration.read, read_measurements]

ROW = Measurement("m", "qa", "en", "zero_shot", "f1", 50.0, 40.0, 60.0, 100)
CORRECTION = Calibration(
    "m", None, "w", ("bad", "good"), (0.5, 0.0), {"bad": 0.1, "good": -0.1}, 40
)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b'[{"model":', "not JSON"),
        pytest.param(b"[" * 100_000, "not JSON", id="brackets"),
        (b'[{"value": NaN}]', "not JSON: NaN"),
        (b'[{"value": 1e999}]', "not JSON: 1e999"),
        (b"\xff\xfe[]", "not UTF-8"),
        (b"{}", "as a whole"),
        (b"[1]", "row 1"),
        (b'[{"model": 3}]', "row 1, model"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    read: Callable[[Path], object], text: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"rows\.json") as caught:
        read(path)
    assert said in caught.value.message
    assert "move it away" in caught.value.hint


@pytest.mark.parametrize("read", READERS)
def test_a_folder_in_the_place_of_the_file(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)


def test_a_correction_that_lacks_a_label_is_refused_before_any_turn(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    calibration.write(path, [CORRECTION])
    row = json.loads(path.read_text())[0]
    path.write_text(json.dumps([row, {**row, "way": "v", "bias": {"bad": 0.1}}]))
    with pytest.raises(ConfigError, match="row 2: the labels of 'bias'"):
        calibration.read(path)


def test_fields_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write_measurements(path, [ROW])
    row = json.loads(path.read_text())[0]
    path.write_text(json.dumps([{**row, "watts": 15}]))
    assert read_measurements(path) == [ROW]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "below" / "rows.json"
    write_measurements(path, [ROW])

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_measurements(path, [])
    assert read_measurements(path) == [ROW]
    assert [file.name for file in path.parent.iterdir()] == ["rows.json"]


def test_a_place_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_measurements(tmp_path / "file" / "rows.json", [ROW])


def test_a_damaged_file_of_the_user_is_said_at_the_start() -> None:
    file = own_calibrations(user_paths())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[{]")
    with (
        Store(user_paths().database) as store,
        pytest.raises(ConfigError, match=r"calibrations\.json"),
    ):
        make_session(config.load(), store=store)
