"""Suite ``load``: seconds from nothing to an engine ready to answer, everything cached on disk."""

from __future__ import annotations

from assistant.benchmark.probe import OURS, probe, variants
from assistant.benchmark.results import Result, compared
from assistant.benchmark.subject import Subject


def run(subject: Subject) -> list[Result]:
    """Load in fresh processes, imports included, ours and the baselines in turn."""
    return _probed(subject, "load", "load_s", "s")


def run_memory(subject: Subject) -> list[Result]:
    """Measure the largest resident memory of a process that loads the model and answers one turn."""
    return _probed(subject, "memory", "peak_mb", "MB")


def _probed(subject: Subject, suite: str, field: str, unit: str) -> list[Result]:
    names = variants(subject)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for name in names:  # what is read later is in the system's file cache
        probe(subject, name)
    for round_ in range(subject.runs):
        for name in names:
            measured[name].append(probe(subject, name)[field])
        subject.note(f"{suite}: round {round_ + 1} of {subject.runs}")
    return compared(suite, subject.name, measured, unit, ours={OURS})
