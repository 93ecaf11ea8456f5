"""Which metrics a task is scored with."""

from __future__ import annotations

from assistant.evaluation.answers import ExactMatch, TokenF1
from assistant.evaluation.classes import Accuracy, CalibrationError, MacroF1
from assistant.evaluation.metric import Metric
from assistant.evaluation.overlap import Bleu, ChrF, Rouge


def metrics_for(task: str, lang: str = "", *, probabilities: bool = False) -> list[Metric]:
    """Return the metrics of a task; ``lang`` is the language of the answers (for BLEU's tokens).

    ``probabilities`` says that labels were scored, so that calibration can be measured.
    """
    if task == "translation":
        return [ChrF(), Bleu(lang)]
    if task == "qa":
        return [ExactMatch(), TokenF1()]
    if task == "classification":
        calibration: list[Metric] = [CalibrationError()] if probabilities else []
        return [Accuracy(), MacroF1(), *calibration]
    return [Rouge("rouge1"), Rouge("rouge2"), Rouge("rougeL")]
