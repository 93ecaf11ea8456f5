"""A quiet line above the prompt: what was just done, how to undo it, and at times a question by digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.geometry import Size
from textual.timer import Timer
from textual.widget import Widget

from assistant.tui.wording import one_line

_STAYS_S = 15.0
_GAP = "  "

Pick = Callable[[int], None]


class QuietLine(Widget):
    """Says one thing at a time and goes by itself. A question is answered by one digit, or not at all."""

    def __init__(self) -> None:
        super().__init__(classes="quiet")
        self.display = False
        self._said = Content("")
        self._question = ""
        self._options: tuple[str, ...] = ()
        self._pick: Pick | None = None
        self._timer: Timer | None = None

    @property
    def asking(self) -> bool:
        """Whether a digit answers a question now."""
        return self._pick is not None

    def say(self, text: str, mark: str = "", style: str = "") -> None:
        """Say what was done; ``mark`` stands before it in ``style``."""
        self.ask(text, "", (), None, mark, style)

    def ask(
        self,
        text: str,
        question: str,
        options: Sequence[str],
        pick: Pick | None,
        mark: str = "",
        style: str = "",
    ) -> None:
        """Say what was done and ask; ``pick`` gets the place of the chosen option, from 0 on."""
        self._said = Content.assemble((f"{mark} " if mark else "", style), one_line(text))
        self._question, self._options, self._pick = one_line(question), tuple(options), pick
        self._changed()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_STAYS_S, self.hush)

    def can_pick(self, number: int) -> bool:
        """Return whether the digit ``number`` is one of the answers."""
        return self.asking and 1 <= number <= len(self._options)

    def pick(self, number: int) -> None:
        """Answer the question with a digit."""
        chosen = self._pick if self.can_pick(number) else None
        if chosen is not None:
            self.drop_question()
            chosen(number - 1)

    def drop_question(self) -> None:
        """Ask no more; what was said stays."""
        self._pick = None
        self._changed()

    def hush(self) -> None:
        """Say nothing any more."""
        self._said = Content("")
        self.drop_question()

    def _changed(self) -> None:
        self.display = bool(self._said.plain) or self.asking
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are at that width."""
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def _lines(self, width: int) -> list[Content]:
        """Return everything in lines of ``width`` columns; a digit stays beside its words."""
        room = max(20, width)
        found = self._said.wrap(room) if self._said.plain else []
        if not self.asking:
            return found
        line = Content(self._question)
        for place, option in enumerate(self._options, start=1):
            part = Content.assemble((f"{place} ", "$text-accent bold"), (one_line(option), ""))
            if line.cell_length + len(_GAP) + part.cell_length > room:
                found.append(line)
                line = part
            else:
                line = Content.assemble(line, _GAP, part)
        return [*found, line]
