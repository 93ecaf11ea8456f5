"""Suite ``start``: seconds from calling the program to the first byte of its answer."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from assistant.benchmark.results import Result, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import QUESTION
from assistant.errors import EngineError

_SUITE = "start"


def run(subject: Subject) -> list[Result]:
    """Time ``assistant ask`` in fresh processes; with ``first``, also in a home of its own."""
    name = subject.model.name if subject.model.entry else str(subject.model.path)
    _first_byte_s(name, None)
    runs = []
    for round_ in range(subject.runs):
        runs.append(_first_byte_s(name, None))
        subject.note(f"{_SUITE}: round {round_ + 1} of {subject.runs}")
    if not subject.first:
        return [result(_SUITE, (subject.name, "second start"), runs, "s")]
    subject.note(f"{_SUITE}: a first start, in a home of its own")
    first = [_first_start_s(subject, name)]
    return [
        result(_SUITE, (subject.name, "first start"), first, "s"),
        result(
            _SUITE,
            (subject.name, "second start"),
            runs,
            "s",
            baseline="first start",
            ratio=statistics.median(runs) / first[0],
        ),
    ]


def _first_byte_s(model: str, home: Path | None) -> float:
    """Run the program; return the seconds to the first byte on stdout."""
    command = [sys.executable, "-m", "assistant", "ask", "--no-log", "--max-tokens", "8"]
    environment = dict(os.environ)
    if home is not None:
        environment["ASSISTANT_HOME"] = str(home)
        environment.pop("NUMBA_CACHE_DIR", None)  # a first start has no kernels either
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, "--model", model, QUESTION],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        byte = process.stdout.read(1)
        seconds = time.perf_counter() - start
        _, complaint = process.communicate()
    if process.returncode or not byte:
        lines = complaint.decode("utf-8", "replace").strip().splitlines() or ["no output"]
        raise EngineError(f"`assistant ask` failed: {lines[-1]}")
    return seconds


def _first_start_s(subject: Subject, name: str) -> float:
    """Time a start in an empty home; the downloaded file is there, checked, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = subject.model.path
        if subject.model.entry is not None:
            place = home / "models" / subject.model.entry.name
            place.mkdir(parents=True)
            source = path if path.is_dir() else path.parent
            for file in source.iterdir():
                (place / file.name).symlink_to(file)
        return _first_byte_s(name, home)
