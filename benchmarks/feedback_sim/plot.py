"""The learning curves as a picture: one panel a preference, one line a way of answering."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feedback_sim.cells import Cell, share

_TITLES = {
    "house": "House terminology (translation)",
    "desks": "Labels of one's own (classification)",
    "bullets": "Three bullets (summaries)",
    "routing": "Habits (routing)",
}
_LINES = {
    "shots": ("at once, as it answers", "#1b6ca8", "o"),
    "few_shot": ("at once, without an adapter", "#4c9f70", "s"),
    "refined": ("refined adapter", "#c8553d", "D"),
    "routing": ("corrected routes", "#1b6ca8", "o"),
}
_BASELINE = "#777777"

Point = tuple[int, float, float, float]
"""Corrections, share of answers that follow the preference (0 to 100), its interval."""


def curve(cells: Sequence[Cell], preference: str, way: str) -> list[Point]:
    """Return a line's points: of several seeds the answers are taken together."""
    pooled: dict[int, list[bool]] = {}
    for cell in cells:
        if (cell["preference"], cell["way"]) == (preference, way) and cell.get("followed"):
            pooled.setdefault(cell["count"], []).extend(cell["followed"])
    points = []
    for count, followed in sorted(pooled.items()):
        value, (low, high) = share(followed)
        points.append((count, value, low, high))
    return points


def draw(cells: Sequence[Cell], file: Path) -> None:
    """Write the picture; the same cells give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "feedback"
    matplotlib.rcParams["font.family"] = "DejaVu Sans"
    from matplotlib import pyplot

    names = [name for name in _TITLES if curve(cells, name, "without")]
    figure, panels = pyplot.subplots(
        1, max(1, len(names)), figsize=(3.4 * max(1, len(names)), 3.4), squeeze=False, sharey=True
    )
    for panel, name in zip(panels[0], names, strict=False):
        _panel(panel, cells, name)
    panels[0][0].set_ylabel("answers as wanted, %")
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def _panel(panel: object, cells: Sequence[Cell], name: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(panel, Axes)
    ((_, base, low, high),) = curve(cells, name, "without")[:1]
    panel.axhline(base, color=_BASELINE, linestyle="--", linewidth=1, label="without feedback")
    panel.axhspan(low, high, color=_BASELINE, alpha=0.12, linewidth=0)
    counts: set[int] = set()
    for number, (way, (label, colour, marker)) in enumerate(_LINES.items()):
        points = curve(cells, name, way)
        if not points:
            continue
        counts |= {point[0] for point in points}
        # Side by side, so that intervals can be told apart.
        places = [point[0] * (1 + 0.03 * (number - 1)) for point in points]
        values = [point[1] for point in points]
        below = [point[1] - point[2] for point in points]
        above = [point[3] - point[1] for point in points]
        panel.errorbar(
            places, values, [below, above], color=colour, marker=marker, capsize=2, label=label
        )
    if counts:
        panel.set_xscale("log")
        panel.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
        panel.minorticks_off()
    panel.set_ylim(0, 102)
    panel.set_title(_TITLES[name], fontsize=9)
    panel.set_xlabel("corrections")
    panel.legend(fontsize=7, frameon=False)
