"""The dashboard of evaluations: its views, keys, empty states, and what it looks like."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_driver import Driver, opened
from tui_fakes import FakeSession, now

from assistant.adapters.card import Card
from assistant.adapters.shelf import OnShelf
from assistant.errors import StoreError
from assistant.evaluation import dashboard
from assistant.store.evaluations import EvaluatedExample
from assistant.store.store import Store
from assistant.tasks import headline
from assistant.tui.app import AssistantApp
from assistant.tui.screens.evaluations import AnswerScreen, EvaluationsScreen
from assistant.tui.widgets import evaluation_lines as lines
from assistant.tui.widgets.charts import Point, interval, plot, reliability_bar, scale_of

QA = (
    EvaluatedExample("q1", "Which sea?\n\nThe long text.", ("the Mediterranean",), "none", "en"),
    EvaluatedExample("q2", "A [bold]trap[/]\x1b[31m", ("[red]x[/red]", "y"), "[blink]z", "en"),
    EvaluatedExample("q3", "When?", ("1937",), "1937", "en"),
)
LABELS = ("good", "bad")


class EvaluationsOnly:
    """The evaluations of a real store; conversations are those of the fake one.

    ``gate`` holds reading up; ``fails`` is raised in place of an answer.
    """

    def __init__(self, real: Store) -> None:
        self._real = real
        self.gate = threading.Event()
        self.gate.set()
        self.fails: Exception | None = None

    def evaluations(self, *, task: str | None = None) -> list[dict[str, Any]]:
        self.gate.wait(10)
        if self.fails is not None:
            raise self.fails
        return self._real.evaluations(task=task)

    def evaluation(self, number: int | str) -> dict[str, Any]:
        return self._real.evaluation(number)

    def evaluated(self, number: int) -> list[EvaluatedExample]:
        return self._real.evaluated(number)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Return an empty store; nothing ships in these tests."""
    missing = tmp_path / "none.json"
    monkeypatch.setattr(dashboard.read_dashboard, "__defaults__", (None, missing))
    with Store(tmp_path / "evaluations.db") as made:
        yield made


def session_with(store: Store) -> FakeSession:
    session = FakeSession()
    source = EvaluationsOnly(store)
    for name in ("evaluations", "evaluation", "evaluated"):
        setattr(session.store, name, getattr(source, name))
    session.source = source  # type: ignore[attr-defined]
    card = Card("small-0.5b", "classification", "v2", Path("/adapters"), own=True)
    there = OnShelf({"v2": card}, {"classification": "v2"})
    shelf = SimpleNamespace(look=lambda model: there)
    session.planner = SimpleNamespace(shelf=shelf)  # type: ignore[attr-defined]
    return session


def measure(
    store: Store,
    task: str,
    strategy: str,
    value: float,
    *,
    day: int = 10,
    model: str = "small-0.5b",
    adapter: str | None = None,
    shots: int = 0,
    answers: tuple[EvaluatedExample, ...] = (),
) -> int:
    """Store a finished evaluation of the given day and return its number."""
    setting = {
        "data": f"/data/{task}.jsonl",
        "data_sha256": task.ljust(64, "0"),
        "limit": None,
        "lang": "en",
        "shots": shots,
        "nearest": False,
        "version": f"0.{day}",
    }
    number = store.begin_evaluation(
        task=task, strategy=strategy, model=model, adapter=adapter, setting=setting
    )
    store.add_evaluated(number, answers)
    metric = headline(task)
    report = {
        "task": task,
        "strategy": strategy,
        "model": model,
        "n": 200,
        "scores": {metric: value},
        "ci95": {metric: [value - 3, value + 3]},
        "timing": {"examples_per_s": 2.0},
    }
    store.finish_evaluation(number, report)
    store._db.run(
        "UPDATE evaluations SET created_at = :time WHERE id = :id",
        {"time": f"2025-03-{day:02}T10:00:00+00:00", "id": number},
    )
    return number


def classified() -> tuple[EvaluatedExample, ...]:
    """Return 20 texts: all said with 95 %, 15 of them right."""
    return tuple(
        EvaluatedExample(
            str(i),
            f"text {i}",
            ("good" if i < 15 else "bad",),
            "good",
            "en",
            LABELS,
            {"good": 0.95, "bad": 0.05},
        )
        for i in range(20)
    )


def fill(store: Store) -> None:
    """Store evaluations of two tasks, and one from before evaluations had a setting."""
    measure(store, "qa", "zero_shot", 40.0, day=3)
    measure(store, "qa", "few_shot", 52.0, day=4, shots=4)
    measure(store, "qa", "few_shot", 55.0, day=12, shots=4, answers=QA)
    measure(store, "classification", "adapter", 80.0, day=5, adapter="v1")
    measure(store, "classification", "adapter", 86.0, day=9, adapter="v2", answers=classified())
    old = {"task": "poems", "strategy": "few_shot", "model": "small-0.5b", "n": 5, "scores": {}}
    number = store.record_evaluation(old)
    store._db.run("UPDATE evaluations SET created_at = '' WHERE id = ?", (number,))


async def open_board(app: Driver, *keys: str) -> EvaluationsScreen:
    """Open the dashboard, wait until it was read, and press keys."""
    await app.command("/evaluations")
    await app.until(lambda: isinstance(app.app.screen, EvaluationsScreen))
    screen = app.app.screen
    assert isinstance(screen, EvaluationsScreen)
    await app.until(lambda: screen._dashboard is not None, "the dashboard was read")
    for key in keys:
        await app.press(key)
        await app.pilot.pause()
    return screen


async def test_nothing_measured_says_what_to_run(store: Store) -> None:
    async with opened(session_with(store), size=(80, 24)) as app:
        await open_board(app)
        await app.sees("Nothing was measured yet.")
        assert "No measurements come with this version" in app.text
        assert "assistant eval --task qa --data my-questions.jsonl --strategy few_shot" in app.text
        for key in "234":
            await app.press(key)
            await app.sees("assistant eval --task qa")
        await app.press("t", "d", "enter", "r")
        await app.press("escape")
        await app.until(lambda: app.app.screen is app.chat)


async def test_table_marks_the_chosen_way_and_says_why(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        await open_board(app)
        await app.sees("★ few-shot (4 fixed)")
        assert "55.0  [52.0, 58.0]    n 200" in app.text
        assert "★ Chosen: few-shot (4 fixed): your own measurement f1 55.0" in app.text
        assert "qa · en · qa.jsonl · f1" in app.text
        assert "6 yours" in app.text
        await app.press("down")
        await app.sees("Chosen instead: few-shot")
        assert "measured 2 times" not in app.text
        await app.press("t")
        await app.sees("★ Chosen: adapter v2")


async def test_an_old_evaluation_is_shown_with_what_it_has(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        screen = await open_board(app, "t", "t")
        assert screen._row is not None
        assert screen._row.measured.task == "poems"
        await app.sees("Its rougeL is not on record.")
        assert "time not on record" in app.text
        await app.press("2")
        await app.sees("Only evaluations of your own have a time.")
        await app.press("4")
        await app.sees("The answers of this evaluation are not on record.")


async def test_trend_shows_points_and_marks_runs(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        screen = await open_board(app, "2")
        await app.sees("● few-shot (4 fixed), small-0.5b")
        assert "03-12" in app.text
        assert "0.12" in app.text
        assert app.text.count("○") == 1 + 2  # legend, one line of the list, one point
        await app.press("down")
        await app.until(lambda: screen._run is not None and screen._run.value == 52.0)
        await app.press("1")
        assert screen._row is not None
        assert screen._row.value == 55.0


async def test_versions_of_an_adapter_are_one_series(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(100, 30)) as app:
        await open_board(app, "t", "2")
        await app.sees("● adapters, small-0.5b")
        assert "adapter v1" in app.text
        assert "○" not in app.text.replace("○ other ways", "")


async def test_calibration_of_classified_texts(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        await open_board(app, "t", "3")
        await app.sees("too sure, by 20 points")
        assert "Expected calibration error 0.200, 20 answers" in app.text
        assert "90–100\u00a0%" in app.text
        assert "┃" in app.text
        await app.press("t", "t")
        await app.sees("Only classified texts have probabilities.")


async def test_worst_answers_are_cleaned_and_opened_whole(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        await open_board(app, "enter")
        await app.sees("The worst 2 of 3 answers by f1.")
        assert "A [bold]trap[/]" in app.text
        assert "[red]x[/red]  (or 1 more)" in app.text
        assert "Which sea? The long text." in app.text
        await app.press("down", "enter")
        await app.until(lambda: isinstance(app.app.screen, AnswerScreen))
        await app.sees("Wanted, any of")
        assert "[blink]z" in app.text
        assert "\x1b" not in app.text
        await app.press("escape")
        await app.until(lambda: isinstance(app.app.screen, EvaluationsScreen))


async def test_what_ships_says_how_to_get_answers(store: Store, tmp_path: Path) -> None:
    from assistant.measured import Measurement, write_measurements

    rows = [Measurement("small-0.5b", "qa", "en", "zero_shot", "f1", 55.0, 50, 60, 9, data="squad")]
    write_measurements(tmp_path / "none.json", rows)
    async with opened(session_with(store), size=(80, 24)) as app:
        await open_board(app)
        await app.sees("1 shipped")
        await app.press("4")
        await app.sees("What ships comes without its answers.")
        assert "assistant eval --task qa --data my-qa.jsonl --strategy zero_shot" in app.text


async def test_the_screen_waits_for_a_slow_store_and_shows_its_errors(store: Store) -> None:
    fill(store)
    session = session_with(store)
    source: EvaluationsOnly = session.source  # type: ignore[attr-defined]
    source.gate.clear()
    async with opened(session, size=(80, 24)) as app:
        await app.command("/evaluations")
        await app.sees("reading…")
        await app.press("2", "1", "t")
        source.gate.set()
        await app.sees("6 yours")
        source.fails = StoreError("The database is locked.")
        await app.press("r")
        await app.sees("The database is locked.")
        source.fails = None
        await app.press("r")
        await app.sees("6 yours")


async def test_a_deleted_evaluation_is_said(store: Store) -> None:
    fill(store)
    async with opened(session_with(store), size=(80, 24)) as app:
        screen = await open_board(app)
        assert screen._run is not None
        assert screen._run.number is not None
        store.delete_evaluation(screen._run.number)
        await app.press("4")
        await app.sees("There is no evaluation")


async def test_palette_keys_and_remapping(store: Store) -> None:
    fill(store)
    session = session_with(store)
    session.settings.keys = {"evaluations.task": "n"}
    async with opened(session, size=(100, 30)) as app:
        await app.press("ctrl+p")
        await app.sees("Search for commands")
        await app.press(*"evaluations")
        await app.sees("/evaluations")
        await app.press("down", "enter")
        await app.until(lambda: isinstance(app.app.screen, EvaluationsScreen))
        await app.sees("n next task")
        await app.press("right", "right")
        await app.sees("Only classified texts have probabilities.")
        await app.press("left", "left", "left")
        await app.sees("The worst 2 of 3 answers")
        await app.press("f1")
        await app.sees("Help")
        await app.press("f1", "q")
        await app.until(lambda: app.app.screen is app.chat)


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (200, 50)])
async def test_every_size_shows_every_view(store: Store, size: tuple[int, int]) -> None:
    fill(store)
    measure(store, "qa", "zero_shot", 60.0, model="large-1.5b")
    async with opened(session_with(store), size=size) as app:
        await open_board(app)
        for key in "1234":
            await app.press(key)
            await app.pilot.pause()
        await app.pilot.resize_terminal(100, 30)
        await app.press("1")
        await app.sees("large-1.5b")


# -- the pieces ------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("width", [30, 55, 75, 95, 115, 155, 300])
def test_columns_fit_the_width(width: int, models: int) -> None:
    columns = lines.columns_for(width, models)
    used = 2 + columns.way + columns.model + 6 + columns.interval + columns.n + columns.owner
    used += 3 + columns.bar if columns.bar else 0
    assert used <= max(width, 55)


def test_an_interval_is_drawn_to_scale() -> None:
    scale = scale_of([(20.0, 40.0)])
    assert (scale.start, scale.end) == (19, 41)
    assert interval(Point(41, 30, 41), scale, 23).plain == "           ├──────────●"
    assert interval(Point(30, 30, 30), scale, 23).plain == " " * 11 + "●" + " " * 11


def test_a_plot_keeps_the_newest_where_there_are_too_many() -> None:
    points = [Point(i, i - 1, i + 1, f"03-{i:02}", f"0.{i}") for i in range(1, 31)]
    drawn = plot(points, 40, 10).plain.split("\n")
    assert len(drawn) == 10
    assert max(len(line) for line in drawn) <= 40
    assert sum(line.count("●") for line in drawn) == 11
    assert drawn[-2].rstrip().endswith("03-30")
    assert "03-01" not in drawn[-2]


def test_a_plot_of_one_point_without_an_interval() -> None:
    drawn = plot([Point(50, 50, 50, "03-01")], 30, 8).plain
    assert drawn.count("●") == 1
    assert "┬" not in drawn


def test_reliability_bars_tell_too_sure_from_better_than_said() -> None:
    assert reliability_bar(0.9, 0.5, 11).plain == "━━━━━━╌╌╌┃ "
    assert reliability_bar(0.5, 0.9, 11).plain == "━━━━━┃━━━━ "
    assert reliability_bar(1.0, 0.0, 11).plain == "╌╌╌╌╌╌╌╌╌╌┃"


# -- what it looks like ----------------------------------------------------------------------------


def _after(*keys: str) -> Callable[[Pilot[None]], Any]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        app.chat.prompt.insert("/evaluations")
        await pilot.press("enter")
        while not isinstance(app.screen, EvaluationsScreen) or app.screen._dashboard is None:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.15)
        await pilot.pause(0.15)

    return run


@pytest.mark.parametrize(
    ("theme", "size", "keys"),
    [
        pytest.param("auto", (80, 24), (), id="ways"),
        pytest.param("light", (120, 30), ("t",), id="ways_wide_light"),
        pytest.param("auto", (80, 24), ("2",), id="trend"),
        pytest.param("light", (60, 20), ("t", "3"), id="calibration_narrow_light"),
        pytest.param("auto", (80, 24), ("4",), id="worst"),
    ],
)
def test_looks(
    snap_compare: Any, store: Store, theme: str, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    fill(store)
    session = session_with(store)
    session.settings.theme = theme
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=_after(*keys))
