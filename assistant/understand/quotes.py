"""Finds quoted parts of a text, in the quotation marks of many languages.

A scanner rather than one regular expression: with thousands of openings and no closing mark, an
expression looks for the end from every one of them, and a long paste would take minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Opening mark, closing mark, and whether the quotation must end on its line. An apostrophe inside
# a word neither opens nor closes; inch marks and the like are kept out in the same way.
_KINDS: tuple[tuple[str, str, bool], ...] = (
    (r"```[^\n`]*\n", r"\n?```", False),
    (r'"""', r'"""', False),
    ("“", "”", False),
    ("«\\s?", "\\s?»", False),
    ("「", "」", False),
    ("『", "』", False),
    ("《", "》", False),
    ("„", '[“”"]', False),
    (r"(?<!\w)‘", r"’(?!\w)", True),
    (r'(?<![^\W\d_])"|(?<=[\u4e00-\u9fff：])"', '"', False),
    (r"(?<![\w'])'(?=\S)", r"'(?!\w)", True),
)
_OPEN = re.compile("|".join(f"(?P<k{i}>{opening})" for i, (opening, _, _) in enumerate(_KINDS)))
_CLOSE = tuple(re.compile(closing) for _, closing, _ in _KINDS)


@dataclass(frozen=True, slots=True)
class Quote:
    """A quoted part: ``text[start:end]`` with its marks, ``content`` without."""

    start: int
    end: int
    content: str


def find_quotes(text: str) -> list[Quote]:
    """Return the quoted parts of ``text`` in order; a quotation within one is part of it."""
    found: list[Quote] = []
    closings: dict[int, re.Match[str] | None] = {}
    position = 0
    while opening := _OPEN.search(text, position):
        kind = int((opening.lastgroup or "k0")[1:])
        start = opening.end()
        position = start
        closing = closings.get(kind)
        # What was found for an earlier opening still holds when it lies ahead.
        if kind not in closings or (closing and closing.start() < start):
            closing = closings[kind] = _CLOSE[kind].search(text, start)
        if closing is None or closing.start() == start:
            continue
        if _KINDS[kind][2] and text.find("\n", start, closing.start()) >= 0:
            continue
        found.append(Quote(opening.start(), closing.end(), text[start : closing.start()]))
        position = closing.end()
    return found


def without_quotes(text: str) -> str:
    """Return ``text`` with each quoted part replaced by ``…``."""
    pieces, position = [], 0
    for quote in find_quotes(text):
        pieces += [text[position : quote.start], "…"]
        position = quote.end
    return "".join([*pieces, text[position:]])
