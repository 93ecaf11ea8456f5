"""The dashboard of evaluations: what was measured, how it went over time, and what went wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static, TabbedContent, TabPane
from textual.widgets._tabbed_content import ContentTabs

from assistant.evaluation.dashboard import (
    Dashboard,
    Details,
    EvaluationStore,
    Row,
    WorstAnswer,
    read_dashboard,
    read_details,
)
from assistant.sanitize import clean
from assistant.tui.errors import as_shown
from assistant.tui.keys import EVALUATION_KEYS, bindings, shown_key
from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.widgets.evaluation_lines import counts_of
from assistant.tui.widgets.evaluation_panes import (
    Reliability,
    RowChosen,
    RowMarked,
    Trend,
    Ways,
    Worst,
)
from assistant.tui.wording import one_line, percent

if TYPE_CHECKING:
    from assistant.adapters.shelf import Look

_log = logging.getLogger(__name__)
_TABS = ("ways", "trend", "calibration", "worst")
_TITLES = ("Ways", "Trend", "Calibration", "Worst answers")
_ENTER = {"ways": "Enter answers", "trend": "Enter answers", "worst": "Enter show whole"}


class EvaluationsScreen(Screen[None]):
    """Four views of what was measured. One row is marked; every view is about it.

    ``look`` has the adapters of each model, ``model`` is the one that answers now; ``remapped`` are the
    user's own keys.
    """

    BINDINGS = bindings(EVALUATION_KEYS)

    def __init__(
        self,
        store: EvaluationStore,
        look: Look | None = None,
        remapped: Mapping[str, str] | None = None,
        *,
        model: str = "",
    ) -> None:
        super().__init__()
        self._store = store
        self._read_all = partial(read_dashboard, store, look, model=model)
        self._remapped = remapped or {}
        self._dashboard: Dashboard | None = None
        self._details: dict[int, Details] = {}
        self._row: Row | None = None
        self._run: Row | None = None
        self._title = Static("", markup=False, classes="bar")
        self._footer = Static("", markup=False, classes="bar")
        self.ways, self.trend = Ways(), Trend()
        self.reliability, self.worst = Reliability(), Worst()
        self.tabs = TabbedContent(initial="ways")

    def compose(self) -> ComposeResult:
        yield self._title
        with self.tabs:
            views: tuple[Widget, ...] = (self.ways, self.trend, self.reliability, self.worst)
            for name, title, view in zip(_TABS, _TITLES, views, strict=True):
                with TabPane(title, id=name):
                    yield view
        yield self._footer

    def on_mount(self) -> None:
        """Read in the background; the keys go to the views, never to the tabs."""
        self.tabs.query_one(ContentTabs).can_focus = False
        self._say("reading…")
        self.action_read()

    def on_resize(self, event: events.Resize) -> None:
        """Lay everything out for the new width."""
        self.set_class(event.size.width < 80, "narrow")
        self._draw()

    # -- reading ---------------------------------------------------------------------------------

    def action_read(self) -> None:
        """Read everything, again if it was read before."""
        self._details.clear()
        self.run_worker(self._read(), group="read", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(self._read_all)
        except Exception as error:  # the boundary of the worker
            _log.info("The evaluations could not be read", exc_info=True)
            self._say(as_shown(error).message)
            return
        self._dashboard = found
        places = {row.place: row for row in found.rows}
        first = next((row for row in found.rows if row.chosen), None)
        before = places.get(self._row.place) if self._row is not None else None
        self._row = before or first or (found.rows[0] if found.rows else None)
        self._run = self._row
        self._say(counts_of(found))
        self._draw()
        self._focus_view()

    def _need_details(self) -> None:
        """Read the answers of the marked evaluation unless they are here."""
        run = self._run
        if run is not None and run.number is not None and run.number not in self._details:
            work = self._read_details(run, run.number)
            self.run_worker(work, group="details", exclusive=True, exit_on_error=False)

    async def _read_details(self, run: Row, number: int) -> None:
        try:
            found = await asyncio.to_thread(read_details, self._store, run)
        except Exception as error:  # the boundary of the worker
            _log.info("The answers could not be read", exc_info=True)
            for view in (self.reliability, self.worst):
                view.body.update(Content(one_line(as_shown(error).message)))
            return
        self._details[number] = found
        self._draw_details()

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw every view; before anything was read there is nothing to draw."""
        if self._dashboard is None:
            return
        self.ways.show(self._dashboard, self._row)
        self.trend.show(self._dashboard, self._row, self._run)
        self._draw_details()
        self._draw_footer()

    def _draw_details(self) -> None:
        number = self._run.number if self._run is not None else None
        details = self._details.get(number) if number is not None else None
        self.reliability.show(self._run, details)
        self.worst.show(self._run, details)

    def _say(self, text: str) -> None:
        name = Content.styled("Evaluations", "$foreground bold")
        right = Content.styled(one_line(text), "$dim")
        gap = max(2, self.app.size.width - 4 - name.cell_length - right.cell_length)
        self._title.update(Content.assemble(name, " " * gap, right))

    def _draw_footer(self) -> None:
        """Name the keys, as many as there is room for, and how to get back."""

        def key(name: str) -> str:
            shown = shown_key(f"evaluations.{name}", self._remapped)
            return shown.lower() if len(shown) == 1 else shown

        scrolls = self.tabs.active == "calibration"

        parts = [
            f"{key('ways')}–{key('worst')} or ← → views",
            "↑ ↓ scroll" if scrolls else "↑ ↓ choose",
            _ENTER.get(self.tabs.active, ""),
            f"{key('task')} next task",
            f"{key('data')} next data",
            f"{key('read')} read again",
        ]
        last = f"{key('close')} back"
        room = self.app.size.width - 4 - len(last)
        said = ""
        for part in filter(None, parts):
            if len(said) + len(part) + 3 <= room:
                said += f"{part} · "
        self._footer.update(Content.styled(said + last, "$dim"))

    # -- moving ----------------------------------------------------------------------------------

    def action_show(self, name: str) -> None:
        """Bring a view to the front."""
        self.tabs.active = name

    def action_step(self, by: int) -> None:
        """Go to the view before or after."""
        place = (_TABS.index(self.tabs.active) + by) % len(_TABS)
        self.tabs.active = _TABS[place]

    def on_tabbed_content_tab_activated(self) -> None:
        """Read what the view needs and give it the keys."""
        if self.tabs.active in ("calibration", "worst"):
            self._need_details()
        self._draw_footer()
        self._focus_view()

    def _focus_view(self) -> None:
        target: dict[str, Widget] = {
            "ways": self.ways.list,
            "trend": self.trend.list,
            "calibration": self.reliability,
            "worst": self.worst.list,
        }
        target[self.tabs.active].focus()

    def on_row_marked(self, message: RowMarked) -> None:
        """From now on every view is about this row."""
        self._run = message.row
        if not message.run:
            self._row = message.row
            if self._dashboard is not None:
                self.trend.show(self._dashboard, self._row, self._run)
        self._draw_details()

    def on_row_chosen(self, message: RowChosen) -> None:
        """Show the worst answers of the marked evaluation."""
        self.tabs.active = "worst"

    def action_next(self, what: str) -> None:
        """Go to the first row of the next ``task``, or of the next ``data`` of any task."""
        rows = self._dashboard.rows if self._dashboard is not None else ()
        if self._row is None or not rows:
            return
        size = 1 if what == "task" else 3
        here = self._row.group[:size]
        places = list(dict.fromkeys(row.group[:size] for row in rows))
        there = places[(places.index(here) + 1) % len(places)]
        same = [row for row in rows if row.group[:size] == there]
        self._row = self._run = next((row for row in same if row.chosen), same[0])
        self._draw()
        if self.tabs.active in ("calibration", "worst"):
            self._need_details()

    def on_worst_opened(self, message: Worst.Opened) -> None:
        """Show one answer whole."""
        self.app.push_screen(AnswerScreen(message.answer))

    def action_leave(self) -> None:
        """Back to the chat."""
        self.dismiss(None)


class AnswerScreen(Overlay[None]):
    """One answer whole: what was asked, what was wanted, what was said."""

    def __init__(self, answer: WorstAnswer) -> None:
        super().__init__(f"{answer.id}, {answer.score:.1f} of 100", "↑ ↓ scroll · Esc back")
        self._answer = answer

    def content(self) -> list[Widget]:
        bad = self._answer
        parts: list[Widget] = [words("Input", "heading"), words(clean(bad.input))]
        parts.append(words("Wanted" if len(bad.wanted) < 2 else "Wanted, any of", "heading"))
        parts += [words(clean(text)) for text in bad.wanted]
        parts += [words("Said", "heading"), words(clean(bad.said) or "Nothing.")]
        if bad.probabilities:
            best = sorted(bad.probabilities.items(), key=lambda item: -item[1])
            said = "\n".join(f"{percent(share):>6}  {one_line(label)}" for label, share in best)
            parts += [words("How sure", "heading"), words(said)]
        return [VerticalScroll(*parts, classes="reading")]
