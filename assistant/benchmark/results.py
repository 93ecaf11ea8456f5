"""What a suite returns: one measured figure, its runs, and what it is compared with."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEPARATOR = ", "
"""Between the parts of a name: model, variant, and what is measured where a suite has several."""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. ``ratio`` is ``value`` over the baseline's, from runs side by side.

    ``runs`` has the single measurements, in ``unit``; ``value`` is their median.
    """

    suite: str
    name: str
    value: float
    unit: str
    runs: tuple[float, ...]
    baseline: str | None = None
    ratio: float | None = None

    def as_dict(self, machine: dict[str, Any]) -> dict[str, Any]:
        """Return the form of the contract (docs/cli.md); numbers to six significant digits."""
        value: dict[str, Any] = {
            "suite": self.suite,
            "name": self.name,
            "value": _short(self.value),
            "unit": self.unit,
        }
        if self.baseline is not None and self.ratio is not None:
            value |= {"baseline": self.baseline, "ratio": _short(self.ratio)}
        return {**value, "runs": [_short(run) for run in self.runs], "machine": machine}


def result(
    suite: str,
    parts: Sequence[str],
    runs: Sequence[float],
    unit: str,
    *,
    baseline: str | None = None,
    ratio: float | None = None,
) -> Result:
    """Return the result of ``runs`` (at least one); ``parts`` make up its name."""
    name = SEPARATOR.join(part for part in parts if part)
    return Result(suite, name, statistics.median(runs), unit, tuple(runs), baseline, ratio)


def compared(
    suite: str,
    model: str,
    measured: Mapping[str, Sequence[float]],
    unit: str,
    *,
    ours: Collection[str],
) -> list[Result]:
    """Return a result for each variant measured; ours one a baseline, or one alone without any."""
    baselines = [variant for variant in measured if variant not in ours]
    found = []
    for variant, runs in measured.items():
        if variant not in ours or not baselines:
            found.append(result(suite, (model, variant), runs, unit))
            continue
        for baseline in baselines:
            ratio = median_ratio(runs, measured[baseline])
            found.append(
                result(suite, (model, variant), runs, unit, baseline=baseline, ratio=ratio)
            )
    return found


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of runs side by side; the longer list's rest is left out.

    Single runs drift with the machine, their ratios hardly.
    """
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=False))


def _short(value: float) -> float:
    return float(f"{value:.6g}")
