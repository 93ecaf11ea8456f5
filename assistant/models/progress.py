"""How far a download is, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from assistant.errors import Cancelled


@dataclass(frozen=True, slots=True)
class PullProgress:
    """Bytes of the finished model that are here; ``bytes_total`` is ``None`` while unknown.

    ``source`` is ``hub``, ``mirror`` or ``check``; ``message`` is a short sentence.
    """

    source: str
    bytes_done: int
    bytes_total: int | None
    message: str


Report = Callable[[PullProgress], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """What every source gets: where to report to, and the event that stops it."""

    report: Report | None = None
    stop: threading.Event | None = None

    def tell(self, source: str, done: int, total: int | None, message: str) -> None:
        """Report progress, if anyone listens."""
        if self.report is not None:
            self.report(PullProgress(source, done, total, message))

    @property
    def stopped(self) -> bool:
        """Whether the user asked to stop."""
        return self.stop is not None and self.stop.is_set()

    def check(self) -> None:
        """Raise when the user asked to stop.

        Raises:
            Cancelled: ``stop`` is set.
        """
        if self.stopped:
            raise Cancelled(
                "The download was stopped.", "What was fetched is kept; pull again to go on."
            )
