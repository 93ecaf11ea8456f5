"""Rating, correcting, route correction, regenerating, editing, copying."""

from __future__ import annotations

from textual import events
from textual.widgets import TextArea
from tui_driver import opened
from tui_fakes import FakeSession

from assistant.tui.screens.editor import EditorScreen
from assistant.tui.screens.task_choice import TaskChoice


async def test_keys_rate_the_latest_answer_while_typing() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("hello")
        await app.press("x", "f3")
        await app.sees("▲ good")
        assert app.chat.prompt.text == "x"
        await app.press("f4")
        await app.sees("▼ bad")
        assert app.session.feedback == [
            ("rate", "t1", ("good", None)),
            ("rate", "t1", ("bad", None)),
        ]


async def test_commands_rate_with_a_comment() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("hello")
        await app.command("/good clear and short")
        await app.sees("▲ good")
        assert app.session.feedback == [("rate", "t1", ("good", "clear and short"))]


async def test_letters_rate_the_answer_in_focus() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("one")
        await app.ask("two")
        await app.press("ctrl+up", "up", "g")
        await app.until(lambda: app.session.feedback)
        assert app.session.feedback == [("rate", "t1", ("good", None))]
        assert "g good" in app.text
        await app.press("escape")
        assert app.chat.prompt.has_focus


async def test_nothing_to_rate_is_said() -> None:
    async with opened(FakeSession()) as app:
        await app.press("f3")
        await app.noted("There is no answer yet.")


async def test_fix_opens_an_editor_with_the_answer() -> None:
    async with opened(FakeSession(["Bonjour"])) as app:
        await app.ask("Good evening in French")
        await app.press("f6")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        area = app.app.screen.query_one(TextArea)
        assert area.text == "Bonjour"
        area.load_text("Bon")
        area.move_cursor(area.document.end)
        area.post_message(events.Paste("so\x1b[1mi"))
        for key in ("r", "ctrl+s"):
            app.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await app.sees("✎ corrected by you")
        assert "Bonsoir" in app.text
        assert app.session.feedback == [("correct", "t1", "Bonsoir")]


async def test_fix_left_with_escape_changes_nothing() -> None:
    async with opened(FakeSession(["Bonjour"])) as app:
        await app.ask("hello")
        await app.command("/fix")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        await app.press("x", "escape")
        await app.until(lambda: app.app.screen is app.chat)
        assert not app.session.feedback


async def test_route_is_corrected_with_one_digit_and_used_again() -> None:
    async with opened(FakeSession(task="chat")) as app:
        await app.ask("le chat")
        await app.press("f7")
        await app.until(lambda: isinstance(app.app.screen, TaskChoice))
        await app.press("2")
        await app.sees("→ translation")
        assert app.session.feedback == [("route", "t1", "translation")]
        await app.sees("Learned: the next turn like it goes to translation.")
        await app.press("f5")
        await app.until(lambda: len(app.session.asked) == 2)
        await app.idle()
        assert app.session.asked[1][1].task == "translation"
        await app.sees("translation chosen by you")


async def test_a_corrected_route_can_be_taken_back() -> None:
    async with opened(FakeSession(task="chat")) as app:
        await app.ask("le chat")
        for digit, task in (("2", "translation"), ("5", "chat")):
            await app.press("f7")
            await app.until(lambda: isinstance(app.app.screen, TaskChoice))
            await app.press(digit)
            await app.sees(f"the next turn like it goes to {task}.")
        await app.sees("Task confirmed")
        assert "→ translation" not in app.text
        assert app.session.feedback == [("route", "t1", "translation"), ("route", "t1", "chat")]
        await app.press("f5")
        await app.until(lambda: len(app.session.asked) == 2)
        await app.idle()
        assert app.session.asked[1][1].task == "auto"


async def test_regenerate_takes_the_place_of_the_answer() -> None:
    async with opened(FakeSession(["first try", "second try"])) as app:
        await app.ask("hello")
        await app.press("f5")
        await app.until(lambda: len(app.session.asked) == 2)
        await app.idle()
        assert "second try" in app.text
        assert "first try" not in app.text
        assert app.session.store.turn("t1").hidden
        assert app.session.store.turn("t2").replaces == "t1"


async def test_edit_replaces_the_turn() -> None:
    async with opened(FakeSession(["wrong", "right"])) as app:
        await app.ask("helo")
        await app.press("f9")
        assert app.chat.prompt.text == "helo"
        app.chat.prompt.put("hello")
        await app.press("enter")
        await app.until(lambda: len(app.session.asked) == 2)
        await app.idle()
        assert "right" in app.text
        assert "wrong" not in app.text
        assert app.session.store.turn("t2").replaces == "t1"


async def test_edit_left_with_escape_keeps_the_turn() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("hello")
        await app.press("f9", "escape")
        assert app.chat.prompt.text == ""
        await app.ask("next")
        assert not app.session.store.turn("t1").hidden


async def test_copies_answer_and_code_cleaned() -> None:
    answer = "Try\n\n```python\nprint('\x1b[31mhi')\n```\n\nand\n\n```\nls\n```"
    async with opened(FakeSession([answer])) as app:
        await app.ask("how?")
        await app.press("f8")
        assert app.app.clipboard == answer.replace("\x1b[31m", "")
        await app.press("ctrl+g")
        assert app.app.clipboard == "print('hi')\n\nls"
        await app.command("/copy")
        assert app.app.clipboard.startswith("Try")


async def test_why_route_and_tokens_are_shown() -> None:
    async with opened(FakeSession(task="qa")) as app:
        await app.ask("why?")
        await app.command("/why")
        await app.sees("It looks like chat.")
        await app.sees("The word hello spoke for it.")
        await app.press("escape")
        await app.command("/route")
        await app.sees("Decided by the model's own reading of the turn.")
        await app.press("escape")
        await app.command("/tokens")
        await app.sees("668 of 4,096 (16\u00a0%)")
