"""The part of the chat screen where answers are judged, corrected, copied and explained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.sanitize import clean
from assistant.tui.screens.chat_base import ChatBase
from assistant.tui.wording import scores, shown_answer, usage
from assistant.types import Rating, Turn

if TYPE_CHECKING:
    from assistant.tui.screens.text import TextScreen
    from assistant.tui.widgets.turn_view import TurnView


class FeedbackPart(ChatBase):
    """Works on the answer in focus, else on the latest."""

    def action_good(self) -> None:
        """Rate the answer good."""
        self.rate("good")

    def action_bad(self) -> None:
        """Rate the answer bad."""
        self.rate("bad")

    def rate(self, rating: Rating, comment: str = "") -> None:
        """Store a thumb and show it."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._rate(view, view.turn, rating, comment), "feedback")

    async def _rate(self, view: TurnView, turn: Turn, rating: Rating, comment: str) -> None:
        await self.off_screen(self.needed_session().rate, turn.id, rating, comment or None)
        if view.turn is not None:
            view.show(replace(view.turn, rating=rating))
        hint = "F6 or /fix says what it should have been." if rating == "bad" else ""
        self.say(hint or "Noted.", f"Rated {rating}")

    def action_fix(self) -> None:
        """Open the editor with the answer in it."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._fix(view, view.turn), "screen")

    async def _fix(self, view: TurnView, turn: Turn) -> None:
        from assistant.tui.screens.editor import EditorScreen

        before = shown_answer(turn)
        text = await self.app.push_screen_wait(EditorScreen(turn.user_text, before))
        if text is None or text == clean(before):
            return
        await self.off_screen(self.needed_session().correct, turn.id, text)
        await view.settle(replace(view.turn or turn, correction=text))
        self.say("Later turns of this chat build on it.", "Correction saved")

    def action_correct_task(self) -> None:
        """Ask which task it was."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._correct_task(view, view.turn), "screen")

    async def _correct_task(self, view: TurnView, turn: Turn) -> None:
        from assistant.tui.screens.task_choice import TaskChoice

        session = self.needed_session()
        tasks = await self.off_screen(session.tasks)
        task = await self.app.push_screen_wait(TaskChoice(tasks, turn.route))
        if task is None:
            return
        await self.off_screen(session.correct_route, turn.id, task)
        # The task it had is stored too: it takes an earlier correction back.
        same = turn.route is not None and task == turn.route.task
        view.correct_task(None if same else task)
        again = "" if same else f" F5 answers this one again as {task}."
        self.say(
            f"The next turn like it goes to {task}.{again}",
            "Task confirmed" if same else "The router has learned",
        )

    def action_copy_answer(self) -> None:
        """Copy the answer as Markdown."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.app.copy_to_clipboard(clean(shown_answer(view.turn)))
            self.say("Answer copied.")

    def action_copy_code(self) -> None:
        """Copy the code blocks of the answer."""
        from assistant.tui.widgets.answer import code_in

        view = self.meant()
        if view is None or view.turn is None:
            return
        blocks = code_in(shown_answer(view.turn))
        if not blocks:
            self.say("There is no code in this answer.")
            return
        self.app.copy_to_clipboard("\n\n".join(blocks))
        count = f"{len(blocks)} code blocks" if len(blocks) > 1 else "Code"
        self.say(f"{count} copied.")

    def action_why(self) -> None:
        """Explain the answer: route, strategy, what it leaned on."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._why(view.turn), "screen")

    async def _why(self, turn: Turn) -> None:
        from assistant.tui.screens.text import TextScreen

        explain = self.needed_session().explain
        stored = await self.off_screen(explain, turn.id, read_again=False)
        screen = TextScreen("Why this answer?", stored, "Reading the turn again…")
        self.background(self._read_again(screen, turn), "why")
        await self.app.push_screen_wait(screen)

    async def _read_again(self, screen: TextScreen, turn: Turn) -> None:
        """Put what reading the turn again brings into the open explanation; one at a time."""
        await screen.shown.wait()
        text = None
        try:
            async with self.explaining:
                if screen.is_attached:
                    explain = self.needed_session().explain
                    text = await self.off_screen(explain, turn.id)
        finally:
            if screen.is_attached:
                await screen.settle(text)

    def show_route(self) -> None:
        """Show the routing scores of the answer."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self.show_text("Route", scores(view.turn)), "screen")

    def show_tokens(self) -> None:
        """Show what the answer took."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self.show_text("Tokens", usage(view.turn)), "screen")

    async def show_text(self, title: str, text: str | Content) -> None:
        """Show a text (Markdown when it is a string) over the chat."""
        from assistant.tui.screens.text import TextScreen

        await self.app.push_screen_wait(TextScreen(title, text))
