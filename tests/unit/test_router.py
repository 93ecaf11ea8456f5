"""The router: what it reads, what it says, what it learns, and what it ships with."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.engine.base import Reading
from assistant.errors import AdapterError
from assistant.router import Router, router
from assistant.router.guard import GUARD_FILE, Guard, load_guard, read_check
from assistant.router.head import (
    ADAPTER_FILE,
    HEAD_FILE,
    Background,
    Head,
    load_head,
    normalized,
    save_head,
)
from assistant.router.memory import SHARPNESS, STRENGTH, Bound, Lesson, crowd_of, known_votes
from assistant.router.ngrams import BUCKETS, ngram_features
from assistant.router.reading import SUFFIX, token_limit, turn_text
from assistant.router.router import ADAPTER, HEADS, MOST_HARM
from assistant.router.why import PREVIOUS
from assistant.tasks import TASKS
from assistant.testing import FakeEngine
from assistant.training.router_head import LabelledTurn, fit_head, ngram_matrix, train_head
from assistant.types import Route

CONTEXT = "User: Translate to French: hello\nAssistant: Bonjour"
SIZE = 8
MODEL = "0" * 64
Floats = np.ndarray[Any, Any]


def unit(values: Any) -> Floats:
    vector = np.asarray(values, dtype=np.float32)
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def toward(first: int, second: int = 0, cosine: float = 1.0) -> Floats:
    """Return a direction at so much of axis ``first``, the rest of axis ``second``."""
    vector = np.zeros(SIZE, dtype=np.float32)
    vector[second] += np.sqrt(1.0 - cosine**2)
    vector[first] += cosine
    return vector


class Reader(FakeEngine):
    """An engine that reads a text as the direction a test gives it, and notes what it was given."""

    def __init__(self, places: Mapping[str, Floats] | None = None, fails: bool = False) -> None:
        super().__init__()
        self.places = places or {}
        self.fails = fails
        self.read: list[str] = []
        self.readings: list[Reading] = []
        self.loads: list[Path] = []

    def load_adapter(self, name: str, folder: Path) -> None:
        self.loads.append(folder)
        if self.fails:
            raise AdapterError("It does not fit.", "Train it again.")
        super().load_adapter(name, folder)

    def hidden_states(
        self,
        texts: Sequence[str],
        reading: Reading,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Floats:
        self.read += texts
        self.readings.append(reading)
        if not self.places:
            return super().hidden_states(texts, reading, progress=progress)
        if progress is not None:
            progress(len(texts))
        return np.stack([self.places[text] for text in texts])


def head_of(strength: float = 5.0, **options: Any) -> Head:
    """Return a classifier that takes axis i for task i, as surely as ``strength``."""
    weight = np.zeros((len(TASKS), SIZE), dtype=np.float32)
    weight[:, : len(TASKS)] = np.eye(len(TASKS)) * strength
    return Head(TASKS, weight, np.zeros(len(TASKS), dtype=np.float32), layer=1, **options)


def always(*chances: float, features: int = BUCKETS, **options: Any) -> Head:
    """Return a classifier that gives the same probabilities whatever it is given."""
    bias = np.log(np.asarray(chances, dtype=np.float32))
    return Head(TASKS, np.zeros((len(TASKS), features), dtype=np.float32), bias, **options)


def background_with(count: int = 20, spread: float = 0.1, seed: int = 0) -> Background:
    """Return ``count`` labelled turns around the axis of each task; the other axes are empty."""
    labels = np.repeat(np.arange(len(TASKS)), count)
    points = np.eye(SIZE)[labels]
    noise = np.random.default_rng(seed).normal(size=(len(labels), len(TASKS)))
    points[:, : len(TASKS)] += spread * noise
    points = unit(points)
    center = np.zeros(SIZE, dtype=np.float32)
    return Background(np.eye(SIZE, dtype=np.float32), center, points, labels, crowd_of(points))


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """A folder as it ships: a light classifier that says chat, and one for the fake model."""
    folder = tmp_path / "heads"
    save_head(always(0.1, 0.1, 0.1, 0.1, 0.6), folder / "light.safetensors")
    save_head(head_of(background=background_with()), folder / MODEL[:16] / HEAD_FILE)
    return folder


# -- what is read and said -------------------------------------------------------------------------


def test_the_models_own_state_decides_where_it_has_a_classifier(heads: Path) -> None:
    engine = Reader({"hello": toward(1)})
    route = Router(heads=heads).route("hello", None, engine)
    assert (route.task, route.source, route.unsure, route.learned) == (TASKS[1], "model", (), 0.0)
    assert set(route.scores) == set(TASKS)
    assert sum(route.scores.values()) == pytest.approx(1.0)
    assert route.confidence == route.scores[route.task] == max(route.scores.values())


def test_the_light_stage_stands_in(heads: Path) -> None:
    """While there is no engine, or one without a classifier."""
    other = FakeEngine()
    other._info = type(other.info)("other", "9" * 64, 4096, 2, 8, "cpu", "none")
    for engine in (None, other):
        route = Router(heads=heads).route("hello", None, engine)
        assert (route.task, route.source) == ("chat", "light")
        assert sum(route.scores.values()) == pytest.approx(1.0)


def test_a_classifier_trained_here_goes_before_the_one_that_ships(
    heads: Path, tmp_path: Path
) -> None:
    made = Router(tmp_path / "cache", heads)
    save_head(
        always(*[0.1, 0.6, 0.1, 0.1, 0.1], features=SIZE), made.save_folder(MODEL) / HEAD_FILE
    )
    assert made.route("hello", None, Reader({"hello": toward(0)})).task == TASKS[1]
    assert made.has_head(MODEL)
    assert not made.has_head("9" * 64)


def test_a_turn_is_read_as_the_classifier_says(heads: Path) -> None:
    save_head(
        always(0.2, 0.2, 0.2, 0.2, 0.2, features=2 * SIZE, layer=2, mean_layer=1, suffix=SUFFIX),
        heads / MODEL[:16] / HEAD_FILE,
    )
    engine = Reader()
    Router(heads=heads).route_all([("hello", None), ("and now?", CONTEXT)], engine)
    assert engine.read == ["hello", turn_text("and now?", CONTEXT)]
    assert engine.readings == [
        Reading(2, SUFFIX, token_limit(None), None, 1),
        Reading(2, SUFFIX, token_limit(CONTEXT), None, 1),
    ]
    assert token_limit(CONTEXT) > token_limit(None)


def test_many_turns_are_read_together_and_routed_as_one_by_one(heads: Path) -> None:
    turns = [
        (f"turn {n} {'x' * (n % 7)}", None if n % 3 else f"User: {n}\nAssistant: yes")
        for n in range(25)
    ]
    for engine in (Reader(), None):
        made = Router(heads=heads, examples=lambda: [Lesson("turn 4", None, "haiku")])
        made.learn("turn 5 xxxxx", None, "qa")
        seen: list[int] = []
        together = made.route_all(turns, engine, seen.append)
        assert together == [made.route(text, context, engine) for text, context in turns]
        assert len({str(route.scores) for route in together}) > 5
        assert seen == sorted(seen)
        assert seen[-1] == 25
        if engine is not None:
            examples, lessons, alone, followed = engine.readings[:4]
            assert examples == lessons == alone
            assert alone.max_tokens == token_limit(None)
            assert followed.max_tokens == token_limit(CONTEXT)
    assert Router(heads=heads).route_all([], None) == []
    assert Router(heads=heads).route_all([], Reader()) == []


@pytest.mark.parametrize(
    ("chances", "ask_below", "unsure"),
    [
        ((0.6, 0.25, 0.05, 0.05, 0.05), 0.7, (0, 1)),
        ((0.2, 0.1, 0.45, 0.05, 0.2), 0.7, (2, 0, 4)),
        ((0.25, 0.3, 0.16, 0.15, 0.14), 0.7, (1, 0, 2)),
        ((0.6, 0.25, 0.05, 0.05, 0.05), 0.59, ()),
        ((0.6, 0.14, 0.13, 0.08, 0.05), 0.7, ()),
        ((0.6, 0.25, 0.05, 0.05, 0.05), 0.0, ()),
    ],
)
def test_it_is_unsure_below_a_threshold_and_with_a_second_task_worth_asking_about(
    heads: Path, chances: tuple[float, ...], ask_below: float, unsure: tuple[int, ...]
) -> None:
    save_head(always(*chances, ask_below=ask_below), heads / "light.safetensors")
    assert Router(heads=heads).route("hello").unsure == tuple(TASKS[at] for at in unsure)


def test_what_was_learned_makes_it_sure(heads: Path) -> None:
    save_head(always(0.4, 0.3, 0.1, 0.1, 0.1, ask_below=0.7), heads / "light.safetensors")
    made = Router(heads=heads)
    assert made.route("hello there").unsure == TASKS[:2]
    made.learn("hello there", None, "qa")
    assert made.route("hello there").unsure == ()


# -- adapters --------------------------------------------------------------------------------------


@pytest.fixture
def adapted(heads: Path) -> Path:
    """The folder of a classifier with an adapter beside it."""
    folder = heads / MODEL[:16]
    save_head(always(0.6, 0.1, 0.1, 0.1, 0.1, features=SIZE, adapted=True), folder / HEAD_FILE)
    (folder / ADAPTER_FILE).write_bytes(b"")
    return folder


def test_the_adapter_is_loaded_once_and_named_when_reading(heads: Path, adapted: Path) -> None:
    engine, made = Reader(), Router(heads=heads)
    for text in ("a", "b", "c"):
        assert made.route(text, None, engine).source == "model"
    assert engine.loads == [adapted]
    assert engine.adapters == (ADAPTER,)
    assert [reading.adapter for reading in engine.readings] == [ADAPTER] * 3
    Router(heads=heads).route("d", None, engine)
    assert len(engine.loads) == 1


def test_another_engine_gets_the_adapter_too(heads: Path, adapted: Path) -> None:
    made = Router(heads=heads)
    for engine in (Reader(), Reader()):
        made.route("a", None, engine)
        assert engine.loads == [adapted]


def test_without_an_adapter_none_is_loaded(heads: Path) -> None:
    engine = Reader()
    Router(heads=heads).route("a", None, engine)
    assert engine.loads == []
    assert engine.readings[0].adapter is None


def test_a_broken_adapter_leaves_it_to_the_light_stage(heads: Path, adapted: Path) -> None:
    engine = Reader(fails=True)
    route = Router(heads=heads).route("a", None, engine)
    assert (route.task, route.source) == ("chat", "light")
    assert engine.loads == [adapted]
    assert engine.read == []


def test_a_missing_adapter_leaves_it_to_the_light_stage(heads: Path, adapted: Path) -> None:
    (adapted / ADAPTER_FILE).unlink()
    engine = Reader()
    assert Router(heads=heads).route("a", None, engine).source == "light"
    assert engine.loads == engine.read == []


def test_a_broken_adapter_trained_here_leaves_it_to_the_one_that_ships(
    heads: Path, tmp_path: Path
) -> None:
    made = Router(tmp_path / "cache", heads)
    own = made.save_folder(MODEL)
    save_head(always(0.1, 0.6, 0.1, 0.1, 0.1, features=SIZE, adapted=True), own / HEAD_FILE)
    (own / ADAPTER_FILE).write_bytes(b"")
    engine = Reader({"a": toward(2)}, fails=True)
    route = made.route("a", None, engine)
    assert (route.task, route.source) == (TASKS[2], "model")
    assert engine.readings[0].adapter is None


# -- what it learns --------------------------------------------------------------------------------

# Axes 5 to 7 are far from every labelled turn; the classifier takes what lies there for qa.
PLACES = {
    "odd": toward(5),
    "like odd": toward(5, 6, 0.97),
    "half like odd": toward(5, 6, 0.6),
    "a question": toward(0),
    "translate": toward(1),
}


def test_a_lesson_changes_the_same_turn_at_once_and_others_as_they_are_near(heads: Path) -> None:
    engine, made = Reader(PLACES), Router(heads=heads)
    before = {text: made.route(text, None, engine) for text in PLACES}
    assert before["odd"].task != "chat"
    made.learn("odd", None, "chat")
    after = {text: made.route(text, None, engine) for text in PLACES}
    assert [after[text].task for text in ("odd", "like odd")] == ["chat", "chat"]
    learned = [after[text].learned for text in PLACES]
    assert learned[0] > 0.99
    assert learned[0] > learned[1] > learned[2] > 10 * max(learned[3:])
    assert max(learned[3:]) < 0.01
    for text in ("a question", "translate"):
        assert after[text].task == before[text].task
        assert after[text].confidence == pytest.approx(before[text].confidence, abs=0.01)
    for route in after.values():
        assert sum(route.scores.values()) == pytest.approx(1.0)


def test_a_lesson_counts_less_where_many_labelled_turns_are_near(heads: Path) -> None:
    engine, made = Reader(PLACES), Router(heads=heads)
    engine.places = {**PLACES, "much the same question": PLACES["a question"]}
    made.learn("much the same question", None, "chat")
    route = made.route("a question", None, engine)
    assert route.task == "qa"
    assert 0.0 < route.learned < 0.5


def test_for_the_very_turn_that_was_corrected_the_last_word_counts(heads: Path) -> None:
    """Whatever lies near: there is nobody else to be harmed."""
    places = defaultdict(lambda: toward(6), PLACES)  # parts of the turn are read to explain it
    places[" A  question"] = PLACES["a question"]
    engine, made = Reader(places), Router(heads=heads)
    for task in ("translation", "chat"):
        made.learn("a question", None, task)
    for text in ("a question", " A  question"):
        assert made.route(text, None, engine).task == "chat"
    assert made.explain("a question", None, engine).route.task == "chat"
    made.forget("a question")
    assert made.route("a question", None, engine).task == "qa"


def test_forgetting_undoes_it(heads: Path) -> None:
    engine, made = Reader(PLACES), Router(heads=heads)
    before = made.route("odd", None, engine)
    made.learn("odd", None, "chat")
    assert made.route("odd", None, engine) != before
    made.forget("odd", "another turn before it")
    assert made.route("odd", None, engine) != before
    made.forget("odd")
    assert made.route("odd", None, engine) == before


def test_the_newest_lesson_for_a_turn_wins_and_the_old_one_is_gone(heads: Path) -> None:
    engine = Reader(PLACES)
    once, twice = Router(heads=heads), Router(heads=heads)
    for task in ("translation", "summarization", "chat"):
        twice.learn("odd", None, task)
        assert twice.route("odd", None, engine).task == task
    once.learn("odd", None, "chat")
    assert twice.route("odd", None, engine) == once.route("odd", None, engine)


def test_the_same_words_after_another_turn_are_another_turn(heads: Path) -> None:
    engine = Reader({"odd": toward(0), turn_text("odd", CONTEXT): toward(6)})
    made = Router(heads=heads)
    made.learn("odd", CONTEXT, "chat")
    assert made.route("odd", CONTEXT, engine).task == "chat"
    assert made.route("odd", None, engine).learned < 0.05


def test_lessons_are_asked_for_at_every_turn(heads: Path) -> None:
    stored: list[Lesson] = []
    made, engine = Router(heads=heads, lessons=lambda: stored), Reader(PLACES)
    before = made.route("odd", None, engine)
    stored.append(Lesson("odd", None, "chat"))
    assert made.route("odd", None, engine).task == "chat"
    stored[0] = Lesson("odd", None, "translation")
    assert made.route("odd", None, engine).task == "translation"
    stored.clear()
    assert made.route("odd", None, engine) == before


def test_a_lessons_turn_is_read_once(heads: Path) -> None:
    made, engine = Router(heads=heads), Reader(PLACES)
    made.learn("odd", None, "chat")
    for _ in range(3):
        made.route("translate", None, engine)
    assert engine.read.count("odd") == 1


def test_the_light_stage_learns_as_well(heads: Path) -> None:
    made = Router(heads=heads)
    made.learn("give me the gist of this report", None, "summarization")
    assert made.route("give me the gist of this report").task == "summarization"
    assert made.route("give me the gist of that report").task == "summarization"
    other = made.route("Hvor ligger Oslo?")
    assert other.task == "chat"
    assert other.learned < 0.05


def test_a_models_classifier_without_labelled_turns_learns_too(heads: Path) -> None:
    save_head(head_of(), heads / MODEL[:16] / HEAD_FILE)
    made, engine = Router(heads=heads), Reader(PLACES)
    made.learn("odd", None, "chat")
    routes = {text: made.route(text, None, engine) for text in PLACES}
    assert routes["odd"].task == routes["like odd"].task == "chat"
    assert routes["translate"].task == "translation"
    for route in routes.values():
        assert sum(route.scores.values()) == pytest.approx(1.0)


def test_examples_of_ones_own_tasks_join(heads: Path) -> None:
    examples = [Lesson("odd", None, "haiku")]
    made, engine = Router(heads=heads, examples=lambda: examples), Reader(PLACES)
    route = made.route("like odd", None, engine)
    assert route.task == "haiku"
    assert set(route.scores) == {*TASKS, "haiku"}
    assert sum(route.scores.values()) == pytest.approx(1.0)
    assert made.route("translate", None, engine).task == "translation"
    made.learn("odd", None, "chat")
    assert made.route("odd", None, engine).scores["chat"] > 0.4


# -- what lessons must not do ----------------------------------------------------------------------


class Hostile:
    """A background whose turns can be routed by name, and lessons that each say something wrong."""

    def __init__(self, heads: Path) -> None:
        self.background = background_with(count=80, spread=0.2, seed=1)
        save_head(head_of(20.0, background=self.background), heads / MODEL[:16] / HEAD_FILE)
        places = {f"turn {n}": point for n, point in enumerate(self.background.points)}
        alike = {f"like turn {n}": point for n, point in enumerate(self.background.points)}
        self.engine = Reader({**places, **alike})
        self.right = [TASKS[label] for label in self.background.labels]
        rng = np.random.default_rng(2)
        self.lessons = [
            Lesson(
                f"like turn {n}", None, TASKS[(self.background.labels[n] + 1 + n % 4) % len(TASKS)]
            )
            for n in rng.permutation(len(self.right))[:250]
        ]

    def wrong(self, made: Router) -> float:
        """Return the share of labelled turns that are routed to a wrong task."""
        turns = [(f"turn {n}", None) for n in range(len(self.right))]
        routes = made.route_all(turns, self.engine)
        return float(np.mean([r.task != t for r, t in zip(routes, self.right, strict=True)]))


def test_many_hostile_lessons_take_little_to_a_wrong_task(
    heads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = Hostile(heads)
    assert hostile.wrong(Router(heads=heads)) == 0.0
    taught = Router(heads=heads, lessons=lambda: hostile.lessons)
    assert hostile.wrong(taught) <= MOST_HARM
    monkeypatch.setattr(router, "MOST_HARM", 1.0)
    assert hostile.wrong(Router(heads=heads, lessons=lambda: hostile.lessons)) > 0.3


def test_many_hostile_lessons_about_one_matter_do_not_add_up(heads: Path) -> None:
    background = background_with(count=100)
    save_head(head_of(20.0, background=background), heads / MODEL[:16] / HEAD_FILE)
    lessons = [Lesson(f"wrong {n}", None, "chat") for n in range(300)]
    engine = Reader({"a question": toward(0), **{one.text: toward(0) for one in lessons}})
    taught = Router(heads=heads, lessons=lambda: lessons)
    route = taught.route("a question", None, engine)
    assert route.task == "qa"
    assert 0.1 < route.learned < 0.5


def test_hostile_lessons_do_not_keep_a_harmless_one_from_counting(heads: Path) -> None:
    hostile = Hostile(heads)
    hostile.engine.places = {**hostile.engine.places, **PLACES}
    lessons = [*hostile.lessons, Lesson("odd", None, "chat")]
    taught = Router(heads=heads, lessons=lambda: lessons)
    assert taught.route("odd", None, hostile.engine).task == "chat"


def harm(
    lessons: Sequence[tuple[Lesson, Any]], background: Background, tasks: Sequence[str]
) -> float:
    bound = Bound(background, tasks)
    for lesson, point in lessons:
        bound.add(lesson, point)
    return bound.harm


def test_harm_is_the_share_of_labelled_turns_that_would_be_lost() -> None:
    background = background_with()
    far = (Lesson("far", None, "chat"), toward(5))
    assert harm([], background, TASKS) == 0.0
    assert harm([far], background, TASKS) == 0.0
    many = [(Lesson(f"{n}", None, "chat"), toward(0)) for n in range(3)]
    assert harm(many, background, TASKS) == pytest.approx(0.2)  # all of qa, a fifth
    assert harm([(Lesson("right", None, "qa"), toward(0))] * 9, background, TASKS) == 0.0
    weak = [(Lesson(f"{n}", None, "chat", strength=1 / STRENGTH), toward(0)) for n in range(3)]
    assert harm(weak, background, TASKS) == 0.0


def guard_at(*points: Any, known: float = 0.001) -> Guard:
    """Return a guard of turns of ``qa`` at these points, which the classifier knows well."""
    scores = np.tile(
        np.array([0.9, 0.025, 0.025, 0.025, 0.025], dtype=np.float32), (len(points), 1)
    )
    places = np.stack(points)
    labels = np.zeros(len(points), dtype=np.int64)
    votes = np.full(len(points), known, dtype=np.float32)
    return Guard(scores, labels, votes, lambda point: places @ point)


def near(axis: int, other: int, cosine: float) -> Any:
    """Return a point at this cosine from one axis, towards another."""
    return cosine * toward(axis) + (1 - cosine**2) ** 0.5 * toward(other)


@pytest.mark.parametrize("background", [None, background_with()])
def test_a_lesson_gets_weaker_until_it_leaves_the_guard_alone(
    background: Background | None,
) -> None:
    guard = guard_at(near(5, 6, 0.8))
    lesson = Lesson("far from what ships", None, "chat")
    assert Bound(background, TASKS, 0.005).admit(lesson, toward(5)) == 1.0
    assert Bound(background, TASKS, 0.005, guard).admit(lesson, toward(5)) == 0.0
    weaker = Bound(background, TASKS, 0.005, guard_at(near(5, 6, 0.8), known=1.0))
    assert 0.0 < weaker.admit(lesson, toward(5)) < 1.0
    assert weaker.harm == 0.0
    assert Bound(background, TASKS, 1.0, guard).admit(lesson, toward(5)) == 1.0
    right = Lesson("far from what ships", None, "qa")
    assert Bound(background, TASKS, 0.005, guard).admit(right, toward(5)) == 1.0
    own = Lesson("for a task of one's own", None, "haiku")
    assert Bound(background, TASKS, 0.005, guard).admit(own, toward(5)) == 0.0


def test_a_turn_of_the_guard_may_itself_be_corrected() -> None:
    lesson = Lesson("that turn", None, "chat")
    assert Bound(None, TASKS, 0.0, guard_at(toward(5))).admit(lesson, toward(5)) == 1.0


def test_what_the_classifier_gets_wrong_cannot_be_lost() -> None:
    scores = np.array([[0.2, 0.8, 0.0, 0.0, 0.0]], dtype=np.float32)
    place = near(5, 6, 0.8)
    one = np.ones(1, dtype=np.float32)
    guard = Guard(scores, np.zeros(1, dtype=np.int64), one, lambda point: place[None] @ point)
    assert Bound(None, TASKS, 0.0, guard).admit(Lesson("x", None, "chat"), toward(5)) == 1.0


@pytest.mark.parametrize("folder", sorted(HEADS.glob("*/")), ids=lambda folder: folder.name)
def test_lessons_leave_the_check_set_right_that_ships(folder: Path) -> None:
    """Fifty wrong lessons close to turns of it: half a point is the most that may be lost."""
    head = load_head(folder / HEAD_FILE)
    guard = load_guard(folder / GUARD_FILE, lambda point: known_votes(point, head.background))
    _, tasks = read_check()
    assert [head.tasks[label] for label in guard.labels] == tasks
    assert (guard.scores.argmax(axis=1) == guard.labels).mean() > 0.9
    from safetensors.numpy import load_file

    points = load_file(folder / GUARD_FILE)["points"].astype(np.float32)
    rng = np.random.default_rng(0)
    bounded = Bound(head.background, head.tasks, MOST_HARM, guard)
    free = Bound(head.background, head.tasks, 1.0, guard)
    counted = 0
    for number, at in enumerate(rng.permutation(len(points))[:50]):
        point = points[at] + 0.04 * rng.standard_normal(points.shape[1]).astype(np.float32)
        point /= np.linalg.norm(point)
        task = TASKS[(guard.labels[at] + 1 + number) % len(TASKS)]
        counted += bounded.admit(Lesson(f"{number}", None, task), point) > 0
        free.admit(Lesson(f"{number}", None, task), point)
    assert bounded.harm <= MOST_HARM
    assert free.harm > 2 * MOST_HARM
    assert counted >= 10


def test_the_light_classifier_is_guarded_by_the_same_turns() -> None:
    turns, tasks = read_check()
    made = Router()
    before = [route.task == task for route, task in zip(made.route_all(turns), tasks, strict=True)]
    for number, (text, context) in enumerate(turns[::12]):
        made.learn(f"{text} {number}", context, TASKS[number % len(TASKS)])
    after = [route.task == task for route, task in zip(made.route_all(turns), tasks, strict=True)]
    taught = set(range(0, len(turns), 12))
    lost = [was and not now for was, now in zip(before, after, strict=True)]
    rest = [lost[at] for at in range(len(turns)) if at not in taught]
    assert sum(rest) <= MOST_HARM * len(turns) + 1  # the last decimals of a sum


def test_the_crowd_at_a_turn_is_the_votes_of_all_the_others() -> None:
    points = background_with(count=150).points
    votes = np.exp(SHARPNESS * (points @ points.T - 1.0))
    np.fill_diagonal(votes, 0.0)
    assert crowd_of(points) == pytest.approx(votes.sum(axis=1), rel=1e-4)


# -- why -------------------------------------------------------------------------------------------


def test_reasons_are_the_route_its_parts_and_the_lessons_that_counted(heads: Path) -> None:
    places = {"odd": toward(5), "odd turn": toward(5, 1, 0.99), " turn": toward(1)}
    places |= {"odd ": toward(5), "": toward(4), "far": toward(3)}
    made = Router(heads=heads, examples=lambda: [Lesson("far", None, "haiku")])
    made.learn("odd", None, "chat")
    engine = Reader(places)
    reasons = made.explain("odd turn", None, engine)
    assert reasons.route == made.route("odd turn", None, engine)
    assert reasons.route.task == "chat"
    assert [part.text for part in reasons.parts] == ["odd", "turn"]
    assert reasons.parts[0].for_task("chat") > 1.0 > reasons.parts[1].for_task("chat")
    assert reasons.parts[0].for_task("translation") < -1.0
    ((lesson, share),) = reasons.lessons
    assert (lesson.text, lesson.task) == ("odd", "chat")
    assert share == pytest.approx(reasons.route.learned, abs=0.01)


def test_the_previous_turn_is_a_part(heads: Path) -> None:
    engine = Reader({turn_text("go", CONTEXT): toward(1), turn_text("", CONTEXT): toward(1)})
    engine.places = {**engine.places, "go": toward(0)}
    parts = Router(heads=heads).explain("go", CONTEXT, engine).parts
    assert [part.text for part in parts] == [PREVIOUS, "go"]
    assert parts[0].for_task("translation") > 1.0
    assert parts[1].for_task("translation") == 0.0


# -- files and features ----------------------------------------------------------------------------


def test_a_head_is_read_back_as_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = background_with()
    projection = rng.normal(size=(2 * SIZE, SIZE)).astype(np.float32)
    center = rng.normal(size=2 * SIZE).astype(np.float32)
    head = Head(
        TASKS,
        rng.normal(size=(5, 2 * SIZE)).astype(np.float32),
        rng.normal(size=5).astype(np.float32),
        temperature=1.5,
        ask_below=0.61,
        layer=16,
        mean_layer=14,
        suffix="\n---\nTask:",
        adapted=True,
        background=Background(projection, center, made.points, made.labels, made.crowd),
        about={"data": "own, „quoted“"},
    )
    file = tmp_path / "a" / HEAD_FILE
    save_head(head, file)
    again = load_head(file)
    for name in ("tasks", "temperature", "ask_below", "layer", "mean_layer", "suffix", "adapted"):
        assert getattr(again, name) == getattr(head, name)
    assert again.about == head.about
    features = rng.normal(size=2 * SIZE).astype(np.float32)
    assert again.predict(features) == pytest.approx(head.predict(features), abs=1e-2)
    assert head.background is not None
    assert again.background is not None
    assert (again.background.labels == head.background.labels).all()
    assert (again.background.crowd == head.background.crowd).all()
    assert again.background.points == pytest.approx(head.background.points, abs=0.005)
    assert np.linalg.norm(again.background.points, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert again.background.point(features) @ head.background.point(features) > 0.9999
    assert [one.name for one in file.parent.iterdir()] == [HEAD_FILE]


def test_a_head_without_labelled_turns_is_read_back_too(tmp_path: Path) -> None:
    save_head(head_of(), tmp_path / HEAD_FILE)
    again = load_head(tmp_path / HEAD_FILE)
    assert (again.background, again.mean_layer, again.adapted) == (None, None, False)


def test_normalized_states_have_the_same_size_in_each_part() -> None:
    states = np.array([[3.0, 4.0, 30.0, 40.0], [0.0, 0.0, 1.0, 1.0]], dtype=np.float32)
    even = normalized(states, 2)
    assert even[0, :2] == pytest.approx(even[0, 2:], rel=1e-4)
    assert np.sqrt((even[0, :2] ** 2).mean()) == pytest.approx(1.0, rel=1e-4)
    assert (even[1, :2] == 0).all()
    assert normalized(states)[0, 0] / normalized(states)[0, 2] == pytest.approx(0.1)


def test_a_long_previous_turn_is_shortened() -> None:
    assert turn_text("why?", None) == turn_text("why?", "") == "why?"
    assert CONTEXT in turn_text("why?", CONTEXT)
    shown = turn_text("why?", "begin " + "x" * 10_000 + " end")
    assert len(shown) < 500
    assert "begin x" in shown
    assert "x end\n\nNew turn:\nwhy?" in shown


def test_the_previous_turn_has_ngrams_of_its_own() -> None:
    assert ngram_features("hello").shape == (BUCKETS,)
    assert not np.allclose(ngram_features("hello"), ngram_features("hello", "hello"))


# -- training --------------------------------------------------------------------------------------


def test_training_separates_what_can_be_separated() -> None:
    words = {"qa": "why", "translation": "french", "summarization": "gist", "chat": "poem"}
    words["classification"] = "label"
    turns = [
        LabelledTurn(f"{word} number {i}", None, task)
        for task, word in words.items()
        for i in range(12)
    ]
    head = fit_head(ngram_matrix(turns), turns, penalty=10.0, scale=False)
    assert head.about["cross_validated_accuracy"] == 1.0
    scores = head.predict(ngram_features("gist number 99"))
    assert max(scores, key=lambda task: scores[task]) == "summarization"
    assert 0.0 < head.ask_below <= 1.0


def test_training_for_a_model_reads_every_turn_once_and_keeps_it_as_a_point() -> None:
    rng = np.random.default_rng(3)
    turns = [LabelledTurn(f"turn {i} of {task}", None, task) for task in TASKS for i in range(20)]
    engine = Reader(
        {
            turn.text: np.concatenate(
                [toward(TASKS.index(turn.task)), toward(TASKS.index(turn.task))]
            )
            + 0.1 * rng.normal(size=2 * SIZE)
            for turn in turns
        }
    )
    shares: list[float] = []
    head = train_head(engine, turns, shares.append)
    assert engine.read == [turn.text for turn in turns]
    assert shares[-1] == 1.0
    assert head.weight.shape == (len(TASKS), 2 * SIZE)
    assert (head.layer, head.mean_layer, head.adapted) == (1, 1, False)
    assert head.background is not None
    assert [TASKS[label] for label in head.background.labels] == [turn.task for turn in turns]
    row = normalized(engine.places["turn 3 of chat"][None], 2)[0]
    near = head.background.points @ head.background.point(row)
    assert near.argmax() == [turn.text for turn in turns].index("turn 3 of chat")
    assert max(head.predict(row), key=lambda task: head.predict(row)[task]) == "chat"


# -- what ships ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Translate this sentence into Spanish: The shop is closed.", "translation"),
        ("把这句话翻译成英文：商店关门了。", "translation"),
        ("Is this review positive or negative? The soup was cold.", "classification"),
        ("Summarize the following article in one sentence.", "summarization"),
        ("Write a short poem about the sea.", "chat"),
        ("Wie heißt die Hauptstadt von Peru?", "qa"),
    ],
)
def test_the_shipped_light_stage_knows_plain_requests(text: str, task: str) -> None:
    route = Router().route(text)
    assert (route.task, route.source) == (task, "light")
    assert set(route.scores) == set(TASKS)
    assert sum(route.scores.values()) == pytest.approx(1.0)


def test_the_shipped_light_stage_reads_ngrams() -> None:
    head = load_head(HEADS / "light.safetensors")
    assert head.tasks == TASKS
    assert head.weight.shape == (len(TASKS), BUCKETS)
    assert not head.adapted
    assert 0.0 < head.ask_below < 1.0


def test_the_default_models_head_ships() -> None:
    from assistant.models.catalog import default_entry

    entry = default_entry()
    assert entry.sha256 is not None
    folder = HEADS / entry.sha256[:16]
    head = load_head(folder / HEAD_FILE)
    assert head.tasks == TASKS
    assert 0.0 < head.ask_below < 1.0
    assert head.suffix == SUFFIX
    assert head.background is not None
    assert head.background.projection.shape[0] == head.weight.shape[1]
    assert (folder / ADAPTER_FILE).is_file() == head.adapted
    assert Router().has_head(entry.sha256)


# -- threads ---------------------------------------------------------------------------------------


def test_what_another_thread_forgets_meanwhile_is_still_at_hand(heads: Path) -> None:
    class Meanwhile(Reader):
        """While it reads, another thread finds the memory full and empties it."""

        def hidden_states(self, *given: Any, **more: Any) -> Floats:
            made._vectors.clear()
            return super().hidden_states(*given, **more)

    made, engine = Router(heads=heads), Meanwhile(PLACES)
    texts: list[tuple[str, str | None]] = [("odd", None), ("translate", None)]
    made.nearness(texts[0], texts[:1], engine)
    assert made.nearness(texts[0], texts, engine)[0] == pytest.approx(1.0)


def test_what_is_remembered_is_bounded(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "_MOST_VECTORS", 10)
    made = Router(heads=heads)
    for n in range(50):
        made.route(f"text {n}")
    assert len(made._vectors) <= 10


def test_threads_admit_lessons_side_by_side(heads: Path) -> None:
    taught = [Lesson(f"lesson {n}", None, TASKS[n % len(TASKS)]) for n in range(30)]
    known: list[Lesson] = []
    made = Router(heads=heads, lessons=lambda: list(known))

    def turn(n: int) -> Route:
        if n < len(taught):
            known.append(taught[n])
        return made.route(f"text {n}", None, Reader())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert len(list(pool.map(turn, range(60)))) == 60
    finally:
        sys.setswitchinterval(before)
