"""The desk: turns that were sent wait here in line, and one at a time is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from assistant.tui.asking import Asking, Chat


class Desk:
    """Holds the running turn and those waiting behind it; starts the next when it may.

    ``begin`` starts the work on one turn. Nothing begins before :meth:`open` (no session yet).
    """

    def __init__(self, begin: Callable[[Asking], None]) -> None:
        self._begin = begin
        self._open = False
        self.running: Asking | None = None
        self.waiting: deque[Asking] = deque()

    def open(self) -> None:
        """From now on turns are worked on."""
        self._open = True
        self._next()

    def close(self) -> None:
        """Begin no further turn until it is opened again."""
        self._open = False

    @property
    def is_open(self) -> bool:
        """Whether turns are begun at once."""
        return self._open

    def put(self, asking: Asking) -> None:
        """Add a turn to the line."""
        self.waiting.append(asking)
        self._next()

    def ended(self, asking: Asking) -> None:
        """Take note that a turn has ended and begin the next one."""
        if self.running is asking:
            self.running = None
        self._next()

    def take_back(self) -> list[Asking]:
        """Empty the line and return what stood in it."""
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    def stop(self) -> bool:
        """Stop the running turn within one token; return whether there was one."""
        if self.running is None:
            return False
        self.running.stop.set()
        return True

    def busy_with(self, chat: Chat) -> list[Asking]:
        """Return the turns of one conversation that are running or waiting, in order."""
        running = [self.running] if self.running is not None else []
        return [asking for asking in (*running, *self.waiting) if asking.chat is chat]

    def chat_with_id(self, conversation_id: str) -> Chat | None:
        """Return the chat of a running or waiting turn, so that it is not opened twice."""
        running = [self.running] if self.running is not None else []
        chats = (asking.chat for asking in (*running, *self.waiting))
        return next((chat for chat in chats if chat.id == conversation_id), None)

    def _next(self) -> None:
        if self._open and self.running is None and self.waiting:
            self.running = self.waiting.popleft()
            self._begin(self.running)
