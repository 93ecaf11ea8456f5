"""Few-shot prompt, zero-shot prompt or adapter: one decision a turn, by what was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.adapters.names import match, those
from assistant.errors import AdapterError, UsageError
from assistant.measured import Measurement, nearest_language
from assistant.types import Choice

if TYPE_CHECKING:
    from assistant.adapters.shelf import OnShelf

STRATEGIES = ("auto", "zero_shot", "few_shot", "adapter")

MARGIN = 1.0
"""Points (of 100) that a dearer way must be ahead by: a small lead is not worth a slower answer."""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A way of answering with its mean over the data that all ways were measured on.

    ``error`` is the standard error of that mean, in points.
    """

    row: Measurement
    mean: float
    sets: int
    error: float = 0.0


class Chooser:
    """Decides from measurements; where there are none, from the defaults of the prompt files.

    ``rows`` may be a function, which is asked each time: it gives what was measured by then.
    ``adapters`` names the adapter in use a task (``task/version``), ``installed`` all that there are for
    the model.
    """

    def __init__(
        self,
        rows: Sequence[Measurement] | Callable[[], Sequence[Measurement]] = (),
        adapters: Mapping[str, str] | None = None,
        installed: Sequence[str] = (),
    ) -> None:
        self._rows = rows if callable(rows) else tuple(rows)
        self.adapters = dict(adapters or {})
        self.installed = tuple(installed)

    @property
    def rows(self) -> tuple[Measurement, ...]:
        """Return what was measured."""
        return tuple(self._rows()) if callable(self._rows) else self._rows

    def without(self, name: str) -> Chooser:
        """Return one that decides as if this adapter were not in use."""
        left = {task: one for task, one in self.adapters.items() if one != name}
        return Chooser(self._rows, left, self.installed)

    def beside(self, there: OnShelf, model: str) -> Chooser:
        """Return one that knows the adapters for a model too, and what their records say of them."""
        rows = self.rows
        return Chooser((*rows, *there.measurements(model, rows)), there.in_use, tuple(there.cards))

    def choose(
        self,
        task: str,
        *,
        requested: str = "auto",
        adapter: str | None = None,
        default_shots: int = 1,
        model: str = "",
        lang: str = "",
    ) -> Choice:
        """Return the way to answer a turn of ``task``, with the reason in one line.

        Chat is answered without shots: there the conversation itself is the context, and invented
        exchanges in front of it would be taken for things that were said. ``default_shots`` is how
        many examples the prompt file wants for such a turn.

        Raises:
            UsageError: ``requested`` is not a strategy.
            UsageError: several adapters may be meant.
            AdapterError: an adapter was asked for and is not there.
        """
        if requested not in STRATEGIES:
            raise UsageError(
                f"Unknown strategy '{requested}'.", f"One of: {', '.join(STRATEGIES)}."
            )
        if requested == "adapter" or adapter is not None:
            return self._adapter(task, adapter)
        if requested == "zero_shot":
            return Choice("zero_shot", "zero-shot, as asked for")
        if task == "chat" and requested == "auto":
            return Choice("zero_shot", "chat: the conversation itself is the context")
        if requested == "auto" and (name := self._unmeasured(task, model)) is not None:
            return Choice(
                "adapter", f"adapter {name} was put to use; it was compared with nothing yet", name
            )
        ranked = self.ranked(task, model, lang)
        if requested == "few_shot":
            few = [one for one in ranked if one.row.strategy == "few_shot"]
            row = _best(few).row if few else None
            return Choice(
                "few_shot",
                "few-shot, as asked for",
                shots=row.shots if row else default_shots or 4,
                nearest=row.nearest if row else False,
            )
        if ranked:
            return _measured(ranked)
        if default_shots == 0:
            return Choice("zero_shot", "not measured here: the prompt file wants no examples")
        return Choice(
            "few_shot", "not measured here: the prompt file's examples", shots=default_shots
        )

    def ranked(self, task: str, model: str, lang: str) -> list[_Ranked]:
        """Return the ways measured for such a turn, the best first.

        Only ways that were measured on the same data are compared: each by its mean over the data
        sets that all of them have. Own measurements of a task take the place of the shipped ones as
        soon as they compare two ways; one alone says nothing about the others.
        """
        rows = [
            row
            for row in self.rows
            if row.task == task
            and row.model == model
            and (row.strategy != "adapter" or row.adapter == self.adapters.get(task))
        ]
        own = _compared([row for row in nearest_language(rows, lang) if row.own])
        if len(own) > 1:
            return own
        shipped = [row for row in rows if not row.own]
        trained = _compared(where_trained(shipped, lang))
        if len(trained) > 1:
            return trained
        return _compared(nearest_language(shipped, lang)) or own

    def _unmeasured(self, task: str, model: str) -> str | None:
        """Return the adapter in use for a task if it was compared with nothing: whoever put it to use wants it."""
        name = self.adapters.get(task)
        rows = [row for row in self.rows if (row.model, row.task) == (model, task)]
        known = {(row.data, row.lang) for row in rows if row.adapter == name}
        compared = any((row.data, row.lang) in known for row in rows if row.adapter != name)
        return None if compared else name

    def _adapter(self, task: str, adapter: str | None) -> Choice:
        """Return the choice of an adapter that was asked for: the one named, or the one in use."""
        if adapter is not None:
            name = match(adapter, self.installed, task)
        elif task in self.adapters:
            name = self.adapters[task]
        else:
            known = [one for one in self.installed if one.startswith(f"{task}/")]
            raise AdapterError(
                f"No adapter is {'in use' if known else 'installed'} for {task}.",
                f"{those(known)} Name one with --adapter, or put it to use: "
                "assistant adapters promote NAME"
                if known
                else "Use --strategy few_shot or --strategy auto.",
            )
        return Choice("adapter", f"adapter {name}, as asked for", name)


def where_trained(rows: Sequence[Measurement], lang: str) -> list[Measurement]:
    """Return the rows on data that the adapter was measured on, if that is in ``lang`` or a mixture.

    Other ways may have been measured on much more: on those data sets nothing is known of the adapter,
    and it would be left out of the comparison.
    """
    known = {(row.data, row.lang) for row in rows if row.strategy == "adapter"}
    found = nearest_language([row for row in rows if (row.data, row.lang) in known], lang)
    plain = lang.partition("/")[0]
    return [row for row in found if row.lang.partition("/")[0] in (plain, "")]


def _compared(rows: Sequence[Measurement]) -> list[_Ranked]:
    """Return each way with its mean over the data sets that all have, the best first.

    A way that lacks the data set which most ways were measured on is left out: it would leave the
    others with nothing in common.
    """
    by_way: dict[object, dict[tuple[str, str], Measurement]] = {}
    for row in rows:
        by_way.setdefault(row.key, {})[row.data, row.lang] = row
    if not by_way:
        return []
    on = Counter(one for data in by_way.values() for one in data)
    widest = max(on, key=lambda one: (on[one], one))
    ways = [data for data in by_way.values() if widest in data]
    shared = sorted(set.intersection(*(set(data) for data in ways)))
    found = [
        _Ranked(
            data[shared[0]],
            sum(data[one].value for one in shared) / len(shared),
            len(shared),
            math.hypot(*(_error(data[one]) for one in shared)) / len(shared),
        )
        for data in ways
    ]
    return sorted(found, key=lambda one: -one.mean)


def _error(row: Measurement) -> float:
    """Return the standard error behind a 95 % interval."""
    return (row.high - row.low) / 2 / 1.96


def _cost(row: Measurement) -> tuple[int, int]:
    """Return a way's cost, cheapest first: no examples, then fixed ones, then those of each turn.

    What is fixed is computed once and stored; what is picked for a turn has to be read each time.
    """
    if row.strategy != "few_shot":
        return (0, 0)
    return (2 if row.nearest else 1, row.shots)


def _best(ranked: Sequence[_Ranked]) -> _Ranked:
    """Return the cheapest of those within one standard error of the best, or within the margin.

    Below that a lead may be chance (the one-standard-error rule, Breiman et al. 1984).
    """
    top = max(ranked, key=lambda one: one.mean)
    near = [one for one in ranked if one.mean >= top.mean - max(MARGIN, top.error)]
    return min(near, key=lambda one: (_cost(one.row), -one.mean))


def _measured(ranked: Sequence[_Ranked]) -> Choice:
    chosen = _best(ranked)
    row = chosen.row
    others = [one for one in ranked if one is not chosen][:2]
    against = ", ".join(f"{one.row.way} {one.mean:.1f}" for one in others)
    where = f"{chosen.sets} data sets" if chosen.sets > 1 else f"{row.n} examples"
    who = "your own measurement" if row.own else "measured"
    reason = f"{row.way}: {who} {row.metric} {chosen.mean:.1f} on {where}"
    if row.lang:
        reason += f" ({row.lang})"
    if against:
        reason += f", against {against}"
    if any(one.mean > chosen.mean for one in ranked):
        reason += "; the lead of the dearer may be chance"
    return Choice(row.strategy, reason, row.adapter, row.shots, row.nearest)


class Adapting(Chooser):
    """Takes every turn for one that an adapter answers: what an adapter is trained on is built with it."""

    def choose(self, task: str, **_: object) -> Choice:  # type: ignore[override]
        """Return the way of an adapter; which one is of no matter to the prompt."""
        return Choice("adapter", f"an adapter for {task} is being trained")
