"""Training the router's classifiers from labelled turns (scikit-learn's logistic regression)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.engine.base import Engine
from assistant.errors import UsageError
from assistant.router.guard import GUARD_FILE, read_check, save_guard
from assistant.router.head import Background, Floats, Head
from assistant.router.memory import crowd_of
from assistant.router.ngrams import BUCKETS, ngram_counts
from assistant.router.reading import SUFFIX
from assistant.router.router import read_turns
from assistant.tasks import TASKS

if TYPE_CHECKING:
    from assistant.training.router_adapter import AdapterSettings, Trained

SHIPPED_TURNS = Path(__file__).parent.parent / "router" / "turns.jsonl"
HIDDEN_PENALTY = 0.01
LIGHT_PENALTY = 5.0
DIMENSIONS = 192
"""Coordinates of the points that corrections are compared with."""

ASKED_SHARE = 0.04
"""How many turns may be asked about; a fifth less than one in twenty, for turns unlike these."""

_FOLDS = 5
_LAYER_SHARE = 16 / 24
_MEAN_SHARE = 14 / 24


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """A turn, the previous turn as text (or ``None``), and the task it is for."""

    text: str
    context: str | None
    task: str


def read_labelled(files: Iterable[Path]) -> list[LabelledTurn]:
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


def reading_for(layers: int) -> Head:
    """Return an untrained classifier that says which layers of a model of so many are read."""
    empty = np.zeros((len(TASKS), 0), dtype=np.float32)
    return Head(
        TASKS,
        empty,
        np.zeros(len(TASKS), dtype=np.float32),
        layer=max(1, round(layers * _LAYER_SHARE)),
        mean_layer=max(1, min(round(layers * _MEAN_SHARE), round(layers * _LAYER_SHARE) - 1)),
        suffix=SUFFIX,
    )


def reading_with(settings: AdapterSettings) -> Head:
    """Return an untrained classifier that says how a model is read with an adapter of these settings."""
    return replace(
        reading_for(settings.last),
        layer=settings.last,
        mean_layer=max(1, settings.first - 1),
        adapted=True,
        about={"adapter": asdict(settings)},
    )


def train_head(
    engine: Engine,
    turns: Sequence[LabelledTurn],
    progress: Callable[[float], None] | None = None,
) -> Head:
    """Train the classifier for the model of ``engine``; one partial read of each turn."""
    reading = reading_for(engine.info.layers)
    features = _features(engine, reading, turns, progress)
    about = {"model": engine.info.model}
    fitted = fit_head(features, turns, penalty=HIDDEN_PENALTY, scale=True, about=about)
    return replace(
        reading,
        weight=fitted.weight,
        bias=fitted.bias,
        temperature=fitted.temperature,
        ask_below=fitted.ask_below,
        background=background_of(features, turns),
        about=fitted.about,
    )


def head_with(
    engine: Engine,
    turns: Sequence[LabelledTurn],
    trained: Trained,
    settings: AdapterSettings,
    progress: Callable[[float], None] | None = None,
) -> Head:
    """Return the classifier that was trained along with an adapter, which ``engine`` holds by now.

    Temperature and threshold come from the turns that were held out.
    """
    reading = reading_with(settings)
    features = _features(engine, reading, turns, progress)
    unused = np.zeros_like(trained.weight)  # the mean is there for corrections alone
    weight = np.concatenate([trained.weight, unused], axis=1)
    held_out = list(trained.held_out)
    labels = np.array([TASKS.index(turns[at].task) for at in held_out])
    logits = features[held_out] @ weight.T + trained.bias
    temperature = fit_temperature(logits, labels)
    return replace(
        reading,
        weight=weight,
        bias=trained.bias,
        temperature=temperature,
        ask_below=threshold(softmax(logits / temperature).max(axis=1)),
        background=background_of(features, turns),
        about={
            **reading.about,
            "model": engine.info.model,
            "turns": len(turns),
            "held_out_accuracy": float(np.mean(logits.argmax(1) == labels)),
        },
    )


def write_guard(
    engine: Engine,
    head: Head,
    folder: Path,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Read the check set for a trained classifier and keep it in ``folder``: what lessons must leave right."""
    turns, tasks = read_check()
    report = None if progress is None else lambda done: progress(done / len(turns))
    save_guard(head, read_turns(engine, head, turns, report), tasks, folder / GUARD_FILE)


def _features(
    engine: Engine,
    reading: Head,
    turns: Sequence[LabelledTurn],
    progress: Callable[[float], None] | None,
) -> Floats:
    return read_turns(
        engine,
        reading,
        [(turn.text, turn.context) for turn in turns],
        None if progress is None else lambda done: progress(done / len(turns)),
    )


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
    about: Mapping[str, Any] | None = None,
) -> Head:
    """Fit a classifier; temperature and the threshold for asking come from out-of-fold predictions.

    Folds are blocks of neighbouring turns, which share scenarios.

    Args:
        features: shape (turns, features), dense or sparse.
        penalty: inverse strength of the L2 penalty (scikit-learn's ``C``).
        scale: standardize the features first (dense only); folded into the weights afterwards.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    labels = np.array([turn.task for turn in turns])
    model = make_pipeline(
        StandardScaler() if scale else MaxAbsScaler(),
        LogisticRegression(C=penalty, max_iter=1000),
    )
    blocks = np.arange(len(turns)) * 10 * _FOLDS // len(turns) % _FOLDS
    logits = cross_val_predict(
        model,
        features,
        labels,
        groups=blocks,
        cv=GroupKFold(_FOLDS),
        method="decision_function",
    )
    model.fit(features, labels)
    classifier, scaler = model[-1], model[0]
    known = list(classifier.classes_)
    numbers = np.array([known.index(label) for label in labels])
    temperature = fit_temperature(logits, numbers)
    weight = classifier.coef_ / scaler.scale_
    bias = classifier.intercept_ - (weight @ scaler.mean_ if scale else 0.0)
    order = [known.index(task) for task in TASKS]
    return Head(
        tasks=TASKS,
        weight=weight[order].astype(np.float32),
        bias=np.asarray(bias)[order].astype(np.float32),
        temperature=temperature,
        ask_below=threshold(softmax(logits / temperature).max(axis=1)),
        about={
            **(about or {}),
            "turns": len(turns),
            "cross_validated_accuracy": float(np.mean(logits.argmax(1) == numbers)),
        },
    )


def background_of(features: Floats, turns: Sequence[LabelledTurn]) -> Background:
    """Return the turns as points: standardized features in their principal directions (PCA).

    Each direction counts by the square root of its spread, between all alike and as they are.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    size = min(DIMENSIONS, features.shape[1], len(features) - 1)
    pca = PCA(size, random_state=0).fit(scaler.transform(features))
    weights = pca.explained_variance_**-0.25
    projection = (pca.components_ * weights[:, None]).T / scaler.scale_[:, None]
    points = (features - scaler.mean_) @ projection
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
    return Background(
        projection.astype(np.float32),
        scaler.mean_.astype(np.float32),
        points.astype(np.float32),
        np.array([TASKS.index(turn.task) for turn in turns]),
        crowd_of(points.astype(np.float32)),
    )


def threshold(confidence: NDArray[np.floating[Any]]) -> float:
    """Return the confidence below which the allowed share of turns lies."""
    return float(np.quantile(confidence, ASKED_SHARE))


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return probabilities along the last axis."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: NDArray[np.floating[Any]] = odds / odds.sum(axis=-1, keepdims=True)
    return chances


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Return the temperature with the least negative log-likelihood (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        chances = softmax(logits / np.exp(log_temperature))
        return float(-np.log(chances[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x))
