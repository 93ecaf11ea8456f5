"""One request answered in two ways, to be compared; nothing of it becomes part of a conversation.

Each answer is an ordinary turn of an ordinary session, so that what is compared is what users get. Only
its store is a database in memory that is thrown away at the end; a choice that the user makes is kept
apart (``store.preferences``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from assistant.answering import AskOptions
from assistant.events import Event, TurnRouted
from assistant.store.connection import IN_MEMORY
from assistant.store.store import Store

if TYPE_CHECKING:
    from assistant.session import Session

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer.

    ``adapter`` names a trained adapter (``task/version`` or the beginning of it). Without one the model
    answers alone, by ``strategy``; ``auto`` is then what would be taken if there were no adapters. The
    strategy ``adapter`` without a name is the adapter in use for the task.
    """

    strategy: str = "auto"
    adapter: str | None = None

    @property
    def trained(self) -> bool:
        """Whether an adapter answers."""
        return self.adapter is not None or self.strategy == "adapter"


Ways = tuple[Way, Way]
ALONE = Way()
IN_USE = Way("adapter")


@dataclass(frozen=True, slots=True)
class Request:
    """What is answered twice.

    Attributes:
        turn_id: a turn of a conversation to answer anew, with what was said before it; ``None`` for a
            text on its own.
        options: what the user fixed; its ``strategy`` and ``adapter`` are those of each way.
    """

    text: str
    turn_id: str | None = None
    options: AskOptions = field(default_factory=AskOptions)


@dataclass(frozen=True, slots=True)
class SideEvent:
    """What happens to the answer of one side: the events of a turn, the last one ``TurnFinished``."""

    side: Side
    event: Event


def answer_twice(
    session: Session,
    request: Request,
    ways: Ways,
    stop: threading.Event | None = None,
) -> Iterator[SideEvent]:
    """Answer on the left, then on the right, and yield what happens.

    Both are answered as the same task: the one given, else the one that the left was routed to. Before
    anything is said it is checked that both ways are open. After ``stop`` nothing more begins; the side
    that was answering ends with a cancelled turn.

    Raises:
        AssistantError: a way is not open, or an answer failed.
    """
    options = request.options
    for side, way in zip(SIDES, ways, strict=True):
        if stop is not None and stop.is_set():
            return
        given = replace(options, strategy=way.strategy, adapter=way.adapter)
        for event in _answer(session, request, way, given, stop):
            if isinstance(event, TurnRouted) and event.turn.route is not None:
                options = replace(options, task=event.turn.route.task)
                _check(session, options.task, ways)
            yield SideEvent(side, event)


def _answer(
    session: Session,
    request: Request,
    way: Way,
    options: AskOptions,
    stop: threading.Event | None,
) -> Iterator[Event]:
    """Hold one turn on a store in memory, after a copy of what was said before it."""
    with Store(IN_MEMORY) as store:
        before = None
        if request.turn_id is not None:
            turn = session.store.turn(request.turn_id)
            record = session.store.export_conversation(turn.conversation_id)
            before = store.import_conversation(record).id
        yield from session.apart(store, adapters=way.trained).ask(
            request.text,
            conversation_id=before,
            options=options,
            replaces=request.turn_id,
            stop=stop,
        )


def _check(session: Session, task: str, ways: Ways) -> None:
    """Raise an error when a task cannot be answered in one of the ways."""
    chooser = session.planner.chooser
    for way in ways:
        if way.trained:
            chooser.choose(task, requested=way.strategy, adapter=way.adapter)
