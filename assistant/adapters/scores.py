"""The scores in an adapter's ``run.json`` as measurements, so that the strategy can choose by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.adapters.card import Card
from assistant.adapters.run_record import Score
from assistant.measured import Measurement
from assistant.tasks import headline
from assistant.types import Strategy


def measurements(
    cards: Iterable[Card], model: str, rows: Sequence[Measurement]
) -> list[Measurement]:
    """Return what is known of adapters from their training, beside ``rows`` that are known already.

    An adapter that was measured (``rows`` has it) is judged by that alone. Where ``rows`` holds other
    ways on the same number of examples of a data set, the adapter is compared with those; elsewhere
    with what its own record says of them, under a name that keeps the two apart.
    """
    measured = {row.adapter for row in rows if row.model == model and row.strategy == "adapter"}
    found: list[Measurement] = []
    for card in cards:
        if card.name in measured:
            continue
        for data, score in card.run.scores.items():
            if score.metric != headline(card.task) or score.n < 1:
                continue
            found += _rows(card, model, data, score, rows)
    return found


def _rows(
    card: Card, model: str, data: str, score: Score, rows: Sequence[Measurement]
) -> list[Measurement]:
    with_adapter = _row(card, model, data, score, "adapter", score.adapter)
    if any(_comparable(row, with_adapter) for row in rows):
        return [with_adapter]
    apart = f"{data} ({card.name})"
    others: list[tuple[Strategy, float | None]] = [
        ("zero_shot", score.zero_shot),
        ("few_shot", score.few_shot),
    ]
    return [
        _row(card, model, apart, score, "adapter", score.adapter),
        *(
            _row(card, model, apart, score, way, value)
            for way, value in others
            if value is not None
        ),
    ]


def _comparable(row: Measurement, other: Measurement) -> bool:
    """Return whether two ways were measured on the same examples, as far as can be told."""
    return (row.model, row.task, row.data, row.lang, row.n, row.metric) == (
        *(other.model, other.task, other.data, other.lang, other.n),
        other.metric,
    )


def _row(
    card: Card, model: str, data: str, score: Score, way: Strategy, value: float
) -> Measurement:
    low, high = score.ci95.get(way, (value, value))
    few = way == "few_shot"
    return Measurement(
        model=model,
        task=card.task,
        lang=score.lang,
        strategy=way,
        metric=score.metric,
        value=value,
        low=low,
        high=high,
        n=score.n,
        shots=score.shots if few else 0,
        nearest=score.nearest and few,
        adapter=card.name if way == "adapter" else None,
        seconds=score.seconds if way == "adapter" else 0.0,
        data=data,
    )
