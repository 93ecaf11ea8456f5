"""The screen of trained adapters: what it tells, its keys, what goes wrong, and what it looks like."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_driver import Driver, opened
from tui_fakes import FakeSession, now

from assistant.adapters.card import Card
from assistant.adapters.keeper import Kept, Parent, Switched
from assistant.adapters.run_record import BaseModel, DataFile, RunRecord, Score
from assistant.adapters.verify import Verified
from assistant.errors import AdapterError
from assistant.tui.app import AssistantApp
from assistant.tui.screens.adapters import AdaptersScreen
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.side_by_side import SideBySideScreen
from assistant.tui.widgets import adapter_lines as lines
from assistant.tui.wording import badge
from assistant.types import Choice, Route, Turn

MODEL = "fake-0.5b"
SCORES = {
    "reviews": Score(
        "accuracy",
        400,
        93.0,
        83.0,
        85.2,
        {"adapter": (90.1, 95.3), "few_shot": (81.5, 88.4), "zero_shot": (79.2, 86.5)},
        "en",
    ),
    "评论": Score("accuracy", 200, 88.5, 70.0, 79.0, {"adapter": (83.8, 92.4)}, "zh", 0),
}
DATA = (DataFile("texts.jsonl", "0" * 64, 3400, ("amazon-reviews",), ("Apache-2.0",)),)
CARD = """# Classification

Trained on [bold]reviews[/] and news.

| data | accuracy |
|---|---|
| reviews | 93.0 |
"""


def card(task: str, version: str, *, own: bool = True, base: str = MODEL, **run: Any) -> Card:
    record = RunRecord(
        task=task,
        base_model=BaseModel(base, "a1b2c3d4" * 8),
        technique="lora",
        rank=8,
        seed=7,
        created="2025-03-10T09:30:00+00:00",
        program="0.9.0",
        **run,
    )
    folder = Path("/adapters", base, task, version)
    return Card(base, task, version, folder, own, 4_400_000, record)


def several() -> list[Kept]:
    """Return three versions for one task, one for another, and one for another model."""
    parents = (Parent("classification/v1", True), Parent("classification/v0", False))
    v1 = card("classification", "v1", own=False, scores=SCORES, data=DATA)
    v2 = card("classification", "v2", scores={"reviews": SCORES["reviews"]}, parent="v1")
    v3 = card("classification", "v3-a-name-that-is-far-too-long-for-this", own=True)
    other = card("qa", "v1", base="other-1.5b", scores={"squad": Score("f1", 50, 60.0)})
    return [
        Kept(v1, in_use=True, current=True, readme=CARD),
        Kept(v2, in_use=False, current=True, parents=parents),
        Kept(v3, in_use=False, current=True),
        Kept(card("translation", "v1"), in_use=False, current=True),
        Kept(other, in_use=True, current=False),
    ]


class FakeKeeper:
    """Adapters in a list. ``gate`` holds checking up; ``fails`` is raised by whatever comes next."""

    def __init__(self, kept: list[Kept] | None = None) -> None:
        self.kept = several() if kept is None else kept
        self.done: list[tuple[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fails: Exception | None = None

    def all(self) -> list[Kept]:
        return list(self.kept)

    def verify(self, one: Card) -> Verified:
        self._do("verify", one.name)
        return Verified("f" * 64, 96, ("its base model is not here",))

    def promote(self, one: Card) -> Switched:
        self._do("promote", one.name)
        return self._use(one.base, one.task, one)

    def switch_off(self, base: str, task: str) -> Switched:
        self._do("off", task)
        return self._use(base, task, None)

    def rollback(self, base: str, task: str) -> Switched:
        self._do("rollback", task)
        return self._use(base, task, None)

    def remove(self, one: Card) -> Switched:
        self._do("remove", one.name)
        self.kept = [kept for kept in self.kept if kept.card != one]
        return Switched(None, None)

    def _do(self, what: str, name: str) -> None:
        self.gate.wait(10)
        if self.fails is not None:
            raise self.fails
        self.done.append((what, name))

    def _use(self, base: str, task: str, one: Card | None) -> Switched:
        same = [k for k in self.kept if (k.card.base, k.card.task) == (base, task)]
        before = next((k.card for k in same if k.in_use), None)
        self.kept = [replace(k, in_use=k.card == one) if k in same else k for k in self.kept]
        return Switched(one, before)


def session_with(keeper: FakeKeeper | None) -> FakeSession:
    session = FakeSession(task="classification")
    session.adapters = keeper
    return session


async def open_list(app: Driver, *keys: str) -> AdaptersScreen:
    """Open the screen, wait until it was read, and press keys."""
    await app.command("/adapters")
    await app.until(lambda: isinstance(app.app.screen, AdaptersScreen))
    screen = app.app.screen
    assert isinstance(screen, AdaptersScreen)
    await app.until(lambda: not screen._busy, "the adapters were read")
    for key in keys:
        await app.press(key)
        await app.pilot.pause()
    return screen


async def test_without_adapters_it_says_how_to_get_one() -> None:
    async with opened(session_with(FakeKeeper([])), size=(80, 24)) as app:
        await open_list(app)
        await app.sees("No adapter is on this machine yet.")
        assert "assistant train --task classification" in app.text
        await app.press("p", "o", "b", "v", "c", "d", "r", "escape")
        await app.until(lambda: app.app.screen is app.chat)
        assert app.notes == ""


async def test_a_session_without_a_place_for_adapters_says_so() -> None:
    async with opened(session_with(None)) as app:
        await app.command("/adapters")
        await app.noted("There is no place for adapters here.")


async def test_list_and_details(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper), size=(80, 30)) as app:
        await open_list(app)
        await app.sees("5 here · 1 in use for this model")
        assert f"classification · {MODEL}" in app.text
        assert "● v1" in app.text
        assert "90.8 (few-shot 82.1, 2 sets)" in app.text
        assert "classification/v1 · in use · ships with the program" in app.text
        assert "lora, rank 8 · 4.4\u00a0MB · seed 7 · made 2025-03-10 09:30" in app.text
        assert "few-shot (4)" in app.text
        assert "[81.5, 88.4]" in app.text
        await app.press("down")
        await app.sees("goes on from classification/v1 ← classification/v0 (gone)")
        await app.press("down")
        await app.sees("It has no scores yet")
        await app.press("down", "down")
        await app.sees("qa/v1 · in use · yours")
        assert "not the model that answers now" in app.text


async def test_the_card_is_markdown_and_harmless(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper), size=(100, 50)) as app:
        screen = await open_list(app, "enter")
        await app.sees("Trained on [bold]reviews[/] and news.")
        assert screen.details.has_focus
        assert "texts.jsonl · 3,400 rows · amazon-reviews (Apache-2.0)" in app.text


async def test_promote_off_and_rollback(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper), size=(100, 40)) as app:
        await open_list(app, "down", "p")
        await app.noted("classification/v2 is in use | Before: classification/v1.")
        await app.sees("● v2")
        assert "○ v1" in app.text
        await app.press("o")
        await app.noted("No adapter is in use for classification | Before: classification/v2.")
        await app.sees("5 here · 0 in use")
        await app.press("b")
        await app.until(lambda: len(keeper.done) == 3)
        assert keeper.done == [
            ("promote", "classification/v2"),
            ("off", "classification"),
            ("rollback", "classification"),
        ]


async def test_one_without_scores_is_promoted_with_a_word_of_warning(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper)) as app:
        await open_list(app, "down", "down", "p")
        await app.noted("it answers only with /strategy adapter")


async def test_checking_does_not_hold_up_the_screen(keeper: FakeKeeper) -> None:
    keeper.gate.clear()
    async with opened(session_with(keeper), size=(100, 40)) as app:
        await open_list(app, "v")
        await app.sees("checking classification/v1…")
        await app.press("down", "p", "v")
        await app.sees("classification/v2 · not in use")
        keeper.gate.set()
        await app.noted("classification/v1 is in order | 96 tensors, checksum ffffffffffffffff…")
        assert "Not compared: its base model is not here." in app.notes
        await app.sees("5 here")
        assert keeper.done == [("verify", "classification/v1")]


@pytest.mark.parametrize("key", ["p", "o", "b", "v"])
async def test_what_goes_wrong_is_a_note(keeper: FakeKeeper, key: str) -> None:
    keeper.fails = AdapterError("The weights are not those of the record.", "Train it again.")
    async with opened(session_with(keeper)) as app:
        await open_list(app, key)
        await app.noted("The weights are not those of the record. | Train it again.")
        await app.sees("5 here")
        keeper.fails = RuntimeError("odd")
        await app.press(key)
        await app.noted("Something unexpected went wrong (RuntimeError).")


async def test_deleting_asks_first(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper), size=(100, 40)) as app:
        await open_list(app, "d")
        await app.noted("classification/v1 ships with the program and stays.")
        await app.press("down", "d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.sees("Delete classification/v2?")
        await app.press("escape")
        await app.until(lambda: isinstance(app.app.screen, AdaptersScreen))
        assert keeper.done == []
        await app.sees("5 here")
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.press("y")
        await app.noted("classification/v2 is gone")
        await app.sees("4 here")
        assert keeper.done == [("remove", "classification/v2")]


async def test_deleting_the_one_in_use_says_what_follows(keeper: FakeKeeper) -> None:
    async with opened(session_with(keeper), size=(100, 40)) as app:
        await open_list(app, "end", "d")
        await app.sees("It is in use: what was in use before it will be")


async def test_compare_opens_side_by_side_with_the_marked_one(keeper: FakeKeeper) -> None:
    session = session_with(keeper)
    async with opened(session, size=(100, 40)) as app:
        await app.ask("good or bad?")
        await open_list(app, "down", "c")
        await app.until(lambda: isinstance(app.app.screen, SideBySideScreen))
        await app.sees("Which answer is better?")
        request, ways = session.compared[0]
        assert (request.text, request.turn_id) == ("good or bad?", "t1")
        assert [way.adapter for way in ways] == [None, "classification/v2"]
        await app.press("escape")
        await app.until(lambda: isinstance(app.app.screen, AdaptersScreen))
        await app.press("end", "c")
        await app.noted("qa/v1 is for another model.")


async def test_compare_without_a_fitting_question_asks_for_one(keeper: FakeKeeper) -> None:
    session = session_with(keeper)
    async with opened(session, size=(100, 40)) as app:
        await app.ask("good or bad?")
        screen = await open_list(app, "down", "down", "down")
        assert screen._marked is not None
        assert screen._marked.card.task == "translation"
        await app.press("c")
        await app.sees("What should be answered?")
        await app.press(*"Hallo")
        await app.press("ctrl+s")
        await app.sees("Which answer is better?")
        request, ways = session.compared[0]
        assert (request.text, request.turn_id, request.options.task) == (
            "Hallo",
            None,
            "translation",
        )
        assert ways[1].adapter == "translation/v1"


async def test_palette_and_remapped_keys(keeper: FakeKeeper) -> None:
    session = session_with(keeper)
    session.settings.keys = {"adapters.promote": "u"}
    async with opened(session, size=(100, 30)) as app:
        await app.press("ctrl+p")
        await app.sees("Search for commands")
        await app.press(*"adapters")
        await app.sees("/adapters")
        await app.press("down", "enter")
        await app.until(lambda: isinstance(app.app.screen, AdaptersScreen))
        await app.sees("u use")
        await app.press("down", "u")
        await app.noted("classification/v2 is in use")


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 50)])
async def test_every_size_shows_every_adapter(keeper: FakeKeeper, size: tuple[int, int]) -> None:
    async with opened(session_with(keeper), size=size) as app:
        await open_list(app, *["down"] * 4)
        await app.pilot.resize_terminal(100, 30)
        await app.sees("qa/v1 · in use")


# -- the pieces ------------------------------------------------------------------------------------


@pytest.fixture
def keeper() -> FakeKeeper:
    return FakeKeeper()


@pytest.mark.parametrize("width", [30, 55, 75, 115, 200])
def test_lines_fit_the_width(width: int) -> None:
    for kept in several():
        assert lines.line_of(kept, width).cell_length <= width


def test_a_record_that_cannot_be_read_is_said() -> None:
    kept = Kept(replace(card("qa", "v1"), problem="run.json is not JSON."), False, True)
    assert "its record cannot be read" in lines.line_of(kept, 100).plain
    assert "run.json is not JSON." in lines.facts(kept).plain


def test_one_that_needs_plain_transformers_says_how_to_get_them() -> None:
    kept = Kept(card("qa", "v1"), False, True, needs_plain=True)
    assert "assistant config set engine plain" in lines.facts(kept).plain
    assert "plain" not in lines.facts(replace(kept, needs_plain=False)).plain


def test_scores_without_few_shot_or_intervals() -> None:
    kept = Kept(card("qa", "v1", scores={"d": Score("f1", 9, 61.5)}), True, True)
    assert lines.line_of(kept, 100).plain.endswith("61.5")
    told = lines.score_lines(kept.card.run, 100).plain.split("\n")
    assert [line.rstrip() for line in told] == ["d · f1 · n 9", "  adapter        61.5"]


def test_the_badge_names_task_and_version() -> None:
    choice = Choice("adapter", "measured", "classification/v2")
    route = Route("classification", 0.96, {"classification": 0.96})
    turn = Turn("t", "c", 1, "x", "good", "done", route, choice)
    assert badge(turn).plain == "classification 96\u00a0% · adapter classification/v2"


# -- what it looks like ----------------------------------------------------------------------------


def _after(*keys: str) -> Callable[[Pilot[None]], Any]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.prompt.insert("/adapters")
        await pilot.press("enter")
        while not isinstance(app.screen, AdaptersScreen) or app.screen._busy:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.15)
        await pilot.pause(0.15)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("auto", (80, 24), (), id="list"),
        pytest.param("light", (120, 40), ("down",), id="list_wide_light"),
        pytest.param("auto", (120, 40), (), id="list_wide"),
        pytest.param("light", (60, 20), (), id="list_narrow_light"),
    ],
)
def test_looks(
    snap_compare: Any, keeper: FakeKeeper, theme: str, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    session = session_with(keeper)
    session.settings.theme = theme
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=_after(*keys))
