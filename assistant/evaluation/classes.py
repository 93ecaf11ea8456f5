"""Accuracy, macro-F1 and expected calibration error of classified texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.calibration import BINS, calibration_error
from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Prediction, Rows


class Accuracy:
    """Share of texts that got their label, 0 to 100."""

    name = "accuracy"
    signature = "accuracy|label as spelt, case and spaces aside"
    higher_is_better = True

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        return 100 * np.asarray(_right(examples, predictions), dtype=np.float64)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


class MacroF1:
    """Unweighted mean of the F1 of each label that occurs as a target, 0 to 100.

    Whatever is no label at all counts as a miss of the right one; another right answer of the example
    counts as its target. Columns: number of the target, number of the answer (-1: no label).
    """

    name = "macro_f1"
    signature = "macro_f1|mean over the labels that occur as targets"
    higher_is_better = True

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        names = sorted({same(label) for e in examples for label in (*e.labels, e.target)})
        number = {name: i for i, name in enumerate(names)}
        right = _right(examples, predictions)
        targets = [number[same(example.target)] for example in examples]
        said = [
            target if hit else number.get(same(prediction.text), -1)
            for target, hit, prediction in zip(targets, right, predictions, strict=True)
        ]
        return np.column_stack([targets, said]).astype(np.float64)

    def score(self, rows: Rows) -> float:
        target, said = rows[:, 0], rows[:, 1]
        values = []
        for label in np.unique(target):
            hits = float(np.sum((target == label) & (said == label)))
            values.append(2 * hits / float(np.sum(target == label) + np.sum(said == label)))
        return 100 * float(np.mean(values))


class CalibrationError:
    """Expected calibration error over ten bins of equal width, 0 to 1.

    Columns: the probability of the answer given, whether it was right.
    """

    name = "ece"
    signature = f"ece|{BINS} bins of equal width, probability of the label given"
    higher_is_better = False

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        sure = [max((p.probabilities or {"": 1.0}).values()) for p in predictions]
        return np.column_stack([sure, np.asarray(_right(examples, predictions), dtype=np.float64)])

    def score(self, rows: Rows) -> float:
        return calibration_error(rows[:, 0], rows[:, 1])


def same(label: str) -> str:
    """Return a label in the form in which two spellings of it are equal."""
    return " ".join(label.casefold().split()).strip(" .。\"'“”‘’")


def _right(examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[bool]:
    return [
        same(prediction.text) in {same(reference) for reference in example.references}
        for example, prediction in zip(examples, predictions, strict=True)
    ]
