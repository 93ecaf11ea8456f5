"""The part of the chat screen where answers are judged and corrected, and where that is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.classification import ranked
from assistant.sanitize import clean
from assistant.tui.keys import shown_key
from assistant.tui.screens.chat_base import ChatBase
from assistant.tui.wording import shown_answer
from assistant.types import REASONS, Rating, Route, Turn

if TYPE_CHECKING:
    from assistant.store.undo import Undone
    from assistant.tui.widgets.quiet_line import Pick
    from assistant.tui.widgets.turn_view import TurnView

_ELSE = "something else …"
"""The line below the labels of a classified text: it opens the editor."""


class JudgingPart(ChatBase):
    """Works on the answer in focus, else on the latest. Each step says how it is undone."""

    _typed_then = ""

    def key(self, key_id: str) -> str:
        """Return the key that ``key_id`` has now, as people write it."""
        return shown_key(key_id, getattr(self.app, "remapped", {}))

    @property
    def how_to_undo(self) -> str:
        """Say how the last judgement is taken back."""
        return f"{self.key('answer.undo')} takes it back."

    def ask_quietly(
        self,
        text: str,
        question: str,
        options: Sequence[str],
        pick: Pick,
        mark: str = "",
        style: str = "",
    ) -> None:
        """Say something and ask; a digit answers, typing on leaves the question."""
        self._typed_then = self.prompt.text
        self.quiet.ask(text, question, options, pick, mark, style)

    def on_text_area_changed(self) -> None:
        """Whoever types on does not answer: digits belong to the text again."""
        if self.quiet.asking and self.prompt.text != self._typed_then:
            self.quiet.drop_question()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave digits to the prompt while nothing is asked."""
        if action == "pick":
            return self.quiet.can_pick(int(str(parameters[0])))
        return super().check_action(action, parameters)

    def action_pick(self, digit: int) -> None:
        """Answer the question above the prompt."""
        self.quiet.pick(digit)

    # -- good and bad ----------------------------------------------------------------------------

    def action_good(self) -> None:
        """Rate the answer good."""
        self.rate("good")

    def action_bad(self) -> None:
        """Rate the answer bad."""
        self.rate("bad")

    def rate(self, rating: Rating, comment: str = "") -> None:
        """Store a thumb and show it; ask why an answer is bad."""
        view = self.meant()
        if view is None or view.turn is None:
            return
        turn = view.turn
        if turn.rating == rating and not comment:
            said = f"It is rated {rating} already."
        else:
            said = f"Rated {rating}."
            self.background(self._rate(view, turn, rating, comment), "feedback")
        if rating == "good":
            self.quiet.say(f"{said} {self.how_to_undo}", "▲", "$text-success")
            return
        from assistant.tui.widgets.feedback_lines import reason_words

        self.ask_quietly(
            f"{said} {self.key('answer.undo')} takes it back, {self.key('answer.fix')} corrects it.",
            "Why?",
            [reason_words(reason) for reason in REASONS],
            lambda place: self.background(self._give_reason(turn.id, place), "feedback"),
            "▼",
            "$text-error",
        )

    async def _rate(self, view: TurnView, turn: Turn, rating: Rating, comment: str) -> None:
        async with self.judging:
            try:
                await self.off_screen(self.needed_session().rate, turn.id, rating, comment or None)
            except Exception:
                self.quiet.hush()
                raise
            if view.turn is not None:
                view.show(replace(view.turn, rating=rating))

    async def _give_reason(self, turn_id: str, place: int) -> None:
        from assistant.tui.widgets.feedback_lines import reason_words

        reason = REASONS[place]
        async with self.judging:  # the rating is stored first
            store = self.needed_session().store
            items = await self.off_screen(store.feedback, turn_id=turn_id)
            bad = next((item for item in reversed(items) if item.rating == "bad"), None)
            if bad is None:
                return
            await self.off_screen(store.edit_feedback, bad.id, {"reason": reason})
        words = f"Rated bad: {reason_words(reason)}. {self.how_to_undo}"
        self.quiet.say(words, "▼", "$text-error")

    # -- corrections -----------------------------------------------------------------------------

    def action_fix(self) -> None:
        """Open the editor with the answer in it; of a classified text let the label be picked."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._fix(view, view.turn), "screen")

    async def _fix(self, view: TurnView, turn: Turn) -> None:
        from assistant.tui.screens.editor import EditorScreen
        from assistant.tui.widgets.feedback_lines import changes_in_words

        before = shown_answer(turn)
        text = await self._label_of(turn) if turn.probabilities else _ELSE
        if text == _ELSE:
            text = await self.app.push_screen_wait(EditorScreen(turn.user_text, before))
        if text is None or text == clean(before):
            return
        async with self.judging:
            await self.off_screen(self.needed_session().correct, turn.id, text)
            await view.settle(replace(view.turn or turn, correction=text))
        words = changes_in_words(turn.answer, text)
        self.quiet.say(
            f"Corrected: {words}. Later turns build on it. {self.how_to_undo}", "✎", "$text-accent"
        )

    async def _label_of(self, turn: Turn) -> str | None:
        """Ask which label is right; the last line stands for a text that is none of them."""
        from assistant.tui.screens.task_choice import TaskChoice

        chances = dict(ranked(turn.probabilities or {}))
        said = turn.correction or turn.answer
        box = TaskChoice(
            [*chances, _ELSE],
            Route(said, chances.get(said, 0.0), chances),
            "Which label is right?",
            about=turn.user_text,
        )
        return await self.app.push_screen_wait(box)

    def action_show_changes(self) -> None:
        """Show what the user changed in the answer."""
        view = self.meant()
        if view is None or view.turn is None:
            return
        if view.turn.correction is None:
            self.say(f"{self.key('answer.fix')} corrects it.", "This answer is as it was given")
            return
        self.background(self._show_changes(view.turn.answer, view.turn.correction), "screen")

    async def _show_changes(self, before: str, after: str) -> None:
        from assistant.tui.screens.text import TextScreen
        from assistant.tui.widgets.feedback_lines import changes, changes_in_words

        title = f"What you changed: {changes_in_words(before, after)}"
        await self.app.push_screen_wait(TextScreen(title, changes(before, after)))

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
        async with self.judging:
            await self.off_screen(session.correct_route, turn.id, task)
            # The task it had is stored too: it takes an earlier correction back.
            same = turn.route is not None and task == turn.route.task
            view.correct_task(None if same else task)
        again = "" if same else f" {self.key('answer.again')} answers this one again as {task}."
        told = f"{'Task confirmed' if same else 'Learned'}: the next turn like it goes to {task}."
        self.quiet.say(f"{told}{again} {self.how_to_undo}", "→", "$text-accent")

    # -- taking back -----------------------------------------------------------------------------

    def action_undo_feedback(self) -> None:
        """Take back what was said last about any answer; again goes further back."""
        self.background(self._undo_feedback(), "feedback")

    async def _undo_feedback(self) -> None:
        from assistant.tui.widgets.feedback_lines import undone

        async with self.judging:
            found = await self.off_screen(self.needed_session().store.undo_feedback)
            if found is None:
                self.quiet.say("There is nothing to take back.")
                return
            await self.took_back(found)
            if found.item.turn_id is not None:
                await self._redraw(found.item.turn_id)
        key = self.key("answer.undo")
        self.quiet.say(f"{undone(found)} {key} goes further back.", "↶", "$text-accent")

    async def took_back(self, found: Undone) -> None:
        """Put right what else hung on a judgement that was taken back."""
        raise NotImplementedError

    async def _redraw(self, turn_id: str) -> None:
        """Draw a turn as it is judged now, if it is on the screen."""
        view = self.transcript.find_turn(turn_id)
        if view is None or view.turn is None:
            return
        store = self.needed_session().store
        turn = await self.off_screen(store.turn, turn_id)
        said = await self.off_screen(store.feedback, turn_id=turn_id)
        task = next((item.route for item in reversed(said) if item.route is not None), None)
        same = turn.route is not None and task == turn.route.task
        view.correct_task(None if same else task)
        await view.settle(turn)

    # -- all of it -------------------------------------------------------------------------------

    def show_feedback(self) -> None:
        """Open the list of all that was judged."""
        self.background(self._show_feedback(), "screen")

    async def _show_feedback(self) -> None:
        from assistant.tui.screens.feedback import FeedbackScreen

        store = self.needed_session().store
        screen = FeedbackScreen(store, self.now, getattr(self.app, "remapped", {}))
        turn_id = await self.app.push_screen_wait(screen)
        if turn_id is not None:
            turn = await self.off_screen(store.turn, turn_id)
            await self.open(turn.conversation_id, turn.id)
            if turn.hidden:
                self.quiet.say("That answer was replaced or taken back: here is its conversation.")
        elif screen.changed:
            self.reload()
