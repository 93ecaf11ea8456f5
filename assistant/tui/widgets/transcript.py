"""The turns of one conversation, the last ones first; earlier ones come on scrolling up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.containers import Vertical, VerticalScroll

from assistant.tui.messages import EdgeReached
from assistant.tui.widgets.welcome import Welcome
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.tui.asking import Asking
    from assistant.tui.widgets.turn_view import TurnView

_AT_FIRST = 10
_MORE = 10


class Transcript(VerticalScroll, can_focus=False):
    """Scrolls the turns. It follows a growing answer only while the reader is at the end."""

    def __init__(self) -> None:
        # The turns lie in a box at least as high as the view: while anchored, Textual would
        # push anything lower down to the bottom edge.
        self._welcome_text = Welcome()
        self._turns = Vertical(self._welcome_text, id="turns")
        super().__init__(self._turns, id="transcript")
        self._earlier: list[Turn] = []
        self._later: list[Turn] = []
        self._loading = False

    @property
    def views(self) -> list[TurnView]:
        """The turns that are drawn, from first to last."""
        turns = [child for child in self._turns.children if child is not self._welcome_text]
        return cast("list[TurnView]", turns)

    @property
    def latest(self) -> TurnView | None:
        """The last turn that has been stored."""
        return next((view for view in reversed(self.views) if view.turn is not None), None)

    @property
    def current(self) -> TurnView | None:
        """The turn in focus, else the latest."""
        focused = next((view for view in self.views if view.has_focus), None)
        return focused or self.latest

    def find(self, asking: Asking) -> TurnView | None:
        """Return the view of a turn that was sent, if it is drawn."""
        return next((view for view in self.views if view.key == asking.key), None)

    def find_turn(self, turn_id: str) -> TurnView | None:
        """Return the view of a stored turn, if it is drawn."""
        return next((v for v in self.views if v.turn is not None and v.turn.id == turn_id), None)

    async def show(self, turns: Sequence[Turn], at: str | None = None) -> None:
        """Show a conversation at its end, or round the turn ``at``."""
        wanted = next((n for n, turn in enumerate(turns) if turn.id == at), None)
        last = len(turns) if wanted is None else min(len(turns), wanted + _AT_FIRST - 2)
        first = max(0, last - _AT_FIRST)
        self._earlier, self._later = list(turns[:first]), list(turns[last:])
        with self.app.batch_update():
            await self.query("TurnView").remove()
            await self._mount(turns[first:last])
        self._welcome(not turns)
        view = self.find_turn(at) if at else None
        if view is None:
            self.anchor()
        else:
            self.anchor(False)
            view.focus(scroll_visible=False)
            self._settled(partial(self.scroll_to_widget, view, animate=False, top=True))

    async def add(self, view: TurnView) -> None:
        """Add a turn at the end and go there."""
        self._welcome(False)
        if self._later:
            # Only a part in the middle is drawn: go to the end first.
            shown = [view.turn for view in self.views if view.turn is not None]
            await self.show([*self._earlier, *shown, *self._later])
        await self._turns.mount(view)
        self.anchor()

    async def cut(self, turn_id: str) -> None:
        """Take a turn and all after it off the screen."""
        views = self.views
        ids = [view.turn.id if view.turn else None for view in views]
        if turn_id in ids:
            for view in views[ids.index(turn_id) :]:
                await view.remove()
        self._welcome(not self.views and not self._earlier)

    def step(self, by: int) -> bool:
        """Move the focus by one turn; return whether there was one."""
        views = self.views
        focused = next((n for n, view in enumerate(views) if view.has_focus), len(views))
        wanted = focused + by
        if not 0 <= wanted < len(views):
            return False
        views[wanted].focus()
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more turns when the reader comes to the edge of those that are drawn."""
        super().watch_scroll_y(old_value, new_value)
        if self._loading:
            return
        if new_value < old_value and new_value < 2 and self._earlier:
            self._loading = True
            self.post_message(EdgeReached(top=True))
        elif new_value > old_value and new_value > self.max_scroll_y - 2 and self._later:
            self._loading = True
            self.post_message(EdgeReached(top=False))

    async def on_edge_reached(self, message: EdgeReached) -> None:
        """Mount more turns and keep the reader's place."""
        if not message.top:
            more, self._later = self._later[:_MORE], self._later[_MORE:]
            await self._mount(more)
            if not self._later:
                # From here on a growing answer is followed again, once the reader is at the end.
                self._anchored = self._anchor_released = True
            self._settled(lambda: None)
            return
        more, self._earlier = self._earlier[-_MORE:], self._earlier[:-_MORE]
        below = self.virtual_size.height - self.scroll_y
        await self._mount(more, before=self.views[0] if self.views else None)
        self._settled(
            lambda: self.scroll_to(y=self.virtual_size.height - below, animate=False, force=True)
        )

    async def _mount(self, turns: Sequence[Turn], before: TurnView | None = None) -> None:
        from assistant.tui.widgets.turn_view import TurnView

        await self._turns.mount_all(
            [TurnView(turn.user_text, turn) for turn in turns], before=before
        )

    def _settled(self, then: Callable[[], object]) -> None:
        """Do something once the mounted Markdown has laid itself out, a moment later."""

        def done() -> None:
            then()
            self._loading = False

        self.set_timer(0.05, lambda: self.call_after_refresh(done))

    def _welcome(self, shown: bool) -> None:
        self._welcome_text.display = shown
