"""What all parts of the chat screen share: its state, its widgets, and work in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from textual.screen import Screen
from textual.widgets import Input, TextArea

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.asking import Asking, Chat, TurnOptions
from assistant.tui.desk import Desk
from assistant.tui.errors import as_shown
from assistant.tui.ports import SessionPort
from assistant.tui.widgets.completions import Completions
from assistant.tui.widgets.conversation_list import ConversationList
from assistant.tui.widgets.prompt_input import PromptInput
from assistant.tui.widgets.quiet_line import QuietLine
from assistant.tui.widgets.status_line import StatusLine
from assistant.tui.widgets.title_bar import TitleBar
from assistant.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from assistant.tui.widgets.turn_view import TurnView
    from assistant.types import Turn

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)
_TYPING_S = 0.4


class ChatBase(Screen[None]):
    """State and helpers. The parts (turns, feedback, library, …) build on it as mixins."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.now = now
        self.session: SessionPort | None = None
        self.chat = Chat()
        self.options = TurnOptions()
        self.undone: list[Turn] = []
        self.editing: Turn | None = None
        self.desk = Desk(self.begin)
        self.explaining = asyncio.Lock()
        self.judging = asyncio.Lock()
        self.title_bar = TitleBar()
        self.conversations = ConversationList()
        self.transcript = Transcript()
        self.quiet = QuietLine()
        self.completions = Completions()
        self.prompt = PromptInput(self.completions, self.quiet)
        self.status = StatusLine()

    def draw_title(self) -> None:
        """Draw title and fixed options."""
        self.title_bar.chat_title = self.chat.title
        self.title_bar.options = replace(self.options, system=self.chat.system)

    # -- what one part does for the others ---------------------------------------------------------

    def begin(self, asking: Asking) -> None:
        """Start the work on one turn."""
        raise NotImplementedError

    def refresh_list(self) -> None:
        """Read and draw the list of conversations."""
        raise NotImplementedError

    def reload(self) -> None:
        """Draw the open conversation anew."""
        raise NotImplementedError

    async def open(self, conversation_id: str, turn_id: str | None = None) -> None:
        """Show a conversation, at one of its turns."""
        raise NotImplementedError

    async def offer_choice(self, asking: Asking, turn: Turn) -> None:
        """Ask which answer is better, after one was given again."""
        raise NotImplementedError

    def give_all_back(self) -> None:
        """Put what waits in line back into the prompt."""
        raise NotImplementedError

    async def make_model_ready(self) -> None:
        """See to it that there is a model, asking before anything is fetched."""
        raise NotImplementedError

    # -- work in the background ------------------------------------------------------------------

    def background(self, work: Coroutine[Any, Any, None], group: str = "work") -> None:
        """Run ``work`` without holding up the screen; its errors are shown, never raised."""
        self.run_worker(self._guarded(work), group=group, exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except AssistantError as error:
            self.complain(error)
        except Exception as error:  # the boundary of the worker
            _log.exception("Background work failed unexpectedly")
            self.complain(as_shown(error))

    async def off_screen(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a blocking call (store, session) in a thread and return its result."""
        return await asyncio.to_thread(function, *args, **kwargs)

    def needed_session(self) -> SessionPort:
        """Return the session.

        Raises:
            AssistantError: it is not there yet.
        """
        if self.session is None:
            raise AssistantError("Still starting.", "Try again in a moment.")
        return self.session

    async def pause_in_typing(self) -> None:
        """Wait until nobody is typing: a box that opens now would get the keys meant for a text."""
        while before := self._typed():
            await asyncio.sleep(_TYPING_S)
            if self._typed() == before:
                return

    def _typed(self) -> str:
        focused = self.app.focused
        if isinstance(focused, TextArea):
            return focused.text
        return focused.value if isinstance(focused, Input) else ""

    # -- words for the user ----------------------------------------------------------------------

    def say(
        self,
        text: str,
        title: str = "",
        severity: Literal["information", "warning", "error"] = "information",
    ) -> None:
        """Show a short message, cleaned and without markup."""
        timeout = 4 if severity == "information" else 8
        self.notify(
            clean(text), title=clean(title), severity=severity, timeout=timeout, markup=False
        )

    def complain(self, error: AssistantError) -> None:
        """Show an error: what happened and what to do."""
        self.say(error.hint or error.message, error.message if error.hint else "", "error")

    # -- the answer that is meant ----------------------------------------------------------------

    def meant(self) -> TurnView | None:
        """Return the answer in focus, else the latest one; say so when there is none."""
        view = self.transcript.current
        if view is None or view.turn is None:
            self.say("There is no answer yet.")
            return None
        if view.turn.state == "running":
            self.say("This answer is still being written. Esc stops it.")
            return None
        return view
