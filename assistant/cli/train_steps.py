"""The steps that `assistant train` and `assistant refine` share: a run begun, kept on record, and ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from assistant.cli.common import note, open_store
from assistant.errors import AdapterError, AssistantError, Cancelled, UsageError

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.config import Settings
    from assistant.paths import Paths
    from assistant.training.job import Job, TrainRequest
    from assistant.training.runs import RunFolder


def train_and_install(
    request: TrainRequest,
    run: RunFolder,
    user: Settings,
    paths: Paths,
    stop: threading.Event,
) -> Card:
    """Train what is asked for in a run that exists, from its last checkpoint, and install the adapter.

    Raises:
        Cancelled: ``stop`` was set; the run goes on later.
        AssistantError: it cannot be trained.
    """
    from assistant.adapters.registry import Registry
    from assistant.cli.train_view import shown
    from assistant.training.estimate import in_words
    from assistant.training.install import install
    from assistant.training.job import Job
    from assistant.training.train import train

    job = Job(request, user, paths, note)
    with end_recorded(run, job):
        with shown() as report:
            outcome = train(
                job,
                run,
                report,
                stop=stop,
                begin=lambda estimate: note(f"{in_words(estimate)}   (run {run.id})"),
            )
        if outcome is None:
            raise AdapterError("A refinement runs in one process.", "Start it without accelerate.")
        card = install(job, outcome, Registry(paths))
    record(run, job, "running", adapter=card.name)
    return card


def lower_priority() -> None:
    """Let other programs on the machine go first, where the system knows how."""
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(10)


def begin(job: Job, paths: Paths) -> RunFolder | None:
    """Return the folder of a new run, the same one in all processes."""
    from assistant.training.processes import Processes
    from assistant.training.runs import new_run

    run = None
    processes = Processes()
    if processes.main:
        run = new_run(paths, job.settings.task)
        run.write_settings({"request": job.request.as_json(), "hashes": job.hashes()})
    made: RunFolder | None = processes.same(run)
    return made


def check_same(run: RunFolder, job: Job) -> None:
    """A run goes on with the very rows it began with."""
    before = run.settings().get("hashes", {})
    changed = [path for path, sha in job.hashes().items() if before.get(path, sha) != sha]
    if changed:
        raise UsageError(
            f"{changed[0]} was changed since the run began.", "Bring it back, or start a new run."
        )


@contextmanager
def end_recorded(run: RunFolder | None, job: Job) -> Iterator[None]:
    """Keep in the run that it was stopped, or why it failed, when an error ends what is done here."""
    from assistant.training.failures import explained, in_words

    try:
        yield
    except BaseException as error:
        told = explained(error, run.id if run else "")
        with suppress(AssistantError):  # if it cannot be written, the first error is still told
            if isinstance(error, (Cancelled, KeyboardInterrupt)):
                record(run, job, "stopped")
            else:
                record(run, job, "failed", error=in_words(told))
        if told is error:
            raise
        raise told from error


def record(run: RunFolder | None, job: Job, state: str, **more: str) -> None:
    """Keep in folder and database how a run stands."""
    from assistant.store.records import RunRecord
    from assistant.training.processes import Processes

    if run is None or not Processes().main:
        return
    run.write_state(state=state, **more)
    settings = job.settings
    with open_store() as store:
        store.record_run(
            RunRecord(
                run.id,
                settings.task,
                settings.method,
                settings.technique,
                job.request.model,
                state,
                str(run.path),
                {**job.request.as_json(), **run.state()},
            )
        )
