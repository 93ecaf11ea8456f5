"""Makes the tables of ``docs/performance.md`` and its chart from the newest results of each model.

Run ``python benchmarks/report.py``. Only what stands between ``<!-- results -->`` and
``<!-- /results -->`` is rewritten. The chart needs matplotlib (the extra ``bench``).
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
CHART = HERE.parent / "docs" / "images" / "performance.svg"
BEGIN, END = "<!-- results -->", "<!-- /results -->"
OURS = ("auto", "accurate", "fast")
ENGINES = (*OURS, "llama.cpp", "transformers bf16", "transformers fp32")
BASELINES = ENGINES[3:]
NONE = "–"
_ORDER = ("smollm2", "0.5b", "1.5b")


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one model on one day."""

    model: str
    date: str
    rows: list[dict[str, Any]]

    def row(self, suite: str, *parts: str, baseline: str | None = None) -> dict[str, Any] | None:
        """Return the row of a suite whose name ends with ``parts``, with that baseline if given."""
        for row in self.rows:
            named = row["name"].split(", ")[-len(parts) :] == list(parts)
            if row["suite"] == suite and named and baseline in (None, row.get("baseline")):
                return row
        return None

    def of(self, suite: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["suite"] == suite]

    def value(self, suite: str, *parts: str, digits: int | None = None) -> str:
        """Return a value; with so many ``digits`` after the point, else three that count."""
        row = self.row(suite, *parts)
        if row is None:
            return NONE
        return number(row["value"]) if digits is None else f"{row['value']:.{digits}f}"

    def ratio(self, suite: str, *parts: str, baseline: str) -> str:
        row = self.row(suite, *parts, baseline=baseline)
        return NONE if row is None or "ratio" not in row else f"{row['ratio']:.2f}"


def newest(folder: Path) -> list[Report]:
    """Return the newest results of each model, the smallest model first."""
    found: dict[str, Report] = {}
    for file in sorted(folder.glob("????-??-??-*.json")):
        date, model = file.stem[:10], file.stem[11:]
        found[model] = Report(model, date, json.loads(file.read_text(encoding="utf-8")))

    def place(report: Report) -> int:
        known = [index for index, part in enumerate(_ORDER) if part in report.model]
        return known[0] if known else len(_ORDER)

    return sorted(found.values(), key=place)


def number(value: float) -> str:
    """Return three digits that count, never with an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def machine_lines(reports: Sequence[Report]) -> str:
    """Say what was measured when and where."""
    lines = []
    for report in reports:
        m = report.rows[0]["machine"]
        versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
        busy = max(row["machine"].get("busy_percent", 0.0) for row in report.rows)
        lines.append(
            f"- {report.model}, {report.date}: {m['cpu']}, {m['cores']} cores, {m['threads']} threads, "
            f"{m['memory_gb']:g} GB, {m['os']}, Python {m['python']}, kernels {m['instruction_set']}; "
            f"{versions}. Other programs took at most {busy:.0f} % of the processors."
        )
    return "\n".join(lines)


def speed(report: Report, suite: str) -> str:
    """Return tokens a second of each engine, and ours over each baseline."""
    there = [b for b in BASELINES if report.row(suite, b) is not None]
    rows = []
    for engine in ENGINES:
        if report.row(suite, engine) is not None:
            ratios = [report.ratio(suite, engine, baseline=b) for b in there]
            rows.append([engine, report.value(suite, engine), *ratios])
    return table(["engine", "tokens/s", *(f"over {b}" for b in there)], rows)


def quality(report: Report) -> str:
    """Return what each mode loses against fp32, beside its speed."""
    head = ["engine", "decode, tokens/s"]
    for language in ("en", "zh"):
        head += [f"perplexity {language}", "over fp32", f"KL {language}", f"top-1 {language}"]
    rows = []
    for engine in ENGINES:
        if report.row("quality", engine, "perplexity en") is None:
            continue
        cells = [engine, report.value("decode", engine)]
        for language in ("en", "zh"):
            row = report.row("quality", engine, f"perplexity {language}") or {}
            cells += [
                report.value("quality", engine, f"perplexity {language}", digits=3),
                f"{row['ratio']:.4f}" if "ratio" in row else NONE,
                report.value("quality", engine, f"KL {language}", digits=4),
                report.value("quality", engine, f"top-1 {language}", digits=3),
            ]
        rows.append(cells)
    return table(head, rows)


def plain(report: Report, *suites: str) -> str:
    """Return the rows of suites as they are."""
    rows = []
    for suite in suites:
        for row in report.of(suite):
            name = row["name"].removeprefix(f"{report.model}, ")
            ratio = f"{row['ratio']:.3g}" if "ratio" in row else NONE
            unit = "" if row["unit"] == "share" else f" {row['unit']}"
            rows.append([name, number(row["value"]) + unit, ratio, row.get("baseline", NONE)])
    return table(["what", "measured", "ratio", "over"], rows)


PARTS: tuple[tuple[str, str, tuple[str, ...], Callable[[Report], str]], ...] = (
    ("Decoding", "One answer, greedy, 64 tokens after a prompt of 40.", ("decode",),
     lambda report: speed(report, "decode")),
    ("Reading a prompt", "512 tokens of prose, from nothing.", ("prefill",),
     lambda report: speed(report, "prefill")),
    ("Quality at that speed", "A fixed text, against the same file in 32 bits: KL in nats, mean over "
     "positions; top-1 is how often the likeliest token is the same.", ("quality",), quality),
    ("First token", "Seconds until the first piece of an answer.", ("first-token",),
     lambda report: plain(report, "first-token")),
    ("Start and loading", "The start is that of the whole program, to the first byte of an answer; "
     "loading is a fresh process, imports included.", ("start", "load"),
     lambda report: plain(report, "start", "load")),
    ("Memory", "Largest resident memory of a process that loads the model and answers one turn.",
     ("memory",), lambda report: plain(report, "memory")),
    ("Adapters", "LoRA on all linear layers.", ("adapter",), lambda report: plain(report, "adapter")),
    ("Many prompts at once", "32 prompts, 48 tokens each, reading them included. Where answers repeat "
     "their prompts, prompt lookup helps those that come one by one.", ("batch",),
     lambda report: plain(report, "batch")),
    ("Routing and the store", "A turn routed; turns stored and found.", ("route", "store"),
     lambda report: plain(report, "route", "store")),
)  # fmt: skip


def page_part(reports: Sequence[Report], chart: str | None) -> str:
    """Return all tables, one a part and model."""
    parts = [machine_lines(reports)]
    if chart:
        parts.append(
            f"![Tokens a second while decoding and while reading, by model and engine]({chart})"
        )
    for title, what, suites, make in PARTS:
        there = [report for report in reports if any(report.of(suite) for suite in suites)]
        if there:
            parts.append(f"## {title}\n\n{what}")
            parts += [f"**{report.model}**\n\n{make(report)}" for report in there]
    return "\n\n".join(parts)


def rewrite(page: Path, part: str) -> None:
    """Put ``part`` between the markers of a page.

    Raises:
        ValueError: the markers are not there, once each.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page} needs {BEGIN} and {END}, once each")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{part}\n{END}{after}", encoding="utf-8")


def draw(reports: Sequence[Report], file: Path) -> None:
    """Draw tokens a second as bars: a column a model, decoding above, reading below."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "performance"  # the same figures give the same file
    from matplotlib import pyplot

    suites = (("decode", "decoding, tokens/s"), ("prefill", "reading, tokens/s"))
    figure, axes = pyplot.subplots(
        2, len(reports), figsize=(4.2 * len(reports), 5.6), squeeze=False, layout="constrained"
    )
    for column, report in enumerate(reports):
        for line, (suite, title) in enumerate(suites):
            rows = [(e, report.row(suite, e)) for e in reversed(ENGINES)]
            shown = [(engine, float(row["value"])) for engine, row in rows if row is not None]
            axis = axes[line][column]
            colours = ["#2563eb" if engine in OURS else "#9ca3af" for engine, _ in shown]
            bars = axis.barh([e for e, _ in shown], [v for _, v in shown], color=colours)
            axis.bar_label(bars, fmt=number, padding=3, fontsize=8)
            axis.margins(x=0.18)
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_title(report.model if line == 0 else "", fontsize=10)
            axis.set_xlabel(title, fontsize=9)
            axis.tick_params(labelsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Rewrite page and chart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--results", type=Path, default=HERE / "results", help="folder of the JSON files"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="page to rewrite")
    parser.add_argument("--chart", type=Path, default=CHART, help="chart to draw (SVG)")
    given = parser.parse_args()
    reports = newest(given.results)
    if not reports:
        raise SystemExit(f"No results in {given.results}; run benchmarks/run.py first.")
    drawn = any(report.of("decode") or report.of("prefill") for report in reports)
    if drawn:
        draw(reports, given.chart)
    chart = os.path.relpath(given.chart, given.page.parent) if drawn else None
    rewrite(given.page, page_part(reports, None if chart is None else Path(chart).as_posix()))
    print(f"{given.page.name}: {', '.join(f'{r.model} of {r.date}' for r in reports)}")


if __name__ == "__main__":
    main()
