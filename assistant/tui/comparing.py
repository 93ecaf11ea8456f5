"""Two answers on their way: what was asked, the stop switch, and how far each side has come.

:func:`hold_both` runs in a thread worker. It touches no widget: it posts messages.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

from assistant.errors import AssistantError
from assistant.events import AnswerPiece, PartsRead
from assistant.tui.errors import as_shown
from assistant.tui.ports import SessionPort
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.side_by_side import Request, Side, SideEvent, Ways

_log = logging.getLogger(__name__)
_GROW_EVERY_S = 0.1


@dataclass(slots=True, eq=False)
class Comparing:
    """One request that is answered twice. ``turns`` are the two answers, as far as they have come."""

    request: Request
    ways: Ways
    blind: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    turns: dict[Side, Turn] = field(default_factory=dict)
    _fresh: dict[Side, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, side: Side, piece: str) -> None:
        """Take a piece of an answer (from the worker's thread)."""
        with self._lock:
            self._fresh.setdefault(side, []).append(piece)

    def take(self) -> dict[Side, str]:
        """Return the text that came since the last call, by side (on the screen's side)."""
        with self._lock:
            pieces = {side: "".join(parts) for side, parts in self._fresh.items()}
            self._fresh.clear()
        return pieces

    @property
    def whole(self) -> bool:
        """Whether both answers came to their end, so that one can be preferred."""
        return len(self.turns) == 2 and all(turn.state == "done" for turn in self.turns.values())


class SidesGrew(Message):
    """There is more text to take from ``comparing``; several in a row become one."""

    def __init__(self, comparing: Comparing) -> None:
        super().__init__()
        self.comparing = comparing

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SidesGrew) and message.comparing is self.comparing


class SideChanged(Message):
    """More is known about the answer of one side; ``doing`` says what it is at."""

    def __init__(self, comparing: Comparing, side: Side, turn: Turn, doing: str) -> None:
        super().__init__()
        self.comparing = comparing
        self.side = side
        self.turn = turn
        self.doing = doing


class ComparisonEnded(Message):
    """Nothing more will come; ``error`` says why when an answer failed."""

    def __init__(self, comparing: Comparing, error: AssistantError | None) -> None:
        super().__init__()
        self.comparing = comparing
        self.error = error


def hold_both(
    session: SessionPort, comparing: Comparing, post: Callable[[Message], object]
) -> None:
    """Answer on both sides from start to end, posting what happens; no exception leaves it."""
    error: AssistantError | None = None
    told = 0.0
    try:
        for found in session.compare(comparing.request, comparing.ways, stop=comparing.stop):
            if isinstance(found.event, AnswerPiece):
                comparing.add(found.side, found.event.text)
                # Painting costs more than decoding a token: the screen keeps time for key presses.
                if time.monotonic() - told >= _GROW_EVERY_S:
                    told = time.monotonic()
                    post(SidesGrew(comparing))
            else:
                turn = comparing.turns[found.side] = found.event.turn
                post(SideChanged(comparing, found.side, turn, _doing(found)))
    except Exception as raised:  # the boundary of the worker: nobody above could show it
        if not isinstance(raised, AssistantError):
            _log.exception("A comparison failed unexpectedly")
        error = as_shown(raised)
    post(SidesGrew(comparing))  # whatever came since it was told last
    post(ComparisonEnded(comparing, error))


def _doing(found: SideEvent) -> str:
    event = found.event
    if isinstance(event, PartsRead):
        return f"reading a long text: part {min(event.done + 1, event.total)} of {event.total}…"
    if isinstance(event, AnswerPiece) or event.turn.state != "running":
        return ""
    return "thinking…" if event.turn.choice is not None else "reading…"
