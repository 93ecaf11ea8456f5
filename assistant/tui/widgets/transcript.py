"""The turns of one conversation, the last ones first; earlier ones come on scrolling up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.containers import Vertical, VerticalScroll

from assistant.tui.messages import TopReached
from assistant.tui.widgets.welcome import Welcome
from assistant.types import Turn

if TYPE_CHECKING:
    from assistant.tui.asking import Asking
    from assistant.tui.widgets.turn_view import TurnView

_AT_FIRST = 12
_MORE = 20


class Transcript(VerticalScroll, can_focus=False):
    """Scrolls the turns. It follows a growing answer only while the reader is at the end."""

    def __init__(self) -> None:
        # The turns lie in a box at least as high as the view: while anchored, Textual would
        # push anything lower down to the bottom edge.
        self._welcome_text = Welcome()
        self._turns = Vertical(self._welcome_text, id="turns")
        super().__init__(self._turns, id="transcript")
        self._earlier: list[Turn] = []
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

    async def show(self, turns: Sequence[Turn], until: str | None = None) -> None:
        """Show a conversation, at its end or at the turn ``until``."""
        from assistant.tui.widgets.turn_view import TurnView

        first = max(0, len(turns) - _AT_FIRST)
        wanted = next((n for n, turn in enumerate(turns) if turn.id == until), None)
        if wanted is not None:
            first = min(first, max(0, wanted - 1))
        self._earlier = list(turns[:first])
        with self.app.batch_update():
            await self.query("TurnView").remove()
            await self._turns.mount_all([TurnView(t.user_text, t) for t in turns[first:]])
        self._welcome(not turns)
        view = self.find_turn(until) if until else None
        if view is None:
            self.anchor()
        else:
            self.call_after_refresh(view.scroll_visible, animate=False, top=True)
            view.focus(scroll_visible=False)

    async def add(self, view: TurnView) -> None:
        """Add a turn at the end and go there."""
        self._welcome(False)
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
        super().watch_scroll_y(old_value, new_value)
        if new_value < 2 and old_value > new_value and self._earlier and not self._loading:
            self._loading = True
            self.post_message(TopReached())

    async def on_top_reached(self) -> None:
        """Mount the turns before the first one and keep the reader's place."""
        from assistant.tui.widgets.turn_view import TurnView

        more, self._earlier = self._earlier[-_MORE:], self._earlier[:-_MORE]
        below = self.virtual_size.height - self.scroll_y
        views = self.views
        await self._turns.mount_all(
            [TurnView(turn.user_text, turn) for turn in more],
            before=views[0] if views else None,
        )

        def keep_place() -> None:
            self.scroll_to(y=self.virtual_size.height - below, animate=False, force=True)
            self._loading = False

        # Markdown lays itself out a moment after it is mounted.
        self.set_timer(0.05, lambda: self.call_after_refresh(keep_place))

    def _welcome(self, shown: bool) -> None:
        self._welcome_text.display = shown
