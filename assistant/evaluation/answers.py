"""Exact match and F1 of short answers, as the SQuAD and the CMRC scripts define them.

English (Rajpurkar et al. 2016): lower case, no ASCII punctuation, no articles; F1 over the words that
both have, in any order. Chinese and Japanese (Cui et al. 2019): lower case, no punctuation, single
characters; F1 over the longest run of characters that both have. A pair of answer and reference is
compared by characters as soon as one of the two has any of these scripts. Every reference counts; the
best one is taken.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

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
            float(any(_equal(prediction.text, reference) for reference in example.references))
            for example, prediction in zip(examples, predictions, strict=True)
        ]
        return 100 * np.asarray(values)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


class TokenF1:
    """F1 of what answer and reference have in common (see the module), mean, 0 to 100."""

    name = "f1"
    signature = "f1|SQuAD v1.1 words, CMRC 2018 for zh/ja (longest common run of characters)|best of references"
    higher_is_better = True

    def rows(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Rows:
        values = [
            max(_f1(prediction.text, reference) for reference in example.references)
            for example, prediction in zip(examples, predictions, strict=True)
        ]
        return 100 * np.asarray(values)[:, None]

    def score(self, rows: Rows) -> float:
        return float(rows.mean())


def words(text: str) -> list[str]:
    """Return what SQuAD compares: words in lower case without ASCII punctuation and articles."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return _ARTICLES.sub(" ", bare).split()


def characters(text: str) -> list[str]:
    """Return what CMRC compares: single characters of Chinese and Japanese, words of the rest.

    Its script lists the marks that it drops; here all punctuation goes, the ASCII full stop too.
    """
    return _TOKEN.findall("".join(c for c in text.lower() if not _is_mark(c)))


def _is_mark(character: str) -> bool:
    known = character in string.punctuation or character in "～￥＋＝｜"
    return known or unicodedata.category(character)[0] == "P"


def _tokens(prediction: str, reference: str) -> tuple[list[str], list[str], bool]:
    """Return the tokens of both, and whether they are compared by characters."""
    wide = bool(_WIDE.search(prediction) or _WIDE.search(reference))
    cut = characters if wide else words
    return cut(prediction), cut(reference), wide


def _equal(prediction: str, reference: str) -> bool:
    said, right, _ = _tokens(prediction, reference)
    return said == right


def _f1(prediction: str, reference: str) -> float:
    said, right, wide = _tokens(prediction, reference)
    if not said or not right:
        return float(said == right)
    if wide:
        common = SequenceMatcher(None, said, right, autojunk=False).find_longest_match().size
    else:
        common = sum((Counter(said) & Counter(right)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(right)
    return 2 * precision * recall / (precision + recall)
