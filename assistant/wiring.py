"""Puts the parts together for one user: settings, store, prompts, router, engine, session."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path

from assistant import calibration
from assistant.adapters.registry import Registry
from assistant.adapters.shelf import Shelf
from assistant.calibration import Calibrations
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.engine.loader import EngineLoader, LoadState, as_progress
from assistant.engine.opening import EngineOptions
from assistant.errors import ModelNotInstalled
from assistant.measured import Measurement, of_evaluation, read_measurements
from assistant.models.resolve import ModelFiles, resolve
from assistant.own_labels import OwnLabels
from assistant.paths import Paths, shipped, user_paths
from assistant.personal import PersonalShots
from assistant.prompts import Prompts
from assistant.router import Router
from assistant.router.memory import EXAMPLE_STRENGTH, Lesson
from assistant.session import Session
from assistant.store.feedback import RouteCorrection
from assistant.store.store import Store
from assistant.strategy import Chooser
from assistant.tasks import TASKS, headline

Report = Callable[[LoadState, str, float | None], None]


def make_loader(settings: Settings, paths: Paths, *, download: bool = False) -> EngineLoader:
    """Return a loader for the model of ``settings``; it may fetch the model when ``download``."""
    initial: LoadState = "idle"
    try:
        resolve(settings.model, paths)
    except ModelNotInstalled:
        initial = "missing"
    return EngineLoader(lambda report: _load(settings, paths, report, download), initial=initial)


def make_session(
    settings: Settings,
    *,
    paths: Paths | None = None,
    store: Store | None = None,
    download: bool = False,
) -> Session:
    """Return a session for this user. Nothing heavy is loaded until the first turn asks for it."""
    paths = paths or user_paths()
    store = store or Store(paths.database)
    prompts = Prompts.load(shipped("prompts"), paths.prompts)
    router = make_router(paths, store, prompts)
    return Session(
        store=store,
        loader=make_loader(settings, paths, download=download),
        router=router,
        prompts=prompts,
        settings=settings,
        reload=lambda name: _reload(settings, paths, name),
        paths=paths,
        chooser=make_chooser(store, follow=True),
        personal=PersonalShots(store.wanted_answers, router.nearness),
        calibrations=make_calibrations(paths),
        shelf=Shelf(Registry(paths)),
        own_labels=OwnLabels(store.labelled_texts, router.points),
    )


def own_calibrations(paths: Paths) -> Path:
    """Return the file with the corrections that this user fitted."""
    return paths.data / "calibrations.json"


def make_calibrations(paths: Paths) -> Calibrations:
    """Return the corrections of label probabilities: those that ship, and the user's own over them."""
    return Calibrations([*calibration.read(), *calibration.read(own_calibrations(paths))])


def make_chooser(store: Store | None, *, follow: bool = False) -> Chooser:
    """Return what decides the strategy: by what ships, and by what this user measured.

    With ``follow`` what is measured later counts too, as long as the store is open.
    """
    measured = _Measured(store)
    return Chooser(measured if follow else measured())


class _Measured:
    """The measurements that ship and the user's own, read again when an evaluation came or went."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._shipped = read_measurements()
        self._read: tuple[str, list[Measurement]] | None = None

    def __call__(self) -> list[Measurement]:
        if self._store is None:
            return self._shipped
        stamp = self._store.evaluations_stamp()
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, [*self._shipped, *_own_measurements(self._store)]
        return self._read[1]


def _own_measurements(store: Store) -> list[Measurement]:
    found = (of_evaluation(one, headline(str(one["task"]))) for one in store.evaluations())
    return [row for row in found if row is not None]


def make_router(paths: Paths, store: Store | None, prompts: Prompts) -> Router:
    """Return the router with what this user taught it: corrections in the store, tasks of their own."""
    examples = own_examples(prompts)
    return Router(
        cache=paths.cache,
        lessons=(lambda: lessons_of(store.route_corrections(), prompts.tasks())) if store else None,
        examples=lambda: examples,
    )


def lessons_of(corrections: Sequence[RouteCorrection], tasks: Sequence[str]) -> list[Lesson]:
    """Return what the corrections teach; those to tasks that are gone teach nothing."""
    known = {*TASKS, *tasks}
    return [
        Lesson(one.text, one.context, one.to_task) for one in corrections if one.to_task in known
    ]


def own_examples(prompts: Prompts) -> list[Lesson]:
    """Return the example turns, and the description, of every task that the user added."""
    return [
        Lesson(text, None, name, EXAMPLE_STRENGTH)
        for name in prompts.tasks()
        if name not in TASKS
        for text in (
            *(example.question for example in prompts.get(name).examples),
            *prompts.get(name).description.values(),
        )
    ]


def _reload(settings: Settings, paths: Paths, name: str) -> tuple[Settings, EngineLoader]:
    changed = settings.model_copy(update={"model": name})
    return changed, make_loader(changed, paths, download=True)


def _load(settings: Settings, paths: Paths, report: Report, download: bool) -> Engine:
    files = _files(settings, paths, report, download)
    report("loading", f"Loading {files.name}", None)
    from assistant.engine.opening import open_engine

    engine = open_engine(
        files.path,
        files.kind,
        name=files.name,
        sha256=files.sha256,
        cache=paths.cache,
        options=engine_options(settings),
        progress=as_progress(report, "loading"),
    )
    _spare_collections()
    return engine


def _spare_collections() -> None:
    """Keep the garbage collector from pausing the screen: a full round takes up to a quarter second.

    All that is loaded by now stays, so it need not be gone through again and again.
    """
    gc.freeze()


def plain_folder(settings: Settings, paths: Paths) -> Path:
    """Return a folder in transformers' format for the settings' model, converting it if need be."""
    from assistant.engine.convert import convert

    files = resolve(settings.model, paths)
    if files.kind == "folder":
        return files.path
    return convert(files.path, files.sha256, paths.cache, lambda _what, _share: None)


def engine_options(settings: Settings) -> EngineOptions:
    """Return the settings that concern the engine."""
    return EngineOptions(settings.engine, settings.precision, settings.device, settings.threads)


def _files(settings: Settings, paths: Paths, report: Report, download: bool) -> ModelFiles:
    try:
        return resolve(settings.model, paths)
    except ModelNotInstalled:
        if not download:
            raise
    from assistant.models.progress import PullProgress
    from assistant.models.pull import pull

    def show(progress: PullProgress) -> None:
        total = progress.bytes_total
        share = progress.bytes_done / total if total else None
        report("downloading", progress.message, share)

    return pull(settings.model, paths, show)
