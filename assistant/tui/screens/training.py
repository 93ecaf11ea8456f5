"""The trainings on this machine: how far they are, how they ended, and starting a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from assistant.tui.keys import TRAINING_KEYS, bindings
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.listing import ListScreen
from assistant.tui.screens.training_form import TrainingForm
from assistant.tui.widgets import training_lines as lines
from assistant.tui.widgets.loss_plot import LEAST_HEIGHT, LEAST_WIDTH, loss_plot
from assistant.tui.wording import one_line

if TYPE_CHECKING:
    from assistant.training.following import Point, Watched
    from assistant.training.launching import Wanted
    from assistant.training.trainings import Trainings

_EVERY_S = 1.0
_TALLEST = 12


class TrainingScreen(ListScreen[str]):
    """A list of trainings above all that is known of the marked one, read again every second.

    It gives back the name of an adapter to be looked at. ``model`` is the one to train for, ``tell`` is
    called with trainings that ended; ``remapped`` are the user's own keys.
    """

    BINDINGS = bindings(TRAINING_KEYS)
    HEADING, SECTION = "Trainings", "training"

    def __init__(
        self,
        trainings: Trainings,
        model: str,
        tell: Callable[[Sequence[Watched]], None],
        now: Callable[[], datetime],
        remapped: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(remapped)
        self._trainings, self._model, self._tell, self._now = trainings, model, tell, now
        self._all: Sequence[Watched] = ()
        self._points: Sequence[Point] = ()
        self._marked = ""
        self._reading = self._was_read = False
        self._last: Wanted | None = None
        self._facts = Static("", markup=False)
        self._plot = Static("", markup=False, classes="plot")
        self._data = Static("", markup=False, classes="part")
        self._said = Static("", markup=False, classes="part")
        self._more = Static("", markup=False, classes="part")
        self.details = VerticalScroll(self._facts, self._plot, self._more, self._data, self._said)

    def on_mount(self) -> None:
        """Read in the background, now and every second."""
        self._look()
        self.set_interval(_EVERY_S, self._look)

    @property
    def marked(self) -> Watched | None:
        """Return the training that the keys are about."""
        return next((one for one in self._all if one.id == self._marked), None)

    # -- reading ---------------------------------------------------------------------------------

    def _look(self) -> None:
        if not self._reading:
            self._reading = True
            self.run_worker(self._read(), group="look", exit_on_error=False)

    async def _read(self) -> None:
        try:
            before, points = self._all, self._points
            self._all, ended = await asyncio.to_thread(self._trainings.all)
            if self.marked is None and self._all:
                self._marked = self._all[0].id
            if self.marked is not None and self._all != before:
                self._points = await asyncio.to_thread(self._trainings.points, self.marked)
        except Exception as raised:  # the boundary of the worker
            self.complain(raised)
            return
        finally:
            self._reading = False
        first, self._was_read = not self._was_read, True
        self._tell(ended)
        if first or self._all != before or self._points != points:
            self.say(lines.counts_of(self._all))
            self.draw()
        if first and self._all:
            self.list.focus()

    # -- drawing ---------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw list and details; before anything was read there is nothing to draw."""
        if not self._was_read:
            return
        self._draw_footer()
        self.body.display = not self._all
        self.body.update(Content(lines.NONE_HERE.format(new=self.key("new"))))
        self.list.display = self.details.display = bool(self._all)
        width, now = self.room, self._now()
        options = [Option(lines.line_of(one, width, now), id=one.id) for one in self._all]
        with self.prevent(OptionList.OptionHighlighted):
            place = self.list.scroll_offset
            self.list.set_options(options)
            if self.marked is not None:
                self.list.highlighted = self.list.get_option_index(self._marked)
            self.list.scroll_to(*place, animate=False)
        self._draw_details()

    def _draw_details(self) -> None:
        one = self.marked
        if one is None:
            return
        width, height = self.room, min(_TALLEST, self.app.size.height // 3)
        self._facts.update(lines.facts(one, width, self._now()))
        self._plot.display = bool(self._points) and width >= LEAST_WIDTH and height >= LEAST_HEIGHT
        if self._plot.display:
            self._plot.update(loss_plot(self._points, one.total, min(width, 100), height))
        for part, text in (
            (self._more, lines.more(one)),
            (self._data, lines.data_lines(one)),
            (self._said, lines.said_lines(one)),
        ):
            part.display = bool(text.plain)
            part.update(text)

    def _draw_footer(self) -> None:
        """Name the keys that do something for the marked one, as many as there is room for."""
        one, key = self.marked, self.key
        parts = [f"{key('new')} new"]
        if one is not None:
            parts += [f"{key('stop')} stop"] if one.under_way else []
            parts += [f"{key('resume')} go on"] if one.can_go_on else []
            parts += [f"Enter {one_line(one.adapter)}"] if one.adapter else []
            parts += [] if one.under_way else [f"{key('delete')} delete"]
            parts.append("Tab read on")
        self.name_keys(parts)

    async def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the details of the marked training."""
        event.stop()
        if event.option_id is None or event.option_id == self._marked:
            return
        self._marked = event.option_id
        if self.marked is not None:
            self._points = await asyncio.to_thread(self._trainings.points, self.marked)
        self._draw_details()
        self._draw_footer()
        self.details.scroll_home(animate=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Look at the adapter that came out, where there is one."""
        event.stop()
        self.action_use()

    # -- working ---------------------------------------------------------------------------------

    def action_new(self) -> None:
        """Ask what to train, and start it."""
        self.work(self._new())

    def action_stop(self) -> None:
        """Ask the marked training to stop."""
        if one := self.marked:
            self.work(self._stop(one))

    def action_resume(self) -> None:
        """Go on with the marked training."""
        if one := self.marked:
            self.work(self._resume(one))

    def action_use(self) -> None:
        """Look at the adapter of the marked training."""
        one = self.marked
        if one is None:
            return
        if one.adapter:
            self.dismiss(one.adapter)
        elif not one.under_way:
            self.note("No adapter came out of this training, or it was deleted.")
        else:
            self.note("It is there when the training has ended.")

    def action_delete(self) -> None:
        """Delete what is kept of the marked training, after asking."""
        if one := self.marked:
            self.work(self._delete(one))

    async def _new(self) -> None:
        if any(one.under_way for one in self._all):
            question = "Start another training while one is under way?"
            detail = "Each is slower then, and both need memory."
            if not await self.app.push_screen_wait(ConfirmScreen(question, detail, "Go on")):
                return
        one = self.marked
        failed = one.launch.wanted if one and one.launch and one.standing == "failed" else None
        form = TrainingForm(self._trainings.rows_in, self._model, self._last or failed)
        wanted = await self.app.push_screen_wait(form)
        if wanted is None:
            return
        self._last = wanted
        self._marked = await asyncio.to_thread(self._trainings.start, wanted)
        self._look()
        self.note("How long it takes is shown here as soon as it is known.", "Started")

    async def _stop(self, one: Watched) -> None:
        await asyncio.to_thread(self._trainings.stop, one)
        self.note("It saves its state first; that takes a moment.", "Stopping")

    async def _resume(self, one: Watched) -> None:
        await asyncio.to_thread(self._trainings.resume, one)
        self._look()
        self.note("It goes on from the last state that was saved.", "Started again")

    async def _delete(self, one: Watched) -> None:
        if one.under_way:
            self.note(f"{self.key('stop')} stops it.", "This training is running.", "warning")
            return
        detail = "Its log and its saved states are gone for good; an adapter that came out stays."
        if not await self.app.push_screen_wait(
            ConfirmScreen(f"Delete {one.id}?", detail, "Delete")
        ):
            return
        await asyncio.to_thread(self._trainings.remove, one)
        self._marked = ""
        self._points = ()
        self._look()
