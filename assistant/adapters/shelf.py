"""The adapters of one session: which are in use now, and their way into the engine when needed."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assistant.adapters.card import WEIGHTS, Card
from assistant.adapters.names import base_folder
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel
from assistant.adapters.scores import measurements
from assistant.adapters.verify import verify
from assistant.engine.base import Engine
from assistant.errors import AdapterError
from assistant.measured import Measurement

_log = logging.getLogger(__name__)

Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class OnShelf:
    """What is there for one model: adapters by name, and by task the name of the one in use."""

    cards: Mapping[str, Card] = field(default_factory=dict)
    in_use: Mapping[str, str] = field(default_factory=dict)

    def measurements(self, model: str, rows: Sequence[Measurement]) -> list[Measurement]:
        """Return what the records of those in use say they are worth (see ``scores``)."""
        return measurements((self.cards[name] for name in self.in_use.values()), model, rows)


Look = Callable[[str], OnShelf]
"""Returns what is there for a model, by its name."""


class Shelf:
    """Hands out adapters. What changes on the disk is seen at the next look, which costs a few stats."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._seen: dict[str, tuple[Stamp, OnShelf]] = {}
        self._loaded: dict[str, tuple[weakref.ref[Engine], Stamp]] = {}

    def look(self, model: str) -> OnShelf:
        """Return what is there for a model; nothing for one whose name no folder can have."""
        try:
            base = base_folder(model)
        except AdapterError:
            return OnShelf()
        stamp = self._stamp(base)
        seen = self._seen.get(base)
        if seen is None or seen[0] != stamp:
            self._seen[base] = seen = (stamp, self._read(base))
        return seen[1]

    def load(self, name: str, engine: Engine) -> None:
        """Make sure that the engine holds an adapter; others of its task are put away.

        The files are checked each time they are loaded: they may have been changed since.

        Raises:
            AdapterError: it is gone, damaged, or of another base model.
        """
        card = self.look(engine.info.model).cards.get(name)
        if card is None:
            raise AdapterError(f"The adapter {name} is gone.", "See: assistant adapters list")
        stamp = _file_stamp(card.folder / WEIGHTS)
        held = self._loaded.get(name)
        if held and held[0]() is engine and held[1] == stamp and name in engine.adapters:
            return
        verify(card, BaseModel(engine.info.model, engine.info.sha256))
        engine.unload_adapter(name)
        engine.load_adapter(name, card.folder)
        self._loaded[name] = (weakref.ref(engine), stamp)
        for other in engine.adapters:
            if other != name and other.startswith(f"{card.task}/"):
                engine.unload_adapter(other)

    def _read(self, base: str) -> OnShelf:
        cards = {card.name: card for card in self.registry.cards(base)}
        in_use = {}
        for task, found in self.registry.all_in_use(base).items():
            if found.problem:
                _log.warning("Adapters for %s: %s", base, found.problem)
            if found.card is not None:
                in_use[task] = found.card.name
        return OnShelf(cards, in_use)

    def _stamp(self, base: str) -> Stamp:
        """Return what changes whenever adapters come or go, or a pointer moves.

        Each of these renames something in a folder, which changes that folder's time; so does a record
        that is written anew.
        """
        tops = [self.registry.shipped_root / base, self.registry.own_root / base]
        tasks = [task for top in tops for task in _inside(top)]
        versions = [
            version for task in tasks for version in _inside(task)
        ]  # the pointer among them
        return tuple(_file_stamp(place) for place in (*tops, *tasks, *versions))


def _inside(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry.path) for entry in entries)
    except OSError:
        return []


def _file_stamp(path: Path) -> Stamp:
    try:
        state = path.stat()
    except OSError:
        return (str(path),)
    return (str(path), state.st_mtime_ns, state.st_size, state.st_ino)
