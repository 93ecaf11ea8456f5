"""The part of the chat screen where model, task, strategy, system prompt and theme are set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.engine.loader import LoadStatus
from assistant.errors import UsageError
from assistant.tui.commands import STRATEGIES
from assistant.tui.messages import LoadChanged
from assistant.tui.screens.chat_base import ChatBase
from assistant.tui.theme import full_name


class SettingsPart(ChatBase):
    """What holds for the turns to come."""

    _unsubscribe: Callable[[], object] | None = None
    _preparing = False

    # -- the model -------------------------------------------------------------------------------

    def follow_loader(self) -> None:
        """Follow the loader of the session, in place of an earlier one."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        loader = self.needed_session().loader
        self._unsubscribe = loader.subscribe(self._post_status)
        self.post_message(LoadChanged(loader.status))

    def _post_status(self, status: LoadStatus) -> None:
        # Called from the loading thread: nothing but posting happens here.
        self.post_message(LoadChanged(status))

    def on_load_changed(self, message: LoadChanged) -> None:
        """Show how far the model is; say what went wrong."""
        before = self.status.load
        self.status.load = message.status
        error = message.status.error
        if error is not None and before.error is not error and not self.desk.running:
            self.complain(error)
        running = self.desk.running
        view = self.transcript.find(running) if running else None
        if view is not None and view.waiting and message.status.state == "ready":
            view.wait("reading…")

    def choose_model(self, name: str) -> None:
        """Use a model; without a name, show all of them."""
        self.background(self._choose_model(name), "screen")

    async def _choose_model(self, name: str) -> None:
        from assistant.tui.screens.model_picker import ModelPicker

        session = self.needed_session()
        if self.desk.running:
            raise UsageError("An answer is being written.", "Stop it first (Esc).")
        if self.explaining.locked():
            raise UsageError("The model is still reading a turn again.", "Try again in a moment.")
        if not name:
            models = await self.off_screen(session.models)
            chosen = await self.app.push_screen_wait(ModelPicker(models, self.status.model))
            if chosen is None:
                return
            name = chosen
        await self.off_screen(session.use_model, name)
        self.status.model = name
        await self.make_model_ready()

    async def make_model_ready(self) -> None:
        """Ask before anything is fetched, then load in the background.

        Turns begin only afterwards: beginning one makes the loader fetch what is missing.
        """
        if self._preparing:
            return
        self._preparing = True
        try:
            await self._make_model_ready()
        finally:
            self._preparing = False

    async def _make_model_ready(self) -> None:
        from assistant.tui.screens.first_run import FirstRunScreen

        session = self.needed_session()
        self.follow_loader()
        plan = await self.off_screen(session.download_plan)
        if plan is None:
            session.loader.start()
            self.desk.open()
            return
        self.desk.close()
        if await self.app.push_screen_wait(FirstRunScreen(plan, session.loader)):
            self.desk.open()
            return
        self.give_all_back()
        self.say("/model chooses one; sending something asks again.", "No model yet")

    # -- options for the turns to come -----------------------------------------------------------

    def set_task(self, name: str) -> None:
        """Force a task, or go back to ``auto``."""
        self.background(self._set_task(name or "auto"))

    async def _set_task(self, name: str) -> None:
        tasks = await self.off_screen(self.needed_session().tasks)
        self._check(name, ("auto", *tasks), "task")
        self.options = replace(self.options, task=name)
        self.draw_title()
        words = "Each turn is routed again." if name == "auto" else f"Every turn is {name} now."
        self.say(words)

    def set_strategy(self, name: str) -> None:
        """Force a strategy, or go back to ``auto``."""
        name = (name or "auto").replace("-", "_")
        self._check(name, STRATEGIES, "strategy")
        self.options = replace(self.options, strategy=name)
        self.draw_title()

    def set_labels(self, text: str) -> None:
        """Fix the labels for classification; nothing unfixes them."""
        labels = tuple(label.strip() for label in text.split(",") if label.strip())
        self.options = replace(self.options, labels=labels)
        self.draw_title()
        self.say(f"Labels: {', '.join(labels)}" if labels else "Labels are read from the turn.")

    def set_language(self, text: str) -> None:
        """Fix the language to translate to; nothing unfixes it."""
        self.options = replace(self.options, to=text or None)
        self.draw_title()
        self.say(f"Translating to {text}." if text else "The language is read from the turn.")

    def set_system(self, text: str) -> None:
        """Set, show or end the system prompt of this chat."""
        if not text:
            self.say(self.chat.system or "None. /system TEXT sets one.", "System prompt")
            return
        self.chat.system = None if text.lower() in ("off", "none", "clear") else text
        self.draw_title()
        self.say(self.chat.system or "None.", "System prompt")

    def set_theme(self, name: str) -> None:
        """Change the colours; without a name, show all themes."""
        if not name:
            self.app.search_themes()
            return
        wanted = full_name(name)
        self._check(wanted, tuple(self.app.available_themes), "theme")
        self.app.theme = wanted

    @staticmethod
    def _check(name: str, known: Sequence[str], what: str) -> None:
        if name not in known:
            raise UsageError(f"There is no {what} “{name}”.", f"Known: {', '.join(known)}.")
