"""Runs on disk: each training has a folder with its settings, its log, its checkpoints and its state."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.errors import AdapterError, DiskSpaceError, UsageError
from assistant.paths import Paths
from assistant.training.owner import Owner
from assistant.training.settings import Progress

SETTINGS, STATE, LOG, CHECKPOINTS = "settings.json", "state.json", "log.jsonl", "checkpoints"
RESERVED = "_ASSISTANT_RUN"
"""Names, in the environment, the folder that was made for a training before it was started."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's place. ``id`` begins with the time it was started."""

    id: str
    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    def settings(self) -> dict[str, Any]:
        """Return what the run was started with.

        Raises:
            AdapterError: it cannot be read.
        """
        return _read(self.path / SETTINGS)

    def state(self) -> dict[str, Any]:
        """Return how far it is: ``state`` is running, stopped, done or failed."""
        try:
            return _read(self.path / STATE)
        except AdapterError:
            return {"state": "running"}

    def write_settings(self, value: Mapping[str, Any]) -> None:
        """Keep what the run was started with."""
        _write(self.path / SETTINGS, value)

    def write_state(self, **values: Any) -> None:
        """Change some values of the state; one that runs is this process's from now on.

        ``error`` is why it failed, or what went wrong once it was done; it is forgotten as soon as
        the state changes.
        """
        if values.get("state") == "running":
            values |= Owner.this().as_json()
        before = self.state()
        if "state" in values:
            before.pop("error", None)
        _write(self.path / STATE, {**before, **values})

    def log(self, progress: Progress) -> None:
        """Add a line to the log.

        Raises:
            DiskSpaceError: it cannot be written.
        """
        line = {
            "step": progress.step,
            "epoch": round(progress.epoch, 3),
            "loss": round(progress.loss, 5),
            "tokens_per_s": round(progress.tokens_per_s, 1),
            "left_s": round(progress.left_s, 1),
        }
        if progress.dev_loss is not None:
            line["dev_loss"] = round(progress.dev_loss, 5)
        if progress.accuracy is not None:
            line["dev_accuracy"] = round(progress.accuracy, 4)
        try:
            with (self.path / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise DiskSpaceError(
                f"{self.path / LOG} cannot be written: {error.strerror}.",
                f"Free some space, then: assistant train --resume {self.id}",
            ) from error

    def cut_log(self, step: int) -> None:
        """Drop what the log says of steps behind ``step``: they are going to be done again."""
        path = self.path / LOG
        if not path.is_file():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when the process died
        temporary = path.with_suffix(".tmp")
        temporary.write_text("".join(kept), encoding="utf-8")
        temporary.replace(path)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def runs_folder(paths: Paths) -> Path:
    """Return where the runs lie."""
    return paths.data / "runs"


def new_run(paths: Paths, task: str) -> RunFolder:
    """Make the folder of a new run, or take the one that was reserved for this process.

    Raises:
        AdapterError: it cannot be made.
    """
    run = _reserved(paths) or reserve(paths, task)
    run.write_state(state="running")
    return run


def _reserved(paths: Paths) -> RunFolder | None:
    name = os.environ.get(RESERVED, "")
    path = runs_folder(paths) / name
    if not _ID.fullmatch(name) or not path.is_dir() or (path / SETTINGS).exists():
        return None
    return RunFolder(name, path)


def reserve(paths: Paths, task: str) -> RunFolder:
    """Make a folder in which a training will run; without settings it is no run yet.

    Raises:
        AdapterError: it cannot be made.
    """
    kind = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-") or "task"
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind[:20]}-{secrets.token_hex(2)}"
    path = runs_folder(paths) / name
    try:
        path.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise AdapterError(f"{path} cannot be made: {error.strerror}.") from error
    return RunFolder(name, path)


def find_run(paths: Paths, wanted: str) -> RunFolder:
    """Return a run by its id, the beginning of it, or ``last``.

    Raises:
        UsageError: there is none, or several fit.
    """
    names = [run.id for run in all_runs(paths)]
    found = names[-1:] if wanted == "last" else [n for n in names if n.startswith(wanted)]
    if wanted in names:
        found = [wanted]
    if len(found) != 1:
        what = f"Several runs begin with '{wanted}'." if found else f"There is no run '{wanted}'."
        raise UsageError(what, "List them: assistant train --list")
    return RunFolder(found[0], runs_folder(paths) / found[0])


def all_runs(paths: Paths) -> list[RunFolder]:
    """Return the runs, oldest first."""
    folder = runs_folder(paths)
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir() if (path / SETTINGS).is_file())
    return [RunFolder(name, folder / name) for name in names if _ID.fullmatch(name)]


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path} cannot be read: {error}", "Start the training anew.") from error
    if not isinstance(value, dict):
        raise AdapterError(f"{path} is damaged.", "Start the training anew.")
    return value


def _write(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(
            json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        temporary.replace(path)
    except OSError as error:
        raise AdapterError(f"{path} cannot be written: {error.strerror}.") from error
