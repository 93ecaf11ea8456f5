"""Conversations: opening, searching, renaming, deleting, forking, undoing, exporting."""

from __future__ import annotations

import json
from pathlib import Path

from textual.widgets import Input
from tui_driver import opened
from tui_fakes import FakeSession

from assistant.tui.screens.search import SearchScreen


def with_chats() -> FakeSession:
    session = FakeSession()
    session.store.add("Sky", ("Why is the sky blue?", "Rayleigh scattering."), day=13)
    session.store.add("Sea", ("Why is the sea salty?", "Rivers carry salt."), day=14)
    return session


async def test_list_opens_a_conversation() -> None:
    async with opened(with_chats()) as app:
        await app.sees("Yesterday")
        app.chat.conversations.focus()
        await app.press("end", "enter")
        await app.sees("Rayleigh scattering.")
        assert app.chat.prompt.has_focus
        await app.press("up")
        assert app.chat.prompt.text == "Why is the sky blue?"


async def test_new_chat_is_empty() -> None:
    async with opened(with_chats()) as app:
        await app.chat.open("c1")
        await app.sees("Rayleigh")
        await app.press("ctrl+n")
        await app.sees("Everything stays on this machine.")
        await app.ask("new one")
        assert app.session.store.turn("t3").conversation_id == "c3"


async def test_search_finds_and_opens() -> None:
    async with opened(with_chats()) as app:
        await app.press("ctrl+f")
        await app.until(lambda: isinstance(app.app.screen, SearchScreen))
        await app.press(*"salt")
        await app.sees("Rivers carry salt.")
        await app.press("down", "enter")
        await app.until(lambda: app.chat.chat.id == "c2")
        await app.sees("Rivers carry salt.")


async def test_search_command_and_nothing_found() -> None:
    async with opened(with_chats()) as app:
        await app.command("/search zebra")
        await app.sees("Nothing found.")
        assert app.app.screen.query_one(Input).value == "zebra"


async def test_rename_and_delete() -> None:
    async with opened(with_chats()) as app:
        await app.chat.open("c1")
        await app.command("/rename Blue things")
        await app.sees("Blue things")
        await app.command("/delete")
        await app.sees("Delete “Blue things”?")
        await app.press("escape")
        await app.command("/delete")
        await app.sees("Delete “Blue things”?")
        await app.press("enter")
        await app.until(lambda: len(app.session.store.conversations()) == 1)
        await app.sees("Everything stays on this machine.")


async def test_fork_is_a_copy() -> None:
    async with opened(with_chats()) as app:
        await app.chat.open("c1")
        await app.command("/fork")
        await app.until(lambda: app.chat.chat.id == "c3")
        await app.sees("Rayleigh")
        assert len(app.session.store.conversations()) == 3


async def test_undo_and_redo() -> None:
    async with opened(FakeSession(["one", "two"])) as app:
        await app.ask("first")
        await app.ask("second")
        await app.command("/undo")
        await app.until(lambda: len(app.chat.transcript.views) == 1)
        assert app.session.store.turn("t2").hidden
        assert app.chat.prompt.text == "second"
        app.chat.prompt.clear()
        await app.command("/redo")
        await app.until(lambda: len(app.chat.transcript.views) == 2)
        assert not app.session.store.turn("t2").hidden


async def test_export_writes_and_says_where(tmp_path: Path) -> None:
    async with opened(with_chats()) as app:
        await app.chat.open("c1")
        await app.command("/export")
        await app.noted("sky-2025-03-14.md")
        written = (tmp_path / "sky-2025-03-14.md").read_text(encoding="utf-8")
        assert "> Why is the sky blue?" in written
        assert "Rayleigh scattering." in written
        await app.command("/export sky.json")
        await app.noted("sky.json")
        assert json.loads((tmp_path / "sky.json").read_text())["title"] == "Sky"
        await app.command("/export sky.json")
        await app.noted("exists already")


async def test_summarize_sends_the_conversation() -> None:
    async with opened(with_chats()) as app:
        await app.chat.open("c1")
        await app.command("/summarize")
        await app.until(lambda: app.session.asked)
        await app.idle()
        text, options = app.session.asked[0]
        assert "Rayleigh" in text
        assert options.task == "summarization"


async def test_long_conversation_opens_at_its_end_and_loads_on_scrolling_up() -> None:
    session = FakeSession()
    session.store.add("Long", *[(f"question {n}", f"answer {n}") for n in range(200)])
    async with opened(session) as app:
        await app.chat.open("c1")
        await app.sees("answer 199")
        first = len(app.chat.transcript.views)
        assert first < 40
        await app.pilot.pause(0.1)
        app.chat.transcript.scroll_home(animate=False)
        await app.until(lambda: len(app.chat.transcript.views) > first)
        assert app.chat.transcript.views[-1].turn is not None


async def test_hostile_text_is_harmless_everywhere() -> None:
    evil = "\x1b]0;pwned\x07\x1b[2J\u202eabc[bold]x[/bold]"
    session = FakeSession([evil + " \x9b31m done"])
    session.store.add("t\x1b[2Jitle" + evil, (evil, evil))
    async with opened(session) as app:
        await app.ask(evil)
        await app.sees("done")
        await app.chat.open("c1")
        await app.sees("title")
        for forbidden in ("\x1b", "\x9b", "\x07", "\u202e", "pwned"):
            assert forbidden not in app.text
        assert "abc[bold]x[/bold]" in app.text


async def test_a_found_turn_in_a_long_conversation_is_shown_with_its_neighbours() -> None:
    session = FakeSession()
    session.store.add("Long", *[(f"question {n}.", f"answer {n}.") for n in range(200)])
    async with opened(session) as app:
        await app.chat.open("c1", "t51")
        await app.sees("answer 50.")
        await app.sees("answer 51.")
        assert len(app.chat.transcript.views) < 40
        await app.pilot.pause(0.2)
        for _ in range(3):
            await app.press("ctrl+up")
            app.chat.transcript.scroll_end(animate=False)
            await app.pilot.pause(0.2)
        assert len(app.chat.transcript.views) > 15
        await app.press("escape")
        await app.ask("and now?")
        await app.sees("You said: and now?")
        await app.sees("answer 199.")
