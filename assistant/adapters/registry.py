"""The adapters of this machine: those that ship and the user's own, and which one is in use.

Both lie in ``<base model>/<task>/<version>/``; shipped folders are read only, so that the pointers are
with the user's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.adapters.card import CONFIG, WEIGHTS, Card
from assistant.adapters.names import check_name, is_safe, match, those, version_order
from assistant.adapters.pointer import Pointer, drop_pointer, read_pointer, write_pointer
from assistant.adapters.run_record import RunRecord, read_run
from assistant.errors import AdapterError
from assistant.paths import Paths, shipped


@dataclass(frozen=True, slots=True)
class InUse:
    """What is in use for a task: an adapter or none. ``problem`` says what is wrong with the pointer."""

    card: Card | None
    problem: str = ""


class Registry:
    """Finds adapters and switches between them."""

    def __init__(self, paths: Paths, shipped_root: Path | None = None) -> None:
        self.own_root = paths.data / "adapters"
        self.shipped_root = shipped_root or shipped("adapters")

    # -- finding -------------------------------------------------------------------------------

    def bases(self) -> list[str]:
        """Return the base models that anything is here for."""
        return sorted({name for root in self._roots for name in _folders(root)})

    def cards(self, base: str, task: str | None = None) -> list[Card]:
        """Return the adapters for a base model, by task and version; an own one hides a shipped one."""
        found: dict[tuple[str, str], Card] = {}
        for root in self._roots:
            for one in _folders(root / base):
                if task not in (None, one):
                    continue
                for version in _folders(root / base / one):
                    folder = root / base / one / version
                    if (folder / CONFIG).is_file() or (folder / WEIGHTS).is_file():
                        own = root == self.own_root
                        found[one, version] = _card(base, one, version, folder, own=own)
        return sorted(found.values(), key=lambda card: (card.task, version_order(card.version)))

    def find(self, name: str, base: str, task: str | None = None) -> Card:
        """Return the adapter a user means (see ``names.match``).

        Raises:
            AdapterError: there is none.
            UsageError: several fit.
        """
        cards = self.cards(base)
        found = match(name, [card.name for card in cards], task)
        return next(card for card in cards if card.name == found)

    def in_use(self, base: str, task: str) -> InUse:
        """Return what is in use; a pointer that leads nowhere never breaks anything."""
        cards = {card.version: card for card in self.cards(base, task)}
        try:
            pointer = read_pointer(self.own_root / base / task)
        except AdapterError as error:
            return InUse(_newest_shipped(cards), error.message)
        if pointer is None:
            return InUse(_newest_shipped(cards))
        if pointer.current is None:
            return InUse(None)
        if pointer.current in cards:
            return InUse(cards[pointer.current])
        gone = f"{task}/{pointer.current}, which was in use, is gone"
        return InUse(_newest_shipped(cards), gone)

    def all_in_use(self, base: str) -> dict[str, InUse]:
        """Return what is in use for every task that an adapter is here for."""
        tasks = {card.task for card in self.cards(base)}
        tasks |= set(_folders(self.own_root / base))
        return {task: self.in_use(base, task) for task in sorted(tasks)}

    # -- switching -----------------------------------------------------------------------------

    def promote(self, card: Card) -> Card | None:
        """Put an adapter to use, in one step; return the one that was in use before.

        Raises:
            AdapterError: the pointer cannot be written.
        """
        with self.changing():
            return self._move(card.base, card.task, card.version)

    def switch_off(self, base: str, task: str) -> Card | None:
        """Use no adapter for a task; return the one that was in use before.

        Raises:
            AdapterError: there is none for the task, or the pointer cannot be written.
        """
        self._check_task(base, task)
        with self.changing():
            return self._move(base, task, None)

    def rollback(self, base: str, task: str) -> Card | None:
        """Go back to what was in use before the last switch, and return it (``None``: no adapter).

        Raises:
            AdapterError: nothing was in use before.
        """
        self._check_task(base, task)
        folder = self.own_root / base / task
        with self.changing():
            pointer = read_pointer(folder)
            here = {card.version: card for card in self.cards(base, task)}
            before = list(pointer.before) if pointer else []
            while before:
                version = before.pop()
                if version is None or version in here:
                    write_pointer(folder, Pointer(version, tuple(before)))
                    return here[version] if version else None
        raise AdapterError(
            f"Nothing was in use for {task} before this.",
            f"Without any adapter: assistant adapters off {task}",
        )

    def remove(self, card: Card, *, force: bool = False) -> int:
        """Delete one of the user's own adapters; return the bytes freed.

        With ``force`` also the one in use: what was in use before it is in use again.

        Raises:
            AdapterError: it ships with the program, or is in use.
        """
        if not card.own:
            raise AdapterError(
                f"{card.name} ships with the program and stays.",
                f"To do without it: assistant adapters off {card.task}",
            )
        with self.changing():
            using = self.in_use(card.base, card.task).card
            if using is not None and using.folder == card.folder:
                if not force:
                    raise AdapterError(
                        f"{card.name} is in use.",
                        "Roll back first, or delete it all the same with --force.",
                    )
                self._fall_back(card)
            freed = sum(path.stat().st_size for path in card.folder.rglob("*") if path.is_file())
            doomed = self.own_root / f".removed-{card.base}-{card.task}-{card.version}"
            try:
                shutil.rmtree(doomed, ignore_errors=True)
                card.folder.replace(doomed)  # gone at once, however long deleting takes
                shutil.rmtree(doomed)
            except OSError as error:
                raise AdapterError(
                    f"{card.folder} cannot be deleted: {error.strerror}.",
                    "Look at the folder's rights.",
                ) from error
        return freed

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off every other process that changes adapters meanwhile.

        Raises:
            AdapterError: one has been at it for long, or there is no place to write.
        """
        from filelock import FileLock, Timeout

        try:
            self.own_root.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self.own_root / ".lock", timeout=20)
            lock.acquire()
        except Timeout as error:
            raise AdapterError("Another program is changing the adapters.", "Try again.") from error
        except OSError as error:
            raise AdapterError(
                f"{self.own_root} cannot be written: {error.strerror}.", "Look at its rights."
            ) from error
        try:
            yield
        finally:
            lock.release()

    # -- inside --------------------------------------------------------------------------------

    @property
    def _roots(self) -> tuple[Path, Path]:
        return (self.shipped_root, self.own_root)

    def _check_task(self, base: str, task: str) -> None:
        known = self.all_in_use(base)
        if task not in known:
            raise AdapterError(f"There is no adapter for {task} of {base}.", those(list(known)))

    def _move(self, base: str, task: str, version: str | None) -> Card | None:
        folder = self.own_root / check_name(base, "base model") / check_name(task, "task")
        used = self.in_use(base, task).card
        try:
            pointer = read_pointer(folder)
        except AdapterError:
            pointer = None  # a damaged one is replaced: that is the way to mend it
        if pointer is None:
            pointer = Pointer(used.version if used else None)
        write_pointer(folder, pointer.moved(version))
        return used

    def _fall_back(self, card: Card) -> None:
        """Take the pointer off an adapter that is going to be deleted."""
        folder = self.own_root / card.base / card.task
        here = {one.version for one in self.cards(card.base, card.task)} - {card.version}
        pointer = read_pointer(folder)
        before = list(pointer.before) if pointer else []
        while before:
            version = before.pop()
            if version is None or version in here:
                write_pointer(folder, Pointer(version, tuple(before)))
                return
        drop_pointer(folder)


def _folders(place: Path) -> list[str]:
    """Return the names of the folders in a place that could be ours; links are not followed."""
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return []
    return [p.name for p in entries if is_safe(p.name) and p.is_dir() and not p.is_symlink()]


def _card(base: str, task: str, version: str, folder: Path, *, own: bool) -> Card:
    run, problem = RunRecord(), ""
    try:
        run = read_run(folder) or run
    except AdapterError as error:
        problem = error.message
    try:
        size = (folder / WEIGHTS).stat().st_size
    except OSError:
        size = 0
    return Card(base, task, version, folder, own, size, run, problem)


def _newest_shipped(cards: dict[str, Card]) -> Card | None:
    ours = [card for card in cards.values() if not card.own]
    return max(ours, key=lambda card: version_order(card.version), default=None)
