"""The loop of a training, whatever its method: steps, measurements, the state to stop and go on with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from assistant.errors import Cancelled, EngineError
from assistant.training.batches import Pack, Step, packs
from assistant.training.checkpoint import Position
from assistant.training.dataset import Row
from assistant.training.objective import Answers, Objective
from assistant.training.packed import PackedModel, PackTensors, tensors_of
from assistant.training.processes import Processes
from assistant.training.schedule import Schedule, rate_share
from assistant.training.settings import Progress, Report, TrainSettings

_SMOOTHING = 0.1
_MEASUREMENTS = 8
"""So often the development rows are measured in a training, and at least once an epoch."""

Save = Callable[[Position, dict[str, torch.Tensor]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training goes by: ``total`` steps, the peak ``rate``, steps between measurements."""

    total: int
    rate: float
    measure_every: int

    @classmethod
    def of(cls, settings: TrainSettings, rate: float, schedule: Schedule, total: int) -> Plan:
        """Return the plan for so many steps."""
        every = max(1, min(len(schedule.at(0)), total // _MEASUREMENTS))
        return cls(total, settings.rate or rate, every)


class Trainer:
    """One training: the loop, and what is needed to stop and to go on.

    Without an ``objective`` it is supervised: it learns the answers as they stand.
    """

    def __init__(
        self,
        model: PackedModel,
        settings: TrainSettings,
        plan: Plan,
        schedule: Schedule,
        dev: Sequence[Row],
        *,
        objective: Objective | None = None,
        cache: LowerStates | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.model, self.settings, self.plan = model, settings, plan
        self.schedule = schedule
        self.dev = dev
        self.position = Position()
        self._objective = objective or Answers(model, dev, settings.pack_tokens)
        self._cache = cache
        self._processes = processes or Processes()
        self._named = model.trainable()
        self._parameters = list(self._named.values())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=plan.rate, betas=(0.9, 0.99), weight_decay=settings.decay
        )
        self._best: dict[str, torch.Tensor] = {}

    def run(self, report: Report, save: Save, stop: threading.Event | None = None) -> None:
        """Train to the end; afterwards the model has the best weights that were measured.

        ``save`` is called now and then with all that :meth:`restore` needs, and once at the end.

        Raises:
            Cancelled: ``stop`` was set; the state was saved first.
            EngineError: the loss is no number any more.
        """
        if not self._at_end():
            self._objective.begin(stop)
        saved = time.monotonic()
        while not self._at_end():
            if stop is not None and stop.is_set():
                save(self.position, self.tensors())
                raise Cancelled("Stopped; the state is saved.")
            began = time.perf_counter()
            step = self._next()
            tokens = self._learn(step)
            if self._measure_now():
                self._measure()
            self.position.seconds += time.perf_counter() - began
            self.position.tokens += tokens
            report(self._progress())
            if time.monotonic() - saved > self.settings.checkpoint_s:
                save(self.position, self.tensors())
                saved = time.monotonic()
        if not self.position.finished:
            self._keep_best()
            self.position.finished = True
            save(self.position, self.tensors())

    # -- one step ------------------------------------------------------------------------------

    def _next(self) -> Step:
        here = self.position
        steps = self.schedule.at(here.epoch)
        if here.index >= len(steps):
            here.epoch, here.index = here.epoch + 1, 0
            steps = self.schedule.at(here.epoch)
        return steps[here.index]

    def _learn(self, step: Step) -> int:
        """Do one step; return the tokens of its rows."""
        rows, here = self.schedule.rows, self.position
        size = self._objective.size(step, rows)
        self._objective.survey(step, self._processes)
        loss = torch.zeros((), device=self.model.device)
        for pack in self._processes.share(step.packs):
            one = self._loss(pack, rows) / size
            one.backward()  # type: ignore[no-untyped-call]
            loss += one.detach()
        self._processes.add_up(loss, self._parameters)
        self._check(float(loss))
        torch.nn.utils.clip_grad_norm_(self._parameters, self.settings.clip)
        share = rate_share(here.step, self.plan.total, self.settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * share
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        before = float(loss) if here.loss is None else here.loss
        here.loss = before + _SMOOTHING * (float(loss) - before)
        here.step, here.index = here.step + 1, here.index + 1
        return sum(rows[at].length for pack in step.packs for at in pack.rows)

    def _loss(self, pack: Pack, rows: Sequence[Row]) -> torch.Tensor:
        lower = self._cache.of(pack) if self._cache is not None else None
        return self._objective.loss(pack, rows, lower)

    def _check(self, loss: float) -> None:
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise EngineError(
                f"The loss at step {self.position.step + 1} is no number.",
                f"Try a lower rate: --rate {self.plan.rate / 4:g}",
            )

    # -- development rows ----------------------------------------------------------------------

    def _measure_now(self) -> bool:
        here = self.position
        return bool(self.dev) and (
            here.step % self.plan.measure_every == 0 or here.step >= self.plan.total
        )

    def _measure(self) -> None:
        here = self.position
        measured = self._objective.measured()
        here.dev, here.accuracy = measured.loss, measured.accuracy
        if here.best is None or here.dev < here.best:
            here.best, here.best_step, here.stale = here.dev, here.step, 0
            self._best = {name: value.detach().clone() for name, value in self._named.items()}
        else:
            here.stale += 1

    def _at_end(self) -> bool:
        here = self.position
        return (
            here.finished
            or here.step >= self.plan.total
            or (bool(self.dev) and here.stale >= self.settings.patience)
        )

    def _keep_best(self) -> None:
        for name, value in self._best.items():
            with torch.no_grad():
                self._named[name].copy_(value)

    # -- state ---------------------------------------------------------------------------------

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights, the optimizer's state, the best weights and the objective's, by name."""
        found = {f"weight/{name}": value.detach() for name, value in self._named.items()}
        found |= self._objective.tensors()
        found |= {f"best/{name}": value for name, value in self._best.items()}
        for name, parameter in self._named.items():
            state = self._optimizer.state.get(parameter, {})
            found |= {f"adam-{key}/{name}": value for key, value in state.items()}
        return found

    def restore(self, position: Position, tensors: dict[str, torch.Tensor]) -> None:
        """Go on from a saved state.

        Raises:
            EngineError: it is of another adapter.
        """
        try:
            for name, parameter in self._named.items():
                with torch.no_grad():
                    parameter.copy_(tensors[f"weight/{name}"])
                state = {
                    key: tensors[f"adam-{key}/{name}"].to(
                        "cpu" if key == "step" else parameter.device
                    )
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"adam-{key}/{name}" in tensors
                }
                if state:
                    self._optimizer.state[parameter] = state
            self._objective.restore(tensors)
        except (KeyError, RuntimeError) as error:
            raise EngineError(
                f"The checkpoint does not fit this adapter: {error}", "Start the training anew."
            ) from error
        self._best = {
            name: tensors[f"best/{name}"].to(value.device)
            for name, value in self._named.items()
            if f"best/{name}" in tensors
        }
        self.position = position

    def _progress(self) -> Progress:
        here = self.position
        speed = here.tokens / here.seconds if here.seconds else 0.0
        left = (self.plan.total - here.step) * here.seconds / max(1, here.step)
        size = max(1, len(self.schedule.at(here.epoch)))
        return Progress(
            here.step,
            self.plan.total,
            here.epoch + here.index / size,
            here.loss or 0.0,
            here.dev,
            speed,
            left,
            here.accuracy,
        )


class LowerStates:
    """The states below the trained layers, computed once for each row and kept in memory.

    They are computed in packs that depend on the data alone, so that they are the same bits after a
    training was taken up again.
    """

    def __init__(self, model: PackedModel, rows: Sequence[Row], pack_tokens: int) -> None:
        self._states: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        for pack in packs(rows, pack_tokens, None, 32):
            tensors = tensors_of(pack, rows, model.device)
            flat = model.lower(tensors)[0]
            for at, states in zip(pack.rows, _of_rows(flat, pack, tensors, rows), strict=True):
                self._states[at] = states

    def of(self, pack: Pack) -> torch.Tensor:
        """Return the states of a pack, shape (1, tokens, hidden)."""
        first = self._states[pack.rows[0]][: pack.shared]
        own = [self._states[at][pack.shared :] for at in pack.rows]
        return torch.cat([first, *own])[None]


def _of_rows(
    flat: torch.Tensor, pack: Pack, tensors: PackTensors, rows: Sequence[Row]
) -> list[torch.Tensor]:
    shared = flat[: pack.shared]
    start, found = pack.shared, []
    for at in pack.rows:
        end = start + rows[at].length - pack.shared
        found.append(torch.cat([shared, flat[start:end]]))
        start = end
    return found
