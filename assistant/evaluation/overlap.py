"""How much of the words of a reference a text has: BLEU, chrF (sacrebleu) and ROUGE (rouge-score)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Prediction, Rows

# Scripts written without spaces: one character is one token there.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


class _SacreBleu:
    """BLEU or chrF of a corpus: the counts of the chosen rows are added up, then scored."""

    higher_is_better = True
    name: str

    def __init__(self) -> None:
        self._signature = ""

    def _metric(self) -> Any:
        raise NotImplementedError

    @property
    def signature(self) -> str:
        return self._signature

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        metric = self._metric()
        width = max(len(example.references) for example in examples)
        streams = [
            [e.references[i] if i < len(e.references) else None for e in examples]
            for i in range(width)
        ]
        hypotheses = [prediction.text for prediction in predictions]
        # The one place where sacrebleu gives counts rather than scores; its own bootstrap uses it.
        counts = metric._extract_corpus_statistics(hypotheses, streams)
        self._signature = metric.get_signature().format()
        return np.asarray(counts, dtype=np.float64)

    def score(self, rows: Rows) -> float:
        return float(self._metric()._compute_score_from_stats(rows.sum(axis=0).tolist()).score)


class Bleu(_SacreBleu):
    """BLEU (Papineni et al. 2002) with the tokenizer that fits the target language (``zh-TW`` is Chinese)."""

    name = "bleu"

    def __init__(self, lang: str) -> None:
        super().__init__()
        self._tokenizer = {"zh": "zh", "ja": "char", "th": "char"}.get(lang.split("-")[0], "13a")

    @cached_property
    def _made(self) -> Any:
        from sacrebleu.metrics import BLEU

        return BLEU(tokenize=self._tokenizer)

    def _metric(self) -> Any:
        return self._made

    def score(self, rows: Rows) -> float:
        # A corpus BLEU adds counts of whole numbers.
        summed = [int(value) for value in rows.sum(axis=0)]
        return float(self._made._compute_score_from_stats(summed).score)


class ChrF(_SacreBleu):
    """chrF2 (Popović 2015): character n-grams, so no tokenizer and every language alike."""

    name = "chrf"

    @cached_property
    def _made(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF()

    def _metric(self) -> Any:
        return self._made


class Rouge:
    """ROUGE-1, -2 or -L (Lin 2004): F1 of one text, the best of its references, 0 to 100.

    Texts in scripts without spaces are compared by the character, others by the word; no stemming
    (it is for English alone).
    """

    higher_is_better = True

    def __init__(self, kind: Literal["rouge1", "rouge2", "rougeL"]) -> None:
        self.name = kind

    @property
    def signature(self) -> str:
        return f"{self.name}|f1|best of references|words, characters for zh/ja/th|rouge-score:{version('rouge-score')}"

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer([self.name], tokenizer=_Tokenizer())

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        values = [
            max(
                self._scorer.score(reference, prediction.text)[self.name].fmeasure
                for reference in example.references
            )
            for example, prediction in zip(examples, predictions, strict=True)
        ]
        return 100 * np.asarray(values, dtype=np.float64)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


class _Tokenizer:
    """Words in lower case, characters where words are not parted; what rouge-score asks for."""

    def tokenize(self, text: str) -> list[str]:
        return _TOKEN.findall(text.lower())
