"""The four parts of the dashboard: ways, trend, calibration, worst answers. They show, no more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from assistant.evaluation.dashboard import Dashboard, Details, Row, WorstAnswer
from assistant.tui.widgets import evaluation_lines as lines
from assistant.tui.widgets.charts import Point, plot
from assistant.tui.wording import one_line

_EDGE = 5
"""Columns at the sides of a list that no row can use: padding and the scroll bar."""
_MORE = "To measure: assistant eval --task qa --data my-questions.jsonl"
_PLOT_ROWS = (8, 18)
_BESIDE_PLOT = 12
"""Rows of the screen that are left to title, tabs, keys, and at least five evaluations."""


class RowMarked(Message):
    """The cursor stands on a row; ``run`` says that it is one of the trend."""

    def __init__(self, row: Row, run: bool) -> None:
        super().__init__()
        self.row = row
        self.run = run


class RowChosen(Message):
    """Enter was pressed on a row."""


class Ways(Vertical):
    """The table of all ways of answering, and what the program makes of the marked one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Static("", markup=False)
        self.list = OptionList(markup=False)
        self.note = Static("", markup=False, classes="note")
        self._rows: dict[str, Row] = {}

    def compose(self) -> ComposeResult:
        yield self.body
        yield self.list
        yield self.note

    def show(self, dashboard: Dashboard, marked: Row | None) -> None:
        """Draw the table anew."""
        columns = lines.columns_for(self.app.size.width - _EDGE, len(dashboard.models))
        options: list[Option] = []
        self._rows.clear()
        for _, members in groupby(dashboard.rows, key=lambda row: (row.group, row.data)):
            group = list(members)
            if options:
                options.append(Option("", disabled=True))
            options.append(Option(lines.heading(group, columns), disabled=True))
            for row in group:
                name = f"r{len(self._rows)}"
                self._rows[name] = row
                options.append(Option(lines.line_of(row, group, columns), id=name))
        if options:
            options += [Option(f"\n{note}\n{_MORE}", disabled=True) for note in dashboard.notes]
        with self.prevent(OptionList.OptionHighlighted):
            self.list.set_options(options)
            self.mark(marked)
        self.list.display = self.note.display = bool(options)
        self.body.display = not options
        self.body.update(_nothing_measured(dashboard))

    def mark(self, row: Row | None) -> None:
        """Put the cursor on ``row`` and say what is known about it."""
        name = next((n for n, one in self._rows.items() if row and one.place == row.place), None)
        if name is None:
            return
        place = self.list.get_option_index(name)
        self.list.highlighted = place
        self.note.update(lines.verdict(self._rows[name]))
        self.call_after_refresh(self._show_heading, place)

    def _show_heading(self, place: int) -> None:
        """Bring the heading into sight with the first row below it; every option takes one line."""
        if self.list.get_option_at_index(place - 1).disabled and self.list.scroll_y >= place:
            self.list.scroll_to(y=place - 1, animate=False)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what is known about the row."""
        event.stop()
        row = self._rows.get(event.option_id or "")
        if row is not None:
            self.note.update(lines.verdict(row))
            self.call_after_refresh(self._show_heading, event.option_index)
            self.post_message(RowMarked(row, False))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on that Enter was pressed."""
        event.stop()
        self.post_message(RowChosen())


class Trend(Vertical):
    """The headline metric over time: a plot, and below it the evaluations it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Static("", markup=False, classes="head")
        self.body = Static("", markup=False)
        self.plot = Static("", markup=False, classes="plot")
        self.list = OptionList(markup=False)
        self._runs: dict[str, Row] = {}
        self._row: Row | None = None
        self._models = 1

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.body
        yield self.plot
        yield self.list

    def show(self, dashboard: Dashboard, row: Row | None, marked: Row | None) -> None:
        """Draw the evaluations on the data of ``row``; its own series stands out."""
        runs = dashboard.trend(row) if row is not None else ()
        self._row, self._models = row, len({run.measured.model for run in runs})
        self._runs = {f"e{run.number}": run for run in runs}
        self.plot.display = self.list.display = bool(runs)
        self.body.display = not runs
        if row is None or not runs:
            self.head.update(lines.title_of(row) if row is not None else "")
            self.body.update(_no_trend(row))
            return
        self.head.update(_trend_head(row))
        width = self.app.size.width - _EDGE
        options = [
            Option(lines.run_line(run, self._is_main(run), self._models, width), id=name)
            for name, run in reversed(self._runs.items())
        ]
        with self.prevent(OptionList.OptionHighlighted):
            self.list.set_options(options)
            self._mark(marked)
        self._draw()

    def _mark(self, marked: Row | None) -> None:
        """Put the cursor on a run: the marked one, else the newest of the series."""
        wanted = f"e{marked.number}" if marked is not None else ""
        if wanted not in self._runs:
            mains = [name for name, run in self._runs.items() if self._is_main(run)]
            wanted = (mains or list(self._runs))[-1]
        self.list.highlighted = self.list.get_option_index(wanted)

    def _is_main(self, run: Row) -> bool:
        return self._row is not None and run.series == self._row.series

    def _draw(self) -> None:
        option = self.list.highlighted_option
        current = option.id if option is not None else None
        made = [
            Point(
                run.measured.value,
                run.measured.low,
                run.measured.high,
                lines.when(run)[5:10],
                one_line(run.measured.adapter or run.version),
                self._is_main(run),
                name == current,
            )
            for name, run in self._runs.items()
        ]
        low, high = _PLOT_ROWS
        height = min(high, max(low, self.app.size.height - _BESIDE_PLOT))
        self.plot.update(plot(made, self.app.size.width - _EDGE, height))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Mark the point of the run."""
        event.stop()
        run = self._runs.get(event.option_id or "")
        if run is not None:
            self._draw()
            self.post_message(RowMarked(run, True))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on that Enter was pressed."""
        event.stop()
        self.post_message(RowChosen())


class Reliability(VerticalScroll):
    """How sure the model was against how often it was right."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Static("", markup=False, classes="head")
        self.body = Static("", markup=False)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.body

    def show(self, row: Row | None, details: Details | None) -> None:
        """Draw the bins; ``details`` is ``None`` while they are read, or where there are none."""
        self.head.update(lines.title_of(row) if row is not None else "")
        if row is None or details is None:
            self.body.update(_waiting(row))
        elif details.calibration is None:
            self.body.update(_no_chances(row))
        else:
            width = self.app.size.width - _EDGE
            self.body.update(lines.reliability_lines(details.calibration, width))


class Worst(Vertical):
    """The worst answers of one evaluation; Enter shows one whole."""

    class Opened(Message):
        """One is to be shown whole."""

        def __init__(self, answer: WorstAnswer) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self) -> None:
        super().__init__()
        self.head = Static("", markup=False, classes="head")
        self.body = Static("", markup=False)
        self.list = OptionList(markup=False)
        self._answers: Sequence[WorstAnswer] = ()

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.body
        yield self.list

    def show(self, row: Row | None, details: Details | None) -> None:
        """Draw the answers; ``details`` is ``None`` while they are read, or where there are none."""
        before = self.list.highlighted if details and details.worst is self._answers else None
        self._answers = details.worst if details is not None else ()
        self.list.display, self.body.display = bool(self._answers), not self._answers
        head = lines.title_of(row) if row is not None else Content("")
        if row is None or details is None:
            self.body.update(_waiting(row))
        elif not details.answers:
            self.body.update("The answers of this evaluation are not on record.")
        elif not self._answers:
            self.body.update(f"All {details.answers:,} answers have the full score.")
        else:
            count = f"\nThe worst {len(self._answers)} of {details.answers:,} answers"
            head = Content.assemble(head, (f"{count} by {row.measured.metric}.", "$dim"))
            width = self.app.size.width - _EDGE
            self.list.set_options(Option(lines.worst_lines(bad, width)) for bad in self._answers)
            self.list.highlighted = before or 0
        self.head.update(head)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show one whole."""
        event.stop()
        self.post_message(self.Opened(self._answers[event.option_index]))


def _nothing_measured(dashboard: Dashboard) -> Content:
    notes = "\n".join(dashboard.notes)
    return Content.assemble(
        ("Nothing was measured yet.\n", "bold"),
        (f"{notes}\n" if notes else "", "$dim"),
        "\n",
        lines.HOW_TO_MEASURE,
    )


def _trend_head(row: Row) -> Content:
    word = "adapters" if row.measured.strategy == "adapter" else one_line(row.way)
    name = " · ".join(
        one for one in (row.measured.lang, one_line(row.data), row.measured.metric) if one
    )
    return Content.assemble(
        (one_line(row.measured.task), "$primary bold"),
        (f" · {name}\n", "$dim"),
        ("●", "$text-primary"),
        (f" {word}, {one_line(row.measured.model)}  ", ""),
        ("○", "$dim"),
        (" other ways", "$dim"),
    )


def _no_trend(row: Row | None) -> Content:
    if row is None:
        return Content(lines.HOW_TO_MEASURE)
    return Content.assemble(
        "Only evaluations of your own have a time. ",
        f"Each time you measure {one_line(row.measured.task)} on the same file, ",
        "a point comes here:\n\n  ",
        _command(row),
    )


def _waiting(row: Row | None) -> Content:
    if row is None:
        return Content(lines.HOW_TO_MEASURE)
    if row.number is not None:
        return Content.styled("Reading the answers…", "$dim")
    what = "An adapter's record" if row.recorded else "What ships"
    return Content.assemble(
        f"{what} comes without its answers. Measure on data of your own:\n\n  ", _command(row)
    )


def _no_chances(row: Row) -> Content:
    if row.measured.task == "classification":
        return Content("The answers of this evaluation have no probabilities on record.")
    return Content.assemble(
        "Only classified texts have probabilities. To see how far they can be trusted:\n\n  ",
        "assistant eval --task classification --data my-texts.jsonl",
    )


def _command(row: Row) -> str:
    task, strategy = one_line(row.measured.task), row.measured.strategy
    return f"assistant eval --task {task} --data my-{task}.jsonl --strategy {strategy}"
