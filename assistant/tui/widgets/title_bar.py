"""The top line: the chat's title, and what the user has fixed for the turns to come."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from assistant.tui.asking import TurnOptions
from assistant.tui.wording import one_line


class TitleBar(Widget):
    """Shows the title on the left and fixed options on the right."""

    chat_title: reactive[str] = reactive("")
    options: reactive[TurnOptions] = reactive(TurnOptions())

    def render(self) -> Content:
        right = " · ".join(self._fixed())
        room = self.size.width - len(right) - 2
        title = Content.styled(one_line(self.chat_title) or "New chat", "$foreground bold")
        title = title.truncate(max(8, room), ellipsis=True)
        gap = max(1, self.size.width - title.cell_length - len(right))
        return Content.assemble(title, " " * gap, (right, "$text-accent"))

    def _fixed(self) -> list[str]:
        given = self.options
        fixed = [given.task] if given.task != "auto" else []
        fixed += [given.strategy] if given.strategy != "auto" else []
        fixed += [f"to {one_line(given.to)[:12]}"] if given.to else []
        fixed += [f"{len(given.labels)} labels"] if given.labels else []
        return [*fixed, "system prompt"] if given.system else fixed
