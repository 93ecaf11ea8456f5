"""Training the router's classifiers from labelled turns (scikit-learn's logistic regression)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.engine.base import Engine
from assistant.errors import UsageError
from assistant.router.head import Head
from assistant.router.ngrams import BUCKETS, ngram_counts
from assistant.router.reading import MAX_TOKENS, SUFFIX, layer_of, turn_text
from assistant.tasks import TASKS

SHIPPED_TURNS = Path(__file__).parent.parent / "router" / "turns.jsonl"
HIDDEN_PENALTY = 0.03
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """A turn, the previous turn as text (or ``None``), and the task it is for."""

    text: str
    context: str | None
    task: str


def read_turns(files: Iterable[Path]) -> list[LabelledTurn]:
    """Read turns from JSONL of ``{"input", "context"?, "target"}``.

    Raises:
        UsageError: a file cannot be read, or a line has no known task as target.
    """
    turns: list[LabelledTurn] = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            if row.get("target") not in TASKS:
                raise UsageError(f"{file}, line {number}: 'target' must be one of {TASKS}.")
            turns.append(LabelledTurn(row["input"], row.get("context"), row["target"]))
    return turns


def hidden_features(
    engine: Engine,
    turns: Sequence[LabelledTurn],
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Return the hidden states of ``turns``, shape (turns, hidden size)."""
    layer = layer_of(engine.info.layers)
    rows = []
    for position, turn in enumerate(turns):
        text = turn_text(turn.text, turn.context)
        rows.append(engine.hidden_state(text, layer=layer, suffix=SUFFIX, max_tokens=MAX_TOKENS))
        if progress is not None:
            progress((position + 1) / len(turns))
    return np.asarray(rows, dtype=np.float32)


def ngram_matrix(turns: Sequence[LabelledTurn]) -> Any:
    """Return hashed n-gram features as a sparse matrix of shape (turns, BUCKETS)."""
    from scipy.sparse import csr_matrix

    data, columns, starts = [], [], [0]
    for turn in turns:
        counts = ngram_counts(turn.text, turn.context)
        columns += list(counts)
        data += list(counts.values())
        starts.append(len(columns))
    return csr_matrix((data, columns, starts), shape=(len(turns), BUCKETS), dtype=np.float32)


def fit_head(
    features: Any,
    turns: Sequence[LabelledTurn],
    *,
    penalty: float,
    scale: bool,
    weights: Sequence[float] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Head:
    """Fit a classifier; its temperature makes out-of-fold probabilities honest.

    Args:
        features: shape (turns, features), dense or sparse.
        penalty: inverse strength of the L2 penalty (scikit-learn's ``C``).
        scale: standardize the features first (dense only); folded into the weights afterwards.
        weights: how much each turn counts; all the same by default.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    labels = np.array([turn.task for turn in turns])
    model = make_pipeline(
        StandardScaler() if scale else MaxAbsScaler(),
        LogisticRegression(C=penalty, max_iter=1000),
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    counts = {"logisticregression__sample_weight": np.asarray(weights or np.ones(len(turns)))}
    logits = cross_val_predict(
        model, features, labels, cv=folds, method="decision_function", params=counts
    )
    model.fit(features, labels, **counts)
    classifier, scaler = model[-1], model[0]
    known = list(classifier.classes_)
    temperature = _fit_temperature(logits, np.array([known.index(label) for label in labels]))
    accuracy = float(np.mean(np.array(known)[logits.argmax(1)] == labels))
    weight = classifier.coef_ / scaler.scale_
    bias = classifier.intercept_ - (weight @ scaler.mean_ if scale else 0.0)
    order = [known.index(task) for task in TASKS]
    return Head(
        tasks=TASKS,
        weight=weight[order].astype(np.float32),
        bias=np.asarray(bias)[order].astype(np.float32),
        temperature=temperature,
        about={**(about or {}), "turns": len(turns), "cross_validated_accuracy": accuracy},
    )


def _fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the temperature with the least negative log-likelihood (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(1, keepdims=True)
        logprobs = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        return float(-logprobs[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x))


def train_head(
    engine: Engine,
    turns: Sequence[LabelledTurn],
    progress: Callable[[float], None] | None = None,
) -> Head:
    """Train the classifier for the model of ``engine``; one partial read of each turn."""
    about = {"model": engine.info.model, "layer": layer_of(engine.info.layers), "suffix": SUFFIX}
    features = hidden_features(engine, turns, progress)
    return fit_head(features, turns, penalty=HIDDEN_PENALTY, scale=True, about=about)
