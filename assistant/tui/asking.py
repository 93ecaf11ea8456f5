"""One turn on its way: what was asked, the stop switch, and the answer as far as it has come.

:func:`hold` runs in a thread worker. It touches no widget: it posts messages.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from textual.message import Message

from assistant.errors import AssistantError, Cancelled
from assistant.events import AnswerPiece, Event, PartsRead
from assistant.tui.errors import as_shown
from assistant.tui.messages import AnswerGrew, TaskUnclear, TurnChanged, TurnEnded
from assistant.tui.ports import SessionPort
from assistant.types import Route, Turn

_log = logging.getLogger(__name__)
_keys = itertools.count(1)


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What the user fixed for the turns to come; ``auto`` and empty mean: decide for me."""

    task: str = "auto"
    strategy: str = "auto"
    system: str | None = None
    labels: tuple[str, ...] = ()
    to: str | None = None


@dataclass(slots=True, eq=False)
class Chat:
    """The conversation on the screen; it has no id until its first turn is stored."""

    id: str | None = None
    title: str = ""
    system: str | None = None


_GROW_EVERY_S = 0.1
_LOOK_EVERY_S = 0.05


@dataclass(slots=True, eq=False)
class Asking:
    """One turn that was sent: waiting, running or ended."""

    chat: Chat
    text: str
    options: TurnOptions = field(default_factory=TurnOptions)
    replaces: str | None = None
    again: bool = False
    key: int = field(default_factory=lambda: next(_keys))
    stop: threading.Event = field(default_factory=threading.Event)
    turn: Turn | None = None
    answer: str = ""
    _fresh: list[str] = field(default_factory=list)
    _said: threading.Event = field(default_factory=threading.Event)
    _task: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, piece: str) -> None:
        """Take a piece of the answer (from the worker's thread)."""
        with self._lock:
            self._fresh.append(piece)

    def wait_for_task(self) -> str | None:
        """Wait (in the worker's thread) for :meth:`say_task`.

        Raises:
            Cancelled: the turn was stopped.
        """
        while not self._said.wait(_LOOK_EVERY_S):
            if self.stop.is_set():
                break
        if self.stop.is_set():
            raise Cancelled("Stopped before the task was clear.")
        return self._task

    def say_task(self, task: str | None) -> None:
        """Say which task the turn is (``None``: the router's own guess)."""
        self._task = task
        self._said.set()

    def take(self) -> str:
        """Return the text that came since the last call (on the screen's side)."""
        with self._lock:
            piece = "".join(self._fresh)
            self._fresh.clear()
        self.answer += piece
        return piece


def hold(session: SessionPort, asking: Asking, post: Callable[[Message], object]) -> None:
    """Hold one turn from start to end, posting what happens; no exception leaves it."""
    error: AssistantError | None = None
    told = 0.0
    try:
        for event in _events(session, asking, post):
            if isinstance(event, AnswerPiece):
                asking.add(event.text)
                # Painting costs more than decoding a token: the screen keeps time for key presses.
                if time.monotonic() - told >= _GROW_EVERY_S:
                    told = time.monotonic()
                    post(AnswerGrew(asking))
            else:
                asking.turn = event.turn
                post(TurnChanged(asking, event.turn, _doing(event)))
    except Exception as raised:  # the boundary of the worker: nobody above could show it
        if not isinstance(raised, AssistantError):
            _log.exception("A turn failed unexpectedly")
        error = as_shown(raised)
    post(AnswerGrew(asking))  # whatever came since it was told last
    post(TurnEnded(asking, error))


def _doing(event: Event) -> str | None:
    if isinstance(event, PartsRead):
        return f"reading a long text: part {min(event.done + 1, event.total)} of {event.total}…"
    return None


def _events(
    session: SessionPort, asking: Asking, post: Callable[[Message], object]
) -> Iterator[Event]:
    # Imported here, in the worker: the session's module is heavy and loaded by now.
    from assistant.session import AskOptions

    def decide(route: Route) -> str | None:
        post(TaskUnclear(asking, route))
        return asking.wait_for_task()

    given = asking.options
    options = AskOptions(
        task=given.task,
        strategy=given.strategy,
        system=given.system,
        labels=given.labels,
        to=given.to,
    )
    if asking.again and asking.replaces is not None:
        return session.regenerate(asking.replaces, options=options, stop=asking.stop, decide=decide)
    return session.ask(
        asking.text,
        conversation_id=asking.chat.id,
        options=options,
        replaces=asking.replaces,
        stop=asking.stop,
        decide=decide,
    )
