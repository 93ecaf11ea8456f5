"""Judging with next to no effort: one key each, a quiet line, digits for reasons and choices, and undo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea
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
from assistant.tui.screens.editor import EditorScreen
from assistant.tui.screens.pick import PickScreen
from assistant.tui.screens.task_choice import TaskChoice

QUESTION = "What is the capital of Australia?"
SYDNEY, CANBERRA = "It is Sydney.", "It is Canberra."


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session with a real store, whose model says one answer after the other."""
    with Store(tmp_path / "assistant.db") as store:
        engine = FakeEngine([SYDNEY, CANBERRA, "It is Perth."])
        prompts = Prompts.load(shipped("prompts"))
        router = FakeRouter({"capital": "qa"})
        yield Session(store, ready_loader(engine), router, prompts, config.load(model="fake"))


@asynccontextmanager
async def asked(session: Session, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Driver]:
    """Open the app and ask the question."""
    async with opened(cast(FakeSession, session), size=size) as app:
        await app.send(QUESTION)
        await app.sees(SYDNEY)
        await app.idle()
        yield app


async def again(app: Driver, answer: str = CANBERRA) -> None:
    """Answer again and wait for the question which is better."""
    await app.press("f5")
    await app.sees(answer)
    await app.idle()


# -- good, bad and why -----------------------------------------------------------------------------


async def test_good_is_one_key_and_says_how_it_is_undone(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f3")
        await app.sees("▲ Rated good. F10 takes it back.")
        await app.sees("▲ good")
        await app.press("f3")
        await app.sees("It is rated good already.")
        assert [item.rating for item in session.store.feedback()] == ["good"]
        assert app.notes == ""


async def test_the_reason_of_a_bad_answer_is_one_digit(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f4")
        await app.sees("Why?  1 wrong  2 incomplete  3 too long")
        await app.press("3")
        await app.sees("Rated bad: too long. F10 takes it back.")
        assert "Why?" not in app.text
        assert app.chat.prompt.text == ""
        (item,) = session.store.feedback()
        assert (item.rating, item.reason) == ("bad", "too_long")


async def test_f4_and_a_digit_in_one_burst(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f4", "9")
        await app.sees("Rated bad: other.")
        assert [item.reason for item in session.store.feedback()] == ["other"]


async def test_a_reason_can_be_said_later_with_the_same_key(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f4", "1")
        await app.sees("Rated bad: wrong.")
        await app.press("f4")
        await app.sees("It is rated bad already.")
        await app.press("2")
        await app.sees("Rated bad: incomplete.")
        (item,) = session.store.feedback()
        assert item.reason == "incomplete"


async def test_who_types_on_gives_no_reason(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f4")
        await app.sees("Why?")
        await app.press("a", "3")
        assert app.chat.prompt.text == "a3"
        assert "Why?" not in app.text
        assert "Rated bad." in app.text
        assert [item.reason for item in session.store.feedback()] == [None]


async def test_escape_leaves_the_question_and_nothing_else(session: Session) -> None:
    async with asked(session) as app:
        await app.press("x", "f4")
        await app.sees("Why?")
        await app.press("escape")
        await app.until(lambda: "Why?" not in app.text)
        await app.press("3")
        assert app.chat.prompt.text == "x3"


async def test_digits_without_a_question_are_typed(session: Session) -> None:
    async with asked(session) as app:
        await app.press("1", "f3", "2")
        assert app.chat.prompt.text == "12"


async def test_letters_and_digits_on_an_answer_in_focus(session: Session) -> None:
    async with asked(session) as app:
        await app.press("ctrl+up", "b", "5")
        await app.sees("Rated bad: wrong form.")
        await app.press("u")
        await app.sees("As before: ▼ bad on “What is the capital")
        await app.press("u")
        await app.sees("Taken back: ▼ bad")
        assert session.store.feedback() == []
        assert app.chat.transcript.views[0].has_focus


async def test_a_rating_that_cannot_be_stored_is_not_claimed() -> None:
    fake = FakeSession()

    def fails(*_: object) -> None:
        raise StoreError("The database is locked.", "Try again.")

    fake.rate = fails  # type: ignore[method-assign,assignment]
    async with opened(fake) as app:
        await app.ask("hello")
        await app.press("f4")
        await app.noted("The database is locked.")
        await app.until(lambda: "Rated bad" not in app.text)
        assert "▼ bad" not in app.text


# -- corrections -----------------------------------------------------------------------------------


async def test_a_correction_shows_what_was_changed(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f6")
        await app.until(lambda: isinstance(app.app.screen, EditorScreen))
        app.app.screen.query_one(TextArea).load_text(CANBERRA)
        await app.press("ctrl+s")
        await app.sees("✎ Corrected: 1 word out, 1 in. Later turns build on it.")
        await app.press("ctrl+up", "d")
        await app.sees("What you changed: 1 word out, 1 in")
        await app.sees("It is SydneyCanberra.")
        await app.press("escape", "f10")
        await app.sees("Taken back: ✎ corrected")
        await app.sees(SYDNEY)
        assert "corrected by you" not in app.text
        assert session.store.turn("last").correction is None


async def test_nothing_changed_is_said(session: Session) -> None:
    async with asked(session) as app:
        await app.press("ctrl+up", "d")
        await app.noted("This answer is as it was given | F6 corrects it.")


# -- taking back -----------------------------------------------------------------------------------


async def test_undo_goes_further_back_each_time(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f3")
        await app.sees("Rated good.")
        await app.press("f7")
        await app.until(lambda: isinstance(app.app.screen, TaskChoice))
        await app.press("2")
        await app.sees("→ translation")
        assert [one.to_task for one in session.store.route_corrections()] == ["translation"]
        await app.press("f10")
        await app.sees("Taken back: → translation on “What is the capital")
        assert session.store.route_corrections() == []
        await app.until(lambda: "→ translation ·" not in app.text)
        await app.command("/undo feedback")
        await app.sees("Taken back: ▲ good")
        await app.until(lambda: app.chat.transcript.views[0].turn.rating is None)  # type: ignore[union-attr]
        await app.press("ctrl+underscore")
        await app.sees("There is nothing to take back.")
        assert session.store.feedback() == []


async def test_what_was_said_elsewhere_is_taken_back_too(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f3")
        await app.sees("Rated good.")
        await app.press("ctrl+n")
        await app.until(lambda: app.chat.chat.id is None)
        await app.press("f10")
        await app.sees("Taken back: ▲ good on “What is the capital")
        assert session.store.feedback() == []


async def test_slash_undo_alone_still_takes_the_turn_back(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f3")
        await app.command("/undo")
        await app.noted("Last turn taken back")
        assert len(session.store.feedback()) == 1


# -- the better of two -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digit", "choice", "said"),
    [
        ("2", "right", "this answer is better than the one before"),
        ("3", "both_good", "both are good"),
        ("4", "both_bad", "both are bad"),
    ],
)
async def test_after_answering_again_a_digit_says_which_is_better(
    session: Session, digit: str, choice: str, said: str
) -> None:
    async with asked(session) as app:
        await again(app)
        await app.sees("Which is better?  1 the earlier one  2 this one  3 both good")
        await app.press(digit)
        await app.sees(f"⇄ Noted: {said}.")
        (made,) = session.store.preferences()
        assert (made.choice, made.left.answer, made.right.answer) == (choice, SYDNEY, CANBERRA)
        assert (made.task, made.turn_id) == ("qa", session.store.turn("last").id)
        assert CANBERRA in app.text


async def test_the_earlier_answer_comes_back_when_it_was_better(session: Session) -> None:
    async with asked(session) as app:
        first = session.store.turn("last")
        await again(app)
        await app.press("1")
        await app.sees("the earlier answer is better, and stands here again")
        await app.sees(SYDNEY)
        assert CANBERRA not in app.text
        (made,) = session.store.preferences()
        assert (made.choice, made.turn_id) == ("left", first.id)
        assert [turn.id for turn in session.store.turns(first.conversation_id)] == [first.id]
        await app.press("f10")
        await app.sees("Taken back: ⇄ 1 is better")
        await app.sees(CANBERRA)
        assert SYDNEY not in app.text
        assert session.store.preferences() == []


async def test_both_can_be_seen_before_choosing(session: Session) -> None:
    async with asked(session) as app:
        await again(app)
        await app.press("5")
        await app.until(lambda: isinstance(app.app.screen, PickScreen))
        await app.sees(SYDNEY)
        await app.sees(CANBERRA)
        assert QUESTION in app.text
        await app.press("2")
        await app.sees("this answer is better than the one before")
        assert [one.choice for one in session.store.preferences()] == ["right"]


async def test_leaving_both_chooses_nothing(session: Session) -> None:
    async with asked(session) as app:
        await again(app)
        await app.press("5")
        await app.until(lambda: isinstance(app.app.screen, PickScreen))
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)
        assert session.store.preferences() == []


async def test_whoever_asks_on_chooses_nothing(session: Session) -> None:
    async with asked(session) as app:
        await again(app)
        await app.sees("Which is better?")
        await app.send("2 more questions")
        await app.sees("It is Perth.")
        await app.idle()
        assert "Which is better?" not in app.text
        assert session.store.preferences() == []
        assert session.store.turn("last").user_text == "2 more questions"


async def test_the_same_answer_again_is_no_choice(session: Session) -> None:
    cast(FakeEngine, session.loader.get()).answers[1] = SYDNEY
    async with asked(session) as app:
        await again(app, SYDNEY)
        await app.sees("It says the same as before.")
        assert "Which is better?" not in app.text


async def test_answers_to_different_tasks_are_no_choice(session: Session) -> None:
    async with asked(session) as app:
        await app.press("f7")
        await app.until(lambda: isinstance(app.app.screen, TaskChoice))
        await app.press("5")
        await app.sees("Learned")
        await again(app)
        await app.pilot.pause(0.3)
        assert "Which is better?" not in app.text


# -- what it looks like ----------------------------------------------------------------------------


def made(session: Any, theme: str) -> AssistantApp:
    session.settings = session.settings.model_copy(update={"theme": theme})
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    return app


def after(*keys: str) -> Any:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.conversations.display = False
        app.chat.prompt.insert(QUESTION)
        for key in ("enter", *keys):
            await pilot.press(key)
            await pilot.pause(0.3)
            while app.chat.desk.running is not None:
                await pilot.pause(0.01)
        app.chat.status.turn = None  # how long it took is never the same
        await pilot.pause(0.3)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("auto", (80, 24), ("f4",), id="why"),
        pytest.param("auto", (60, 20), ("f4",), id="why_narrow"),
        pytest.param("light", (120, 36), ("f5",), id="better_wide_light"),
    ],
)
def test_looks(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    theme: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
) -> None:
    monkeypatch.setattr(
        "assistant.tui.screens.chat_library.LibraryPart.refresh_list", lambda _: None
    )
    with Store(tmp_path / "assistant.db") as store:
        session = Session(
            store,
            ready_loader(FakeEngine([SYDNEY, CANBERRA])),
            FakeRouter({"capital": "qa"}),
            Prompts.load(shipped("prompts")),
            config.load(model="fake"),
        )
        assert snap_compare(made(session, theme), terminal_size=size, run_before=after(*keys))
