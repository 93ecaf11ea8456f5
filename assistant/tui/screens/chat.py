"""The chat screen: conversations on the left, turns in the middle, the prompt below."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from assistant.errors import AssistantError
from assistant.tui.keys import CHAT_KEYS, LIST_KEYS, TURN_KEYS, Key, bindings, digits, hint_of
from assistant.tui.ports import SessionPort
from assistant.tui.screens.chat_commands import CommandsPart

_NARROW = 80


class ChatScreen(CommandsPart):
    """Puts the widgets together; what happens with them is in the parts it is made of."""

    # Digits answer the question above the prompt, while there is one; the prompt sees to its own.
    BINDINGS = bindings(CHAT_KEYS) + digits("pick")
    AUTO_FOCUS = "#prompt"

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        # None: as wide as the terminal allows; else the user has said so.
        self._sidebar: bool | None = None

    def compose(self) -> ComposeResult:
        yield self.title_bar
        with Horizontal(id="middle"):
            yield self.conversations
            with Vertical(id="talk"):
                yield self.transcript
                yield self.quiet
                yield self.completions
                yield self.prompt
        yield self.status

    async def use_session(self, session: SessionPort) -> None:
        """Take the session: from now on turns can run and conversations be listed."""
        self.session = session
        self.status.model = str(getattr(session.settings, "model", ""))
        self.refresh_list()
        self.background(self._learn_values(session))
        self.background(self.make_model_ready(), "model")
        self.follow_trainings()

    async def _learn_values(self, session: SessionPort) -> None:
        """Read what the arguments of commands can be, for the hints."""
        tasks = await self.off_screen(session.tasks)
        models = await self.off_screen(session.models)
        self.prompt.values = {
            "tasks": ("auto", *tasks),
            "models": tuple(name for name, *_ in models),
            "themes": ("dark", "light", *sorted(self.app.available_themes)),
        }

    async def fail(self, error: AssistantError) -> None:
        """Say that there is no session; nothing that was typed is lost."""
        self.give_all_back()
        self.complain(error)

    def on_resize(self, event: events.Resize) -> None:
        """Hide the list in a narrow terminal."""
        self.set_class(event.size.width < _NARROW, "narrow")
        self._place_sidebar()

    def action_toggle_sidebar(self) -> None:
        """Show or hide the list; shown, it takes the focus."""
        self._sidebar = not self.conversations.display
        self._place_sidebar()
        (self.conversations if self._sidebar else self.prompt).focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say below what the letters do while an answer or the list is in focus."""
        keys: tuple[Key, ...] = ()
        if event.widget in self.transcript.views:
            keys = TURN_KEYS
        elif event.widget is self.conversations:
            keys = LIST_KEYS
        self.status.hint = hint_of(keys, getattr(self.app, "remapped", {}))

    def action_step(self, by: int) -> None:
        """Move the focus among the turns; below the last one is the prompt."""
        if not self.transcript.step(by) and by > 0:
            self.prompt.focus()

    def action_to_prompt(self) -> None:
        """Return to the prompt; the place in the conversation stays."""
        self.prompt.focus()

    def _place_sidebar(self) -> None:
        wide = self.size.width >= _NARROW
        self.conversations.display = wide if self._sidebar is None else self._sidebar

    def action_cancel(self) -> None:
        """Leave what is going on: hints, editing, the answer."""
        if self.quiet.asking:
            self.quiet.drop_question()
            return
        if self.stop_editing():
            self.prompt.clear()
            return
        if not self.prompt.has_focus:
            self.prompt.focus()
        super().action_cancel()

    def on_unmount(self) -> None:
        """Stop the answer, so that its thread ends and what came is stored."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self.desk.take_back()
        self.desk.stop()
