"""Two answers side by side: answering, choosing, hiding names, stopping, and what it looks like."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from tui_driver import Driver, opened
from tui_fakes import FakeSession, Plan, now

from assistant import config
from assistant.engine.loader import EngineLoader
from assistant.errors import AdapterError, EngineError, StoreError
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.side_by_side import ALONE, IN_USE, Way
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.tui.app import AssistantApp
from assistant.tui.screens import side_by_side
from assistant.tui.screens.side_by_side import SideBySideScreen

QUESTION = "Who wrote Faust?"
FIRST, SECOND = "Johann Wolfgang von Goethe did, in two parts.", "Goethe"


def session_with(*answers: str | Exception, names: tuple[str, ...] = ()) -> FakeSession:
    session = FakeSession(answers or (FIRST, SECOND), task="qa")
    kept = [SimpleNamespace(card=SimpleNamespace(name=n), current=n != "qa/far") for n in names]
    session.adapters = SimpleNamespace(all=lambda: kept)
    return session


@pytest.fixture
def lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw lots that swap the first time, and not the second."""
    made = random.Random(3)
    assert [made.random() < 0.5 for _ in range(2)] == [True, False]
    monkeypatch.setattr(side_by_side.random, "SystemRandom", lambda: random.Random(3))


async def open_screen(app: Driver, line: str = f"/compare {QUESTION}") -> SideBySideScreen:
    """Open the screen and wait for both answers, if any are to come."""
    await app.command(line)
    await app.until(lambda: isinstance(app.app.screen, SideBySideScreen))
    screen = app.app.screen
    assert isinstance(screen, SideBySideScreen)
    return screen


async def both(app: Driver, screen: SideBySideScreen) -> None:
    """Wait until both answers are there."""
    await app.until(
        lambda: screen.comparing is not None and not screen._under_way and screen.comparing.whole,
        "both answers",
    )
    await app.pilot.pause()


def titles(screen: SideBySideScreen) -> list[str]:
    return [str(column.border_title) for column in screen.columns]


@pytest.mark.parametrize(
    ("key", "choice", "said"),
    [
        ("1", "left", "1 is better"),
        ("left", "left", "1 is better"),
        ("2", "right", "2 is better"),
        ("right", "right", "2 is better"),
        ("3", "both_good", "both are good"),
        ("g", "both_good", "both are good"),
        ("b", "both_bad", "both are bad"),
    ],
)
async def test_a_choice_is_one_key(key: str, choice: str, said: str) -> None:
    session = session_with()
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        await both(app, screen)
        await app.sees("Which answer is better?")
        assert QUESTION in app.text
        assert titles(screen) == ["1 · few-shot", "2 · adapter qa/v1"]
        assert [column.turn.answer for column in screen.columns if column.turn] == [FIRST, SECOND]
        await app.press(key)
        await app.sees(f"Noted: {said}.")
        assert session.preferred == [(choice, False, None)]
        assert session.compared[0][1] == (ALONE, IN_USE)
        await app.press("1")
        await app.noted("You have chosen already")
        assert len(session.preferred) == 1
        assert session.store.conversations() == []


async def test_the_last_question_is_answered_again(lots: None) -> None:
    session = session_with("The answer of the chat.", FIRST, SECOND)
    async with opened(session, size=(100, 30)) as app:
        await app.ask(QUESTION)
        screen = await open_screen(app, "/compare")
        await both(app, screen)
        request, _ = session.compared[0]
        assert (request.text, request.turn_id, request.options.task) == (QUESTION, "t1", "qa")
        await app.press("2")
        await app.until(lambda: session.preferred == [("right", False, "t1")])
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        assert len(app.chat.transcript.views) == 1


async def test_blind_hides_the_names_until_the_choice(lots: None) -> None:
    session = session_with(FIRST, SECOND, FIRST, SECOND)
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        await both(app, screen)
        await app.press("x")
        await app.until(lambda: len(session.compared) == 2)
        await both(app, screen)
        assert session.compared[1][1] == (IN_USE, ALONE)
        assert titles(screen) == ["1", "2"]
        assert "few-shot" not in app.text
        assert "qa/v1" not in app.text
        await app.press("1")
        await app.sees("Noted")
        assert session.preferred == [("left", True, None)]
        assert titles(screen) == ["1 · adapter qa/v1", "2 · few-shot"]
        await app.press("r")
        await app.until(lambda: len(session.compared) == 3)
        assert titles(screen) == ["1", "2"]
        assert session.compared[2][1] == (ALONE, IN_USE)
        await both(app, screen)
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        again = await open_screen(app)  # it is remembered
        assert again.blind


async def test_without_a_question_one_is_asked_for() -> None:
    session = session_with()
    async with opened(session, size=(100, 30)) as app:
        await app.command("/compare")
        await app.sees("What should be answered?")
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        await app.command("/compare")
        await app.sees("What should be answered?")
        await app.press(*"Who?")
        await app.press("ctrl+s")
        await app.sees("Which answer is better?")
        assert session.compared[0][0].text == "Who?"


async def test_editing_a_question_takes_it_out_of_its_conversation() -> None:
    session = session_with("Chat.", FIRST, SECOND, FIRST, SECOND)
    async with opened(session, size=(100, 30)) as app:
        await app.ask(QUESTION)
        screen = await open_screen(app, "/compare")
        await both(app, screen)
        await app.press("e")
        await app.sees("What should be answered?")
        await app.press("!")
        await app.press("ctrl+s")
        await app.until(lambda: len(session.compared) == 2)
        request, _ = session.compared[1]
        assert (request.text, request.turn_id) == (f"{QUESTION}!", None)


async def test_the_next_adapter_of_the_task() -> None:
    names = ("classification/v1", "qa/v1", "qa/v2", "qa/far")
    session = session_with(*[FIRST, SECOND] * 4, names=names)
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        for count, wanted in enumerate(("qa/v1", "qa/v2", None), start=2):
            await both(app, screen)
            await app.press("a")
            await app.until(lambda n=count: len(session.compared) == n)  # type: ignore[misc]
            trained = session.compared[-1][1][1]
            assert trained == (IN_USE if wanted is None else Way(adapter=wanted))


async def test_no_adapter_to_choose_from() -> None:
    async with opened(session_with(), size=(100, 30)) as app:
        screen = await open_screen(app)
        await both(app, screen)
        await app.press("a")
        await app.noted("No adapter for this task")


async def test_escape_stops_both_then_leaves() -> None:
    session = session_with("one two three", "never")
    session.gate.clear()
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        await app.sees("one")
        await app.press("1")
        await app.noted("Both answers have to be there first.")
        await app.press("escape")
        await app.sees("Stopped. Only whole answers can be compared.")
        assert session.answers == ["never"]
        assert screen.columns[1].turn is None
        await app.press("2")
        assert session.preferred == []
        session.gate.set()
        session.answers = [FIRST, SECOND]
        await app.press("r")
        await both(app, screen)
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)


async def test_leaving_the_app_stops_the_thread() -> None:
    session = session_with("one two three", "never")
    session.gate.clear()
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        await app.sees("one")
    assert screen.comparing is not None
    assert screen.comparing.stop.is_set()


@pytest.mark.parametrize(
    ("answers", "message", "hint"),
    [
        ((EngineError("Out of memory.", "Try /model."),), "Out of memory.", "Try /model."),
        ((FIRST, AdapterError("No adapter is in use.", "See.")), "No adapter is in use.", "See."),
        ((RuntimeError("odd"),), "Something unexpected went wrong (RuntimeError).", "The log"),
    ],
)
async def test_what_goes_wrong_is_said(
    answers: tuple[str | Exception, ...], message: str, hint: str
) -> None:
    session = session_with(*answers)
    async with opened(session, size=(100, 30)) as app:
        await open_screen(app)
        await app.sees(message)
        assert hint in app.text
        await app.press("1", "escape")
        await app.until(lambda: app.app.screen is app.chat)
        assert session.preferred == []


async def test_a_choice_that_cannot_be_stored_can_be_made_again() -> None:
    session = session_with()
    session.preferring_fails = StoreError("The database is locked.")
    async with opened(session, size=(100, 30)) as app:
        screen = await open_screen(app)
        await both(app, screen)
        await app.press("1")
        await app.noted("The database is locked.")
        session.preferring_fails = None
        await app.press("2")
        await app.sees("Noted: 2 is better.")


async def test_the_same_answer_twice_is_said() -> None:
    async with opened(session_with(SECOND, SECOND), size=(100, 30)) as app:
        await open_screen(app)
        await app.sees("Both say the same. Which answer is better?")


async def test_not_while_an_answer_is_written() -> None:
    session = session_with("one two three")
    session.gate.clear()
    async with opened(session) as app:
        await app.send("Hello")
        await app.sees("one")
        await app.command("/compare Who?")
        await app.noted("An answer is being written.")
        assert session.compared == []
        session.gate.set()
        await app.idle()


async def test_a_model_is_never_fetched_unasked() -> None:
    missing = EngineLoader(lambda report: FakeEngine(), initial="missing")
    session = FakeSession(task="qa", loader=missing, plan=Plan())
    async with opened(session) as app:
        await app.sees("A model is needed")
        await app.press("escape")
        await app.command("/compare Who?")
        await app.sees("A model is needed")
        await app.press("escape")
        await app.pilot.pause()
        assert app.app.screen is app.chat
        assert session.compared == []
        assert missing.status.state == "missing"


async def test_texts_are_harmless_and_long_ones_scroll() -> None:
    long = "\n\n".join(f"Paragraph {n} [bold]x[/] \x1b[31m." for n in range(30))
    session = session_with(long, SECOND)
    async with opened(session, size=(80, 24)) as app:
        screen = await open_screen(app, "/compare Is [red]this[/] fine?")
        await both(app, screen)
        assert "Is [red]this[/] fine?" in app.text
        assert "Paragraph 0 [bold]x[/]" in app.text
        await app.press("end")
        await app.sees("Paragraph 29")
        await app.press("tab")
        assert screen.columns[1].has_focus


@pytest.mark.parametrize("size", [(40, 14), (60, 20), (80, 24), (200, 50)])
async def test_every_size_shows_both_answers(size: tuple[int, int]) -> None:
    async with opened(session_with("Yes.", "No."), size=size) as app:
        screen = await open_screen(app)
        await both(app, screen)
        await app.sees("Yes.")
        assert "No." in app.text
        first, second = (column.region for column in screen.columns)
        assert (first.x == second.x) == (size[0] < 80)
        assert (first.y == second.y) == (size[0] >= 80)


# -- with a real session ---------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Session]:
    with Store(tmp_path / "assistant.db") as store:
        engine = FakeEngine(["In the chat.", FIRST, SECOND])
        prompts = Prompts.load(shipped("prompts"))
        router = FakeRouter({"Who": "qa"})
        yield Session(store, ready_loader(engine), router, prompts, config.load(model="fake"))


async def test_a_real_session_stores_the_choice_and_no_turn(
    real: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no adapter here: two prompts are compared.
    ways = (ALONE, Way("few_shot"))
    monkeypatch.setattr(SideBySideScreen, "_ways", lambda self: ways)
    async with opened(cast(FakeSession, real), size=(100, 30)) as app:
        await app.send(QUESTION)
        await app.until(lambda: real.store.stats()["messages"] == 2)
        await app.idle()
        screen = await open_screen(app, "/compare")
        await both(app, screen)
        await app.press("u")
        await app.noted("Nothing was chosen yet.")
        await app.press("1")
        await app.sees("Noted: 1 is better.  u takes it back.")
        await app.press("u")
        await app.sees("Which answer is better?")
        assert real.store.preferences() == []
        await app.press("2")
        await app.sees("Noted: 2 is better.")
    (made,) = real.store.preferences()
    (turn,) = real.store.turns(real.store.conversations()[0].id)
    assert (made.turn_id, made.task, made.choice) == (turn.id, "qa", "right")
    assert (made.left.answer, made.right.answer) == (FIRST, SECOND)
    assert (made.left.strategy, made.right.strategy) == ("zero_shot", "few_shot")


async def test_without_adapters_the_reason_is_said_at_once(real: Session) -> None:
    async with opened(cast(FakeSession, real), size=(100, 30)) as app:
        await open_screen(app)
        await app.sees("No adapter is installed for qa.")
        assert real.store.preferences() == []


# -- what it looks like ----------------------------------------------------------------------------


def _after(*keys: str) -> Callable[[Pilot[None]], Any]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.prompt.insert(f"/compare {QUESTION}")
        await pilot.press("enter")
        while not isinstance(app.screen, SideBySideScreen) or app.screen._under_way:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await pilot.pause(0.3)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("auto", (80, 24), (), id="sides"),
        pytest.param("light", (120, 40), ("2",), id="sides_chosen_light"),
        pytest.param("auto", (120, 40), ("x",), id="sides_blind"),
        pytest.param("auto", (60, 24), (), id="sides_narrow"),
    ],
)
def test_looks(
    snap_compare: Any, lots: None, theme: str, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    session = session_with(FIRST, SECOND, SECOND, FIRST)
    session.settings.theme = theme
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=_after(*keys))
