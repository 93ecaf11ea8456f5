"""Small disorder in a passage, as texts that people paste have it; what they mean stays.

Every function takes a passage and returns it changed, or as it was where it finds nothing to change.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Change = Callable[[str, random.Random], str]

_WORD = re.compile(r"(?<![\w#@/.])[a-zà-ÿ]{5,}(?![\w/@])")
_SENTENCE_GAP = re.compile(r"(?<=[.!?]) +(?=\S)|(?<=[。！？])(?=[^\s”」』）])")
_HALF_WIDTH = str.maketrans("，。！？：；（）", ",.!?:;()")
_QUOTES = (("“", "”"), ('"', '"'), ("«", "»"), ("「", "」"), ("„", "“"))
_TAGS = (("<text>\n", "\n</text>"), ("```\n", "\n```"), ("[", "]"), ("--- \n", "\n ---"))


def lower_case(text: str, rng: random.Random) -> str:
    """Return the text in small letters."""
    return text.lower()


def upper_case(text: str, rng: random.Random) -> str:
    """Return a short text in capitals; a long one stays, nobody writes so."""
    return text.upper() if len(text) < 120 else text


def typos(text: str, rng: random.Random) -> str:
    """Exchange or drop a letter inside of one to three longer words in small letters."""
    words = list(_WORD.finditer(text))
    for word in sorted(
        rng.sample(words, min(len(words), rng.randint(1, 3))), key=re.Match.start, reverse=True
    ):
        at = rng.randint(word.start() + 1, word.end() - 3)
        pair = text[at : at + 2]
        text = text[:at] + (pair[::-1] if rng.random() < 0.6 else pair[0]) + text[at + 2 :]
    return text


def no_end(text: str, rng: random.Random) -> str:
    """Drop the mark at the end."""
    return text.rstrip(".。!！ ")


def no_commas(text: str, rng: random.Random) -> str:
    """Drop commas, but those within numbers."""
    return re.sub(r",(?!\d)", "", text).replace("，", " ")


def half_width(text: str, rng: random.Random) -> str:
    """Write Chinese marks as Latin ones."""
    return text.translate(_HALF_WIDTH)


def wide_gaps(text: str, rng: random.Random) -> str:
    """Double the blank between some words, or put one behind Chinese marks."""
    if " " not in text:
        return re.sub(r"(?<=[，。！？])", " ", text).rstrip()
    return re.sub(r"(?<=\S) (?=\S)", lambda _: "  " if rng.random() < 0.15 else " ", text)


def line_breaks(text: str, rng: random.Random) -> str:
    """Begin a new line, or a new paragraph, at some ends of sentences."""
    gap = rng.choice(("\n", "\n\n"))
    return _SENTENCE_GAP.sub(lambda found: gap if rng.random() < 0.5 else found.group(), text)


def in_quotes(text: str, rng: random.Random) -> str:
    """Put the text in quotes, where it has none of its own."""
    opening, closing = rng.choice(_QUOTES)
    return text if re.search('[“”"«»„「」]', text) else f"{opening}{text}{closing}"


def in_tags(text: str, rng: random.Random) -> str:
    """Put the text between tags or fences."""
    opening, closing = rng.choice(_TAGS)
    return f"{opening}{text}{closing}"


_SAFE: tuple[Change, ...] = (wide_gaps, line_breaks, in_quotes, in_tags)
_CHANGES: dict[str, tuple[Change, ...]] = {
    "classification": (*_SAFE, lower_case, upper_case, typos, no_end, no_commas, half_width),
    "qa": (*_SAFE, typos),
    "summarization": (*_SAFE, typos),
    "translation": (in_quotes,),
}
"""What each task bears: an answer is copied from its passage, a translation shows what its text shows."""


def disordered(text: str, task: str, rng: random.Random, keep: Sequence[str] = ()) -> str:
    """Return a passage of ``task`` with one or two changes; what is in ``keep`` stays in it."""
    changes = _CHANGES.get(task, ())
    some = rng.sample(changes, min(len(changes), rng.choice((1, 1, 2))))
    for change in some:
        new = change(text, rng)
        if new.strip() and all(part in new for part in keep if part in text):
            text = new
    return text
