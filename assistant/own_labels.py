"""What the user said of labels, weighed against what the model says: it counts from the next text on.

Each text that was classified with the same labels is a point (the router's reading of it). A logistic
regression on the points corrects the model's log-probabilities; its prior is that the model is right, so that
little is changed by few corrections and much by many that agree. What the user saw and let stand counts too:
corrections alone would say that the model is always wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assistant import understand
from assistant.calibration import label_name, label_set
from assistant.engine.base import Engine
from assistant.store.labelled import LabelledText

Floats = NDArray[np.float64]

TRUST = 2.0
"""How much one judgement counts against the prior (the inverse variance of the weights)."""

MOST = 200
"""Judgements that are learned from, the newest."""

UNSAID, UNSAID_EACH = 10, 3
"""Texts that were seen and let stand: so many, and so many more a judgement, count as the model's successes."""

_READ = 24
"""Texts that the model reads for a turn, some twentieth of a second each; the rest is read with later turns."""

_WORD_GIVEN = 0.95
"""Probability of the label that the user gave to this very text."""

_LEAST = 1e-4
"""A probability below is taken for this one: the model may be certain of a wrong label."""

Points = Callable[
    [Sequence[tuple[str, str | None]], Engine | None, int], Sequence[NDArray[np.float32] | None]
]
"""Returns where turns lie, vectors of length 1; reads at most so many that were not read before."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Probabilities with what the user said taken in; ``texts`` is how many judgements they come from."""

    chances: dict[str, float]
    texts: int


class OwnLabels:
    """Learns from the texts that ``texts`` returns when asked (it has to be quick)."""

    def __init__(self, texts: Callable[[], Sequence[LabelledText]], points: Points) -> None:
        self._texts = texts
        self._points = points
        self._fitted: tuple[object, Floats] | None = None

    def weigh(
        self, text: str, chances: Mapping[str, float], engine: Engine | None, *, same: bool = True
    ) -> Weighed:
        """Return ``chances`` (the model's, one a label) with what the user said of such texts taken in.

        Args:
            same: what was said of this very text too; where answers are measured it would give them away.
        """
        rows = _of_labels(self._texts(), list(chances))
        if not same:
            rows = [row for row in rows if _plain(row.text) != _plain(text)]
        if all(row.said == "unsaid" for row in rows):
            return Weighed(dict(chances), 0)
        rows, points, here = self._read(text, rows, engine)
        if here is None or not rows:
            return Weighed(dict(chances), 0)
        names = list(chances)
        logits = _logs(chances, names) + points @ here @ self._fit(names, rows, points)
        found = dict(zip(names, map(float, _softmax(logits)), strict=True))
        if same:
            found = _with_word_given(found, text, rows)
        return Weighed(found, sum(row.said != "unsaid" for row in rows))

    def _read(
        self, text: str, rows: Sequence[LabelledText], engine: Engine | None
    ) -> tuple[list[LabelledText], Floats, Floats | None]:
        """Return the rows whose points are known by now, those points, and the text's own."""
        ranked = _ranked(rows)
        turns = [(_about(one), None) for one in (text, *(row.text for row in ranked))]
        here, *found = self._points(turns, engine, _READ)
        known = [(row, at) for row, at in zip(ranked, found, strict=True) if at is not None]
        points = np.array([at for _, at in known], dtype=np.float64)
        return (
            [row for row, _ in known],
            points,
            None if here is None else here.astype(np.float64),
        )

    def _fit(self, names: list[str], rows: Sequence[LabelledText], points: Floats) -> Floats:
        """Return the weight of each row for each label; that of the last fit where nothing is new."""
        key = (tuple(names), [(row.text, row.label, row.said) for row in rows])
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = key, fit(names, rows, points @ points.T)
        return self._fitted[1]


def fit(names: Sequence[str], rows: Sequence[LabelledText], kernel: Floats) -> Floats:
    """Fit the correction (kernel logistic regression: Zhu & Hastie 2005), with the model's word as offset.

    Args:
        kernel: shape (rows, rows), cosines of the rows' points.

    Returns:
        shape (rows, labels); cosines with the rows, times this, are added to log-probabilities.
    """
    from scipy.optimize import minimize

    offsets = np.stack([_logs(row.model, names) for row in rows])
    right = np.zeros(offsets.shape)
    right[np.arange(len(rows)), [names.index(row.label) for row in rows]] = 1.0

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(right.shape)
        moved = kernel @ weights
        chances = _softmax(offsets + moved)
        missed = -TRUST * float((right * np.log(chances + 1e-12)).sum())
        slope = kernel @ (TRUST * (chances - right) + weights)
        return missed + 0.5 * float((weights * moved).sum()), slope.ravel()

    found = minimize(loss, np.zeros(right.size), jac=True, method="L-BFGS-B")
    weights: Floats = found.x.reshape(right.shape)
    return weights


def _ranked(rows: Sequence[LabelledText]) -> list[LabelledText]:
    """Return what is learned from: judgements first, the newest first."""
    newest = [*reversed(rows)]
    judged = [row for row in newest if row.said != "unsaid"][:MOST]
    unsaid = [row for row in newest if row.said == "unsaid"]
    return judged + unsaid[: UNSAID + UNSAID_EACH * len(judged)]


def _of_labels(rows: Sequence[LabelledText], labels: Sequence[str]) -> list[LabelledText]:
    """Return the rows with this set of labels, the wanted one spelled as in ``labels``."""
    wanted, spelled = label_set(labels), {label_name(label): label for label in labels}
    return [
        replace(row, label=spelled[label_name(row.label)])
        for row in rows
        if label_name(row.label) in spelled and label_set(list(row.model)) == wanted
    ]


def _logs(chances: Mapping[str, float], names: Sequence[str]) -> Floats:
    by_name = {label_name(name): chance for name, chance in chances.items()}
    return np.log([max(_LEAST, by_name[label_name(name)]) for name in names])


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return chances


def _with_word_given(
    chances: dict[str, float], text: str, rows: Sequence[LabelledText]
) -> dict[str, float]:
    """Return the probabilities; the label that the user gave to this very text gets nearly all."""
    given = [row.label for row in rows if row.said != "unsaid" and _plain(row.text) == _plain(text)]
    if not given:
        return chances
    label = given[0]  # the newest: rows are sorted so
    if chances[label] >= _WORD_GIVEN:
        return chances
    less = (1 - _WORD_GIVEN) / (1 - chances[label])
    return {
        name: _WORD_GIVEN if name == label else chance * less for name, chance in chances.items()
    }


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _about(text: str) -> str:
    """Return the text that is classified; the whole turn where the two cannot be parted."""
    return understand.split_request(text)[1] or text
