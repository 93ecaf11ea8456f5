"""Trainings in processes of their own: started by the app, and not ended with it.

What is started is the command that a user would type. All it prints goes to a file in the run's folder,
which is made before, so that the app finds everything again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError, UsageError
from assistant.evaluation.examples import read_examples
from assistant.paths import Paths
from assistant.training.owner import Owner
from assistant.training.runs import RESERVED, RunFolder, reserve

LAUNCH, OUTPUT = "launch.json", "output.log"
LEAST_MINUTES, MOST_MINUTES = 1.0, 10_000.0
_ROOT = Path(__file__).resolve().parents[2]
# The folder that the user is in must not come first where Python looks for modules (-P).
_CODE = f"import sys; sys.path.append({str(_ROOT)!r}); from assistant.cli import main; main()"
COMMAND = (sys.executable, "-P", "-c", _CODE)
"""What runs this very program."""
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks for.

    Attributes:
        data: paths.
        minutes: about how long to train.
        refine: the task to refine by feedback, or ``all``; ``""`` for a training on files.
    """

    task: str
    data: tuple[str, ...]
    technique: str = "lora"
    minutes: float = 30.0
    augment: bool = False
    promote: bool = False
    model: str = ""
    refine: str = ""

    def arguments(self) -> list[str]:
        """Return the words behind ``assistant``."""
        if self.refine:
            return ["refine", self.refine, *(["--model", self.model] if self.model else [])]
        words = ["train", "--task", self.task, "--technique", self.technique]
        words += [word for path in self.data for word in ("--data", path)]
        words += ["--max-minutes", f"{self.minutes:g}"]
        words += ["--model", self.model] if self.model else []
        words += ["--augment"] if self.augment else []
        return [*words, *(["--promote"] if self.promote else [])]


@dataclass(frozen=True, slots=True)
class Launch:
    """How a run was started from the app, kept in its folder.

    Attributes:
        owner: the process that was started last.
        told: whether the user was told how it ended.
    """

    wanted: Wanted
    owner: Owner | None = None
    told: bool = False


def rows_in(wanted: Wanted) -> int:
    """Check what can be checked before a model is loaded; return the number of rows.

    Raises:
        UsageError: what is wrong with the request, a file or a line of it.
    """
    if not wanted.task:
        raise UsageError("Say which task it is for.", "Like: classification")
    if not wanted.data:
        raise UsageError("Say which file to train on.", "JSON lines with input and target.")
    if not LEAST_MINUTES <= wanted.minutes <= MOST_MINUTES:
        raise UsageError("The minutes are no number from 1 up.", "Like: 30")
    seen: set[Path] = set()
    count = 0
    for name in wanted.data:
        path = Path(name)
        if path.resolve() in seen:
            raise UsageError(f"{name} is there twice.", "Give each file once.")
        seen.add(path.resolve())
        count += len(read_examples(path, wanted.task).rows)
    return count


def start(paths: Paths, wanted: Wanted) -> RunFolder:
    """Start a training; it goes on when this process ends.

    Raises:
        AssistantError: the folder cannot be made, or the process not be started.
    """
    absolute = tuple(str(Path(name).expanduser().absolute()) for name in wanted.data)
    wanted = replace(wanted, data=absolute)
    run = reserve(paths, wanted.task)
    try:
        _launch(run, wanted, wanted.arguments())
    except AssistantError:
        run.remove()
        raise
    return run


def resume(run: RunFolder, wanted: Wanted | None) -> None:
    """Go on with a run that was stopped, failed or died.

    Raises:
        AssistantError: the process cannot be started.
    """
    words = ["refine" if "refine" in run.settings() else "train", "--resume", run.id]
    if words[0] == "train" and wanted is not None and wanted.promote:
        words.append("--promote")
    _launch(run, wanted or _asked(run), words)


def _asked(run: RunFolder) -> Wanted:
    """Return what a run from a shell was asked for, as far as it matters here."""
    request = run.settings()["request"]
    own = request["settings"]
    return Wanted(
        str(own["task"]), tuple(request["data"]), str(own["technique"]), model=str(request["model"])
    )


def _launch(run: RunFolder, wanted: Wanted, arguments: Sequence[str]) -> None:
    write_launch(run, Launch(wanted))
    environment = {**os.environ, RESERVED: run.id, "NO_COLOR": "1"}
    try:
        with (run.path / OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
    except OSError as error:
        raise AssistantError(f"The training cannot be started: {error.strerror}.") from error
    reap()
    _started.append(process)
    write_launch(run, Launch(wanted, Owner.of(process.pid)))


def reap() -> None:
    """Fetch the exit codes of processes that ended, so that none stays behind as a zombie."""
    _started[:] = [process for process in _started if process.poll() is None]


def read_launch(run: RunFolder) -> Launch | None:
    """Return how the app started a run; ``None`` when it did not, or the file is damaged."""
    try:
        value: dict[str, Any] = json.loads((run.path / LAUNCH).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Wanted)}
        given = {name: one for name, one in value["wanted"].items() if name in known}
        wanted = Wanted(**{**given, "data": tuple(map(str, given["data"]))})
        return Launch(wanted, Owner.from_json(value["owner"] or {}), value["told"] is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_launch(run: RunFolder, launch: Launch) -> None:
    """Keep how a run was started.

    Raises:
        AssistantError: it cannot be written.
    """
    path = run.path / LAUNCH
    value = {
        "wanted": asdict(launch.wanted),
        "owner": launch.owner.as_json() if launch.owner else None,
        "told": launch.told,
    }
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise AssistantError(f"{path} cannot be written: {error.strerror}.") from error
