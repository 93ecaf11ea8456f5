"""Corrections that make the probabilities of labels mean something, fitted on labelled examples.

A small model prefers some labels whatever the text says, often those that stand first or last in the
list, and is surer than it should be. For a set of labels one number a label and one weight set both right
(vector scaling, Guo et al. 2017). Further views of the text, by a prompt in which the labels are not listed
and so have no places to prefer, are weighed in where the examples show that they help. Which labels a model
prefers depends on model, adapter and prompt, so a correction belongs to all of these.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.row_files import read_rows, write_rows, wrong_row

SHIPPED = Path(__file__).with_name("calibrations.json")

LEAST_EXAMPLES = 30
"""Labelled examples below which a fit says more about chance than about the model."""

BINS = 10
"""Bins of equal width in which a probability is compared with how often it came true."""

Floats = NDArray[Any]

_WORTH = 0.03
"""By how much (nats an example) a further view has to lower the loss: the second prompt costs as much time
as the first, and what helps less than this changed accuracy by two points at most.
"""

_PULLS = (0.05, 0.5, 5.0)
"""How strongly the biases may be held near zero (ridge); the one that does best on left-out parts is taken:
with few examples a label that came up once too often must not be preferred for it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted correction: chances are proportional to exp(sum of weight * logprob over views + bias).

    Attributes:
        weights: of the views in the order of ``label_scoring.views``; later ones may be left out.
        way: strategy, number of examples and how they are picked, as in ``few_shot:4:fixed``.
        labels: the label set, sorted, lower case.
        n: examples it was fitted on.
        ece: expected calibration error before and after, on parts left out of the fit.
        accuracy: 0 to 100, before and after, likewise.
    """

    model: str
    adapter: str | None
    way: str
    labels: tuple[str, ...]
    weights: tuple[float, ...]
    bias: Mapping[str, float]
    n: int
    ece: tuple[float, float] = (0.0, 0.0)
    accuracy: tuple[float, float] = (0.0, 0.0)
    data: str = field(default="", compare=False)

    @property
    def needs_bare(self) -> bool:
        """Whether a second prompt has to be read."""
        return len(self.weights) > 1

    def corrected(self, views: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """Return the probabilities of the labels from their log-probabilities in each view."""
        logits = {
            label: self.bias[label_name(label)]
            + sum(weight * view[label] for weight, view in zip(self.weights, views, strict=False))
            for label in views[0]
        }
        top = max(logits.values())
        weights = {label: math.exp(logit - top) for label, logit in logits.items()}
        total = sum(weights.values())
        return {label: weight / total for label, weight in weights.items()}


class Calibrations:
    """All corrections at hand; those added later win."""

    def __init__(self, rows: Iterable[Calibration] = ()) -> None:
        self._rows = {_key(row): row for row in rows}

    @property
    def digest(self) -> str:
        """Return a few characters that change with any correction."""
        said = [
            [*map(str, _key(row)), row.weights, sorted(row.bias.items())]
            for row in self._rows.values()
        ]
        return hashlib.sha256(repr(sorted(said)).encode()).hexdigest()[:12]

    def find(
        self, model: str, adapter: str | None, way: str, labels: Sequence[str]
    ) -> Calibration | None:
        """Return the correction for a label set answered in a certain way, if there is one."""
        return self._rows.get((model, adapter, way, label_set(labels)))


def label_set(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels in the form in which sets are compared."""
    return tuple(sorted({label_name(label) for label in labels}))


def fit(
    views: Sequence[Sequence[Mapping[str, float]]],
    targets: Sequence[str],
    *,
    model: str,
    adapter: str | None,
    way: str,
    data: str = "",
    folds: int = 5,
) -> Calibration:
    """Fit a correction to the labels' log-probabilities (nats) and the right labels.

    ``views`` has, for each example, one or several views of the labels. Accuracy and calibration error
    are those of ``folds`` parts, each corrected by a fit on the others. A further view is taken only if
    it lowers the loss there enough to be worth its time.

    Raises:
        ValueError: the label sets differ, or there are fewer than 30 examples.
    """
    names = label_set(list(views[0][0]))
    if any(label_set(list(one[0])) != names for one in views):
        raise ValueError("the examples have different label sets")
    if len(views) < LEAST_EXAMPLES:
        raise ValueError(f"{len(views)} examples are too few: {LEAST_EXAMPLES} are needed")
    logs = np.array([[_normalized(view, names) for view in one] for one in views])
    right = np.array([names.index(label_name(target)) for target in targets])
    part = np.random.default_rng(0).permutation(len(right)) % folds
    views_used, pull, corrected = _best_fit(logs, right, part)
    # The likeliest probabilities are not the best calibrated ones: rare bad misses make them timid.
    sharper = _sharpness(corrected, right)
    scales, bias = (sharper * one for one in _fitted(logs[:, :views_used], right, pull))
    corrected = sharper * corrected
    return Calibration(
        model,
        adapter,
        way,
        names,
        tuple(round(float(scale), 4) for scale in scales),
        {name: round(float(value), 4) for name, value in zip(names, bias, strict=True)},
        len(right),
        (_ece(logs[:, 0], right), _ece(corrected, right)),
        (_accuracy(logs[:, 0], right), _accuracy(corrected, right)),
        data,
    )


def read(path: Path = SHIPPED) -> list[Calibration]:
    """Return the corrections in a file; none when there is no file.

    Raises:
        ConfigError: the file is damaged or no file of corrections.
    """
    rows = read_rows(path, Calibration)
    for number, row in enumerate(rows, 1):
        if set(row.bias) != set(row.labels):
            raise wrong_row(path, number, "the labels of 'bias' are not those of 'labels'")
    return rows


def write(path: Path, rows: Iterable[Calibration]) -> None:
    """Write corrections, one a line; of two for the same the later one stays.

    Raises:
        ConfigError: the file cannot be written.
    """
    write_rows(path, {_key(row): row for row in rows}.values())


def _key(row: Calibration) -> tuple[str, str | None, str, tuple[str, ...]]:
    return (row.model, row.adapter, row.way, tuple(row.labels))


def label_name(label: str) -> str:
    """Return a label in the form in which labels are compared."""
    return " ".join(label.casefold().split())


def _normalized(view: Mapping[str, float], names: Sequence[str]) -> Floats:
    """Return log-probabilities among the labels alone, in the order of ``names``."""
    values = {label_name(label): value for label, value in view.items()}
    logs = np.array([values[name] for name in names])
    return np.asarray(logs - logs.max() - math.log(np.exp(logs - logs.max()).sum()))


def _best_fit(logs: Floats, right: Floats, part: Floats) -> tuple[int, float, Floats]:
    """Return how many views and which pull do best, and the logits by fits on the other parts."""
    found = {
        (views, pull): _left_out(logs[:, :views], right, part, pull)
        for views in range(1, logs.shape[1] + 1)
        for pull in _PULLS
    }
    best = min(found, key=lambda way: _loss(found[way], right) + _WORTH * way[0])
    return (*best, found[best])


def _left_out(logs: Floats, right: Floats, part: Floats, pull: float) -> Floats:
    """Return each example's logits by a fit on the other parts, shape (examples, labels)."""
    found = np.empty(logs.shape[::2])
    for fold in np.unique(part):
        scales, bias = _fitted(logs[part != fold], right[part != fold], pull)
        found[part == fold] = np.tensordot(logs[part == fold], scales, (1, 0)) + bias
    return found


def _fitted(logs: Floats, right: Floats, pull: float) -> tuple[Floats, Floats]:
    """Return the weights (not below zero) and biases of least loss; ``logs`` is (examples, views, labels)."""
    from scipy.optimize import minimize

    rows, views, labels = logs.shape
    # Every label counts the same: how often one comes up in this file is no preference of the model.
    counts = np.bincount(right, minlength=labels)
    share = (1.0 / (counts[right] * np.count_nonzero(counts)))[:, None]

    def loss(x: Floats) -> tuple[float, Floats]:
        scales, bias = x[:views], x[views:]
        chances = _softmax(np.tensordot(logs, scales, (1, 0)) + bias)
        error = chances.copy()
        error[np.arange(rows), right] -= 1.0
        error *= share
        value = -float((share[:, 0] * np.log(chances[np.arange(rows), right] + 1e-30)).sum())
        by_scale = np.einsum("el,evl->v", error, logs)
        by_bias = error.sum(axis=0) + 2 * pull / labels * bias
        return value + pull / labels * float(bias @ bias), np.concatenate([by_scale, by_bias])

    start = np.concatenate([np.full(views, 1 / views), np.zeros(labels)])
    bounds = [(0.0, None)] * views + [(None, None)] * labels
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:views], found[views:]


def _sharpness(logits: Floats, right: Floats) -> float:
    """Return the factor on the logits with which the mean probability of the best label is its accuracy."""
    from scipy.optimize import brentq

    wanted = float((logits.argmax(axis=1) == right).mean())

    def off(power: float) -> float:
        return float(_softmax(math.exp(power) * logits).max(axis=1).mean()) - wanted

    low, high = -2.5, 2.5
    if off(low) > 0 or off(high) < 0:  # (nearly) all right or none: nothing to match
        return math.exp(low if off(low) > 0 else high)
    return math.exp(float(brentq(off, low, high)))


def _loss(logits: Floats, right: Floats) -> float:
    return -float(np.log(_softmax(logits)[np.arange(len(right)), right] + 1e-30).mean())


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _accuracy(logits: Floats, right: Floats) -> float:
    return round(100 * float((logits.argmax(axis=1) == right).mean()), 1)


def _ece(logits: Floats, right: Floats) -> float:
    chances = _softmax(logits)
    return round(calibration_error(chances.max(axis=1), chances.argmax(axis=1) == right), 4)


def calibration_error(said: Floats, right: Floats) -> float:
    """Return the expected calibration error (Naeini et al. 2015), 0 to 1.

    How far the probability ``said`` of each answer is from how often such answers are ``right`` (0 or
    1), on average over the answers.
    """
    bins = reliability(said, right)
    return sum(count * abs(mean - share) for mean, share, count in bins) / len(said)


def reliability(said: Floats, right: Floats) -> list[tuple[float, float, int]]:
    """Return mean probability, share of right answers and count of each bin that has any.

    The bins are of equal width, a probability of 1 is in the last.
    """
    at = np.minimum((said * BINS).astype(int), BINS - 1)
    parts = [at == one for one in np.unique(at)]
    return [(float(said[p].mean()), float(right[p].mean()), int(p.sum())) for p in parts]
