"""The process that works on a run: written down, so that others can tell whether it still lives.

A number alone says little, as numbers are given out again: the time at which the process began is
kept with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assistant.errors import AssistantError

_SAME_S = 30.0
"""Times of a beginning that differ by less are the same: the clock may have been set in between."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its number, and when it began (seconds since 1970; 0 where that is not known)."""

    pid: int
    began: float

    @classmethod
    def this(cls) -> Owner:
        """Return the process that asks."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """Return a process by its number."""
        import psutil

        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return cls(pid, 0.0)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Owner | None:
        """Return what :meth:`as_json` gave, ``None`` where there is nothing of it."""
        pid, began = value.get("pid"), value.get("began")
        if not isinstance(pid, int) or not isinstance(began, int | float) or pid <= 1:
            return None
        return cls(pid, float(began))

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"pid": self.pid, "began": self.began}

    def same(self, other: Owner | None) -> bool:
        """Whether both are one process."""
        near = other is not None and abs(self.began - other.began) < _SAME_S
        return near and other is not None and self.pid == other.pid

    def later(self, other: Owner) -> bool:
        """Whether it is another process that began after the other one."""
        return not self.same(other) and self.began > other.began

    @property
    def memory(self) -> int:
        """The bytes that it holds now; 0 when it does not live any more."""
        import psutil

        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if self._is(process):
                return int(process.memory_info().rss)
        return 0

    @property
    def lives(self) -> bool:
        """Whether it is still at work; one that ended and was not fetched yet is not."""
        import psutil

        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return self._is(process) and process.status() != psutil.STATUS_ZOMBIE
        return False

    def interrupt(self) -> None:
        """Do what Ctrl+C does.

        Raises:
            AssistantError: it cannot be reached.
        """
        if not self.lives:
            raise AssistantError("The process of this training is gone.", "Resume it.")
        try:
            os.kill(self.pid, signal.SIGINT)
        except OSError as error:
            raise AssistantError(
                f"The process {self.pid} cannot be stopped: {error.strerror}."
            ) from error

    def _is(self, process: Any) -> bool:
        return bool(abs(process.create_time() - self.began) < _SAME_S)
