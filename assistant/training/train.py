"""One training from a job to weights: room and time are told, then the loop runs and is kept on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assistant.engine.threads import default_threads
from assistant.errors import Cancelled
from assistant.training.estimate import Estimate, in_words
from assistant.training.job import Job
from assistant.training.runs import RunFolder
from assistant.training.settings import RATE_SHARES, Report

if TYPE_CHECKING:
    from assistant.training.processes import Processes
    from assistant.training.sft import Trainer

_CUDA_PACK = 8192

Begin = Callable[[Estimate], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished training: the PEFT model with the best weights, and what is told of it."""

    peft: Any
    steps: int
    best_step: int
    dev_loss: float | None
    seconds: float
    tokens: int
    rate: float


def train(
    job: Job,
    run: RunFolder | None,
    report: Report,
    *,
    stop: threading.Event | None = None,
    begin: Begin = lambda estimate: None,
) -> Outcome | None:
    """Train, or with no ``run`` only tell what it would take.

    A run with a checkpoint goes on from there. ``begin`` is called with the estimate before the start.
    ``None`` is returned without a run, and in all processes but the one that writes.

    Raises:
        Cancelled: ``stop`` was set; the run goes on later.
        AdapterError: it does not fit the memory.
    """
    import torch

    from assistant.training.prepare import choose_device, lower_states, make_objective, prepare
    from assistant.training.processes import Processes
    from assistant.training.schedule import Schedule
    from assistant.training.sft import Plan, Trainer
    from assistant.training.techniques import default_rate

    settings = job.settings
    torch.set_num_threads(job.user.threads or default_threads())
    torch.manual_seed(settings.seed)
    processes = Processes()
    device = processes.device or choose_device(job.user)
    tokens = settings.pack_tokens if device == "cpu" else _CUDA_PACK
    groups = job.groups
    schedule = Schedule(job.rows, settings, tokens, groups)
    model, estimate = prepare(job, schedule, device)
    total = processes.same(int((run.state().get("total") if run else None) or estimate.steps))
    job.steps = total
    begin(replace(estimate, steps=total))
    if run is None:
        return None
    if processes.main:
        run.write_state(
            state="running", total=total, estimate=in_words(replace(estimate, steps=total))
        )
    rate = default_rate(settings.technique) * RATE_SHARES[settings.method]
    plan = Plan.of(settings, rate, schedule, total)
    cache = lower_states(model, job, schedule, plan)
    trainer = Trainer(
        model,
        settings,
        plan,
        schedule,
        job.dev_rows,
        objective=make_objective(job, model, groups),
        cache=cache,
        processes=processes,
    )
    _Kept(trainer, job, run, processes).hold(report, stop)
    return _outcome(trainer, run) if processes.main else None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A trainer whose way is kept in a run's folder."""

    trainer: Trainer
    job: Job
    run: RunFolder
    processes: Processes

    def hold(self, report: Report, stop: threading.Event | None) -> None:
        """Train to the end, from the last checkpoint where there is one.

        Raises:
            Cancelled: ``stop`` was set; the message says how to go on.
        """
        from assistant.training.checkpoint import write_checkpoint

        trainer, run, total = self.trainer, self.run, self.trainer.plan.total
        main = self.processes.main
        self._restore()

        def tell(progress: Any) -> None:
            if main:
                run.log(progress)
                report(progress)

        def save(position: Any, tensors: Any) -> None:
            if main:
                write_checkpoint(run.checkpoints, position, tensors)

        try:
            trainer.run(tell, save, stop)
        except Cancelled as error:
            if main:
                run.write_state(state="stopped", step=trainer.position.step)
            raise Cancelled(
                f"Stopped after step {trainer.position.step} of {total}; nothing is lost.",
                f"Go on with: assistant train --resume {run.id}",
            ) from error

    def _restore(self) -> None:
        from assistant.training.checkpoint import newest_checkpoint, read_checkpoint

        place = newest_checkpoint(self.run.checkpoints)
        if place is None:
            return
        self.trainer.restore(*read_checkpoint(place))
        step = self.trainer.position.step
        if self.processes.main:
            self.run.cut_log(step)
        self.job.note(f"Going on after step {step} of {self.trainer.plan.total}")


def _outcome(trainer: Trainer, run: RunFolder) -> Outcome:
    here = trainer.position
    run.write_state(step=here.step, dev_loss=here.best, seconds=round(here.seconds, 1))
    if here.accuracy is not None:
        run.write_state(dev_accuracy=round(here.accuracy, 4))
    return Outcome(
        trainer.model.peft,
        here.step,
        here.best_step or here.step,
        here.best,
        here.seconds,
        here.tokens,
        trainer.plan.rate,
    )
