"""The screen of trainings: what it tells, its keys, the form, what goes wrong, and what it looks like."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_adapters import FakeKeeper
from textual.pilot import Pilot
from training_fakes import (
    ESTIMATE,
    NOBODY,
    installed,
    log_line,
    made_run,
    several,
    this_process,
    wanted,
)
from tui_driver import Driver, opened
from tui_fakes import FakeSession, now

from assistant.paths import user_paths
from assistant.training import launching
from assistant.training.following import Point, read_all
from assistant.training.launching import Launch
from assistant.training.owner import Owner
from assistant.tui.app import AssistantApp
from assistant.tui.screens import chat_training, training
from assistant.tui.screens.adapters import AdaptersScreen
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.screens.training import TrainingScreen
from assistant.tui.screens.training_form import TrainingForm
from assistant.tui.widgets import training_lines as lines
from assistant.tui.widgets.loss_plot import loss_plot

RUNNING = "20250314-090000-classification-eeee"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and start nothing real."""
    monkeypatch.setattr(training, "_EVERY_S", 0.2)
    monkeypatch.setattr(chat_training, "_LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(
        launching, "COMMAND", (sys.executable, "-c", "raise SystemExit('Error: no.')")
    )


async def open_list(app: Driver, *keys: str) -> TrainingScreen:
    """Open the screen, wait until it was read, and press keys."""
    await app.command("/train")
    await app.until(lambda: isinstance(app.app.screen, TrainingScreen))
    screen = app.app.screen
    assert isinstance(screen, TrainingScreen)
    await app.until(lambda: screen._was_read, "the trainings were read")
    for key in keys:
        await app.press(key)
        await app.pilot.pause()
    return screen


async def open_form(app: Driver) -> TrainingForm:
    await app.press("n")
    await app.until(lambda: isinstance(app.app.screen, TrainingForm))
    form = app.app.screen
    assert isinstance(form, TrainingForm)
    return form


def write_rows(name: str, count: int = 60) -> None:
    rows = [{"id": str(n), "input": f"text {n}", "target": "good"} for n in range(count)]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_state(name: str, **values: Any) -> None:
    path = user_paths().data / "runs" / name / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


async def test_without_trainings_it_says_how_to_start_one() -> None:
    async with opened(FakeSession(), size=(80, 24)) as app:
        await open_list(app, "s", "r", "u", "d", "enter")
        await app.sees("Press n to start one")
        assert app.notes == ""
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)


async def test_list_and_details_of_each_kind() -> None:
    several()
    async with opened(FakeSession(), size=(120, 44)) as app:
        await open_list(app)
        await app.sees("5 in all · 1 under way")
        assert "62\u00a0% · step 210 of 340 · epoch 1.24 · 10\u00a0min left" in app.text
        assert "163 tokens/s" in app.text
        assert "of memory" in app.text
        assert "on rows held out 0.357" in app.text
        assert f"expected: {ESTIMATE}" in app.text
        assert "lora r8 · about 30 minutes · fake-0.5b" in app.text
        assert "reviews.jsonl  /home/me/texts" in app.text
        assert "4,000 rows to train on" in app.text
        assert "You can go on chatting" in app.text
        assert "s stop" in app.text
        await app.press("down")
        await app.sees("× failed · translation")
        assert app.text.count("line 3 needs a text in 'target'.") == 2
        assert "go on" not in app.text.splitlines()[-1]
        await app.press("down")
        await app.sees("classification/v2 · accuracy 91.2 (few-shot 76.0) · not in use")
        assert "Enter classification/v2" in app.text
        await app.press("down")
        await app.sees("50 of 340 steps")
        assert "r go on" in app.text
        await app.press("down")
        await app.sees("Its process was ended from outside")


async def test_it_follows_a_training_while_it_is_open() -> None:
    run = made_run(RUNNING, state="running", total=340, owner=this_process())
    async with opened(FakeSession(), size=(100, 40)) as app:
        await open_list(app)
        await app.sees("◌ starting")
        log = run.path / "log.jsonl"
        log.write_text(log_line(1))
        await app.sees("step 1 of 340")
        log.write_text("".join(log_line(n) for n in range(1, 171)))
        await app.sees("50\u00a0% · step 170 of 340")
        assert "● on rows held out" in app.text
        write_state(RUNNING, state="done", adapter="classification/v2")
        installed()
        await app.sees("trained, being measured")
        write_state(RUNNING, **NOBODY.as_json())
        await app.noted(
            "adapter classification/v2 trained | accuracy 91.2 against 76.0 few-shot; /adapters"
        )
        await app.sees("✓ finished")
        await app.pilot.pause(0.3)
        assert app.notes.count("trained") == 1


async def test_the_marked_one_stays_marked_when_others_come() -> None:
    several()
    async with opened(FakeSession(), size=(100, 40)) as app:
        screen = await open_list(app, "down", "down")
        await app.sees("✓ finished")
        made_run("20250314-100000-qa-ffff", task="qa", state="stopped", total=9, owner=NOBODY)
        await app.sees("6 in all")
        assert "✓ finished" in app.text
        assert screen.list.highlighted == 3


# -- what happened while nobody looked -------------------------------------------------------------


async def test_what_ended_while_the_app_was_closed_is_told_once() -> None:
    installed()
    ended = Launch(wanted(), NOBODY)
    made_run(RUNNING, state="done", adapter="classification/v2", owner=NOBODY, launch=ended)
    made_run("20250101-000000-qa-old", task="qa", state="failed", owner=NOBODY)
    async with opened(FakeSession()) as app:
        await app.noted("adapter classification/v2 trained | accuracy 91.2 against 76.0 few-shot")
        assert "qa" not in app.notes
    async with opened(FakeSession()) as app:
        await app.pilot.pause(0.3)
        assert app.notes == ""


async def test_one_that_fails_while_one_chats_is_told_with_its_last_error() -> None:
    launch = Launch(wanted(), this_process())
    made_run(
        RUNNING,
        state="running",
        total=340,
        owner=this_process(),
        launch=launch,
        output="Error: The loss at step 9 is no number.\nTry a lower rate: --rate 5e-05\n",
    )
    async with opened(FakeSession()) as app:
        await app.ask("hello")
        assert app.notes == ""
        write_state(RUNNING, state="failed")
        await app.noted("Training for classification failed | The loss at step 9 is no number. Try")


# -- keys ------------------------------------------------------------------------------------------


async def test_enter_opens_the_adapter_and_t_leads_back() -> None:
    installed()
    several_adapters = FakeSession(task="classification")
    several_adapters.adapters = FakeKeeper()
    made_run(RUNNING, state="done", adapter="classification/v2", owner=NOBODY, total=9)
    async with opened(several_adapters, size=(100, 40)) as app:
        await open_list(app, "enter")
        await app.until(lambda: isinstance(app.app.screen, AdaptersScreen))
        await app.sees("classification/v2 · not in use")
        await app.press("t")
        await app.until(lambda: isinstance(app.app.screen, TrainingScreen))
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)


async def test_without_an_adapter_enter_says_so() -> None:
    made_run(RUNNING, state="stopped", owner=NOBODY, total=9)
    async with opened(FakeSession()) as app:
        await open_list(app, "enter")
        await app.noted("No adapter came out of this training")


async def test_stopping_asks_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Owner, "interrupt", lambda self: asked.append(self.pid))
    several()
    async with opened(FakeSession()) as app:
        await open_list(app, "s")
        await app.noted("Stopping | It saves its state first")
        assert asked == [this_process().pid]
        await app.press("down", "s")
        await app.noted("This training does not run.")


async def test_going_on_starts_the_command_again() -> None:
    several()
    async with opened(FakeSession(), size=(100, 40)) as app:
        await open_list(app, "end", "r")
        await app.noted("Started again")
        (run,) = [one for one in read_all(user_paths()) if one.task == "qa"]
        assert run.launch is not None
        await app.noted("Training for qa failed | no. /train shows more.")
        await app.press("up", "up", "r")
        await app.noted("There is nothing to go on with.")


async def test_deleting_asks_first_and_never_deletes_what_runs() -> None:
    several()
    async with opened(FakeSession(), size=(100, 40)) as app:
        await open_list(app, "d")
        await app.noted("This training is running. | s stops it.")
        await app.press("down", "d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.sees("an adapter that came out")
        await app.press("escape")
        await app.until(lambda: isinstance(app.app.screen, TrainingScreen))
        await app.press("d")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.press("y")
        await app.sees("4 in all")
        assert all(one.task != "translation" for one in read_all(user_paths()))


async def test_palette_and_remapped_keys() -> None:
    several()
    session = FakeSession(keys={"training.new": "f2"})
    async with opened(session, size=(100, 30)) as app:
        await app.press("ctrl+p")
        await app.sees("Search for commands")
        await app.press(*"train an")
        await app.sees("/train")
        await app.press("down", "enter")
        await app.until(lambda: isinstance(app.app.screen, TrainingScreen))
        await app.sees("F2 new")


# -- the form --------------------------------------------------------------------------------------


async def test_the_form_checks_at_once_and_starts() -> None:
    write_rows("my texts.jsonl")
    async with opened(FakeSession(), size=(80, 24)) as app:
        await open_list(app)
        form = await open_form(app)
        await app.sees("Which file is it to learn from?")
        await app.press(*"gone.jsonl")
        await app.sees("gone.jsonl cannot be read: No such file or directory.")
        await app.press("ctrl+s")
        await app.pilot.pause(0.1)
        assert app.app.screen is form
        form.data.value = "'my texts.jsonl"
        await app.sees("A quotation mark is not closed.")
        form.data.value = "'my texts.jsonl'"
        await app.sees("60 rows. Ctrl+S starts.")
        form.minutes.value = "soon"
        await app.sees("The minutes are no number.")
        form.minutes.value = "12,5"
        form.augment.value = True
        await app.press("ctrl+s")
        await app.until(lambda: isinstance(app.app.screen, TrainingScreen))
        await app.noted("Started | How long it takes")
        await app.noted("Training for classification failed | no. /train shows more.")
        (one,) = read_all(user_paths())
        assert one.launch is not None
        data = (str(Path("my texts.jsonl").absolute()),)
        assert one.launch.wanted == wanted(data=data, minutes=12.5, augment=True)
        await app.sees("× failed · classification")
        form = await open_form(app)  # what was asked for stands there again
        assert form.minutes.value == "12.5"
        assert form.data.value == "'my texts.jsonl'"
        await app.press("escape")


async def test_a_wrong_row_is_said_with_its_line() -> None:
    Path("a.jsonl").write_text('{"input": "x", "target": "y"}\n{"input": "x"}\n')
    async with opened(FakeSession(), size=(80, 24)) as app:
        await open_list(app)
        form = await open_form(app)
        form.data.value = "a.jsonl"
        await app.sees("a.jsonl, line 2 needs a text in 'target'.")
        Path("a.jsonl").write_text('{"input": "x", "target": "y"}\n')
        form.technique.value = "ia3"
        await app.sees("1 row; with so few it learns little. Ctrl+S starts.")


async def test_a_second_training_is_asked_about() -> None:
    several()
    async with opened(FakeSession(), size=(100, 40)) as app:
        await open_list(app, "n")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.sees("Start another training while one is under way?")
        await app.press("y")
        await app.until(lambda: isinstance(app.app.screen, TrainingForm))


# -- the pieces ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 40, 75, 115, 200])
def test_lines_fit_the_width(width: int) -> None:
    several()
    for one in read_all(user_paths()):
        assert lines.line_of(one, width, now()).cell_length <= width


def points(*losses: float, dev: dict[int, float] | None = None) -> list[Point]:
    found, last = [], None
    for step, loss in enumerate(losses, 1):
        last = (dev or {}).get(step, last)
        found.append(Point(step, 0.1, loss, 9.0, None, last))
    return found


@pytest.mark.parametrize("width", [24, 60, 100])
@pytest.mark.parametrize("count", [1, 2, 57, 3000])
def test_the_picture_has_the_size_that_was_asked_for(width: int, count: int) -> None:
    losses = [2.0 * math.exp(-n / 50) for n in range(count)]
    drawn = loss_plot(points(*losses, dev={1: 1.0}), count + 20, width, 9).plain.split("\n")
    assert len(drawn) == 9
    assert max(map(len, drawn[:-1])) <= width


def test_each_measurement_is_one_dot_though_the_log_repeats_it() -> None:
    drawn = loss_plot(points(*[1.0] * 50, dev={10: 1.5, 30: 0.8}), 50, 60, 12).plain
    assert "\n".join(drawn.split("\n")[:-1]).count("●") == 2


def test_a_loss_that_does_not_change_and_one_of_nothing_are_drawn() -> None:
    for loss in (0.0, 3.0):
        assert "loss, smoothed" in loss_plot(points(loss, loss), 2, 40, 8).plain


def test_the_note_of_each_end() -> None:
    several()
    installed("qa", "v1")
    by_task = {(one.task, one.standing): one for one in read_all(user_paths())}
    done = by_task["classification", "done"]
    assert lines.news_of(done)[1] == "accuracy 91.2 against 76.0 few-shot; /adapters to use it"
    assert lines.news_of(replace(done, in_use=True))[1].endswith("it is in use now")
    assert "not measured" in lines.news_of(replace(done, scores={}))[1]
    broken = replace(done, scores={}, error=("No memory is left.", "Close something."))
    assert lines.news_of(broken)[1:] == ("No memory is left. /adapters to use it", "warning")
    assert lines.news_of(replace(done, adapter=""))[2] == "warning"
    assert lines.news_of(by_task["chat", "stopped"])[0] == "Training for chat stopped"
    title, text, severity = lines.news_of(by_task["qa", "died"])
    assert (title, severity) == ("Training for qa ended by force", "error")
    assert "perhaps for want of memory" in text


def test_nothing_of_a_folder_reaches_the_terminal_as_it_is() -> None:
    made_run(
        RUNNING,
        task="qa\x1b[2J",
        data="/x\x1b]0;y\x07.jsonl",
        state="failed",
        error="a\x1b[31mb\nc",
        owner=NOBODY,
    )
    (one,) = read_all(user_paths())
    drawn = [f(one).plain for f in (lines.more, lines.data_lines, lines.said_lines)]
    told = "".join((*drawn, lines.facts(one, 80, now()).plain, *lines.news_of(one)))
    assert "\x1b" not in told + lines.line_of(one, 80, now()).plain


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 50)])
async def test_every_size_can_be_used(size: tuple[int, int]) -> None:
    several()
    async with opened(FakeSession(), size=size) as app:
        screen = await open_list(app, "end")
        await app.until(lambda: screen.marked is not None and screen.marked.task == "qa")
        await app.press("home", "n")
        await app.until(lambda: isinstance(app.app.screen, ConfirmScreen))
        await app.press("y")
        await app.until(lambda: isinstance(app.app.screen, TrainingForm))


# -- what it looks like ----------------------------------------------------------------------------


def _after(*keys: str) -> Callable[[Pilot[None]], Any]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.prompt.insert("/train")
        await pilot.press("enter")
        while not isinstance(app.screen, TrainingScreen) or not app.screen._was_read:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.15)
        if isinstance(app.screen, TrainingForm):
            app.screen.data.cursor_blink = False
            await pilot.pause(0.6)
        await pilot.pause(0.15)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("auto", (80, 24), (), id="list"),
        pytest.param("light", (120, 40), ("down", "down"), id="done_wide_light"),
        pytest.param("auto", (120, 40), (), id="list_wide"),
        pytest.param("light", (60, 20), ("down",), id="failed_narrow_light"),
        pytest.param("auto", (80, 24), ("n", "y"), id="form"),
    ],
)
def test_looks(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    theme: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
) -> None:
    several()
    monkeypatch.setattr(Owner, "memory", 2_100_000_000)
    session = FakeSession()
    session.settings.theme = theme
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=_after(*keys))
