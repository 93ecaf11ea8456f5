"""All that was judged in one list: filters, changes, undo, the way back, and what it looks like."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea
from tui_driver import Driver, opened
from tui_fakes import FakeSession, now

from assistant import config
from assistant.errors import StoreError
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.tui.app import AssistantApp
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.screens.feedback import FeedbackScreen
from assistant.types import Choice, Message, Route, Turn

CAPITAL = "What is the capital of Australia?"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Store(tmp_path / "assistant.db") as store:
        prompts = Prompts.load(shipped("prompts"))
        settings = config.load(model="fake")
        yield Session(store, ready_loader(FakeEngine()), FakeRouter(), prompts, settings)


def talk(store: Store, text: str, answer: str, task: str, adapter: str | None = None) -> Turn:
    turn = store.begin_turn(text, model="qwen2.5-0.5b-instruct")
    way = Choice("adapter" if adapter else "few_shot", "why", adapter)
    store.finish_turn(
        replace(
            turn,
            answer=answer,
            state="done",
            sent=(Message("user", text),),
            route=Route(task, 0.9, {task: 0.9}),
            choice=way,
        )
    )
    return store.turn(turn.id)


def fill(store: Store) -> None:
    """Judge in every way there is; the newest is a preference."""
    capital = talk(store, CAPITAL, "It is Sydney, a very big city.", "qa")
    said = {"rating": "bad", "reason": "wrong", "correction": "It is Canberra, a city."}
    store.add_feedback(capital.id, **said, comment="Not again.")  # type: ignore[arg-type]
    weather = talk(store, "Translate: Guten Tag", "Good day", "translation", "translation/v2")
    store.add_feedback(weather.id, rating="good")
    cat = talk(store, "le chat dort", "How nice!", "chat")
    store.add_feedback(cat.id, route="translation")
    mail = talk(store, "Is this mail rude? [b]No[/b].", "neutral", "classification")
    other = replace(mail, answer="rude", choice=Choice("adapter", "why", "classification/v1"))
    store.add_preference(other, mail, "left", blind=True, turn_id=mail.id)
    with sqlite3.connect(store.path) as db:  # the days of the tests
        for day, table in ((11, "feedback"), (14, "preferences")):
            stamp = f"'2025-03-' || ({day} + id - 1) || 'T09:30:00.000000+00:00'"
            db.execute(f"UPDATE {table} SET created_at = {stamp}")


@asynccontextmanager
async def looking(
    session: Session, size: tuple[int, int] = (100, 30)
) -> AsyncIterator[tuple[Driver, FeedbackScreen]]:
    """Open the list in the app."""
    async with opened(cast(FakeSession, session), size=size) as app:
        await app.command("/feedback")
        await app.until(lambda: isinstance(app.app.screen, FeedbackScreen))
        screen = app.app.screen
        assert isinstance(screen, FeedbackScreen)
        await app.until(lambda: screen._counts is not None, "the list")
        await app.pilot.pause()
        yield app, screen


def names(screen: FeedbackScreen) -> list[str]:
    return [row.name for row in screen.rows]


async def mark(app: Driver, screen: FeedbackScreen, name: str) -> None:
    """Go to a judgement and wait until it is shown."""
    screen.list.highlighted = names(screen).index(name)
    number = int(name.removeprefix("p"))
    await app.until(lambda: screen.item is not None and screen.item.id == number, name)
    await app.pilot.pause()


async def test_nothing_yet_says_how_to_judge(session: Session) -> None:
    async with looking(session) as (app, screen):
        await app.sees("F3 good")
        for key in ("g", "f", "d", "1", "enter", "t", "k", "down"):
            await app.press(key)
        assert app.app.screen is screen
        await app.press("u")
        await app.sees("There is nothing to take back.")
        await app.press("q")
        await app.until(lambda: app.app.screen is app.chat)


async def test_all_of_it_and_the_marked_one_whole(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        assert names(screen) == ["p1", "3", "2", "1"]
        await app.sees("▲ 1 · ▼ 1 · ✎ 1 · → 1 · ⇄ 1 · 4 in all")
        await app.sees("⇄ 1 is better")
        await app.sees("1 · adapter classification/v1 · qwen2.5-0.5b-instruct ▲")
        await mark(app, screen, "1")
        await app.sees("▼ bad: wrong · ✎ corrected")
        await app.sees("Answered, 3 words out, 1 in")
        await app.sees("It is SydneyCanberra, a very big city.")
        await app.sees("Not again.")
        await app.sees("qa · few-shot · qwen2.5-0.5b-instruct · 11 Mar 2025")


async def test_filters_go_round(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        for kind, found in (
            ("good", ["2"]),
            ("bad", ["1"]),
            ("corrected", ["1"]),
            ("route", ["3"]),
            ("preference", ["p1"]),
        ):
            await app.press("k")
            await app.until(lambda found=found: names(screen) == found, kind)  # type: ignore[misc]
        await app.press("k")
        await app.until(lambda: len(screen.rows) == 4)
        seen = set()
        for _ in range(4):
            await app.press("t")
            await app.until(lambda: screen.wanted.task not in seen)
            seen.add(screen.wanted.task)
        assert seen == {"qa", "translation", "chat", "classification"}
        assert names(screen) == ["3", "2"]
        await app.press("k", "k")
        await app.sees("Nothing of this kind.")
        await app.press("t")  # all tasks again, and still only the bad ones
        await app.until(lambda: names(screen) == ["1"])


async def test_words_are_looked_for_while_they_are_typed(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await app.press("slash", *"sydney")
        await app.until(lambda: names(screen) == ["1"])
        await app.press("q")  # a letter of the search, not the way out
        await app.sees("Nothing of this kind.")
        await app.press("backspace")
        await app.until(lambda: names(screen) == ["1"])
        await app.press("enter", "g")
        await app.sees("Rated good.")
        await app.press("slash")
        screen.query_one(Input).value = ""
        await app.until(lambda: len(screen.rows) == 4)
        await app.press("escape")
        assert screen.list.has_focus
        assert not screen.search.display
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)


async def test_rating_reason_and_comment_are_changed(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await mark(app, screen, "2")
        await app.press("3")
        await app.sees("Only a bad answer has a reason: b rates it bad.")
        await app.press("b")
        await app.sees("Rated bad. u takes it back. Why? 1 wrong 2 incomplete")
        await app.press("3")
        await app.sees("▼ bad: too long")
        await app.press("c")
        await app.until(lambda: app.app.screen is not screen)
        await app.press(*"hm", "enter")
        await app.sees("Comment saved.")
        (item,) = session.store.feedback()[1:2]
        assert (item.rating, item.reason, item.comment) == ("bad", "too_long", "hm")
        await app.press("c")
        await app.until(lambda: app.app.screen is not screen)
        await app.press("backspace", "backspace", "enter")
        await app.sees("Comment taken out.")
        await app.press("g")
        await app.sees("▲ good")
        assert session.store.feedback()[1].reason is None
        await app.sees("▲ 1 · ▼ 1")


async def test_keys_in_a_burst_act_in_their_order(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        screen.list.highlighted = names(screen).index("2")
        await app.press("b", "7", "down", "g")
        await app.until(lambda: session.store.feedback()[0].rating == "good")
        second = session.store.feedback()[1]
        assert (second.rating, second.reason) == ("bad", "refused")


async def test_the_correction_is_edited(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await mark(app, screen, "1")
        await app.press("f")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        area = app.app.screen.query_one(TextArea)
        assert area.text == "It is Canberra, a city."
        area.load_text("It is Canberra, a very big city.")
        await app.press("ctrl+s")
        await app.sees("Corrected: 1 word out, 1 in. u takes it back.")
        await mark(app, screen, "2")
        await app.press("e")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        assert app.app.screen.query_one(TextArea).text == "Good day"
        await app.press("escape")
        await app.until(lambda: app.app.screen is screen)
        assert [item.correction for item in session.store.feedback()] == [
            "It is Canberra, a very big city.",
            None,
            None,
        ]


async def test_a_preference_is_chosen_differently(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await mark(app, screen, "p1")
        for key, choice in (("2", "right"), ("g", "both_good"), ("4", "both_bad"), ("1", "left")):
            await app.press(key)
            await app.until(
                lambda choice=choice: session.store.preferences()[0].choice == choice,  # type: ignore[misc]
                choice,
            )
        await app.sees("Chosen: 1 is better. u takes it back.")
        await app.press("f")
        await app.sees("There is nothing to correct")
        await app.press("9")
        assert session.store.preferences()[0].choice == "left"


async def test_delete_asks_and_can_be_taken_back(session: Session) -> None:
    fill(session.store)
    before = session.store.feedback()
    async with looking(session) as (app, screen):
        await mark(app, screen, "3")
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.press("escape")
        await app.until(lambda: app.app.screen is screen)
        assert len(session.store.feedback()) == 3
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.press("enter")
        await app.until(lambda: names(screen) == ["p1", "2", "1"])
        await app.sees("Deleted. u takes it back.")
        assert session.store.route_corrections() == []
        await app.press("u")
        await app.until(lambda: names(screen) == ["p1", "3", "2", "1"])
        await app.sees("Here again: → translation on “le chat dort”. u goes further back.")
        assert screen.marked is not None
        assert screen.marked.name == "3"
        assert session.store.feedback() == before


async def test_enter_goes_to_the_conversation(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await mark(app, screen, "1")
        await app.press("enter")
        await app.until(lambda: app.app.screen is app.chat)
        await app.sees(CAPITAL)
        await app.until(lambda: len(app.chat.transcript.views) == 1)
        turn = app.chat.transcript.views[0].turn
        assert turn is not None
        assert turn.user_text == CAPITAL


async def test_the_chat_shows_what_was_changed(session: Session) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):
        await mark(app, screen, "2")
        await app.press("enter")
        await app.sees("▲ good")
        await app.press("escape")
        await app.command("/feedback")
        await app.until(lambda: isinstance(app.app.screen, FeedbackScreen))
        again = app.app.screen
        assert isinstance(again, FeedbackScreen)
        await app.until(lambda: len(again.rows) == 4)
        await mark(app, again, "2")
        await app.press("b")
        await app.sees("Rated bad.")
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        await app.sees("▼ bad")


async def test_a_preference_outside_of_chats_leads_nowhere(session: Session) -> None:
    fill(session.store)
    turn = session.store.turn("last")
    session.store.add_preference(turn, replace(turn, answer="x"), "left")
    async with looking(session) as (app, screen):
        await mark(app, screen, "p2")
        await app.press("enter")
        await app.sees("outside of any chat")
        assert app.app.screen is screen


async def test_thousands_are_read_page_by_page(session: Session) -> None:
    store = session.store
    turn = talk(store, "One question", "One answer", "qa")
    with sqlite3.connect(store.path) as db:
        db.executemany(
            "INSERT INTO feedback (turn_id, rating, comment, created_at) VALUES (?, 'good', ?, ?)",
            [(turn.id, f"number {n}", f"2025-03-14T10:00:00.{n:06}+00:00") for n in range(5000)],
        )
    async with looking(session) as (app, screen):
        await app.sees("5,000 in all")
        assert len(screen.rows) == 100
        await app.press("end")
        await app.until(lambda: len(screen.rows) == 200)
        await app.press("end")
        await app.until(lambda: len(screen.rows) == 300)
        assert [row.comment for row in screen.rows] == [f"number {4999 - n}" for n in range(300)]
        await app.press("slash", *"number 17")
        await app.until(lambda: screen.wanted.search == "number 17")
        await app.until(lambda: screen.rows and all("17" in str(r.comment) for r in screen.rows))


async def test_hostile_texts_are_harmless(session: Session) -> None:
    evil = "\x1b[31m[red]x[/red]\x1b]0;title\x07\x9b2J\u202e" + "y" * 50_000
    turn = talk(session.store, evil, evil, "qa")
    session.store.add_feedback(turn.id, rating="bad", correction=f"z{evil}", comment=evil)
    with sqlite3.connect(session.store.path) as db:
        db.execute("UPDATE turns SET task = ?", (evil[:60],))
        db.execute(
            """UPDATE feedback SET created_at = 'yesterday', route = '[b]\x1b[2J',
                   snapshot = json_set(snapshot, '$.model', ?, '$.adapter', 7)""",
            (evil,),
        )
    async with looking(session) as (app, screen):
        await mark(app, screen, "1")
        await app.sees("[red]x[/red]")
        assert "\x1b" not in app.text
        assert "\u202e" not in app.text
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        assert "\x1b" not in app.text


async def test_a_failing_store_is_said(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(session.store)
    async with looking(session) as (app, screen):

        def fails(*_: object, **__: object) -> None:
            raise StoreError("The database is locked.", "Try again.")

        await mark(app, screen, "2")
        monkeypatch.setattr(session.store, "edit_feedback", fails)
        await app.press("b")
        await app.noted("The database is locked.")
        assert session.store.feedback()[1].rating == "good"
        monkeypatch.undo()
        await app.press("b")
        await app.sees("Rated bad.")


@pytest.mark.parametrize("size", [(40, 14), (60, 20), (80, 24), (120, 36), (200, 50)])
async def test_every_size_shows_list_and_details(session: Session, size: tuple[int, int]) -> None:
    fill(session.store)
    async with looking(session, size) as (app, screen):
        await mark(app, screen, "2")
        assert "▲" in app.text
        assert "Good day" in app.text or size[1] < 20
        beside = screen.list.region.y == screen.details.region.y
        assert beside == (size[0] >= 110)
        assert "back" in app.text.splitlines()[-1]
        assert all(option.prompt.cell_length <= size[0] for option in screen.list.options)  # type: ignore[union-attr]


# -- what it looks like ----------------------------------------------------------------------------


def after(*keys: str) -> Any:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.prompt.insert("/feedback")
        await pilot.press("enter")
        while not isinstance(app.screen, FeedbackScreen) or app.screen._counts is None:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.pause(0.3)
            await pilot.press(key)
        app.screen.search.cursor_blink = False
        await pilot.pause(0.5)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys", "filled"),
    [
        pytest.param("auto", (80, 24), ("end",), True, id="list"),
        pytest.param("auto", (120, 36), (), True, id="list_wide"),
        pytest.param("light", (120, 36), ("end", "b"), True, id="list_wide_light"),
        pytest.param("light", (60, 20), ("slash", "g"), True, id="search_narrow_light"),
        pytest.param("auto", (80, 24), (), False, id="nothing_yet"),
    ],
)
def test_looks(
    session: Session,
    snap_compare: Any,
    theme: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
    filled: bool,
) -> None:
    if filled:
        fill(session.store)
    session.settings = session.settings.model_copy(update={"theme": theme})
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=after(*keys))
