"""The bottom line: what is going on, which model, how full the context is, how fast it went."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from assistant.engine.loader import LoadStatus
from assistant.tui.wording import NBSP, one_line, percent, tokens, turns
from assistant.types import Turn

_STATES = {
    "idle": "starting",
    "missing": "no model yet",
    "downloading": "downloading",
    "loading": "loading the model",
    "ready": "ready",
    "failed": "the model did not load",
}


class StatusLine(Widget):
    """Shows plain values; who owns them sets them."""

    load: reactive[LoadStatus] = reactive(LoadStatus("idle"))
    turn: reactive[Turn | None] = reactive(None)
    answering: reactive[bool] = reactive(False)
    asking: reactive[bool] = reactive(False)
    waiting: reactive[int] = reactive(0)
    model: reactive[str] = reactive("")
    hint: reactive[str] = reactive("")

    def render(self) -> Content:
        if self.hint:
            return Content(self.hint).truncate(max(8, self.size.width), ellipsis=True)
        left = self._state()
        parts = self._facts()
        width = self.size.width - left.cell_length - 1
        while parts and sum(part.cell_length + 3 for part in parts) > width:
            parts.pop()
        right = Content.styled(" · ", "$dim").join(parts)
        gap = max(1, self.size.width - left.cell_length - right.cell_length)
        return Content.assemble(left, " " * gap, right)

    def _state(self) -> Content:
        if self.load.state == "failed":
            return Content.assemble(("● ", "$error"), _STATES["failed"])
        if self.load.state != "ready":
            words = one_line(self.load.message) or _STATES[self.load.state]
            if self.load.fraction is not None:
                words = f"{words} {percent(self.load.fraction)}"
            return Content.assemble(("○ ", "$warning"), words)
        if self.asking:
            return Content.assemble(("◐ ", "$accent"), "which task?")
        if self.answering:
            more = f", {self.waiting} waiting" if self.waiting else ""
            return Content.assemble(("◐ ", "$accent"), f"answering{more}", (" Esc stops", _MUTED))
        return Content.assemble(("● ", "$success"), "ready")

    def _facts(self) -> list[Content]:
        """Return what stands on the right, the most important first."""
        facts = []
        turn = self.turn
        if turn is not None and turn.context_limit:
            used = turn.usage.prompt_tokens + turn.usage.completion_tokens
            style = "$text-warning" if used > 0.85 * turn.context_limit else _MUTED
            text = f"{tokens(used)}/{tokens(turn.context_limit)} tokens"
            facts.append(Content.styled(text, style))
            if turn.left_out_turns:
                left = f"{turns(turn.left_out_turns)} left out"
                facts.append(Content.styled(left, "$text-warning"))
        if self.model:
            facts.append(Content.styled(one_line(self.model), _MUTED))
        if turn is not None and turn.timing.tokens_per_s:
            facts.append(Content.styled(f"{turn.timing.tokens_per_s:.0f}{NBSP}tok/s", _MUTED))
        facts.append(Content.styled("F1 help", _MUTED))
        return facts


_MUTED = "$dim"
