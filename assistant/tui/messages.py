"""What happens in the app, as messages. Workers post them; only handlers touch widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from assistant.engine.loader import LoadStatus
from assistant.errors import AssistantError
from assistant.tui.ports import SessionPort
from assistant.types import Route, Turn

if TYPE_CHECKING:
    from assistant.tui.asking import Asking


class SessionReady(Message):
    """The session was made, in its thread."""

    def __init__(self, session: SessionPort) -> None:
        super().__init__()
        self.session = session


class SessionFailed(Message):
    """The session could not be made."""

    def __init__(self, error: AssistantError) -> None:
        super().__init__()
        self.error = error


class LoadChanged(Message):
    """The model is further on its way; a later one makes an earlier one pointless."""

    def __init__(self, status: LoadStatus) -> None:
        super().__init__()
        self.status = status

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LoadChanged)


class TurnChanged(Message):
    """More is known about a turn: stored, routed, prepared or finished.

    ``doing`` says what it is at, where that takes longer than usual.
    """

    def __init__(self, asking: Asking, turn: Turn, doing: str | None = None) -> None:
        super().__init__()
        self.asking = asking
        self.turn = turn
        self.doing = doing


class TaskUnclear(Message):
    """The router is unsure; the turn's worker waits for ``asking.say_task``."""

    def __init__(self, asking: Asking, route: Route) -> None:
        super().__init__()
        self.asking = asking
        self.route = route


class AnswerGrew(Message):
    """There is more text to take from ``asking``; several in a row become one."""

    def __init__(self, asking: Asking) -> None:
        super().__init__()
        self.asking = asking

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, AnswerGrew) and message.asking is self.asking


class TurnEnded(Message):
    """Nothing more will come; ``error`` says why when the turn failed."""

    def __init__(self, asking: Asking, error: AssistantError | None) -> None:
        super().__init__()
        self.asking = asking
        self.error = error


class PromptSubmitted(Message):
    """The user sent what is in the prompt."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CommandChosen(Message):
    """A command of the palette was picked, to be run as if it had been typed."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class ConversationChosen(Message):
    """A conversation (and a turn in it) is to be opened."""

    def __init__(self, conversation_id: str, turn_id: str | None = None) -> None:
        super().__init__()
        self.conversation_id = conversation_id
        self.turn_id = turn_id


class EdgeReached(Message):
    """The reader scrolled to the first (``top``) or last turn that is drawn."""

    def __init__(self, top: bool) -> None:
        super().__init__()
        self.top = top
