"""The part of the chat screen that leads to the adapters, and to two answers side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.errors import AdapterError, UsageError
from assistant.tui.screens.chat_base import ChatBase

if TYPE_CHECKING:
    from assistant.side_by_side import Request
    from assistant.tui.widgets.turn_view import TurnView


class AdaptersPart(ChatBase):
    """Opens the screens that trained adapters have."""

    _blind = False

    def show_training(self) -> None:
        """Open the list of trainings."""
        raise NotImplementedError

    def show_adapters(self, marked: str = "") -> None:
        """Open the list of adapters, with the one of that name marked."""
        from assistant.tui.screens.adapters import AdaptersScreen

        adapters = self.needed_session().adapters
        if adapters is None:
            raise AdapterError("There is no place for adapters here.", "Start the app anew.")
        remapped = getattr(self.app, "remapped", {})
        screen = AdaptersScreen(
            adapters, self.compare_adapter, remapped, train=self.show_training, marked=marked
        )
        self.app.push_screen(screen)

    def compare(self, text: str) -> None:
        """Answer a text twice; without one, the question in focus or the latest once more."""
        view = None if text else self._last()
        self.background(self._compare(self._request(text, view)), "screen")

    def compare_adapter(self, name: str) -> None:
        """Try an adapter: on the latest question if it is of its task, else on one to be written."""
        view, task = self._last(), name.partition("/")[0]
        if view is not None and _task_of(view) != task:
            view = None
        request = self._request("", view)
        request = replace(request, options=replace(request.options, task=task))
        self.background(self._compare(request, name), "screen")

    def _last(self) -> TurnView | None:
        """Return the turn in focus, else the latest, if it came to an end."""
        view = self.transcript.current
        if view is None or view.turn is None or view.turn.state == "running":
            return None
        return view

    def _request(self, text: str, view: TurnView | None) -> Request:
        """Return what is to be answered, with what the user fixed for turns."""
        from assistant.session import AskOptions
        from assistant.side_by_side import Request

        given = self.options
        options = AskOptions(
            task=given.task, system=self.chat.system, labels=given.labels, to=given.to
        )
        if view is None or view.turn is None:
            return Request(text, None, options)
        options = replace(options, task=_task_of(view) or given.task)
        return Request(view.turn.user_text, view.turn.id, options)

    async def _compare(self, request: Request, adapter: str | None = None) -> None:
        from assistant.tui.screens.side_by_side import SideBySideScreen

        session = self.needed_session()
        if self.desk.running:
            raise UsageError("An answer is being written.", "Stop it first (Esc).")
        if self.explaining.locked():
            raise UsageError("The model is still reading a turn again.", "Try again in a moment.")
        if not self.desk.is_open:  # beginning without a model would fetch one, unasked
            await self.make_model_ready()
            if not self.desk.is_open:
                return
        adapters = session.adapters
        kept = await self.off_screen(adapters.all) if adapters is not None else ()
        screen = SideBySideScreen(
            session,
            request,
            [one.card.name for one in kept if one.current],
            adapter=adapter,
            blind=self._blind,
            remapped=getattr(self.app, "remapped", {}),
        )
        await self.app.push_screen_wait(screen)
        self._blind = screen.blind


def _task_of(view: TurnView) -> str:
    """Return the task of a turn, as the user said it or else as it was routed."""
    route = view.turn.route if view.turn is not None else None
    return view.corrected_task or (route.task if route is not None else "")
