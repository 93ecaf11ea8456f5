"""The part of the chat screen where turns are sent, run, drawn and ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from assistant.errors import AssistantError
from assistant.tui import commands
from assistant.tui.asking import Asking, TurnOptions, hold
from assistant.tui.messages import AnswerGrew, TaskUnclear, TurnChanged, TurnEnded
from assistant.tui.screens.chat_base import ChatBase
from assistant.tui.wording import one_line, which_of
from assistant.types import Route, Turn

if TYPE_CHECKING:
    from assistant.tui.screens.task_choice import TaskChoice

_UNCLEAR = "which task?"


class TurnsPart(ChatBase):
    """Sends turns and follows them."""

    _question: TaskChoice | None = None

    def begin(self, asking: Asking) -> None:
        """Start the worker that holds one turn."""
        session = self.needed_session()
        asking.options = replace(asking.options, system=asking.chat.system)
        view = self.transcript.find(asking)
        if view is not None:
            view.wait(self.waiting_for())
        self.status.answering = True
        self.run_worker(
            partial(hold, session, asking, self.post_message),
            name=f"turn-{asking.key}",
            group="turn",
            thread=True,
            exit_on_error=False,
        )

    def waiting_for(self) -> str:
        """Return what the running turn is waiting for, before there is any answer."""
        if self.status.asking:
            return _UNCLEAR
        return "reading…" if self.status.load.state == "ready" else "waiting for the model…"

    async def send(
        self,
        text: str,
        *,
        options: TurnOptions | None = None,
        replaces: Turn | None = None,
        again: bool = False,
    ) -> None:
        """Put a turn on the screen and on the desk."""
        from assistant.tui.widgets.turn_view import TurnView

        replaced = replaces.id if replaces else None
        asking = Asking(self.chat, text, options or self.options, replaced, again)
        if replaces is not None:
            await self.transcript.cut(replaces.id)
        view = TurnView(text, key=asking.key)
        view.waiting = "queued" if self.desk.running else self.waiting_for()
        await self.transcript.add(view)
        self.undone.clear()
        self.quiet.hush()
        self.desk.put(asking)
        if self.session is not None and not self.desk.is_open:
            self.background(self.make_model_ready(), "model")
        self.status.waiting = len(self.desk.waiting)

    async def on_turn_changed(self, message: TurnChanged) -> None:
        """Draw what is known of a turn; a new conversation gets its id here."""
        asking, turn = message.asking, message.turn
        if asking.chat.id is None:
            asking.chat.id = turn.conversation_id
            asking.chat.title = first_title(asking.text)
            self.refresh_list()
            self.draw_title()
        view = self.transcript.find(asking)
        if view is None:
            return
        view.show(turn)
        if turn.route is not None:
            usual = "thinking…" if turn.choice is not None else "choosing…"
            view.wait(message.doing or usual)
        self.status.turn = turn

    def on_task_unclear(self, message: TaskUnclear) -> None:
        """Ask which task a turn is; its worker waits for the answer."""
        self.status.asking = True
        view = self.transcript.find(message.asking)
        if view is not None:
            view.wait(_UNCLEAR)
        self.background(self._ask_for_task(message.asking, message.route), "task")

    async def _ask_for_task(self, asking: Asking, route: Route) -> None:
        from assistant.tui.screens.task_choice import TaskChoice

        question = TaskChoice(
            route.unsure,
            route,
            which_of(route.unsure),
            about=asking.text,
            leaving=f"go with {one_line(route.task)}",
        )
        task: str | None = None
        try:
            await self.pause_in_typing()
            if not asking.stop.is_set():
                self._question = question
                task = await self.app.push_screen_wait(question)
        except asyncio.CancelledError:  # the app is being left
            asking.stop.set()
            raise
        finally:
            self.status.asking = False
            asking.say_task(task)

    def _close_question(self) -> None:
        """Close the question of a turn that has ended: it was stopped."""
        question, self._question = self._question, None
        if question is not None and question.is_current:
            question.dismiss(None)

    async def on_answer_grew(self, message: AnswerGrew) -> None:
        """Append what came; without a view (another chat is open) it is only kept."""
        piece = message.asking.take()
        view = self.transcript.find(message.asking)
        if view is not None:
            await view.grow(piece)

    async def on_turn_ended(self, message: TurnEnded) -> None:
        """Draw the final state, give back what could not be stored, begin the next turn."""
        asking, error = message.asking, message.error
        asking.take()
        self._close_question()
        view = self.transcript.find(asking)
        if asking.turn is None:
            self._give_back(asking)
            if view is not None:
                await view.remove()
            if error is not None:
                self.complain(error)
            if asking.replaces is not None and asking.chat is self.chat:
                self.reload()
        else:
            turn = await self._final(asking, asking.turn, error)
            if view is not None:
                await view.settle(turn, error)
                self.status.turn = turn
        self.status.answering = False
        self.desk.ended(asking)
        if asking.again and asking.turn is not None and error is None:
            self.background(self.offer_choice(asking, asking.turn), "better")
        self.status.waiting = len(self.desk.waiting)
        self.refresh_list()

    async def _final(self, asking: Asking, turn: Turn, error: AssistantError | None) -> Turn:
        """Return the turn as it ended; a failed one is read back, with what came until then."""
        if error is None:
            return turn
        try:
            return await self.off_screen(self.needed_session().store.turn, turn.id)
        except AssistantError:
            return replace(turn, state="failed", answer=asking.answer, error=error.message)

    def _give_back(self, asking: Asking) -> None:
        if asking.chat is self.chat and not asking.again:
            self.prompt.give_back(asking.text)

    def action_cancel(self) -> None:
        """Close the hints, or stop the answer and take back what waits behind it."""
        if self.prompt.close_hints():
            return
        self.give_all_back()
        if self.desk.stop():
            running = self.desk.running
            view = self.transcript.find(running) if running else None
            if view is not None:
                view.wait("stopping…")
        self.prompt.focus()

    def give_all_back(self) -> None:
        """Put what waits in line back into the prompt."""
        waiting = self.desk.take_back()
        for asking in reversed(waiting):
            self._give_back(asking)
            self._forget(asking)
        if any(asking.replaces and asking.chat is self.chat for asking in waiting):
            self.reload()  # what was to be replaced is still there

    def _forget(self, asking: Asking) -> None:
        view = self.transcript.find(asking)
        if view is not None:
            view.remove()
        self.status.waiting = len(self.desk.waiting)

    async def action_regenerate(self) -> None:
        """Answer the turn again (with the task the user said it was, if any)."""
        view = self.meant()
        if view is None or view.turn is None:
            return
        options = self.options
        if view.corrected_task:
            options = replace(options, task=view.corrected_task)
        self.prompt.focus()
        await self.send(view.turn.user_text, options=options, replaces=view.turn, again=True)


def first_title(text: str) -> str:
    """Return the title a new conversation has until the store's own is read."""
    line = commands.unescaped(text).strip().split("\n")[0]
    return line if len(line) <= 60 else f"{line[:59]}…"
