"""Suite ``train``: what it says of the measurements; measuring itself takes minutes and is not done here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assistant.benchmark import train
from assistant.benchmark.subject import Subject

RUNS = {train.OURS: [300.0, 320.0, 310.0], train.TRAINER: [100.0, 80.0, 100.0]}


def test_figures_have_the_form_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def measured(_folder: Path, variant: str, *_: Any) -> dict[str, float]:
        order.append(variant)
        speed = RUNS[variant][order.count(variant) - 1]
        return {"tokens_per_s": speed, "peak_mb": 1000.0 if variant == train.OURS else 4000.0}

    monkeypatch.setattr(train, "_measured", measured)
    subject = SimpleNamespace(
        name="tiny", runs=3, threads=1, note=lambda text: None, transformers_folder=lambda: Path()
    )
    found = [one.as_dict({"cores": 1}) for one in train.run(cast(Subject, subject))]
    assert order == [train.OURS, train.TRAINER] * 3
    ours, theirs, peak, their_peak = found
    assert ours == {
        "suite": "train",
        "name": "tiny, assistant",
        "value": 310.0,
        "unit": "tokens/s",
        "baseline": train.TRAINER,
        "ratio": 3.1,
        "runs": RUNS[train.OURS],
        "machine": {"cores": 1},
    }
    assert (theirs["value"], theirs["name"]) == (100.0, "tiny, Trainer + PEFT")
    assert "baseline" not in theirs
    assert (peak["unit"], peak["ratio"]) == ("MB", 0.25)
    assert "baseline" not in their_peak
    assert len({one["name"] for one in found}) == 4
