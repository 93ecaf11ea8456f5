"""Engines side by side: one way to drive ours and the baselines, in rounds that lie close together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from assistant.benchmark.results import Result, compared
from assistant.benchmark.subject import PRECISIONS, Precision, Subject

if TYPE_CHECKING:
    from assistant.engine.base import Engine

Array = npt.NDArray[Any]
LARGE_BYTES = 2_500_000_000
"""From this size of its weights a baseline takes part in few rounds only."""
_FEW_ROUNDS = 2
_PAUSE_S = 0.4


class Runner(Protocol):
    """One engine. Tokens go in as ids, so that all of them read exactly the same."""

    def prefill(self, ids: Sequence[int]) -> float:
        """Return the seconds to read ``ids`` from nothing, up to the logits of the last."""
        ...

    def decode(self, ids: Sequence[int], tokens: int) -> float:
        """Return the seconds for ``tokens`` greedy tokens after the first; no token ends it."""
        ...

    def logits(self, ids: Sequence[int]) -> Iterator[Array]:
        """Yield the logits after each of ``ids``, in blocks of shape (positions, vocabulary)."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may take part. ``weight_bytes`` is about the memory it takes."""

    variant: str
    ours: bool
    open: Callable[[], Runner]
    weight_bytes: int

    def rounds(self, runs: int) -> int:
        few = not self.ours and self.weight_bytes > LARGE_BYTES
        return min(runs, _FEW_ROUNDS) if few else runs


def candidates(subject: Subject, *, for_quality: bool = False) -> list[Candidate]:
    """Return our modes and the baselines that this machine has.

    ``for_quality`` leaves out transformers fp32, the reference itself, and asks llama.cpp to keep
    the logits of every token.
    """
    own_bytes = _size(subject)
    found = [
        Candidate(p, True, lambda p=p: own_runner(subject, p), own_bytes)  # type: ignore[misc]
        for p in PRECISIONS
        if p == "auto" or subject.settings.engine == "auto"
    ]
    folder = subject.transformers_folder()
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    from assistant.benchmark import baselines, llama

    for kind, size in (("fp32", 2 * weights), ("bf16", weights)):
        if kind != "fp32" or not for_quality:
            found.append(
                Candidate(
                    f"transformers {kind}",
                    False,
                    lambda kind=kind: baselines.open_transformers(folder, kind, subject.threads),  # type: ignore[misc]
                    size,
                )
            )
    if subject.model.kind == "gguf" and llama.is_installed():
        path, threads = subject.model.path, subject.threads
        found.append(
            Candidate(
                llama.NAME,
                False,
                lambda: llama.open_llama(path, threads, all_logits=for_quality),
                own_bytes,
            )
        )
    return found


def own_runner(subject: Subject, precision: Precision) -> Runner:
    """Return a runner over our own engine, whichever path it takes."""
    from assistant.benchmark.own import LeanRunner, is_lean

    engine: Engine = subject.open(precision)
    if is_lean(engine):
        return LeanRunner(engine)
    from assistant.benchmark import baselines

    return baselines.of_engine(engine, subject.threads)


def compare(
    subject: Subject,
    suite: str,
    measure: Callable[[Runner], float],
    unit: str,
    *,
    warm_up: Callable[[Runner], object],
) -> list[Result]:
    """Measure every candidate in interleaved rounds (A B C A B C); return results with ratios.

    Ratios come from runs of the same round, because the machine drifts between rounds.
    """
    runners: dict[Candidate, Runner] = {}
    measured: dict[Candidate, list[float]] = {}
    try:
        for candidate in candidates(subject):
            if not _fits(candidate):
                subject.note(f"{suite}: left out {candidate.variant}, too little free memory")
                continue
            subject.note(f"{suite}: loading {candidate.variant}")
            runners[candidate] = candidate.open()
            measured[candidate] = []
            warm_up(runners[candidate])
        for round_ in range(subject.runs):
            for candidate, runner in runners.items():
                if round_ < candidate.rounds(subject.runs):
                    time.sleep(_PAUSE_S)  # the threads of the one before go to sleep
                    measured[candidate].append(measure(runner))
            subject.note(f"{suite}: round {round_ + 1} of {subject.runs}")
    finally:
        for runner in runners.values():
            runner.close()
    runs = {candidate.variant: values for candidate, values in measured.items()}
    ours = {candidate.variant for candidate in measured if candidate.ours}
    return compared(suite, subject.name, runs, unit, ours=ours)


def _size(subject: Subject) -> int:
    path = subject.model.path
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.glob("*.safetensors"))


def _fits(candidate: Candidate) -> bool:
    import psutil

    return math.ceil(1.3 * candidate.weight_bytes) < int(psutil.virtual_memory().available)
