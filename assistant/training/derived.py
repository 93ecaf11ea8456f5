"""What was made from one conversation: runs whose data holds it, and adapters that learned from it.

A refinement writes down which conversations and feedback it trained on, and its folder holds the rows. Rows
that were only measured on are written down nowhere else, so that the files are looked into. Plain
trainings read files of the user: these are compared text by text, and only named.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.adapters.card import Card
from assistant.adapters.keeper import parents_of
from assistant.adapters.names import base_folder
from assistant.adapters.registry import Registry
from assistant.errors import AssistantError
from assistant.paths import Paths
from assistant.store.privacy import Traces
from assistant.training.following import read_all
from assistant.training.gating import OWN_FILE
from assistant.training.launching import read_launch
from assistant.training.owner import Owner
from assistant.training.refining import OWN_DATA, REPLAY_DATA
from assistant.training.runs import RunFolder, runs_folder

Role = Literal["trained on it", "measured on it"]
Link = Literal["trained on it", "built on one", "maybe trained on it"]
Adapter = tuple[str, str]
"""The folder of its base model, and its name (``task/version``)."""


@dataclass(frozen=True, slots=True)
class UsedRun:
    """A refinement whose folder holds rows of the conversation.

    Attributes:
        rows: those that are of it, by file.
        adapter: what came out, ``""`` where nothing did yet.
    """

    run: RunFolder
    role: Role
    rows: Mapping[str, tuple[dict[str, Any], ...]]
    at_work: bool
    base: str = ""
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class PlainRun:
    """A training on a file of the user in which a longer text of the conversation stands."""

    run: RunFolder
    file: Path
    at_work: bool
    base: str = ""
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """An adapter and what it has to do with the conversation.

    ``via`` is the adapter it was built on, or the file that it was maybe trained on.
    """

    card: Card
    link: Link
    in_use: bool
    via: str = ""

    @property
    def removable(self) -> bool:
        """Whether it is the user's own and is known to have learned from it."""
        return self.card.own and self.link != "maybe trained on it"


@dataclass(frozen=True, slots=True)
class Derived:
    """All that was made from a conversation.

    ``at_work`` are the runs under way that use it, or may yet: a refinement of several tasks takes up
    all feedback at its start and writes it down task by task.
    """

    runs: tuple[UsedRun, ...]
    plain: tuple[PlainRun, ...]
    adapters: tuple[Linked, ...]
    at_work: tuple[str, ...]


def derived(paths: Paths, traces: Traces) -> Derived:
    """Return what was made from a conversation; what cannot be read is passed over."""
    busy = {one.id for one in read_all(paths) if one.under_way}
    used: list[UsedRun] = []
    plain: list[PlainRun] = []
    at_work: list[str] = []
    newest: dict[Adapter, str] = {}
    seen: dict[Path, bool] = {}
    for run in _folders(paths):
        settings = _settings(run)
        working = run.id in busy or _lives(run)
        outcome = _outcome(run, settings)
        newest[outcome] = run.id
        found = _used(run, settings, traces, working)
        file = None if found or "refine" in settings else _file_with(run, settings, traces, seen)
        if found is not None:
            used.append(found)
        elif file is not None:
            plain.append(PlainRun(run, file, working, *outcome))
        if working and (found or file or (traces.judged and _refines(run, settings))):
            at_work.append(run.id)
    # The name of an adapter that was deleted is given again: it is that of the last run's.
    made = {one.run.id: (one.base, one.adapter) for one in used if one.role == "trained on it"}
    trained = {adapter for run_id, adapter in made.items() if newest[adapter] == run_id}
    maybe = {(one.base, one.adapter): one.file.name for one in plain if one.adapter}
    adapters = _adapters(Registry(paths), traces, trained, maybe)
    return Derived(tuple(used), tuple(plain), tuple(adapters), tuple(at_work))


def known_conversations(paths: Paths) -> set[str]:
    """Return the ids of all conversations that runs or adapters say they were trained or measured on."""
    registry = Registry(paths)
    cards = (card for base in registry.bases() for card in registry.cards(base))
    said = [_material(card.run.settings, "feedback") for card in cards]
    said += [_material(_settings(run), "refine") for run in _folders(paths)]
    names = ("conversation_ids", "measured_conversation_ids")
    return {one for about in said for name in names for one in _list(about, name) if _is_text(one)}


def logs_with(paths: Paths, traces: Traces) -> list[Path]:
    """Return the log files of the app in which a longer text of the conversation stands."""
    found = []
    for path in sorted(paths.log_file.parent.glob(f"{paths.log_file.name}*")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if any(word in text for word in traces.telling):
            found.append(path)
    return found


# -- runs ------------------------------------------------------------------------------------------


def _folders(paths: Paths) -> list[RunFolder]:
    """Return every folder of a run, oldest first, also of one that was ended before it had settings."""
    try:
        found = sorted(path for path in runs_folder(paths).iterdir() if path.is_dir())
    except OSError:
        return []
    return [RunFolder(path.name, path) for path in found if not path.is_symlink()]


def _settings(run: RunFolder) -> dict[str, Any]:
    try:
        return run.settings()
    except AssistantError:
        return {}


def _lives(run: RunFolder) -> bool:
    """Whether a process is at work on it, however old the run is and however little it has written."""
    state = run.state()
    writer = Owner.from_json(state)
    if writer is not None and writer.lives and state.get("state") in ("running", "done"):
        return True
    launch = read_launch(run)
    return launch is not None and launch.owner is not None and launch.owner.lives


def _refines(run: RunFolder, settings: Mapping[str, Any]) -> bool:
    """Whether it is a refinement; one that has written nothing yet may be."""
    launch = read_launch(run)
    if settings or launch is None:
        return "refine" in settings or not settings
    return bool(launch.wanted.refine)


def _used(
    run: RunFolder, settings: Mapping[str, Any], traces: Traces, at_work: bool
) -> UsedRun | None:
    rows = {
        name: tuple(row for row in json_rows(run.path / name) if _is_of(traces, row))
        for name in (OWN_DATA, REPLAY_DATA, OWN_FILE)
    }
    told = _says(settings, "refine", traces) or _says_feedback(settings, traces)
    measured = _list(_material(settings, "refine"), "measured_conversation_ids")
    if not told and not any(rows.values()) and traces.conversation_id not in measured:
        return None
    learned = told or rows[OWN_DATA] or rows[REPLAY_DATA]
    role: Role = "trained on it" if learned else "measured on it"
    return UsedRun(run, role, rows, at_work, *_outcome(run, settings))


def _is_of(traces: Traces, row: object) -> bool:
    return isinstance(row, dict) and traces.owns(row.get("id"), row.get("input"))


def _outcome(run: RunFolder, settings: Mapping[str, Any]) -> Adapter:
    """Return the base model's folder and the adapter that came out, as far as they are known."""
    request = settings.get("request")
    model = request.get("model") if isinstance(request, dict) else None
    try:
        base = base_folder(str(model)) if model else ""
    except AssistantError:
        base = ""
    return base, str(run.state().get("adapter") or "")


def _file_with(
    run: RunFolder, settings: Mapping[str, Any], traces: Traces, seen: dict[Path, bool]
) -> Path | None:
    """Return the file of a plain training in which a longer text of the conversation stands."""
    telling = {word.strip() for word in traces.telling}
    request = settings.get("request")
    for name in [*_list(request, "data"), *_list(request, "dev")] if telling else []:
        path = Path(str(name))
        if path not in seen:
            seen[path] = any(text.strip() in telling for text in _texts(path))
        if seen[path]:
            return path
    return None


def _texts(path: Path) -> Iterator[str]:
    if path.suffix.lower() in (".csv", ".tsv"):
        yield from _cells(path)
        return
    for row in json_rows(path):
        yield from _strings(row)


def _cells(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(",;\t|", key=head.count)
            for row in csv.reader(file, delimiter=delimiter):
                yield from row
    except (OSError, csv.Error):
        return


def json_rows(path: Path) -> Iterator[Any]:
    """Yield the values of a file of JSON lines; lines that are none are passed over."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    continue  # the line that was being written, or no JSON at all
    except OSError:
        return


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


# -- adapters --------------------------------------------------------------------------------------


def _adapters(
    registry: Registry, traces: Traces, by_run: set[Adapter], maybe: Mapping[Adapter, str]
) -> list[Linked]:
    found: list[Linked] = []
    for base in registry.bases():
        cards = registry.cards(base)
        # One that was deleted since still is what others were built on.
        trained = {name for place, name in by_run if place == base and name}
        trained |= {card.name for card in cards if _says(card.run.settings, "feedback", traces)}
        for card in cards:
            link = _link(card, cards, trained, maybe.get((base, card.name), ""))
            if link is not None:
                using = registry.in_use(base, card.task).card
                in_use = using is not None and using.folder == card.folder
                found.append(Linked(card, link[0], in_use, link[1]))
    return found


def _link(card: Card, cards: list[Card], trained: set[str], file: str) -> tuple[Link, str] | None:
    if card.own and card.name in trained:
        return "trained on it", ""
    for parent in parents_of(card, cards):
        if parent.name in trained:
            return "built on one", parent.name
    return ("maybe trained on it", file) if file else None


def _says(settings: Mapping[str, Any], name: str, traces: Traces) -> bool:
    """Whether what a refinement wrote down of its material names the conversation."""
    return traces.conversation_id in _list(_material(settings, name), "conversation_ids")


def _says_feedback(settings: Mapping[str, Any], traces: Traces) -> bool:
    """Whether a run of this machine names feedback on it (numbers in an imported adapter are others')."""
    numbers = _list(_material(settings, "refine"), "feedback_ids")
    return any(isinstance(one, int) and one in traces.feedback_ids for one in numbers)


def _material(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, dict) else {}


def _list(value: object, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return list(found) if isinstance(found, list | tuple) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str)
