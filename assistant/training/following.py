"""Trainings as others see them: read from their folders, whoever started them and wherever they run."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from assistant.adapters.names import base_folder
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import Score
from assistant.errors import AssistantError
from assistant.paths import Paths
from assistant.training.launching import LAUNCH, OUTPUT, Launch, read_launch
from assistant.training.owner import Owner
from assistant.training.runs import LOG, SETTINGS, STATE, RunFolder, runs_folder

Standing = Literal["starting", "training", "measuring", "stopped", "done", "failed", "died"]
"""``measuring`` has trained already; ``died`` was ended by something else than the program."""

UNDER_WAY = ("starting", "training", "measuring")
_MOST = 100
_MOMENT_S = 20.0
_TAIL_BYTES = 16_000
_ERROR = "Error: "
_STEP = "step "


@dataclass(frozen=True, slots=True)
class Point:
    """A line of a run's log: losses are nats a token; ``left_s`` are seconds, where they were told."""

    step: int
    epoch: float
    loss: float
    tokens_per_s: float
    left_s: float | None = None
    dev_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """One training as far as it has come.

    Attributes:
        settings: those of ``TrainSettings``, by name; empty before its data was read.
        total: steps that it will take, 0 before that is known.
        last: where it was when it last wrote.
        memory: bytes that its process holds, 0 when there is none.
        estimate: what it was thought to take, in words.
        adapter: what it is called among the adapters, once it is there.
        said: what the command printed, without the lines that tell steps; started from a shell, nothing.
        error: why it failed, or why the adapter that came out was not measured; a line each.
        launch: how the app started it, ``None`` for one from a shell.
        refines: whether it is a refinement by feedback.
        decision: of a refinement: ``promoted`` or ``refused``; ``reasons`` say why.
    """

    run: RunFolder
    standing: Standing
    task: str
    model: str = ""
    data: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    total: int = 0
    last: Point | None = None
    memory: int = 0
    estimate: str = ""
    adapter: str = ""
    in_use: bool = False
    scores: Mapping[str, Score] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    launch: Launch | None = None
    owner: Owner | None = None
    refines: bool = False
    decision: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def under_way(self) -> bool:
        return self.standing in UNDER_WAY

    @property
    def step(self) -> int:
        return self.last.step if self.last else 0

    @property
    def can_go_on(self) -> bool:
        """Whether ``--resume`` would do something."""
        return self.standing in ("stopped", "failed", "died") and bool(self.settings)


def read_all(paths: Paths) -> list[Watched]:
    """Return the newest trainings, newest first; a folder that cannot be understood is passed over."""
    folder = runs_folder(paths)
    try:
        names = sorted((path.name for path in folder.iterdir() if path.is_dir()), reverse=True)
    except OSError:
        return []
    registry = Registry(paths)
    found = (_read(RunFolder(name, folder / name), registry) for name in names[:_MOST])
    return [one for one in found if one is not None]


def read_points(run: RunFolder) -> list[Point]:
    """Return the whole log of a run, in order; lines that are no steps are passed over."""
    return _points(_text(run.path / LOG, None))


def _read(run: RunFolder, registry: Registry) -> Watched | None:
    launch = read_launch(run)
    kept = _object(run.path / SETTINGS)
    asked = kept.get("request")
    if launch is None and not isinstance(asked, dict):
        return None
    state = _object(run.path / STATE)
    standing, owner = _standing(run, state, launch)
    said: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    if launch and launch.owner and (owner is None or launch.owner.same(owner)):
        said, error = _said(_text(run.path / OUTPUT, _TAIL_BYTES))
    points = _points(_text(run.path / LOG, _TAIL_BYTES))
    request = asked if isinstance(asked, dict) else {}
    settings = request.get("settings")
    wanted = launch.wanted if launch else None
    told = Watched(
        run,
        standing,
        task=str((settings or {}).get("task") or (wanted.task if wanted else "?")),
        model=str(request.get("model") or (wanted.model if wanted else "")),
        data=tuple(map(str, request.get("data") or (wanted.data if wanted else ()))),
        settings=settings if isinstance(settings, dict) else {},
        started=_started(run.id),
        total=_whole(state.get("total")),
        last=points[-1] if points else None,
        memory=owner.memory if owner and standing in UNDER_WAY else 0,
        estimate=str(state.get("estimate") or ""),
        adapter=str(state.get("adapter") or ""),
        said=said,
        error=() if standing in UNDER_WAY else _error(state, said, error, standing),
        launch=launch,
        owner=owner,
        refines="refine" in kept or bool(wanted and wanted.refine),
        decision=str(state.get("decision") or ""),
        reasons=_texts(state.get("reasons")),
    )
    return _with_adapter(told, registry) if told.adapter else told


def _standing(
    run: RunFolder, state: Mapping[str, Any], launch: Launch | None
) -> tuple[Standing, Owner | None]:
    """Return how a run stands, and the process that is at work on it."""
    writer = Owner.from_json(state)
    starter = launch.owner if launch else None
    said = state.get("state")
    alive = writer is not None and writer.lives
    silent = not alive or said != "running"
    if silent and starter is None and _just_now(run):
        return "starting", None  # its process is not written down yet
    if silent and starter is not None and not starter.same(writer) and starter.lives:
        return "starting", starter  # it has not come so far as to write
    if starter is not None and writer is not None and silent and starter.later(writer):
        return "failed", starter  # nor will it
    if not (run.path / SETTINGS).is_file():
        return ("starting", writer) if alive or _just_now(run) else ("failed", None)
    if said == "done":
        return ("measuring" if alive else "done"), writer
    if said == "running" and alive and state.get("adapter"):
        return "measuring", writer  # a refinement, before its verdict
    if said in ("stopped", "failed"):
        return said, writer
    if not alive:
        return "died", writer
    return ("training" if (run.path / LOG).is_file() else "starting"), writer


def _just_now(run: RunFolder) -> bool:
    """Whether it was started a moment ago, so that its process may not be written down yet."""
    launch = read_launch(run)
    try:
        age = time.time() - (run.path / LAUNCH).stat().st_mtime
    except OSError:
        return False
    return launch is not None and launch.owner is None and age < _MOMENT_S


def _with_adapter(told: Watched, registry: Registry) -> Watched:
    try:
        base = base_folder(told.model)
        card = registry.find(told.adapter, base, told.task)
        used = registry.in_use(base, told.task).card
    except AssistantError:
        return replace(told, adapter="")  # deleted since
    return replace(
        told, scores=card.run.scores, in_use=used is not None and used.folder == card.folder
    )


def _error(
    state: Mapping[str, Any], said: Sequence[str], printed: tuple[str, ...], standing: Standing
) -> tuple[str, ...]:
    """Return why a training ended early, or was not measured when it had ended.

    It is what was printed, else what was kept, else the last words.
    """
    kept = state.get("error") if standing in ("failed", "done") else None
    last = tuple(said[-1:]) if standing == "failed" else ()
    return printed or (tuple(str(kept).splitlines()) if kept else last)


def _said(output: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was printed since the last start, and the error that it ended with."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_STEP)]
    at = next((n for n in range(len(told) - 1, -1, -1) if told[n].startswith(_ERROR)), None)
    if at is None:
        return tuple(told), ()
    error = (told[at].removeprefix(_ERROR), *told[at + 1 :])
    return tuple(told[:at]), error


def _started(name: str) -> datetime | None:
    try:
        return datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _points(text: str) -> list[Point]:
    found: list[Point] = []
    for line in text.splitlines():
        point = _point(line)
        if point is not None:
            found.append(point)
    return found


def _point(line: str) -> Point | None:
    try:
        value = json.loads(line)
        numbers = (float(value["epoch"]), float(value["loss"]), float(value["tokens_per_s"]))
        more = [value.get(name) for name in ("left_s", "dev_loss")]
        left, dev = (None if one is None else float(one) for one in more)
        point = Point(int(value["step"]), *numbers, left, dev)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None  # the line that is being written
    every = (point.epoch, point.loss, point.tokens_per_s, point.left_s or 0, point.dev_loss or 0)
    return point if all(map(math.isfinite, every)) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(path: Path, most: int | None) -> str:
    """Return a file's text, of a longer one the last ``most`` bytes; ``""`` where there is none."""
    try:
        with path.open("rb") as file:
            if most is not None:
                size = file.seek(0, 2)
                file.seek(max(0, size - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
