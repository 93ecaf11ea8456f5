"""Long passages: cut into sections, or down to the parts that a question is about.

A small model loses its way in a long text long before its window is full, and reading costs time.

Tokens are counted once a piece and added up: counting a growing text again and again would take
minutes for a book. A sum is off by about a token a cut, so what was put together is counted once more.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

Count = Callable[[str], int]
"""Returns how many tokens a text takes."""

Piece = tuple[str, int]
"""A piece of a text and how many tokens it takes."""

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?…؟।])[\"”’)]*\s+|(?<=[。！？；])[”」』）]*|\n")
_WIDE = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+")
_IS_WIDE = re.compile(rf"[{_WIDE}]")
_CARRIED = 0.5
_GAP = "\n[…]\n"
_CHOPS = 16
"""Into how many pieces at least what has no sentences is chopped for one section, so that sizes come out even."""


def sections(text: str, count: Count, most: int) -> list[str]:
    """Cut a text into as few sections as need be of about even size, none above ``most`` tokens.

    It is cut between paragraphs where it can be, else between sentences, else anywhere; nothing but
    blanks between two sections is lost. A text without words has no sections.
    """
    if not text.strip():
        return []
    if count(text) <= most:
        return [text]
    pieces = _pieces(text, count, most)
    sizes = [size for _, size in pieces]
    starts = _even_starts(sizes, most)
    found: list[str] = []
    for start, end in pairwise([*starts, len(pieces)]):
        section = "".join(piece for piece, _ in pieces[start:end]).strip()
        found += [one.strip() for one, _ in _chopped(section, count, most)]
    return [section for section in found if section]


def relevant(passage: str, question: str, count: Count, room: int, window: int = 120) -> str:
    """Return the parts of a passage that a question is about, in order, within ``room`` tokens.

    Windows of whole sentences are ranked by the words (Chinese: pairs of characters) they share with
    the question, weighted by how rare those are in the passage (BM25, Robertson and Zaragoza 2009); a
    window also gets a share of what those around it have, because a name is said once and the answer
    stands some sentences on. What is left out between two parts is marked. Where nothing is shared, as between two
    languages, it is the beginning that is kept.
    """
    windows = _windows(passage, count, min(window, room))
    scores = bm25([terms_of(text) for text, _ in windows], terms_of(question))
    before, after = _carried(scores), _carried(scores[::-1])[::-1]
    spread = [score + max(both) for score, *both in zip(scores, before, after, strict=True)]
    gap = count(_GAP)
    chosen: dict[int, None] = {}
    used = 0
    for i in sorted(range(len(windows)), key=lambda i: -spread[i]):
        # One that closes a gap saves its mark; one that stands alone needs one.
        cost = windows[i][1] + gap * (1 - (i - 1 in chosen) - (i + 1 in chosen))
        if used + cost <= room or not chosen:
            chosen[i] = None
            used += cost
        elif not spread[i]:  # the rest is only filler: no scraps of it
            break
    parts = _joined(windows, chosen)
    while len(chosen) > 1 and count(parts) > room:
        chosen.popitem()
        parts = _joined(windows, chosen)
    return parts


def _carried(scores: Sequence[float]) -> list[float]:
    """Return what each place gets of the scores before it: with every step the half of it is left."""
    found = []
    held = 0.0
    for score in scores:
        found.append(held)
        held = _CARRIED * max(held, score)
    return found


def _joined(windows: Sequence[Piece], chosen: Iterable[int]) -> str:
    """Return the chosen windows in order, with a mark where something is left out between them."""
    parts = ""
    last = -1
    for i in sorted(chosen):
        text = windows[i][0]
        parts = parts + text if i == last + 1 else f"{parts.rstrip()}{_GAP if parts else ''}{text}"
        last = i
    return parts.strip()


def _even_starts(sizes: Sequence[int], most: int) -> list[int]:
    """Return where to cut a row of sizes, so that the largest part is as small as so few parts allow."""
    few = len(_starts(sizes, most))
    least = max(*sizes, math.ceil(sum(sizes) / few))
    rooms = range(least, max(most, least) + 1)
    return _starts(
        sizes, rooms[bisect_left(rooms, -few, key=lambda room: -len(_starts(sizes, room)))]
    )


def _starts(sizes: Sequence[int], room: int) -> list[int]:
    """Return where each part begins when parts are filled up to ``room`` one after the other."""
    found = [0]
    used = 0
    for i, size in enumerate(sizes):
        if used and used + size > room:
            found.append(i)
            used = 0
        used += size
    return found


def _pieces(text: str, count: Count, most: int) -> list[Piece]:
    """Return the text in pieces (paragraphs; sentences of those too long) that join to the whole."""
    found: list[Piece] = []
    for paragraph in _cut(text, _PARAGRAPH):
        size = count(paragraph)
        if size <= most:
            found.append((paragraph, size))
            continue
        for sentence in _cut(paragraph, _SENTENCE):
            size = count(sentence)
            if size <= most:
                found.append((sentence, size))
            else:
                found += _chopped(sentence, count, max(1, most // _CHOPS))
    return found


def _windows(text: str, count: Count, size: int) -> list[Piece]:
    pieces = [one for whole in _cut(text, _SENTENCE) for one in _chopped(whole, count, size)]
    if not pieces:
        return []
    found = []
    for start, end in pairwise([*_starts([tokens for _, tokens in pieces], size), len(pieces)]):
        some = pieces[start:end]
        found.append(("".join(piece for piece, _ in some), sum(tokens for _, tokens in some)))
    return found


def _cut(text: str, where: re.Pattern[str]) -> list[str]:
    """Cut behind each match; nothing is lost."""
    ends = [match.end() for match in where.finditer(text) if 0 < match.end() < len(text)]
    return [text[a:b] for a, b in pairwise([0, *ends, len(text)]) if a < b]


def _chopped(text: str, count: Count, most: int) -> list[Piece]:
    """Return a text in pieces of about even length, behind blanks if it has any, none above ``most``."""
    size = count(text)
    if size <= most or len(text) < 2:
        return [(text, size)]
    parts = min(len(text), max(2, math.ceil(1.1 * size / most)))
    each = len(text) / parts
    ends = [0]
    for i in range(1, parts):
        end = int(i * each)
        ends.append(max(text.rfind(" ", int(end - each / 2), end) + 1, 0) or end)
    return [
        one
        for a, b in pairwise([*ends, len(text)])
        if a < b
        for one in _chopped(text[a:b], count, most)
    ]


def terms_of(text: str) -> list[str]:
    """Return what a text is compared by: pairs of characters, numbers, and each word's beginnings.

    Two beginnings are a cheap stem: six letters for "calibrated" and "calibration", four for "ships".
    """
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        if _IS_WIDE.match(run):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        elif run.isalpha():
            found += {run[:6], run[:4]}
        else:
            found.append(run)
    return found


def bm25(
    documents: Sequence[Sequence[str]], query: Sequence[str], k: float = 1.2, b: float = 0.75
) -> list[float]:
    """Return how much each document has of the query; ``k`` and ``b`` are the method's usual ones."""
    wanted = set(query)
    found = [Counter(term for term in terms if term in wanted) for terms in documents]
    seen = Counter(term for counts in found for term in counts)
    total = len(documents)
    rare = {term: math.log(1 + (total - seen[term] + 0.5) / (seen[term] + 0.5)) for term in wanted}
    mean = sum(map(len, documents)) / max(1, total) or 1.0
    scores = []
    for terms, counts in zip(documents, found, strict=True):
        norm = k * (1 - b + b * len(terms) / mean)
        scores.append(sum(rare[term] * n * (k + 1) / (n + norm) for term, n in counts.items()))
    return scores
