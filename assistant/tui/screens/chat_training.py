"""The part of the chat screen that leads to the trainings, and says how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from assistant.errors import AssistantError
from assistant.tui.screens.chat_adapters import AdaptersPart

if TYPE_CHECKING:
    from assistant.store.store import Store
    from assistant.training.following import Watched
    from assistant.training.trainings import Trainings

_LOOK_EVERY_S = 15.0
_NEWS_S = 20.0
"""So long a note stays: it comes when one looks at something else."""


class TrainingPart(AdaptersPart):
    """Opens the screen of trainings, and looks after those under way while it is closed."""

    _trainings: Trainings | None = None

    @property
    def trainings(self) -> Trainings:
        """Return the trainings of this user."""
        if self._trainings is None:
            from assistant.paths import user_paths
            from assistant.training.trainings import Trainings

            self._trainings = Trainings(user_paths())
        return self._trainings

    def follow_trainings(self) -> None:
        """Look once, for what ended while no app was open; then now and then while one is under way."""
        self.background(self._look(), "trainings")
        self.set_interval(_LOOK_EVERY_S, self._look_again)

    def show_training(self) -> None:
        """Open the list of trainings."""
        from assistant.tui.screens.training import TrainingScreen

        model = str(getattr(self.needed_session().settings, "model", ""))
        screen = TrainingScreen(
            self.trainings, model, self.tell_of, self.now, getattr(self.app, "remapped", {})
        )
        self.app.push_screen(screen, self._go_on)

    def refine(self, task: str) -> None:
        """Make a task's adapter better by feedback, beside the chat; ``""`` for all that are ready."""
        self.background(self._refine(task.strip().lower()), "trainings")

    async def _refine(self, task: str) -> None:
        session = self.needed_session()
        model = str(getattr(session.settings, "model", ""))
        try:
            tasks = await self.off_screen(
                lambda: self.trainings.refine(task, model, cast("Store", session.store))
            )
        except AssistantError as error:
            self.complain(error)
            return
        self.notify(
            "It goes on beside the chat; you will be told. /train shows how far it is.",
            title=f"Refining {', '.join(tasks)}",
            timeout=_NEWS_S,
            markup=False,
        )

    def tell_of(self, ended: Sequence[Watched]) -> None:
        """Say how trainings ended."""
        if not ended:
            return
        from assistant.tui.widgets.training_lines import news_of

        for one in ended:
            title, text, severity = news_of(one)
            self.notify(text, title=title, severity=severity, timeout=_NEWS_S, markup=False)

    def _go_on(self, adapter: str | None) -> None:
        if adapter:
            self.show_adapters(adapter)

    def _look_again(self) -> None:
        if self._trainings is not None and self._trainings.running:
            self.background(self._look(), "trainings")

    async def _look(self) -> None:
        _, ended = await self.off_screen(lambda: self.trainings.all())
        self.tell_of(ended)
