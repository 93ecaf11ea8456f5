"""Slash commands, hints, the palette, keys and settings."""

from __future__ import annotations

import pytest
from tui_driver import opened
from tui_fakes import FakeSession, Plan

from assistant.engine.loader import EngineLoader
from assistant.errors import DownloadError
from assistant.testing import FakeEngine
from assistant.tui import commands
from assistant.tui.screens.first_run import FirstRunScreen
from assistant.tui.screens.help import HelpScreen
from assistant.tui.screens.model_picker import ModelPicker


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("/help", "help"),
        ("/TASK qa", "task"),
        ("/summarize a\nb", "summarize"),
        ("/nope", "nope"),
        ("//comment", None),
        ("/etc/hosts is a file", None),
        ("/usr\nand more", None),
        ("/", None),
        ("hello /help", None),
    ],
)
def test_reads_lines(typed: str, name: str | None) -> None:
    line = commands.read(typed)
    assert (line.name if line else None) == name


async def test_hints_while_typing_and_completion() -> None:
    async with opened(FakeSession()) as app:
        await app.press("/", "t")
        await app.sees("/task NAME")
        assert "/tokens" in app.text
        await app.press("tab")
        assert app.chat.prompt.text == "/task "
        await app.sees("summarization")
        await app.press("t", "r", "enter")
        await app.until(lambda: app.chat.options.task == "translation")
        assert app.chat.prompt.text == ""


async def test_unknown_command_is_explained_and_kept() -> None:
    async with opened(FakeSession()) as app:
        await app.command("/regenrate")
        await app.noted("There is no command /regenrate")
        await app.noted("Did you mean /regenerate?")
        assert app.chat.prompt.text == "/regenrate"
        assert not app.session.asked


async def test_double_slash_escapes() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("//help me")
        assert app.session.asked[0][0] == "/help me"


async def test_forced_task_strategy_labels_and_system_reach_the_session() -> None:
    async with opened(FakeSession()) as app:
        await app.command("/task classification")
        await app.until(lambda: app.chat.options.task == "classification")
        await app.command("/strategy zero-shot")
        await app.command("/labels good, bad")
        await app.command("/system Be brief.")
        await app.ask("fine!")
        options = app.session.asked[0][1]
        assert options.task == "classification"
        assert options.strategy == "zero_shot"
        assert options.labels == ("good", "bad")
        assert options.system == "Be brief."
        assert "classification chosen by you" in app.text
        await app.command("/task auto")
        await app.until(lambda: app.chat.options.task == "auto")
        await app.command("/task poetry")
        await app.noted("There is no task “poetry”.")


async def test_theme_is_changed() -> None:
    async with opened(FakeSession()) as app:
        await app.command("/theme light")
        assert app.app.theme == "assistant-light"
        await app.command("/theme nord")
        assert app.app.theme == "nord"
        await app.command("/theme nope")
        await app.noted("There is no theme “nope”.")


async def test_help_opens_and_closes_with_f1() -> None:
    async with opened(FakeSession()) as app:
        await app.press("f1")
        await app.until(lambda: isinstance(app.app.screen, HelpScreen))
        await app.press("f1")
        await app.until(lambda: app.app.screen is app.chat)
        await app.command("/help")
        await app.until(lambda: isinstance(app.app.screen, HelpScreen))


async def test_palette_runs_commands() -> None:
    async with opened(FakeSession()) as app:
        await app.ask("hello")
        await app.press("ctrl+p")
        await app.sees("Search for commands")
        await app.press(*"token")
        await app.sees("/tokens")
        await app.press("down", "enter")
        await app.sees("first token")


async def test_model_is_chosen_from_a_list_or_by_name() -> None:
    async with opened(FakeSession()) as app:
        await app.command("/model")
        await app.until(lambda: isinstance(app.app.screen, ModelPicker))
        await app.sees("to fetch, 1.1\u00a0GB")
        await app.press("down", "enter")
        await app.until(lambda: app.session.settings.model == "fake-1.5b")
        await app.sees("fake-1.5b")
        await app.command("/model fake-0.5b")
        await app.until(lambda: app.session.settings.model == "fake-0.5b")


async def test_first_run_asks_fetches_and_can_be_tried_again() -> None:
    results: list[object] = [FakeEngine(), DownloadError("No source answered.", "Go online.")]

    def load(report: object) -> FakeEngine:
        report("downloading", "120 MB of 491 MB", 0.25)  # type: ignore[operator]
        result = results.pop()
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[return-value]

    loader = EngineLoader(load, initial="missing")
    session = FakeSession(["Hello!"], loader=loader, plan=Plan())
    async with opened(session) as app:
        await app.until(lambda: isinstance(app.app.screen, FirstRunScreen))
        await app.sees("491 MB")
        assert "Apache-2.0" in app.text
        assert "huggingface.co" in app.text
        assert loader.status.state == "missing"
        await app.press("enter")
        await app.sees("No source answered.")
        assert "Go online." in app.text
        await app.press("enter")
        await app.until(lambda: app.app.screen is app.chat)
        await app.ask("hi")
        await app.sees("Hello!")


async def test_keys_are_remapped_by_settings() -> None:
    async with opened(FakeSession(keys={"answer.good": "f10", "no.such": "x"})) as app:
        await app.noted("Unknown in the setting keys: no.such")
        await app.ask("hello")
        await app.press("f3")
        await app.pilot.pause()
        assert not app.session.feedback
        await app.press("f10")
        await app.sees("▲ good")


async def test_send_key_can_be_remapped() -> None:
    async with opened(FakeSession(keys={"input.send": "ctrl+s", "input.newline": "enter"})) as app:
        await app.press("a", "enter", "b")
        assert app.chat.prompt.text == "a\nb"
        await app.press("ctrl+s")
        await app.idle()
        assert app.session.asked[0][0] == "a\nb"


async def test_narrow_terminal_hides_the_list() -> None:
    async with opened(FakeSession(), size=(60, 20)) as app:
        assert not app.chat.conversations.display
        await app.press("f2")
        assert app.chat.conversations.display
        await app.press("f2")
        assert not app.chat.conversations.display
        assert app.chat.prompt.has_focus


async def test_quit_command() -> None:
    async with opened(FakeSession()) as app:
        await app.command("/quit")
        await app.until(lambda: not app.app.is_running)


async def test_nothing_is_fetched_without_consent() -> None:
    loader = EngineLoader(lambda report: FakeEngine(), initial="missing")
    session = FakeSession(["Hello!"], loader=loader, plan=Plan())
    async with opened(session) as app:
        await app.until(lambda: isinstance(app.app.screen, FirstRunScreen))
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        await app.send("hello?")
        await app.until(lambda: isinstance(app.app.screen, FirstRunScreen))
        await app.press("escape")
        await app.until(lambda: app.chat.prompt.text == "hello?")
        assert loader.status.state == "missing"
        assert not session.asked
        await app.press("enter")
        await app.until(lambda: isinstance(app.app.screen, FirstRunScreen))
        await app.press("enter")
        await app.until(lambda: session.asked)
        await app.idle()
        await app.sees("Hello!")
