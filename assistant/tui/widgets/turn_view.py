"""One turn on the screen: what the user said, the answer, how likely its labels are, and the badge."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.keys import TURN_KEYS, bindings
from assistant.tui.widgets.answer import Answer
from assistant.tui.widgets.label_bars import LabelBars
from assistant.tui.widgets.question import Question
from assistant.tui.wording import badge, shown_answer
from assistant.types import Turn


class TurnView(Vertical, can_focus=True):
    """Draws one turn and changes with it. It gets values and knows nothing of the session."""

    # A click is for selecting text; it must not make single letters rate an answer.
    FOCUS_ON_CLICK = False
    BINDINGS = bindings(TURN_KEYS)

    def __init__(self, user_text: str, turn: Turn | None = None, key: int | None = None) -> None:
        super().__init__()
        self.user_text = user_text
        self.turn = turn
        self.key = key
        self.corrected_task: str | None = None
        self.waiting = ""
        self._question = Question(user_text)
        self._answer = Answer(shown_answer(turn))
        self._bars = LabelBars()
        self._problem = Static(classes="problem", markup=False)
        self._badge = Static(classes="badge", markup=False)
        self._draw_problem(turn.error or "" if turn and turn.state == "failed" else "", "")

    def compose(self) -> ComposeResult:
        yield self._question
        yield self._answer
        yield self._bars
        yield self._problem
        yield self._badge

    def on_mount(self) -> None:
        """Draw the badge once the theme's colours are known."""
        self._draw()

    def show(self, turn: Turn) -> None:
        """Take note of what is known of the turn now; the answer's text is not touched."""
        self.turn = turn
        self._draw()

    def wait(self, words: str) -> None:
        """Say what this turn is waiting for (empty: for nothing any more)."""
        self.waiting = words
        self._draw()

    async def grow(self, piece: str) -> None:
        """Append a piece of the answer."""
        if self.waiting:
            self.wait("")
        await self._answer.grow(piece)

    async def settle(self, turn: Turn | None, error: AssistantError | None = None) -> None:
        """Draw the turn's final state."""
        self.waiting = ""
        self.turn = turn or self.turn
        if error is not None:
            self._draw_problem(error.message, error.hint)
        await self._answer.settle(shown_answer(self.turn))
        self._draw()

    def correct_task(self, task: str | None) -> None:
        """Show which task the user said it was; ``None``: the one it had."""
        self.corrected_task = task
        self._draw()

    def action_expand(self) -> None:
        """Unfold or fold a long question."""
        self._question.toggle()

    def _draw_problem(self, message: str, hint: str) -> None:
        self._problem.display = bool(message)
        parts = [(clean(message), "$text-error")]
        if hint:
            parts.append((f"\n{clean(hint)}", "$dim"))
        self._problem.update(Content.assemble(*parts))

    def _draw(self) -> None:
        line = badge(self.turn, self.corrected_task) if self.turn else Content("")
        if self.waiting:
            waiting = Content.styled(self.waiting, "$dim italic")
            line = Content(" · ").join([line, waiting]) if line.plain else waiting
        self._bars.show(self.turn)
        self._badge.display = bool(line.plain)
        self._badge.update(line)
