"""The question which task a turn is, when the router is unsure; explaining one takes a while."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import FrameType

import pytest
from textual import events
from textual.widgets import Input
from tui_driver import Driver, opened
from tui_fakes import FakeSession

from assistant.tui.asking import Asking, Chat
from assistant.tui.screens import chat_base
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.screens.help import HelpScreen
from assistant.tui.screens.search import SearchScreen
from assistant.tui.screens.task_choice import TaskChoice
from assistant.tui.wording import which_of

PAIR = ("translation", "summarization")


@pytest.fixture
def slow_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the test time while a text is taken as still being typed."""
    monkeypatch.setattr(chat_base, "_TYPING_S", 2.0)


async def asked(app: Driver) -> None:
    """Wait until the question is on the screen."""
    await app.until(lambda: isinstance(app.app.screen, TaskChoice), "the question")
    await app.pilot.pause()


def waits_for_task() -> bool:
    """Return whether a turn waits for its task in some thread."""
    for frame in sys._current_frames().values():
        at: FrameType | None = frame
        while at is not None:
            if at.f_code is Asking.wait_for_task.__code__:
                return True
            at = at.f_back
    return False


async def test_an_unsure_turn_asks_and_a_digit_answers() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        await app.send("le chat: short, please")
        await asked(app)
        await app.sees("Translate or summarize?")
        assert "1–2 pick · Esc go with translation" in app.text
        assert "1  translation       52\u00a0%" in app.text
        assert "2  summarization     44\u00a0%" in app.text
        assert "classification" not in app.text
        assert app.text.count("le chat: short, please") >= 2  # in the chat, and in the box
        assert "which task?" in app.text
        assert "Esc stops" not in app.text
        await app.press("3", "²", "2")
        await app.idle()
        await app.sees("summarization chosen by you")
        await app.sees("You said: le chat: short, please")
        assert app.app.screen is app.chat
        assert app.chat.prompt.has_focus
        assert "which task?" not in app.text


async def test_escape_goes_by_the_guess() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        await app.send("le chat")
        await asked(app)
        await app.press("escape")
        await app.idle()
        await app.sees("translation 52\u00a0%")
        assert "chosen by you" not in app.text
        assert app.session.store.turn("t1").state == "done"


async def test_enter_takes_the_highlighted_task() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        await app.send("le chat")
        await asked(app)
        await app.press("down", "enter")
        await app.idle()
        await app.sees("summarization chosen by you")


@pytest.mark.parametrize("keys", [("1", "1", "1"), ("enter", "enter"), ("1", "enter", "2")])
async def test_keys_that_repeat_answer_once(keys: tuple[str, ...]) -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        await app.send("le chat")
        await asked(app)
        for key in keys:
            app.app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
        await app.idle()
        await app.sees("translation chosen by you")
        assert app.app.screen is app.chat


async def test_a_second_turn_waits_for_the_question() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        app.chat.prompt.insert("draft")
        await app.chat.send("first")
        await app.press(*" two", "enter")  # the question waits while something is being typed
        await asked(app)
        assert [text for text, _ in app.session.asked] == ["first"]
        assert "queued" in app.text
        await app.press("1")
        await app.until(lambda: len(app.session.asked) == 2, "the second turn")
        await asked(app)
        assert "draft two" in app.text
        await app.press("2")
        await app.idle()
        tasks = [app.session.store.turn(name).route.task for name in ("t1", "t2")]  # type: ignore[union-attr]
        assert tasks == ["translation", "summarization"]


@pytest.mark.usefixtures("slow_typing")
async def test_what_is_being_typed_stays_and_gets_its_keys() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        app.chat.prompt.insert("le chat")
        app.app.post_message(events.Key("enter", "\r"))
        for key in "1 or 2 cats":
            app.app.post_message(events.Key("space" if key == " " else key, key))
            if key != "1":
                await asyncio.sleep(0.05)
        await app.until(lambda: app.chat.prompt.text == "1 or 2 cats", "what was typed")
        assert app.app.screen is app.chat
        await app.sees("which task?")
        await asked(app)
        await app.press("x", "2")
        await app.idle()
        await app.sees("summarization chosen by you")
        assert app.chat.prompt.text == "1 or 2 cats"
        assert app.chat.prompt.has_focus
        await app.press("!")
        assert app.chat.prompt.text == "1 or 2 cats!"


async def test_stopping_the_turn_closes_the_question() -> None:
    async with opened(FakeSession(unsure=PAIR)) as app:
        await app.send("le chat")
        await asked(app)
        app.chat.action_cancel()
        await app.idle()
        await app.until(lambda: app.app.screen is app.chat, "the chat")
        await app.sees("■ stopped")
        assert app.session.store.turn("t1").state == "cancelled"
        assert not app.chat.status.asking
        app.session.unsure = ()
        await app.ask("next")
        await app.sees("You said: next")


async def test_escape_while_the_question_waits_for_the_typing_stops_the_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = asyncio.Event()

    async def until_typed(self: chat_base.ChatBase) -> None:
        await typed.wait()

    monkeypatch.setattr(chat_base.ChatBase, "pause_in_typing", until_typed)
    async with opened(FakeSession(unsure=PAIR)) as app:
        app.chat.prompt.insert("draft")
        await app.chat.send("le chat")
        await app.sees("which task?")
        await app.press("escape")
        await app.idle()
        await app.sees("■ stopped")
        typed.set()
        await app.pilot.pause(0.2)
        assert app.app.screen is app.chat
        assert app.chat.prompt.text == "draft"


async def test_quitting_with_the_question_open_ends_the_worker() -> None:
    session = FakeSession(unsure=PAIR)
    async with opened(session) as app:
        await app.send("le chat")
        await asked(app)
        assert waits_for_task()
        await app.press("ctrl+q")
    for _ in range(100):
        if not waits_for_task():
            break
        await asyncio.sleep(0.02)
    assert not waits_for_task()
    assert session.store.turn("t1").state == "cancelled"


async def test_the_question_comes_up_over_other_boxes() -> None:
    session = FakeSession(["one", "two", "three"], unsure=PAIR)
    session.store.add("Old", ("old question", "old answer"), day=10)
    async with opened(session) as app:
        await app.press("ctrl+f")
        await app.until(lambda: isinstance(app.app.screen, SearchScreen))
        await app.chat.send("le chat")
        await asked(app)
        await app.press("2")
        await app.idle()
        assert isinstance(app.app.screen, SearchScreen)
        assert app.app.screen.query_one(Input).has_focus
        await app.press(*"old")
        await app.sees("old answer")
        await app.press("down", "enter")
        await app.until(lambda: app.chat.chat.id == "c1")
        await app.chat.open("c2")
        await app.sees("summarization chosen by you")


async def test_the_question_comes_up_over_the_editor_and_help_over_it() -> None:
    session = FakeSession(["one", "two"], unsure=())
    async with opened(session) as app:
        await app.ask("first")
        session.unsure = PAIR
        await app.send("le chat")
        await app.until(lambda: app.chat.status.asking or len(session.asked) == 2)
        await asked(app)
        await app.press("f1")
        await app.until(lambda: isinstance(app.app.screen, HelpScreen))
        await app.press("1", "f1")
        await asked(app)
        await app.press("escape")
        await app.idle()
        await app.sees("translation 52\u00a0%")
        app.chat.transcript.views[0].focus()
        await app.press("f")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        await app.chat.send("le chien")
        await asked(app)
        await app.press("ctrl+s", "2")
        await app.idle()
        assert isinstance(app.app.screen, EditorScreen)
        await app.press("escape")
        assert not session.feedback


async def test_the_question_reaches_one_who_has_left_the_chat() -> None:
    session = FakeSession(unsure=PAIR)
    session.store.add("Old", ("old question", "old answer"), day=10)
    async with opened(session) as app:
        await app.send("le chat")
        await app.chat.open("c1")
        await asked(app)
        assert "le chat" in app.text
        await app.chat.open("c2")  # behind the question
        await app.sees("which task?")
        await app.press("2")
        await app.idle()
        await app.sees("You said: le chat")
        await app.sees("summarization chosen by you")


async def test_answering_again_asks_too() -> None:
    async with opened(FakeSession(["one", "two"], unsure=PAIR)) as app:
        await app.send("le chat")
        await asked(app)
        await app.press("1")
        await app.idle()
        await app.press("f5")
        await asked(app)
        await app.press("2")
        await app.idle()
        await app.sees("summarization chosen by you")


def test_waiting_for_the_task_ends_with_the_answer_or_the_stop() -> None:
    from assistant.errors import Cancelled

    asking = Asking(Chat(), "le chat")
    threading.Timer(0.05, asking.say_task, [None]).start()
    assert asking.wait_for_task() is None
    asking = Asking(Chat(), "le chat")
    threading.Timer(0.05, asking.stop.set).start()
    with pytest.raises(Cancelled):
        asking.wait_for_task()


@pytest.mark.parametrize(
    ("tasks", "question"),
    [
        (("translation", "summarization"), "Translate or summarize?"),
        (("qa", "chat"), "Answer a question or chat?"),
        (("chat", "classification", "haiku"), "Chat, classify or haiku?"),
    ],
)
def test_the_question_is_english(tasks: tuple[str, ...], question: str) -> None:
    assert which_of(tasks) == question


# -- explaining ------------------------------------------------------------------------------------


async def test_why_shows_what_is_stored_while_the_turn_is_read_again() -> None:
    session = FakeSession()
    session.reading.clear()
    async with opened(session) as app:
        await app.ask("hello")
        await app.command("/why")
        await app.sees("It looks like chat.")
        await app.sees("Reading the turn again…")
        session.reading.set()
        await app.sees("The word hello spoke for it.")
        assert "Reading the turn again…" not in app.text


async def test_a_turn_is_read_again_only_once_at_a_time() -> None:
    session = FakeSession()
    session.reading.clear()
    async with opened(session) as app:
        await app.ask("hello")
        for _ in range(3):  # left with Escape the reading goes on, and the next waits for it
            await app.command("/why")
            await app.sees("Reading the turn again…")
            await app.press("escape")
        await app.command("/model fake-1.5b")
        await app.noted("The model is still reading a turn again.")
        await app.command("/why")
        await app.sees("Reading the turn again…")
        assert session.explained == ["t1"]
        session.reading.set()
        await app.sees("The word hello spoke for it.")
        assert session.explained == ["t1", "t1"]


async def test_what_fails_in_the_second_reading_leaves_what_is_stored() -> None:
    from assistant.errors import EngineError

    class Failing(FakeSession):
        def explain(self, turn_id: str, *, read_again: bool = True) -> str:
            if read_again:
                raise EngineError("Out of memory.")
            return super().explain(turn_id, read_again=False)

    async with opened(Failing()) as app:
        await app.ask("hello")
        await app.command("/why")
        await app.noted("Out of memory.")
        await app.until(lambda: "Reading the turn" not in app.text)
        assert "It looks like chat." in app.text
