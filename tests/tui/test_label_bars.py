"""The bars below a classified text: in order, aligned, clean, and only where there are any."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import TextArea
from tui_driver import opened
from tui_fakes import FakeSession, finished, now

from assistant.events import Event, TurnFinished
from assistant.tui.app import AssistantApp
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.widgets.label_bars import LabelBars, lines_of
from assistant.types import Route, Turn

CLOSE = {"positive": 0.38, "negative": 0.41, "neutral": 0.21}
CLEAR = {"正面": 0.03, "负面": 0.93, "中性的评价": 0.04}
MANY = {
    "sports": 0.47,
    "[red]culture[/]": 0.2,
    "science and technology of the last hundred years": 0.11,
    "健康": 0.1,
    "wea\x1b[31mther": 0.06,
    "two\nlines": 0.03,
    "travel": 0.02,
    "food": 0.01,
}


class Scoring(FakeSession):
    """Finishes each classification with the next of the given probabilities."""

    def __init__(self, *chances: dict[str, float], task: str = "classification") -> None:
        super().__init__([max(one, key=lambda label: one[label]) for one in chances], task=task)
        self.chances = list(chances)

    def _answer(
        self,
        turn: Turn,
        options: Any,
        stop: threading.Event,
        decide: Callable[[Route], str | None] | None,
    ) -> Iterator[Event]:
        for event in super()._answer(turn, options, stop, decide):
            if isinstance(event, TurnFinished) and self.chances:
                done = replace(event.turn, probabilities=self.chances.pop(0))
                yield TurnFinished(self.store.save(done))
            else:
                yield event


def drawn(chances: dict[str, float], width: int = 60, correction: str | None = None) -> list[str]:
    answer = max(chances, key=lambda label: chances[label])
    turn = replace(Turn("t", "c", 1, "x"), answer=answer, probabilities=chances)
    return [line.plain for line in lines_of(replace(turn, correction=correction), width)]


# -- the lines -------------------------------------------------------------------------------------


def test_labels_come_sorted_with_the_chosen_one_marked() -> None:
    lines = drawn(CLOSE)
    assert [line[:10] for line in lines[:3]] == ["● negative", "  positive", "  neutral "]
    assert [line[-4:] for line in lines[:3]] == ["41\u00a0%", "38\u00a0%", "21\u00a0%"]
    assert lines[3:] == ["  Not sure: it may also be positive."]


def test_nothing_is_said_when_it_is_sure_or_was_corrected() -> None:
    assert len(drawn(CLEAR)) == 3
    assert len(drawn(CLOSE, correction="neutral")) == 3


def test_a_bar_is_as_long_as_its_share_to_the_half_column() -> None:
    lines = drawn({"a": 0.75, "b": 0.23, "c": 0.02, "d": 0.0})
    bars = ["".join(sign for sign in line if sign in "━╸─") for line in lines]
    assert bars == [
        "━" * 24 + "─" * 8,
        "━" * 7 + "╸" + "─" * 24,
        "╸" + "─" * 31,
        "─" * 32,
    ]


@pytest.mark.parametrize("width", [30, 44, 60, 110])
@pytest.mark.parametrize("chances", [CLOSE, CLEAR, MANY])
def test_columns_are_aligned_and_fit(chances: dict[str, float], width: int) -> None:
    lines = drawn(chances, width)
    assert max(cell_len(line) for line in lines) <= width
    bars = [line for line in lines if "%" in line]
    begins = [next(n for n, sign in enumerate(line) if sign in "━╸─") for line in bars]
    assert len({cell_len(line[:n]) for line, n in zip(bars, begins, strict=True)}) == 1
    assert len({cell_len(line) for line in bars}) == 1


def test_at_most_six_labels_and_how_many_more() -> None:
    lines = drawn(MANY)
    assert sum("%" in line for line in lines) == 6
    assert lines[6:] == ["  and 2 more", "  Not sure: it may also be [red]culture[/]."]
    six = dict(list(MANY.items())[:6])
    assert not any("more" in line for line in drawn(six))


def test_labels_are_clean_and_on_one_line() -> None:
    text = "\n".join(drawn(MANY, 80))
    assert "\x1b" not in text
    assert "  weather  " in text
    assert "  two lines  " in text
    assert "  science and technology …  " in text


# -- in the app ------------------------------------------------------------------------------------


async def test_bars_appear_below_a_classification_only() -> None:
    session = Scoring(CLOSE)
    async with opened(session) as app:
        await app.ask("Positive or negative?")
        await app.sees("Not sure: it may also be positive.")
        assert "● negative" in app.text
        await app.ask("Hello")
        assert [bars.display for bars in app.app.screen.query(LabelBars)] == [True, False]


async def test_bars_are_there_again_when_a_chat_is_opened() -> None:
    session = Scoring()
    made = session.store.add("Labels", ("Which?", "负面"))
    turn = session.store.turns(made.id)[0]
    session.store.save(replace(turn, probabilities=CLEAR))
    async with opened(session, size=(60, 24)) as app:
        await app.chat.open(made.id)
        await app.sees("93\u00a0%")
        assert "● 负面" in app.text
        assert "Not sure" not in app.text


async def test_bars_follow_the_width_of_the_terminal() -> None:
    async with opened(Scoring(MANY), size=(120, 30)) as app:
        await app.ask("Which topic?")
        await app.sees("science and technology …")
        await app.pilot.resize_terminal(50, 30)
        await app.sees("science and technol…")
        await app.until(lambda: app.text.count("%") == 6 + 1, "six bars, and the badge")
        await app.sees("and 2 more")


async def test_a_correction_leaves_the_bars_and_takes_the_doubt_away() -> None:
    async with opened(Scoring(CLOSE)) as app:
        await app.ask("Positive or negative?")
        await app.sees("Not sure")
        view = app.chat.transcript.latest
        assert view is not None
        assert view.turn is not None
        await view.settle(replace(view.turn, correction="neutral"))
        await app.until(lambda: "Not sure" not in app.text)
        assert "● negative" in app.text


# -- what it looks like ----------------------------------------------------------------------------


def _open(chat: str) -> Callable[[Pilot[None]], Any]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        await app.chat.open(chat)
        await pilot.pause(0.3)

    return run


@pytest.mark.parametrize(
    ("theme", "size"),
    [
        pytest.param("auto", (100, 44), id="bars"),
        pytest.param("light", (60, 42), id="bars_narrow_light"),
    ],
)
def test_looks(snap_compare: Any, theme: str, size: tuple[int, int]) -> None:
    session = FakeSession()
    session.settings.theme = theme
    chat = session.store.add("Labels")
    for chances in (CLOSE, CLEAR, MANY):
        turn = session.store.begin("Which of these is it?", chat.id, None)
        best = max(chances, key=lambda label: chances[label])
        done = replace(finished(turn, "classification", best), probabilities=chances)
        session.store.save(done)
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=_open(chat.id))


async def test_the_right_label_is_picked_by_a_digit() -> None:
    session = Scoring(CLOSE)
    async with opened(session) as app:
        await app.ask("Positive or negative?")
        await app.press("f6")
        await app.sees("Which label is right?")
        assert "Positive or negative?" in app.text
        await app.press("2")
        await app.sees("✎ corrected by you")
        assert session.feedback == [("correct", "t1", "positive")]


async def test_the_label_that_was_said_is_no_correction_and_another_one_may_be_written() -> None:
    session = Scoring(CLOSE)
    async with opened(session) as app:
        await app.ask("Positive or negative?")
        await app.press("f6", "1")
        await app.idle()
        assert session.feedback == []
        await app.press("f6", "4")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        app.app.screen.query_one(TextArea).load_text("mixed")
        await app.press("ctrl+s")
        await app.sees("✎ corrected by you")
        assert session.feedback == [("correct", "t1", "mixed")]
