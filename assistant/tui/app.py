"""The terminal app. It paints first and makes the session afterwards, in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App, SystemCommand
from textual.screen import Screen

from assistant.sanitize import clean
from assistant.tui.commands import COMMANDS
from assistant.tui.errors import as_shown
from assistant.tui.keys import ALL_IDS, APP_KEYS, bindings
from assistant.tui.messages import CommandChosen, SessionFailed, SessionReady
from assistant.tui.screens.chat import ChatScreen
from assistant.tui.theme import DARK, DEFAULTS, LIGHT, full_name

if TYPE_CHECKING:
    from assistant.tui.ports import SessionPort

_log = logging.getLogger(__name__)


def _local_now() -> datetime:
    return datetime.now().astimezone()


class AssistantApp(App[None]):
    """The app around the chat screen: themes, keys, the palette, and how the session comes.

    ``session_factory`` is called in a thread after the first paint, because making a session
    imports slow things. ``theme`` and ``keys`` may be given when they are known before that.
    """

    TITLE = "Assistant"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS = bindings(APP_KEYS)
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        session_factory: Callable[[], SessionPort],
        *,
        theme: str | None = None,
        keys: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = _local_now,
    ) -> None:
        super().__init__()
        self._session_factory = session_factory
        self.remapped: dict[str, str] = {}
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self._use_theme(theme or "auto")
        self._use_keys(keys or {})
        self.chat = ChatScreen(now)

    def get_default_screen(self) -> Screen[None]:
        return self.chat

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def on_mount(self) -> None:
        """Make the session once the first frame is on the screen."""
        self.call_after_refresh(
            self.run_worker, self._make_session, thread=True, exit_on_error=False
        )

    def _make_session(self) -> None:
        # In a thread: widgets are not touched here, only messages posted.
        try:
            session = self._session_factory()
            # The first turn needs them; imported here they hold nobody up.
            import assistant.tui.widgets.turn_view  # noqa: F401
        except Exception as error:  # the boundary of the worker
            _log.exception("The session could not be made")
            self.post_message(SessionFailed(as_shown(error)))
        else:
            self.post_message(SessionReady(session))

    async def on_session_ready(self, message: SessionReady) -> None:
        """Apply the settings and hand the session to the chat."""
        settings = message.session.settings
        self._use_theme(settings.theme)
        self._use_keys(settings.keys)
        await self.chat.use_session(message.session)

    async def on_session_failed(self, message: SessionFailed) -> None:
        """Say why nothing can be asked."""
        await self.chat.fail(message.error)

    def _use_theme(self, name: str) -> None:
        wanted = full_name(name)
        if wanted in self.available_themes:
            self.theme = wanted
        else:
            self._warn(f"There is no theme “{name}”.")

    def _use_keys(self, keys: Mapping[str, str]) -> None:
        unknown = sorted(set(keys) - ALL_IDS)
        if unknown:
            self._warn(f"Unknown in the setting keys: {', '.join(unknown)}. F1 lists all ids.")
        self.remapped = {key: value for key, value in keys.items() if key in ALL_IDS}
        self.set_keymap(self.remapped)

    def _warn(self, text: str) -> None:
        self.notify(clean(text), severity="warning", timeout=8, markup=False)

    def action_help(self) -> None:
        """Show keys and commands; a second time, close them."""
        from assistant.tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen(self.remapped))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer the slash commands in the palette."""
        if screen is not self.chat:
            return
        for command in COMMANDS:
            if command.palette:
                line = f"/{command.name}"
                yield SystemCommand(command.palette, f"{line} · {command.help}", self._runs(line))

    def _runs(self, line: str) -> Callable[[], None]:
        def run() -> None:
            self.chat.post_message(CommandChosen(line))

        return run


def run_app(
    session_factory: Callable[[], SessionPort],
    *,
    theme: str | None = None,
    keys: Mapping[str, str] | None = None,
) -> int:
    """Run the app until the user leaves; return the exit code."""
    from assistant.tui.pasting import install

    install()
    app = AssistantApp(session_factory, theme=theme, keys=keys)
    app.run()
    return app.return_code or 0
