"""How adapters are shown: as rows of a table, in full, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.adapters.registry import Registry
    from assistant.adapters.run_record import RunRecord, Score

_MOST_SCORES = 3


def size(count: int) -> str:
    """Return bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def as_dict(card: Card, *, in_use: bool) -> dict[str, Any]:
    """Return an adapter for ``--json``: where it stands, then all that its record says."""
    from dataclasses import asdict

    from assistant.adapters.plain import needs_plain

    record = asdict(card.run)
    for name in ("task", "size"):
        record.pop(name)
    return {
        "name": card.name,
        "base_model": card.base,
        "task": card.task,
        "version": card.version,
        "shipped": not card.own,
        "in_use": in_use,
        "path": str(card.folder),
        "bytes": card.size,
        "problem": card.problem or None,
        "needs_plain": needs_plain(card),
        "trained_on": record.pop("base_model"),
        **record,
    }


def table(rows: Sequence[tuple[Card, bool]]) -> list[str]:
    """Return the lines of the list; each row is an adapter and whether it is in use."""
    cells = [["", "NAME", "BASE MODEL", "FROM", "KIND", "SIZE", "SCORES"]]
    for card, in_use in rows:
        kind = f"{card.run.technique[:10] or '?'} {card.run.rank or ''}".strip()
        cells.append(
            [
                *("*" if in_use else "", card.name, card.base, "own" if card.own else "shipped"),
                *(
                    kind,
                    size(card.size),
                    (card.problem and "record unreadable") or scores_line(card),
                ),
            ]
        )
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def scores_line(card: Card) -> str:
    """Return the scores in one line: zero-shot, few-shot and adapter by data set."""
    scores = list(card.run.scores.items())
    if not scores:
        return "not measured"
    parts = [f"{name[:32]} {_values(score)}" for name, score in scores[:_MOST_SCORES]]
    if len(scores) > _MOST_SCORES:
        parts.append(f"and {len(scores) - _MOST_SCORES} more")
    return "; ".join(parts)


def _values(score: Score) -> str:
    return f"{_one(score.zero_shot)} → {_one(score.few_shot)} → {_one(score.adapter)}"


def _one(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def lineage(card: Card, registry: Registry) -> list[dict[str, Any]]:
    """Return the adapters this one was trained on from, nearest first, and whether they are here."""
    from assistant.adapters.keeper import parents_of

    return [asdict(one) for one in parents_of(card, registry.cards(card.base))]


def in_full(
    card: Card, in_use: bool, parents: Sequence[dict[str, Any]], needs: str = ""
) -> list[str]:
    """Return all that is known of an adapter, one fact a line; ``needs`` is what it takes to run it."""
    run = card.run
    trained = run.base_model
    facts = [
        ("name", card.name),
        ("base model", card.base),
        ("from", f"{'own' if card.own else 'shipped'}{', in use' if in_use else ''}"),
        ("path", str(card.folder)),
        ("size", size(card.size)),
        ("kind", f"{run.technique or 'not recorded'}{f', rank {run.rank}' if run.rank else ''}"),
        ("trained on", f"{trained.name or 'not recorded'} ({_short(trained.sha256)})"),
        ("made", _made(run)),
        ("prompt", run.prompt_version or "-"),
        ("checksum", run.sha256 or "not recorded"),
    ]
    facts += [("needs", needs)] if needs else []
    facts += [("problem", card.problem)] if card.problem else []
    facts += [("settings", f"{key} = {value}") for key, value in run.settings.items()]
    facts += [
        ("trained from", f"{one['name']}{'' if one['here'] else ' (not here)'}") for one in parents
    ]
    for file in run.data:
        licences = ", ".join(file.licences) or "licence not recorded"
        sources = ", ".join(file.sources) or "source not recorded"
        facts.append(("data", f"{file.file}: {file.rows:,} rows, {sources} ({licences})"))
    lines = [f"{key:<13} {value}" for key, value in facts]
    return [*lines, *_score_table(card)]


def _made(run: RunRecord) -> str:
    if not run.created:
        return "not recorded"
    return f"{run.created}, seed {run.seed}, program {run.program or 'not recorded'}"


def _score_table(card: Card) -> list[str]:
    if not card.run.scores:
        return ["scores        none recorded"]
    lines = [f"{'scores':<34}{'zero-shot':>10}{'few-shot':>10}{'adapter':>10}   95 %            n"]
    for name, one in card.run.scores.items():
        low, high = one.ci95.get("adapter", (None, None))
        interval = f"[{_one(low)}, {_one(high)}]" if low is not None else ""
        title = f"  {name[:24]} {one.metric}"
        values = "".join(f"{_one(v):>10}" for v in (one.zero_shot, one.few_shot, one.adapter))
        lines.append(f"{title:<34}{values}   {interval:<14}{one.n:>4}")
    return lines


def _short(sha256: str) -> str:
    return f"{sha256[:16]}…" if sha256 else "checksum not recorded"
