"""How ``assistant models recommend`` shows its advice: as text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from assistant.models.hardware import Hardware
from assistant.recommendation import Advice, Judged, Wish
from assistant.recommendation.words import figures


def described(advice: Advice, wish: Wish, hardware: Hardware) -> Iterator[str]:
    """Yield the lines for a terminal: the machine, the recommendation, and every model that fits."""
    gpu = f", {hardware.gpu}" if hardware.gpu else ""
    free = hardware.available_bytes / 1e9
    yield f"This machine: {hardware.cores} cores, {free:.1f} GB of memory free{gpu}."
    yield ""
    if advice.recommended is not None:
        yield f"Recommended: {advice.recommended.name}"
    yield from advice.sentences
    fitting = [one for one in advice.models if one.by_size.fits]
    for number, one in enumerate(fitting, start=1):
        mark = " (installed)" if one.by_size.installed else ""
        yield ""
        yield f"{number}. {one.name}{mark}"
        yield f"   {one.by_size.entry.summary}"
        yield f"   {one.by_size.reason}."
        if wish.task is not None:
            yield from _measured_lines(one)
    if large := [one.name for one in advice.models if not one.by_size.fits]:
        yield ""
        yield f"Too large for it: {', '.join(large)}."


def _measured_lines(one: Judged) -> Iterator[str]:
    if not one.measured:
        yield "   not measured"
    for each in one.measured:
        langs = ", ".join(lang for lang in each.langs if lang)
        where = f" ({langs})" if langs else ""
        aside = "" if each.compared else "; not compared with other models"
        yield f"   measured: {figures(each)}{where}{aside}"


def as_dict(advice: Advice, wish: Wish) -> dict[str, Any]:
    """Return the advice for ``--json``."""
    return {
        "task": wish.task,
        "lang": wish.lang,
        "examples": wish.examples,
        "recommended": advice.recommended.name if advice.recommended else None,
        "by_measurement": advice.by_measurement,
        "explanation": list(advice.sentences),
        "recommendations": [_model(one) for one in advice.models],
    }


def _model(one: Judged) -> dict[str, Any]:
    return {
        "name": one.name,
        "score": one.by_size.score,
        "fits": one.by_size.fits,
        "installed": one.by_size.installed,
        "memory_bytes": one.by_size.memory_bytes,
        "tokens_per_s": round(one.by_size.tokens_per_s, 1),
        "measured": [asdict(each) for each in one.measured],
        "reason": one.by_size.reason,
    }
