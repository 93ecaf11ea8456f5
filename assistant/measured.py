"""What was measured of each strategy: one row a model, task, language and way of answering.

The rows that ship were measured by ``assistant eval --matrix`` (docs/evaluation.md); the user's own
evaluations come on top and win over them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from assistant.row_files import read_rows, write_rows
from assistant.types import Strategy

SHIPPED = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured way of answering.

    Attributes:
        lang: language of the request, ``en-zh`` for a translation, ``en/no_passage`` for questions without
            a passage, ``""`` for a mixture.
        shots: examples in the prompt; ``nearest`` says they were picked for each turn.
        value: the task's headline metric, 0 to 100, with its 95 % interval.
        n: examples it was measured on.
        seconds: time for one answer, on the machine it was measured on; 0 where it is not known.
        data: name of the data; only rows on the same data are compared.
        own: measured by this user.
    """

    model: str
    task: str
    lang: str
    strategy: Strategy
    metric: str
    value: float
    low: float
    high: float
    n: int
    shots: int = 0
    nearest: bool = False
    adapter: str | None = None
    seconds: float = 0.0
    data: str = ""
    own: bool = False

    @property
    def way(self) -> str:
        """Return the way of answering in words, as in "few-shot (4 nearest)"."""
        if self.strategy == "adapter":
            return f"adapter {self.adapter}"
        if self.strategy == "zero_shot":
            return "zero-shot"
        return f"few-shot ({self.shots} {'nearest' if self.nearest else 'fixed'})"

    @property
    def key(self) -> tuple[str, int, bool, str | None]:
        """Return what tells two ways of answering apart."""
        return (self.strategy, self.shots, self.nearest, self.adapter)


def read_measurements(path: Path = SHIPPED) -> list[Measurement]:
    """Return the measurements in a file; none when there is no file.

    Raises:
        ConfigError: the file is damaged or no file of measurements.
    """
    return read_rows(path, Measurement)


def write_measurements(path: Path, rows: Iterable[Measurement]) -> None:
    """Write measurements, one a line.

    Raises:
        ConfigError: the file cannot be written.
    """
    write_rows(path, rows)


def of_evaluation(report: Mapping[str, Any], metric: str) -> Measurement | None:
    """Return a stored evaluation as a measurement; ``None`` where it lacks what is needed.

    One of ``auto`` is none: it measured whatever the program chose for each turn, no way of its own.
    Neither is one with the user's own answers in the prompt, which change from day to day.
    """
    setting = report.get("setting")
    if not isinstance(setting, Mapping) or metric not in report["scores"]:
        return None
    if report["strategy"] not in get_args(Strategy) or setting.get("personal"):
        return None
    if "data_sha256" not in setting or not math.isfinite(report["scores"][metric]):
        return None
    low, high = report["ci95"].get(metric, (report["scores"][metric],) * 2)
    return Measurement(
        model=report["model"],
        task=report["task"],
        lang=setting.get("lang", ""),
        strategy=report["strategy"],
        metric=metric,
        value=report["scores"][metric],
        low=low,
        high=high,
        n=report["n"],
        shots=setting.get("shots", 0),
        nearest=setting.get("nearest", False),
        adapter=report.get("adapter"),
        seconds=_seconds(report["timing"]),
        data=_data(setting, report["n"]),
        own=True,
    )


def _seconds(timing: Mapping[str, Any]) -> float:
    """Return the time for one answer; 0 where all answers were taken over from a stopped run."""
    rate = timing.get("examples_per_s")
    return 1 / rate if rate else 0.0


def _data(setting: Mapping[str, Any], n: int) -> str:
    """Return a name for the ``n`` examples: another draw from the same file is other data."""
    name = str(setting["data_sha256"])[:12]
    limit = setting.get("limit")
    return name if limit is None or n < limit else f"{name}/{n}/{setting.get('seed', 0)}"


def nearest_language(rows: Sequence[Measurement], lang: str) -> list[Measurement]:
    """Return the rows for ``lang``; without any, those nearest to it.

    For a pair ``a-b`` that is the pairs into ``b``, then the pairs from ``a``; else a mixture of
    languages, else all rows. Rows of another kind (``en/no_passage``) are about something else: none of
    them is near.
    """
    kind = lang.partition("/")[2]
    rows = [row for row in rows if row.lang.partition("/")[2] == kind]
    ends = f"-{lang.split('-')[1]}" if "-" in lang else None
    begins = f"{lang.split('-')[0]}-" if "-" in lang else None
    for fits in (
        lambda row: row.lang == lang,
        lambda row: ends is not None and row.lang.endswith(ends),
        lambda row: begins is not None and row.lang.startswith(begins),
        lambda row: not row.lang.partition("/")[0],
    ):
        found = [row for row in rows if fits(row)]
        if found:
            return found
    return list(rows)
