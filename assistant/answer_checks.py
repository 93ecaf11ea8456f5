"""What is plainly wrong with an answer and can be seen while it is written: echoes, wrong script, loops.

A small model sometimes says the text again instead of translating it, or says the same over and over.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_SCRIPTS = {
    "zh": "CJK",
    "ja": "CJK HIRAGANA KATAKANA",
    "ko": "HANGUL CJK",
    "ru": "CYRILLIC",
    "uk": "CYRILLIC",
    "bg": "CYRILLIC",
    "el": "GREEK",
    "ar": "ARABIC",
    "fa": "ARABIC",
    "ur": "ARABIC",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "bn": "BENGALI",
    "ta": "TAMIL",
    "th": "THAI",
}
_LATIN = "LATIN"

_SURE = 24
"""Letters (a Chinese one counts as three) from which on a wrong script or an echo is no accident (a name, a short quote)."""

_LEAST_SOURCE = 12
"""Letters of a source below which its translation may well be the same (names, numbers, codes)."""

_PERIODS = range(1, 201)
_TIMES = 4
_LEAST_LOOP = 60


@dataclass(frozen=True, slots=True)
class TranslationWatch:
    """Looks at a translation as it grows: ``source`` is the text, ``target`` the language wanted."""

    source: str
    target: str

    def suspicious(self, answer: str) -> bool:
        """Tell whether the answer so far may turn out to be wrong: better not shown yet.

        One without any letter (a quotation mark, the number of a list) may still become anything.
        """
        letters, (source, size) = _letters(answer), _source_letters(self.source)
        if size < _LEAST_SOURCE:
            return False
        return source.startswith(letters) or self._wrong_script(letters)

    def wrong(self, answer: str, *, whole: bool = False) -> bool:
        """Tell whether the answer is an echo of the source or in a wrong script, beyond doubt.

        ``whole`` says that nothing will follow.
        """
        letters, (source, size) = _letters(answer), _source_letters(self.source)
        if not self.suspicious(answer):
            return False
        if self._wrong_script(letters):
            return _size(letters) >= _SURE or (whole and _size(letters) >= _LEAST_SOURCE)
        return _size(letters) >= min(2 * _SURE, size) or (whole and letters == source)

    def _wrong_script(self, letters: str) -> bool:
        """Tell whether no letter is of the target's script, though the source has letters of another."""
        wanted = _SCRIPTS.get(self.target, _LATIN)
        if any(_script(letter) in wanted for letter in letters):
            return False
        return not all(_script(letter) in wanted for letter in _source_letters(self.source)[0])


def loop_start(text: str) -> int | None:
    """Return where a text begins to say for the second time what it then repeats to its end.

    ``None`` unless the same stretch, of at most 200 characters, stands at the end four times in a row
    and takes at least 60 characters (20 Chinese ones): refrains and rows of dashes in tables are no loops.
    """
    for period in _PERIODS:
        span = period * _TIMES
        if span > len(text):
            return None
        if text[-span:-period] != text[-span + period :] or _size(text[-span:]) < _LEAST_LOOP:
            continue
        unit = text[-period:]
        if not any(character.isalnum() for character in unit):
            continue
        start = len(text) - span
        while start >= period and text[start - period : start] == unit:
            start -= period
        return start + period
    return None


def _size(text: str) -> int:
    """Return a length in Latin letters; Chinese, Japanese and Korean say more with each."""
    return sum(3 if character > "\u2e80" else 1 for character in text)


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text.casefold())


@lru_cache(maxsize=8)
def _source_letters(source: str) -> tuple[str, int]:
    """Return a source's letters and their size, which are asked for with every token of an answer."""
    letters = _letters(source)
    return letters, _size(letters)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0].split("-")[0]
