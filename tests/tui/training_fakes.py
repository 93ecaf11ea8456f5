"""Folders of trainings as the program leaves them, and a process that only pretends to train."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from assistant.adapters.run_record import BaseModel, RunRecord, Score, write_run
from assistant.paths import Paths, user_paths
from assistant.training.launching import Launch, Wanted, write_launch
from assistant.training.owner import Owner
from assistant.training.runs import RunFolder, runs_folder

MODEL = "fake-0.5b"
NOBODY = Owner(2**22 - 3, 1.0)
"""A process that is not there."""
ESTIMATE = "340 steps, about 28 minutes at 163 tokens a second, 4.9 GB of memory"


def made_run(
    name: str,
    *,
    task: str = "classification",
    technique: str = "lora",
    data: str = "/home/me/texts/reviews.jsonl",
    owner: Owner | None = None,
    steps: int = 0,
    launch: Launch | None = None,
    output: str = "",
    settings: bool = True,
    **state: Any,
) -> RunFolder:
    """Make a run's folder: ``steps`` lines of log, ``state`` and the process that wrote it."""
    run = RunFolder(name, runs_folder(user_paths()) / name)
    run.path.mkdir(parents=True)
    if settings:
        chosen = {"task": task, "technique": technique, "rank": 8, "max_minutes": 30.0}
        request = {"settings": {**chosen, "augment": False}, "model": MODEL, "data": [data]}
        run.write_settings({"request": request, "hashes": {}})
    if state:
        value = {**state, **(owner.as_json() if owner else {})}
        (run.path / "state.json").write_text(json.dumps(value))
    if steps:
        (run.path / "log.jsonl").write_text("".join(log_line(n) for n in range(1, steps + 1)))
    if launch is not None:
        write_launch(run, launch)
    if output:
        (run.path / "output.log").write_text(output)
    return run


def log_line(step: int, total: int = 340) -> str:
    """Return a line of the log of a training that goes well."""
    line: dict[str, float] = {
        "step": step,
        "epoch": round(step / 170, 3),
        "loss": round(0.25 + 1.2 * math.exp(-step / 60) + 0.02 * math.sin(step), 5),
        "tokens_per_s": 163.0,
        "left_s": (total - step) * 5.0,
    }
    if step >= 42:
        line["dev_loss"] = round(0.33 + 0.9 * math.exp(-(step // 42 * 42) / 60), 5)
    return json.dumps(line) + "\n"


def wanted(**values: Any) -> Wanted:
    """Return a request of the app's form."""
    given = {"task": "classification", "data": ("/home/me/texts/reviews.jsonl",), "model": MODEL}
    return Wanted(**{**given, **values})


def this_process() -> Owner:
    """Return the process of the test: one that lives."""
    return Owner.of(os.getpid())


def installed(
    task: str = "classification", version: str = "v2", paths: Paths | None = None
) -> Path:
    """Put an adapter with scores among the user's own; there are no weights in it."""
    folder = (paths or user_paths()).data / "adapters" / MODEL / task / version
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"\0" * 1000)
    score = Score("accuracy", 100, 91.2, 70.0, 76.0)
    record = RunRecord(
        task=task,
        base_model=BaseModel(MODEL),
        technique="lora",
        rank=8,
        seed=0,
        scores={"reviews": score},
    )
    write_run(folder, record)
    return folder


def several() -> None:
    """Make a training of every kind; the newest runs, in the process of the test."""
    installed()
    made_run(
        "20250313-080000-qa-aaaa", task="qa", state="running", total=200, owner=NOBODY, steps=90
    )
    made_run(
        "20250313-090000-chat-bbbb", task="chat", state="stopped", total=340, owner=NOBODY, steps=50
    )
    made_run(
        "20250314-070000-classification-cccc",
        state="done",
        total=340,
        adapter="classification/v2",
        owner=NOBODY,
        steps=340,
        estimate=ESTIMATE,
    )
    made_run(
        "20250314-080000-translation-dddd",
        settings=False,
        launch=Launch(wanted(task="translation"), NOBODY, told=True),
        output="Error: texts.jsonl, line 3 needs a text in 'target'.\n",
    )
    made_run(
        "20250314-090000-classification-eeee",
        state="running",
        total=340,
        owner=this_process(),
        launch=Launch(wanted(), this_process()),
        steps=210,
        estimate=ESTIMATE,
        output="4,000 rows to train on (310,000 tokens), 200 to measure on\n"
        f"{ESTIMATE}   (run 20250314-090000-classification-eeee)\nstep 3 of 340, loss 1.2\n",
    )
