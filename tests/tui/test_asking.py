"""Sending, streaming, stopping, failing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual import events
from tui_driver import opened
from tui_fakes import FakeSession

from assistant.engine.loader import EngineLoader
from assistant.errors import DownloadError, EngineError, StoreError
from assistant.testing import FakeEngine
from assistant.tui.app import AssistantApp


async def test_sends_and_shows_answer_with_badge() -> None:
    async with opened(FakeSession(["Bonjour **à tous**."], task="translation")) as app:
        await app.ask("Good morning")
        assert "Good morning" in app.text
        assert "Bonjour à tous." in app.text
        assert "translation 96\u00a0% · few-shot" in app.text
        assert app.chat.prompt.text == ""
        assert "668/4.1k tokens" in app.text
        assert "38\u00a0tok/s" in app.text


async def test_newline_keys_do_not_send() -> None:
    async with opened(FakeSession()) as app:
        await app.press("a", "ctrl+j", "b", "shift+enter", "c")
        assert app.chat.prompt.text == "a\nb\nc"
        assert not app.session.asked
        await app.press("enter")
        await app.idle()
        assert app.session.asked[0][0] == "a\nb\nc"


async def test_pasted_newlines_do_not_send_and_long_pastes_stay_whole() -> None:
    async with opened(FakeSession(["Read it."])) as app:
        pasted = "\r\n".join(f"line {n} " + "x" * 50 for n in range(2000)) + "\r"
        app.chat.prompt.post_message(events.Paste(pasted + "\x1b[31mend"))
        await app.until(lambda: "end" in app.chat.prompt.text)
        assert not app.session.asked
        assert app.chat.prompt.size.height <= 8
        await app.press("enter")
        await app.idle()
        sent = app.session.asked[0][0]
        assert sent == pasted.replace("\r\n", "\n").replace("\r", "\n") + "end"
        await app.sees("Click to show all.")


async def test_prompt_grows_with_its_text() -> None:
    async with opened(FakeSession()) as app:
        assert app.chat.prompt.size.height == 1
        app.chat.prompt.insert("\n".join("abcd"))
        await app.pilot.pause()
        assert app.chat.prompt.size.height == 4
        app.chat.prompt.insert("\n" * 30)
        await app.pilot.pause()
        assert app.chat.prompt.size.height == 8


async def test_history_at_the_edges() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("first")
        await app.ask("second")
        await app.press("d", "r", "up")
        assert app.chat.prompt.text == "second"
        await app.press("up")
        assert app.chat.prompt.text == "first"
        await app.press("down", "down")
        assert app.chat.prompt.text == "dr"


async def test_escape_stops_and_keeps_what_came() -> None:
    session = FakeSession(["one two three four"])
    session.gate.clear()
    async with opened(session) as app:
        await app.send("count")
        await app.sees("one")
        assert "answering" in app.text
        await app.press("escape")
        await app.idle()
        assert "one" in app.text
        assert "■ stopped" in app.text
        assert session.store.turn("t1").state == "cancelled"


async def test_turns_wait_in_line_and_escape_gives_them_back() -> None:
    session = FakeSession(["one two", "three"])
    session.gate.clear()
    async with opened(session) as app:
        await app.send("first")
        await app.sees("one")
        await app.send("second")
        await app.sees("queued")
        await app.press("escape")
        await app.idle()
        assert app.chat.prompt.text == "second"
        assert len(session.asked) == 1
        session.gate.set()
        await app.press("enter")
        await app.idle()
        await app.sees("three")
        assert session.store.turn("t2").conversation_id == "c1"


async def test_one_may_type_and_send_while_the_model_loads() -> None:
    go = threading.Event()

    def load(report: Callable[..., None]) -> FakeEngine:
        report("loading", "Reading", 0.4)
        go.wait()
        return FakeEngine()

    loader = EngineLoader(load)
    session = FakeSession(["There you are."], loader=loader)
    async with opened(session) as app:
        await app.sees("Reading 40\u00a0%")
        await app.send("are you there?")
        await app.sees("waiting for the model…")
        go.set()
        await app.idle()
        await app.sees("There you are.")
        await app.sees("● ready")


async def test_sending_before_there_is_a_session() -> None:
    go = threading.Event()
    session = FakeSession(["At last."])

    def factory() -> FakeSession:
        go.wait()
        return session

    app = AssistantApp(factory)
    async with app.run_test() as pilot:
        await pilot.press(*"hello", "enter")
        assert app.chat.desk.waiting
        go.set()
        while not session.asked or app.chat.desk.running:
            await pilot.pause(0.01)
        assert session.store.turn("t1").answer == "At last."


async def test_failed_session_gives_the_text_back() -> None:
    go = threading.Event()

    def factory() -> FakeSession:
        go.wait()
        raise StoreError("The database is locked by another program.", "Close it.")

    app = AssistantApp(factory)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press(*"hello", "enter")
        go.set()
        while app.chat.prompt.text != "hello":
            await pilot.pause(0.01)
        assert [n.title for n in app._notifications] == [
            "The database is locked by another program."
        ]


async def test_failed_turn_shows_message_and_hint_in_place() -> None:
    session = FakeSession([EngineError("Out of memory.", "Choose a smaller model with /model.")])
    async with opened(session) as app:
        await app.ask("hello")
        assert "Out of memory." in app.text
        assert "Choose a smaller model with /model." in app.text
        assert "× failed" in app.text
        await app.ask("still there?")
        assert "You said: still there?" in app.text


async def test_text_is_given_back_when_it_could_not_be_stored() -> None:
    session = FakeSession()
    session.fails_before_storing = StoreError("The disk is full.", "Make room.")
    async with opened(session) as app:
        await app.ask("precious words")
        assert app.chat.prompt.text == "precious words"
        await app.noted("The disk is full. | Make room.")
        assert not app.chat.transcript.views


async def test_unexpected_error_shows_no_traceback() -> None:
    async with opened(FakeSession([ZeroDivisionError("boom")])) as app:
        await app.ask("hello")
        assert "Something unexpected went wrong (ZeroDivisionError)." in app.text
        assert "Traceback" not in app.text
        assert app.app.is_running


async def test_failed_loading_is_said_and_can_be_tried_again() -> None:
    results: list[object] = [DownloadError("No source answered.", "Look at your network.")]

    def load(report: object) -> FakeEngine:
        if results:
            raise results.pop()  # type: ignore[misc]
        return FakeEngine()

    session = FakeSession(["Fine now."], loader=EngineLoader(load))
    async with opened(session) as app:
        await app.noted("No source answered. | Look at your network.")
        await app.sees("the model did not load")
        await app.ask("again")
        await app.sees("Fine now.")


async def test_answers_go_on_while_another_chat_is_open() -> None:
    session = FakeSession(["one two three"])
    session.gate.clear()
    session.store.add("Old", ("old question", "old answer"), day=10)
    async with opened(session) as app:
        await app.send("count")
        await app.sees("one")
        await app.chat.open("c1")
        await app.sees("old answer")
        assert "one two" not in app.text
        await app.chat.open("c2")
        await app.sees("one")
        session.gate.set()
        await app.idle()
        await app.sees("one two three")
        assert len(app.chat.transcript.views) == 1


async def test_keys_that_arrive_in_one_burst_keep_their_order() -> None:
    async with opened(FakeSession()) as app:
        prompt = app.chat.prompt
        keys = [("a", "a"), ("ctrl+j", "\n"), ("b", "b"), ("enter", "\r"), ("c", "c"), ("up", None)]
        for key, character in keys:
            app.app.post_message(events.Key(key, character))
        await app.until(lambda: app.session.asked)
        await app.idle()
        assert app.session.asked[0][0] == "a\nb"
        await app.until(lambda: prompt.text == "a\nb", "the history")
        await app.press("down")
        assert prompt.text == "c"
