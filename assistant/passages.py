"""Long passages: cut into sections, or down to the parts that a question is about.

A small model loses its way in a long text long before its window is full, and reading costs time.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

Count = Callable[[str], int]
"""Returns how many tokens a text takes."""

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’)]*\s+|(?<=[。！？；])[”」』）]*|\n")
_WIDE = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+")
_CARRIED = 0.3
_GAP = "\n[…]\n"


def sections(text: str, count: Count, most: int) -> list[str]:
    """Cut a text into as few sections as need be of about even size, none above ``most`` tokens.

    It is cut between paragraphs where it can be, else between sentences, else anywhere.
    """
    total = count(text)
    if total <= most:
        return [text]
    room = min(most, math.ceil(total / math.ceil(total / most) * 1.1))
    found: list[str] = []
    held = ""
    for piece in _pieces(text, count, room):
        if held and count(held + piece) > room:
            found.append(held.strip())
            held = ""
        held += piece
    if held.strip():
        found.append(held.strip())
    return found


def relevant(passage: str, question: str, count: Count, room: int, window: int = 120) -> str:
    """Return the parts of a passage that a question is about, in order, within ``room`` tokens.

    Windows of whole sentences are ranked by the words (Chinese: pairs of characters) they share with
    the question, weighted by how rare those are in the passage (BM25, Robertson and Zaragoza 2009); a
    window also gets a share of what its neighbours have, because answers stand beside their questions'
    words. What is left out between two parts is marked.
    """
    windows = _windows(passage, count, window)
    scores = _bm25([_terms(one) for one in windows], _terms(question))
    spread = [
        score + _CARRIED * max(scores[max(0, i - 1) : i] + scores[i + 1 : i + 2], default=0.0)
        for i, score in enumerate(scores)
    ]
    chosen: set[int] = set()
    used = 0
    for i in sorted(range(len(windows)), key=lambda i: -spread[i]):
        cost = count(windows[i])
        if used + cost <= room or not chosen:
            chosen.add(i)
            used += cost
    parts = ""
    last = -1
    for i in sorted(chosen):
        parts += windows[i] if i == last + 1 else f"{_GAP if parts else ''}{windows[i].lstrip()}"
        last = i
    return parts.strip()


def _pieces(text: str, count: Count, most: int) -> list[str]:
    """Return the text in pieces (paragraphs; sentences of those too long) that join to the whole."""
    found: list[str] = []
    for paragraph in _cut(text, _PARAGRAPH):
        if count(paragraph) <= most:
            found.append(paragraph)
            continue
        for sentence in _cut(paragraph, _SENTENCE):
            found += _chopped(sentence, count, most)
    return found


def _windows(text: str, count: Count, size: int) -> list[str]:
    found: list[str] = []
    held = ""
    for sentence in (s for whole in _cut(text, _SENTENCE) for s in _chopped(whole, count, size)):
        if held and count(held + sentence) > size:
            found.append(held)
            held = ""
        held += sentence
    return [*found, held] if held.strip() else found


def _cut(text: str, where: re.Pattern[str]) -> list[str]:
    """Cut behind each match; nothing is lost."""
    ends = [match.end() for match in where.finditer(text) if 0 < match.end() < len(text)]
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True) if a < b]


def _chopped(text: str, count: Count, most: int) -> list[str]:
    """Return a text in halves, and halves of those, until none is above ``most`` tokens."""
    if count(text) <= most or len(text) < 2:
        return [text]
    half = len(text) // 2
    at = text.rfind(" ", half // 2, half) + 1 or half
    return [*_chopped(text[:at], count, most), *_chopped(text[at:], count, most)]


def _terms(text: str) -> list[str]:
    found: list[str] = []
    for run in _RUN.findall(text.lower()):
        if re.match(rf"[{_WIDE}]", run):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        else:
            found.append(
                run[:6] if run.isalpha() else run
            )  # a cheap stem: "calibrated", "calibration"
    return found


def _bm25(
    documents: list[list[str]], query: list[str], k: float = 1.2, b: float = 0.75
) -> list[float]:
    seen = Counter(term for terms in documents for term in set(terms))
    mean = sum(map(len, documents)) / max(1, len(documents)) or 1.0
    total = len(documents)
    scores = []
    for terms in documents:
        counts = Counter(terms)
        norm = k * (1 - b + b * len(terms) / mean)
        scores.append(
            sum(
                math.log(1 + (total - seen[term] + 0.5) / (seen[term] + 0.5))
                * counts[term]
                * (k + 1)
                / (counts[term] + norm)
                for term in set(query)
                if term in counts
            )
        )
    return scores
