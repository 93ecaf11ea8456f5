"""Two answers to one request beside each other: the model alone, and with a trained adapter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui.comparing import (
    Comparing,
    ComparisonEnded,
    SideChanged,
    SidesGrew,
    hold_both,
)
from assistant.tui.errors import as_shown
from assistant.tui.keys import COMPARE_KEYS, bindings, shown_key
from assistant.tui.ports import SessionPort
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.widgets.side_column import SideColumn
from assistant.tui.wording import one_line

if TYPE_CHECKING:
    from assistant.side_by_side import Request, Ways
    from assistant.store.preferences import Verdict

_NARROW = 80
_REQUEST = 600
"""Characters of a request that are shown."""


class SideBySideScreen(Screen[None]):
    """Answers a request twice and asks which answer is better.

    Args:
        request: what to answer; with an empty text one is asked for first.
        adapters: the names (``task/version``) there are for the model.
        adapter: the one to try; ``None`` for the one in use for the request's task.
        blind: whether the order is drawn by lot and the names stay hidden until the choice is made.
        draw: the lots.
    """

    BINDINGS = bindings(COMPARE_KEYS)

    def __init__(
        self,
        session: SessionPort,
        request: Request,
        adapters: Sequence[str],
        *,
        adapter: str | None = None,
        blind: bool = False,
        remapped: Mapping[str, str] | None = None,
        draw: random.Random | None = None,
    ) -> None:
        super().__init__()
        self._session = session
        self._request = request
        self._adapters = list(adapters)
        self._adapter = adapter
        self.blind = blind
        self._remapped = remapped or {}
        self._draw_lots = draw or random.SystemRandom()
        self.comparing: Comparing | None = None
        self._under_way = False
        self.choice: Verdict | None = None
        self._made = 0
        self._storing = False
        self._title = Static("", markup=False, classes="bar")
        self._asked = Static("", markup=False, classes="request")
        self._state = Static("", markup=False, classes="state")
        self._footer = Static("", markup=False, classes="bar")
        self.columns = (SideColumn(1), SideColumn(2))

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._asked
        yield Container(*self.columns, id="sides")
        yield self._state
        yield self._footer

    def on_mount(self) -> None:
        """Begin, or ask what to answer."""
        self.columns[0].focus()
        self._draw()
        if self._request.text.strip():
            self.action_again()
        else:
            self.action_edit()

    def on_resize(self, event: events.Resize) -> None:
        """Put the answers below each other in a narrow terminal."""
        self.set_class(event.size.width < _NARROW, "narrow")
        self._draw()

    def on_unmount(self) -> None:
        """Stop both answers, so that their thread ends."""
        if self.comparing is not None:
            self.comparing.stop.set()

    # -- answering -------------------------------------------------------------------------------

    def action_again(self) -> None:
        """Answer both; what is still under way is stopped first."""
        if self.comparing is not None:
            self.comparing.stop.set()
        if self._request.text.strip():
            self.run_worker(self._begin(), group="begin", exclusive=True, exit_on_error=False)

    async def _begin(self) -> None:
        self.choice, self._under_way = None, True
        self.comparing = comparing = Comparing(self._request, self._ways(), self.blind)
        for column in self.columns:
            await column.clear(self.blind)
        self.columns[0].wait("reading…")
        self._draw()
        self.run_worker(
            partial(hold_both, self._session, comparing, self.post_message),
            group="answers",
            thread=True,
            exit_on_error=False,
        )

    def _ways(self) -> Ways:
        """Return the two ways in the order of the columns."""
        from assistant.side_by_side import ALONE, IN_USE, Way

        trained = IN_USE if self._adapter is None else Way(adapter=self._adapter)
        swapped = self.blind and self._draw_lots.random() < 0.5
        return (trained, ALONE) if swapped else (ALONE, trained)

    def _column(self, side: str) -> SideColumn:
        return self.columns[0 if side == "left" else 1]

    def on_side_changed(self, message: SideChanged) -> None:
        """Draw what is known of one answer."""
        if message.comparing is self.comparing:
            self._column(message.side).show(message.turn, message.doing)
            if message.side == "left" and message.turn.state == "done":
                self.columns[1].wait("reading…")
            self._draw()

    async def on_sides_grew(self, message: SidesGrew) -> None:
        """Append what came."""
        pieces = message.comparing.take()
        if message.comparing is self.comparing:
            for side, piece in pieces.items():
                await self._column(side).grow(piece)

    async def on_comparison_ended(self, message: ComparisonEnded) -> None:
        """Draw the final state, and ask for the choice."""
        if message.comparing is not self.comparing:
            return
        self._under_way = False
        for column in self.columns:
            await column.settle()
        if message.error is not None:
            self._complain(message.error)
        self._draw(message.error)

    # -- choosing --------------------------------------------------------------------------------

    def action_choose(self, choice: Verdict) -> None:
        """Store which answer is better, and tell which was which."""
        comparing = self.comparing
        if comparing is None or self._storing:
            return
        if self._under_way or not comparing.whole:
            self._note("Both answers have to be there first.", "", "warning")
        elif self.choice is not None:
            self._note(f"{self._key('again')} answers again.", "You have chosen already")
        else:
            self._storing = True
            self.run_worker(self._store(comparing, choice), group="store", exit_on_error=False)

    async def _store(self, comparing: Comparing, choice: Verdict) -> None:
        left, right = comparing.turns["left"], comparing.turns["right"]
        try:
            made = await asyncio.to_thread(
                self._session.prefer,
                left,
                right,
                choice,
                blind=comparing.blind,
                turn_id=comparing.request.turn_id,
            )
        except Exception as error:  # the boundary of the worker
            self._complain(as_shown(error))
            return
        finally:
            self._storing = False
        if comparing is not self.comparing:
            return
        self.choice, self._made = choice, made.id
        for column, side in zip(self.columns, ("left", "right"), strict=True):
            column.reveal(choice in (side, "both_good"))
        self._draw()

    def action_undo(self) -> None:
        """Take the choice back, to choose again."""
        if self.choice is None or self._storing:
            self._note("Nothing was chosen yet.", "", "warning")
            return
        self._storing = True
        self.run_worker(self._undo(), group="store", exit_on_error=False)

    async def _undo(self) -> None:
        store = self._session.store
        try:
            await asyncio.to_thread(store.undo_feedback, "preferences", self._made)
        except Exception as error:  # the boundary of the worker
            self._complain(as_shown(error))
            return
        finally:
            self._storing = False
        self.choice = None
        for column in self.columns:
            column.remove_class("chosen")
        self._draw()

    # -- changing what is compared ---------------------------------------------------------------

    def action_blind(self) -> None:
        """Hide which answer is which, or stop hiding it; both are answered again."""
        self.blind = not self.blind
        self._draw()
        self.action_again()

    def action_adapter(self) -> None:
        """Take the next adapter for the task, after the last one the one in use."""
        task = self._routed_task()
        names = [name for name in self._adapters if not task or name.startswith(f"{task}/")]
        if not names:
            self._note("/adapters lists those there are.", "No adapter for this task", "warning")
            return
        wheel = [None, *names]
        at = wheel.index(self._adapter) if self._adapter in wheel else 0
        self._adapter = wheel[(at + 1) % len(wheel)]
        self._draw()
        self.action_again()

    def action_edit(self) -> None:
        """Write another request."""
        self.run_worker(self._edit(), group="edit", exclusive=True, exit_on_error=False)

    async def _edit(self) -> None:
        before = self._request.text
        about = "It is answered twice; neither becomes part of the chat."
        screen = EditorScreen(about, before, "What should be answered?", "Ctrl+S go · Esc back")
        text = await self.app.push_screen_wait(screen)
        if text is None:
            if not before.strip():
                self.dismiss(None)
            return
        if text != before:  # a text of its own: what was said before a turn is not its context
            self._request = replace(self._request, text=text, turn_id=None)
        self.action_again()

    def action_leave(self) -> None:
        """Stop both answers; when nothing is under way (or it is being stopped), back to the chat."""
        comparing = self.comparing
        if comparing is None or not self._under_way or comparing.stop.is_set():
            self.dismiss(None)
            return
        comparing.stop.set()
        for column in self.columns:
            if column.turn is None or column.turn.state == "running":
                column.wait("stopping…" if column.turn is not None else "")
        self._draw()

    # -- drawing ---------------------------------------------------------------------------------

    def _routed_task(self) -> str:
        """Return the task that the request was routed to, ``""`` while that is not known."""
        turns = self.comparing.turns.values() if self.comparing is not None else ()
        return next((turn.route.task for turn in turns if turn.route is not None), "")

    def _draw(self, error: AssistantError | None = None) -> None:
        name = Content.styled("Side by side", "$foreground bold")
        trained = one_line(self._adapter or "the adapter in use")
        told = [
            self._routed_task(),
            f"the model alone and {trained}",
            "blind" if self.blind else "",
        ]
        right = Content.styled(one_line(" · ".join(filter(None, told))), "$dim")
        room = self.app.size.width - 4 - name.cell_length
        right = right.truncate(max(8, room - 2), ellipsis=True)
        gap = " " * max(2, room - right.cell_length)
        self._title.update(Content.assemble(name, gap, right))
        text = clean(self._request.text.strip())
        self._asked.update(Content(text if len(text) <= _REQUEST else f"{text[:_REQUEST]}…"))
        self._asked.display = bool(text)
        state = self._told(error)
        self._state.update(state)
        self._state.display = bool(state.plain)
        self._draw_footer()

    def _told(self, error: AssistantError | None) -> Content:
        """Return what is to be done now, in one line or two."""
        comparing = self.comparing
        if error is not None:
            return Content.assemble(
                (clean(error.message), "$text-error"), (f"\n{clean(error.hint)}", "$dim")
            )
        if self.choice is not None:
            said = {
                "left": "1 is better",
                "right": "2 is better",
                "both_good": "both are good",
                "both_bad": "both are bad",
            }[self.choice]
            undo = f"  {self._key('undo')} takes it back."
            return Content.assemble((f"Noted: {said}.", "$text-success"), (undo, "$dim"))
        if comparing is None or self._under_way:
            return Content("")
        if not comparing.whole:
            return Content.styled("Stopped. Only whole answers can be compared.", "$text-warning")
        one, two = (comparing.turns[side].answer.strip() for side in ("left", "right"))
        same = "Both say the same. " if one == two else ""
        return Content.assemble((f"{same}Which answer is better?", "$text-accent"))

    def _key(self, name: str) -> str:
        shown = shown_key(f"compare.{name}", self._remapped)
        return shown.lower() if len(shown) == 1 else shown

    def _draw_footer(self) -> None:
        """Name the keys, as many as there is room for, and how to get back."""
        key = self._key
        chosen = self.choice is not None or self._under_way
        parts = [] if chosen else [f"{key('left')} or {key('right')} better"]
        parts += [] if chosen else [f"{key('both_good')} both good", f"{key('both_bad')} both bad"]
        parts += [
            f"{key('again')} again",
            f"{key('edit')} edit",
            f"{key('blind')} {'open' if self.blind else 'blind'}",
            f"{key('adapter')} next adapter",
            "Tab other answer",
        ]
        last = f"{key('stop')} {'stop' if self._under_way else 'back'}"
        room = self.app.size.width - 4 - len(last)
        said = ""
        for part in parts:
            if len(said) + len(part) + 3 <= room:
                said += f"{part} · "
        self._footer.update(Content.styled(said + last, "$dim"))

    def _complain(self, error: AssistantError) -> None:
        self._note(error.hint or error.message, error.message if error.hint else "", "error")

    def _note(
        self,
        text: str,
        title: str,
        severity: Literal["information", "warning", "error"] = "information",
    ) -> None:
        timeout = 4 if severity == "information" else 8
        self.notify(
            clean(text), title=clean(title), severity=severity, timeout=timeout, markup=False
        )
