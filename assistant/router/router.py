"""The router: a trained classifier on the loaded model's own hidden states, and what users taught it.

While no model is there (or none was trained for it), a light classifier on character n-grams
stands in; the route says which of the two decided.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from assistant.engine.base import Engine, Reading
from assistant.errors import AdapterError
from assistant.router.guard import GUARD_FILE, Guard, light_guard, load_guard
from assistant.router.head import ADAPTER_FILE, HEAD_FILE, Floats, Head, load_head, normalized
from assistant.router.memory import Bound, Lesson, Verdict, known_votes, weigh
from assistant.router.ngrams import BUCKETS, ngram_features
from assistant.router.reading import token_limit, turn_text
from assistant.router.why import Part, explain_parts
from assistant.types import Route

HEADS = Path(__file__).with_name("heads")
ADAPTER = "router"
"""The name under which an engine holds the adapter that belongs to a classifier."""

MOST_HARM = 0.005
"""The share of shipped turns that lessons may take to a wrong task (half a point of accuracy)."""

_WORD_GIVEN = 50.0
"""How strong a lesson is for the very turn it is about: more than all that ships together."""

_LIGHT = "light.safetensors"
_ASKED_ABOUT = 0.15
_SHOWN_SHARE = 0.01
_MOST_VECTORS = 20_000

_log = logging.getLogger(__name__)

_Key = tuple[str, str, str | None]
"""What a turn's point is remembered by: the stage that read it, its text, the turn before it."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a turn is routed as it is: its parts by effect, and the lessons that counted (by share)."""

    route: Route
    parts: tuple[Part, ...]
    lessons: tuple[tuple[Lesson, float], ...]


@dataclass(slots=True)
class _Admitted:
    """Lessons whose harm was looked at, and how strong each may be; new ones go on from here."""

    stage: str
    bound: Bound
    lessons: list[Lesson] = field(default_factory=list)
    kept: list[Lesson] = field(default_factory=list)


class Router:
    """Routes turns. Threads may share it; none waits for another while a model reads.

    Args:
        cache: holds classifiers trained on this machine for other models.
        heads: those that ship.
        lessons: called at each turn for what the user taught, oldest first; it has to be quick.
        examples: called for turns of the user's own tasks, in the same form.
    """

    def __init__(
        self,
        cache: Path | None = None,
        heads: Path = HEADS,
        *,
        lessons: Callable[[], Sequence[Lesson]] | None = None,
        examples: Callable[[], Sequence[Lesson]] | None = None,
    ) -> None:
        self._cache = cache
        self._heads = heads
        self._own: list[Lesson] = []
        self._lessons = lessons or (lambda: self._own)
        self._examples = examples or (lambda: ())
        self._loaded: dict[Path, Head | None] = {}
        self._vectors: dict[_Key, Floats] = {}
        self._admitted: _Admitted | None = None
        self._guards: dict[str, Guard | None] = {}
        self._admitting = threading.Lock()
        self._broken: set[Path] = set()

    # -- routing -------------------------------------------------------------------------------

    def route(self, text: str, context: str | None = None, engine: Engine | None = None) -> Route:
        """Return the route of ``text``; ``context`` is the previous turn, as the contract has it.

        With an engine whose model has a classifier, its hidden state decides (a partial read of the
        turn); otherwise the n-grams do. Lessons are weighed in.
        """
        return self.route_all([(text, context)], engine)[0]

    def route_all(
        self,
        turns: Sequence[tuple[str, str | None]],
        engine: Engine | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Route]:
        """Return the routes of many turns, each with its previous turn, computed side by side."""
        stage = self._stage(engine)
        taught = self._taught(stage)
        rows = stage.features(turns, progress)
        if len(turns) == 1:  # whoever routes one turn may ask what is near to it
            self._remember({(stage.name, *turns[0]): stage.point(rows[0])})
        return [
            _route(stage, stage.judge(row, _with_word_given(taught, *turn)))
            for row, turn in zip(rows, turns, strict=True)
        ]

    def explain(
        self, text: str, context: str | None = None, engine: Engine | None = None
    ) -> Reasons:
        """Return why ``text`` is routed as it is; some dozens of reads of the turn."""
        stage = self._stage(engine)
        lessons = self._taught(stage)
        taught = _with_word_given(lessons, text, context)
        row = stage.features([(text, context)])[0]
        verdict = stage.judge(row, taught)
        shares = sorted(
            zip((lesson for lesson, _ in taught), verdict.shares, strict=True), key=lambda p: -p[1]
        )

        def score_all(turns: Sequence[tuple[str, str | None]]) -> list[dict[str, float]]:
            return [
                stage.judge(row, _with_word_given(lessons, *turn)).scores
                for row, turn in zip(stage.features(turns), turns, strict=True)
            ]

        parts = explain_parts(text, context, score_all)
        return Reasons(
            _route(stage, verdict),
            tuple(parts),
            tuple((lesson, share) for lesson, share in shares if share > _SHOWN_SHARE),
        )

    def nearness(
        self,
        turn: tuple[str, str | None],
        others: Sequence[tuple[str, str | None]],
        engine: Engine | None = None,
    ) -> list[float]:
        """Return how near other turns are to one in meaning: cosines of their readings, -1 to 1.

        What was read before is remembered, a turn that was just routed too.
        """
        stage = self._stage(engine)
        lessons = [Lesson(text, context, "") for text, context in (turn, *others)]
        point, *points = self._points(stage, lessons)
        return [float(point @ other) for other in points]

    def points(
        self, turns: Sequence[tuple[str, str | None]], engine: Engine | None, most: int
    ) -> list[Floats | None]:
        """Return where turns lie, vectors of length 1; ``None`` for those that were not read yet.

        At most ``most`` are read now, the first ones; what was read before is remembered.
        """
        stage = self._stage(engine)
        lessons = [Lesson(text, context, "") for text, context in turns]
        keys = [(stage.name, *turn) for turn in turns]
        missing = [key for key in dict.fromkeys(keys) if key not in self._vectors]
        later = set(missing[most:])
        at = [n for n, key in enumerate(keys) if key not in later]
        found: list[Floats | None] = [None] * len(turns)
        for n, point in zip(at, self._points(stage, [lessons[n] for n in at]), strict=True):
            found[n] = point
        return found

    # -- teaching ------------------------------------------------------------------------------

    def learn(self, text: str, context: str | None, task: str) -> None:
        """Take a correction in, from the next turn on. (A store's corrections come by ``lessons``.)"""
        self._own.append(Lesson(text, context, task))

    def forget(self, text: str, context: str | None = None) -> None:
        """Take back what was learned about this turn."""
        self._own[:] = [one for one in self._own if (one.text, one.context) != (text, context)]

    def taught(self, engine: Engine | None = None) -> list[Lesson]:
        """Return the corrections, oldest first, each as strong as it counts for turns like it."""
        stage = self._stage(engine)
        return [lesson for lesson, _ in self._corrections(stage)]

    def _taught(self, stage: _Stage) -> list[tuple[Lesson, Floats]]:
        """Return own tasks' examples and the corrections with their points; the last say more (``_with_word_given``)."""
        examples = list(self._examples())
        points = self._points(stage, examples)
        return [*zip(examples, points, strict=True), *self._corrections(stage)]

    def _corrections(self, stage: _Stage) -> list[tuple[Lesson, Floats]]:
        """Return the corrections with their points; their harm is bounded."""
        lessons = list({(one.text, one.context): one for one in self._lessons()}.values())
        if not lessons:
            return []
        points = dict(zip(lessons, self._points(stage, lessons), strict=True))
        with self._admitting:
            bounded = self._bound(stage, lessons, points)
        return [(one, points[replace(one, strength=1.0)]) for one in bounded]

    def _bound(
        self, stage: _Stage, lessons: Sequence[Lesson], points: dict[Lesson, Floats]
    ) -> list[Lesson]:
        """Return the lessons, each as strong as it may be without harm to the rest (oldest first)."""
        done = self._admitted
        if done is None or done.stage != stage.name or done.lessons != lessons[: len(done.lessons)]:
            head = stage.head
            done = _Admitted(
                stage.name, Bound(head.background, head.tasks, MOST_HARM, self._guard(stage))
            )
            self._admitted = done
        for lesson in lessons[len(done.lessons) :]:
            strength = done.bound.admit(lesson, points[lesson])
            if strength < 1.0:
                _log.info("A lesson counts %s, or others would suffer: %r", strength, lesson.text)
            done.lessons.append(lesson)
            done.kept.append(replace(lesson, strength=strength))
        return list(done.kept)

    def _guard(self, stage: _Stage) -> Guard | None:
        if stage.name not in self._guards:
            self._guards[stage.name] = stage.guard()
        return self._guards[stage.name]

    def _points(self, stage: _Stage, lessons: Sequence[Lesson]) -> list[Floats]:
        keys = [(stage.name, one.text, one.context) for one in lessons]
        # What another thread forgets meanwhile is still at hand here.
        known = {key: self._vectors.get(key) for key in keys}
        missing = [key for key, vector in known.items() if vector is None]
        if missing:
            rows = stage.features([(text, context) for _, text, context in missing])
            read = {key: stage.point(row) for key, row in zip(missing, rows, strict=True)}
            self._remember(read)
            known |= read
        return [vector for key in keys if (vector := known[key]) is not None]

    def _remember(self, vectors: Mapping[_Key, Floats]) -> None:
        if len(self._vectors) + len(vectors) > _MOST_VECTORS:
            self._vectors.clear()
        self._vectors.update(vectors)

    # -- classifiers ---------------------------------------------------------------------------

    def has_head(self, sha256: str) -> bool:
        """Return whether there is a classifier for the model with this checksum."""
        return any(folder.is_dir() for folder in self._folders(sha256))

    def save_folder(self, sha256: str) -> Path:
        """Return where a classifier trained on this machine for that model belongs."""
        assert self._cache is not None
        return self._cache / "router" / sha256[:16]

    def _folders(self, sha256: str) -> list[Path]:
        own = [self.save_folder(sha256)] if self._cache is not None else []
        return [*own, self._heads / sha256[:16]]

    def _stage(self, engine: Engine | None) -> _Stage:
        if engine is not None:
            for folder in self._folders(engine.info.sha256):
                head = self._load(folder / HEAD_FILE)
                if head is not None and self._ready(engine, head, folder):
                    return _ModelStage(head, engine, folder)
        light = self._load(self._heads / _LIGHT)
        assert light is not None, "the light classifier ships with the program"
        return _LightStage(light)

    def _ready(self, engine: Engine, head: Head, folder: Path) -> bool:
        """Return whether the classifier can be used; its adapter is loaded if need be."""
        if not head.adapted or ADAPTER in engine.adapters:
            return True
        if folder in self._broken or not (folder / ADAPTER_FILE).is_file():
            return False
        try:
            engine.load_adapter(ADAPTER, folder)
        except AdapterError as error:
            self._broken.add(folder)
            _log.warning("The router's adapter cannot be used: %s", error)
            return False
        return True

    def _load(self, file: Path) -> Head | None:
        if file not in self._loaded:
            self._loaded[file] = load_head(file) if file.is_file() else None
        return self._loaded[file]


class _LightStage:
    """Features without a model: character n-grams."""

    name = "light"
    source: Literal["model", "light"] = "light"

    def __init__(self, head: Head) -> None:
        self.head = head

    def features(
        self,
        turns: Sequence[tuple[str, str | None]],
        progress: Callable[[int], None] | None = None,
    ) -> Floats:
        found = np.zeros((len(turns), BUCKETS), dtype=np.float32)
        for position, (text, context) in enumerate(turns):
            found[position] = ngram_features(text, context)
            if progress is not None:
                progress(position + 1)
        return found

    def point(self, row: Floats) -> Floats:
        background = self.head.background
        if background is not None:
            return background.point(row)
        return (row / max(float(np.linalg.norm(row)), 1e-6)).astype(np.float32)

    def guard(self) -> Guard | None:
        """Return what lessons must leave right."""
        return light_guard(self.head, known_votes(np.zeros(BUCKETS, dtype=np.float32), None))

    def judge(self, row: Floats, taught: Sequence[tuple[Lesson, Floats]]) -> Verdict:
        return weigh(self.head.predict(row), self.point(row), taught, self.head.background)


class _ModelStage(_LightStage):
    """Features from the loaded model's hidden states."""

    source: Literal["model", "light"] = "model"

    def __init__(self, head: Head, engine: Engine, folder: Path) -> None:
        super().__init__(head)
        self.name = engine.info.sha256
        self._engine = engine
        self._guard_file = folder / GUARD_FILE

    def guard(self) -> Guard | None:
        if not self._guard_file.is_file():
            return None
        return load_guard(self._guard_file, lambda point: known_votes(point, self.head.background))

    def features(
        self,
        turns: Sequence[tuple[str, str | None]],
        progress: Callable[[int], None] | None = None,
    ) -> Floats:
        return read_turns(self._engine, self.head, turns, progress)


_Stage = _LightStage


def read_turns(
    engine: Engine,
    head: Head,
    turns: Sequence[tuple[str, str | None]],
    progress: Callable[[int], None] | None = None,
) -> Floats:
    """Return the features of turns for ``head``, shape (turns, features)."""
    parts = 1 if head.mean_layer is None else 2
    found = np.zeros((len(turns), parts * engine.info.hidden_size), dtype=np.float32)
    done = 0
    for followed in (False, True):
        at = [n for n, (_, context) in enumerate(turns) if bool(context) == followed]
        if not at:
            continue
        reading = Reading(
            layer=head.layer,
            suffix=head.suffix,
            max_tokens=token_limit("some" if followed else None),
            adapter=ADAPTER if head.adapted else None,
            mean_layer=head.mean_layer,
        )
        begun = done
        states = engine.hidden_states(
            [turn_text(*turns[n]) for n in at],
            reading,
            progress=None if progress is None else lambda count, b=begun: progress(b + count),  # type: ignore[misc]
        )
        found[at] = normalized(states, parts)
        done += len(at)
    return found


def _with_word_given(
    taught: list[tuple[Lesson, Floats]], text: str, context: str | None
) -> list[tuple[Lesson, Floats]]:
    """Return the lessons; one about this very turn counts in full and more, however weak it is for others."""
    same = [at for at, (lesson, _) in enumerate(taught) if _alike(lesson, text, context)]
    if not same:
        return taught
    found = list(taught)
    lesson, point = found[same[-1]]  # what was said last
    found[same[-1]] = (replace(lesson, strength=_WORD_GIVEN), point)
    return found


def _alike(lesson: Lesson, text: str, context: str | None) -> bool:
    def plain(words: str | None) -> str:
        return " ".join((words or "").split()).casefold()

    return plain(lesson.text) == plain(text) and plain(lesson.context) == plain(context)


def _route(stage: _Stage, verdict: Verdict) -> Route:
    ranked = sorted(verdict.scores, key=lambda name: -verdict.scores[name])
    task, confidence = ranked[0], verdict.scores[ranked[0]]
    unsure: tuple[str, ...] = ()
    if confidence < stage.head.ask_below:
        others = [name for name in ranked[1:3] if verdict.scores[name] >= _ASKED_ABOUT]
        unsure = (task, *others) if others else ()
    return Route(task, confidence, verdict.scores, stage.source, unsure, verdict.share)
