"""The part of the chat screen where answers are copied and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from assistant.sanitize import clean
from assistant.tui.screens.chat_better import BetterPart
from assistant.tui.wording import scores, shown_answer, usage
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.tui.screens.text import TextScreen


class FeedbackPart(BetterPart):
    """Works on the answer in focus, else on the latest."""

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
