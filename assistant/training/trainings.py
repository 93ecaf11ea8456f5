"""What the app can do with trainings: see them all, start, stop, go on, delete, and hear how they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, UsageError
from assistant.paths import Paths
from assistant.training import launching
from assistant.training.following import Point, Watched, read_all, read_points
from assistant.training.launching import Wanted

if TYPE_CHECKING:
    from assistant.store.store import Store

_log = logging.getLogger(__name__)


class Trainings:
    """The trainings of one user. Every method reads the disk: none is for the thread that draws."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._running: set[str] = set()
        self._told: set[str] = set()
        # The chat and the list of trainings look at the same time, each in a thread.
        self._looking = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether something was under way when :meth:`all` looked last."""
        return bool(self._running)

    def all(self) -> tuple[list[Watched], list[Watched]]:
        """Return all trainings, newest first, and those that ended and were not told of yet.

        The second are each returned once: one that the app started also when it ended while no app was
        open, one from a shell when it was seen running.
        """
        with self._looking:
            launching.reap()
            found = read_all(self._paths)
            ended = [one for one in found if not one.under_way and self._is_news(one)]
            self._running = {one.id for one in found if one.under_way}
            self._told -= self._running
            for one in ended:
                self._tell(one)
        return found, ended

    def points(self, one: Watched) -> Sequence[Point]:
        """Return the whole log of a training."""
        return read_points(one.run)

    def rows_in(self, wanted: Wanted) -> int:
        """Return the number of rows to train on.

        Raises:
            UsageError: what is wrong with the request, a file or a line of it.
        """
        return launching.rows_in(wanted)

    def start(self, wanted: Wanted) -> str:
        """Start a training in a process of its own; return its id.

        Raises:
            AssistantError: something is wrong with it, or it cannot be started.
        """
        self.rows_in(wanted)
        run = launching.start(self._paths, wanted)
        self._running.add(run.id)
        return run.id

    def refine(self, task: str, model: str, store: Store) -> tuple[str, ...]:
        """Start a refinement of one task, or of all that there is enough feedback on; return which.

        Raises:
            UsageError: there is too little feedback, or no such task.
            AssistantError: it cannot be started.
        """
        from assistant.training.enough import ready_for

        tasks = ready_for(task, store)
        wanted = Wanted(tasks[0], (), model=model, refine=task or "all")
        self._running.add(launching.start(self._paths, wanted).id)
        return tasks

    def resume(self, one: Watched) -> None:
        """Go on with a training.

        Raises:
            AssistantError: it cannot be gone on with.
        """
        if not one.can_go_on:
            raise UsageError("There is nothing to go on with.", "Start a new training.")
        launching.resume(one.run, one.launch.wanted if one.launch else None)
        self._running.add(one.id)

    def stop(self, one: Watched) -> None:
        """Ask a training to stop; it saves its state first.

        Raises:
            AssistantError: it does not run.
        """
        if not one.under_way or one.owner is None:
            raise UsageError("This training does not run.")
        one.owner.interrupt()

    def remove(self, one: Watched) -> None:
        """Delete what is kept of a training. Its adapter stays.

        Raises:
            AssistantError: it is running (again), or something of it could not be deleted.
        """
        now = next((each for each in read_all(self._paths) if each.id == one.id), None)
        if now is not None and now.under_way:
            raise UsageError("This training is running.", "Stop it first.")
        one.run.remove()
        if one.run.path.exists():
            raise AssistantError(f"{one.run.path} could not be deleted.")

    def _is_news(self, one: Watched) -> bool:
        if one.id in self._told:
            return False
        return one.id in self._running or (one.launch is not None and not one.launch.told)

    def _tell(self, one: Watched) -> None:
        self._told.add(one.id)
        if one.launch is None:
            return
        try:
            launching.write_launch(one.run, replace(one.launch, told=True))
        except AssistantError:
            _log.info("It could not be kept that %s was told of", one.id, exc_info=True)
