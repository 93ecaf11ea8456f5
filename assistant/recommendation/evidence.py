"""What was measured of several models for one task, compared only where the data is the same."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assistant.adapters.shelf import Look
from assistant.measured import Measurement, nearest_language
from assistant.recommendation.wish import Wish
from assistant.strategy import Chooser, where_trained

_Choosers = Mapping[str, Chooser]
"""What decides for each model, which has adapters of its own."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The best measured way of one model: the cheapest that is about as good as any.

    Attributes:
        way: in words, as in "few-shot (4 nearest)".
        value: the metric, 0 to 100, the mean over ``data``; ``low`` and ``high`` are its 95 %
            interval.
        n: examples, over all data.
        data: names of the data, with ``langs`` the languages measured (``""`` for a mixture).
        compared: measured on the same data as another model, so that the values may be compared.
        own: measured by this user.
    """

    way: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    data: tuple[str, ...]
    langs: tuple[str, ...]
    own: bool
    compared: bool

    def covers(self, lang: str) -> bool:
        """Return whether it was measured in this very language or pair, or on pairs with it."""
        return all(lang == one or lang in one.split("-") for one in self.langs)


def gather(
    chooser: Chooser, wish: Wish, models: Collection[str], look: Look | None = None
) -> dict[str, tuple[Evidence, ...]]:
    """Return what was measured of each model for the wish; models without anything are left out.

    First comes what can be compared with another model: the user's own measurements where they cover
    two models, else those that ship. What the user measured of one model alone follows, and what a
    model's adapter is worth that would answer and is not among all this. ``look`` has the adapters of
    each model; without it they are those of ``chooser``.
    """
    deciding = {one: chooser.beside(look(one), one) if look else chooser for one in models}
    usable = [row for one in models for row in _usable(deciding[one], one, wish)]
    own = [row for row in usable if row.own]
    shipped = [row for row in usable if not row.own]
    compared: dict[str, Evidence] = {}
    for pool in (own, shipped):
        if len(compared) < 2:
            compared = _best_ways(deciding, wish, pool, compared=True)
    if len(compared) < 2:
        compared = {}
    found: dict[str, tuple[Evidence, ...]] = {}
    for model in models:
        each = [compared[model]] if model in compared else []
        if not any(one.own for one in each):
            each += _best_ways(deciding, wish, [row for row in own if row.model == model]).values()
        alone = [row for row in shipped if row.model == model]
        trained = (
            where_trained(alone, wish.lang)
            if _adapter_answers(deciding[model], wish, model)
            else []
        )
        if trained and not any(one.way.startswith("adapter ") for one in each):
            each += _best_ways(deciding, wish, trained).values()
        if not each:
            each += _best_ways(deciding, wish, alone).values()
        if each:
            found[model] = tuple(each)
    return found


def _usable(chooser: Chooser, model: str, wish: Wish) -> list[Measurement]:
    """Return the rows of a model for the task, without those of adapters that are not in use."""
    return [
        row
        for row in chooser.rows
        if row.task == wish.task
        and row.model == model
        and (row.strategy != "adapter" or row.adapter == chooser.adapters.get(row.task))
    ]


def _adapter_answers(chooser: Chooser, wish: Wish, model: str) -> bool:
    return chooser.choose(str(wish.task), model=model, lang=wish.lang).strategy == "adapter"


def _near(rows: Sequence[Measurement], wish: Wish) -> list[Measurement]:
    """Return the rows nearest in language; for one language of a translation, its pairs."""
    if wish.task == "translation" and wish.lang and "-" not in wish.lang:
        touching = [row for row in rows if wish.lang in row.lang.split("-")]
        if touching:
            return touching
    return nearest_language(rows, wish.lang)


def _in(rows: Sequence[Measurement], adapters: Mapping[str, str]) -> dict[str, str]:
    """Return the adapters in use that were measured on the rows: one that was not answers, but proves nothing."""
    measured = {row.adapter for row in rows}
    return {task: name for task, name in adapters.items() if name in measured}


def _best_ways(
    deciding: _Choosers, wish: Wish, rows: Sequence[Measurement], *, compared: bool = False
) -> dict[str, Evidence]:
    """Return the way that would be chosen for each model of ``rows``, on data that all share."""
    shared = _on_same_data(_near(rows, wish))
    found: dict[str, Evidence] = {}
    for model in dict.fromkeys(row.model for row in shared):
        judge = Chooser(shared, _in(shared, deciding[model].adapters))
        choice = judge.choose(str(wish.task), model=model, lang=wish.lang)
        key = (choice.strategy, choice.shots, choice.nearest, choice.adapter)
        ranked = judge.ranked(str(wish.task), model, wish.lang)
        for one in ranked:
            if one.row.key == key:
                chosen = [row for row in shared if row.model == model and row.key == key]
                found[model] = _evidence(chosen, one.mean, compared)
    return found


def _on_same_data(rows: Sequence[Measurement]) -> list[Measurement]:
    """Return the rows on those data sets that every way of every model has.

    Ways that lack the data set which most models have cannot be compared with the rest, and go.
    """
    sets: dict[tuple[str, object], set[tuple[str, str]]] = defaultdict(set)
    models: dict[tuple[str, str], set[str]] = defaultdict(set)
    ways: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sets[row.model, row.key].add((row.data, row.lang))
        models[row.data, row.lang].add(row.model)
        ways[row.data, row.lang] += 1
    if not rows:
        return []
    common = max(sorted(models), key=lambda one: (len(models[one]), ways[one]))
    kept = {way: data for way, data in sets.items() if common in data}
    shared = set.intersection(*kept.values())
    return [row for row in rows if (row.model, row.key) in kept and (row.data, row.lang) in shared]


def _evidence(rows: Sequence[Measurement], mean: float, compared: bool) -> Evidence:
    """Sum up one way of one model over its data sets; of two rows on the same data, the newer counts."""
    by_data = {(row.data, row.lang): row for row in rows}
    last = list(by_data.values())
    if len(last) == 1:
        low, high = last[0].low, last[0].high
    else:
        # Taken as independent, so that the half widths of their intervals add up in squares.
        half = math.hypot(*((row.high - row.low) / 2 for row in last)) / len(last)
        low, high = mean - half, mean + half
    return Evidence(
        way=last[0].way,
        metric=last[0].metric,
        value=round(mean, 2),
        low=round(low, 2),
        high=round(high, 2),
        n=sum(row.n for row in last),
        data=tuple(dict.fromkeys(row.data for row in last)),
        langs=tuple(dict.fromkeys(row.lang for row in last)),
        own=last[0].own,
        compared=compared,
    )
