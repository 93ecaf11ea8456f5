"""Exact match and token F1 of short answers, as the SQuAD and the CMRC scripts define them.

English (Rajpurkar et al. 2016): lower case, no punctuation, no articles, words. Chinese (Cui et al.
2019): no punctuation, characters. Every reference counts; the best one is taken.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from assistant.evaluation.examples import Example
from assistant.evaluation.metric import Prediction, Rows

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(rf"{_WIDE.pattern}|[^\s{_WIDE.pattern[1:-1]}]+")


class ExactMatch:
    """Share of answers that equal a reference after normalization, 0 to 100."""

    name = "exact_match"
    signature = "exact_match|SQuAD v1.1 normalization, CMRC 2018 for zh/ja|best of references"
    higher_is_better = True

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        values = [
            float(normalized(prediction.text) in {normalized(r) for r in example.references})
            for example, prediction in zip(examples, predictions, strict=True)
        ]
        return 100 * np.asarray(values)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


class TokenF1:
    """F1 over the tokens (Chinese: characters) of answer and reference, mean, 0 to 100."""

    name = "f1"
    signature = "f1|SQuAD v1.1 words, characters for zh/ja|best of references"
    higher_is_better = True

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        values = [
            max(_f1(prediction.text, reference) for reference in example.references)
            for example, prediction in zip(examples, predictions, strict=True)
        ]
        return 100 * np.asarray(values)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


def normalized(text: str) -> str:
    """Return the tokens of an answer that count, joined by single spaces."""
    return " ".join(tokens(text))


def tokens(text: str) -> list[str]:
    """Return words without articles, and single characters of Chinese and Japanese."""
    low = text.lower()
    bare = "".join(c for c in low if not (c in string.punctuation or _is_mark(c)))
    return _TOKEN.findall(_ARTICLES.sub(" ", bare))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" or character in "～￥＋＝|"


def _f1(prediction: str, reference: str) -> float:
    said, right = tokens(prediction), tokens(reference)
    if not said or not right:
        return float(said == right)
    common = sum((Counter(said) & Counter(right)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return 2 * precision * recall / (precision + recall)
