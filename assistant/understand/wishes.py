"""Parts a text from a wish for a language that stands before or behind it: ``… (in French)``.

Such a wish names a language and says nothing else (``French please``, ``Put that in Japanese.``),
or it asks for a version in the language (``Give me the English for: …``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from assistant.understand.cues import MANY, asks, names_language, size
from assistant.understand.followup import refers_back
from assistant.understand.languages import names

_LONGEST = 10  # words of a wish
_CODE_WISH = re.compile(
    r"(?:in |to |into )?(?:en|fr|de|es|zh|ja|ko|it|pt|ru)[ ,]+(?:please|pls|plz|bitte|stp|svp)\W*",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?P<text>.+?)(?P<wish>\s*[(（][^()（）\n]{2,30}[)）]|\n\s*[^\n]{2,60})\s*", re.DOTALL
)
_BEFORE_TEXT = re.compile(
    r"(?P<wish>[^\n:：]{2,60}?)\s*(?:\n|\s[-–—]+\s|:\s|：)\s*(?P<text>\S.*)", re.DOTALL
)
_FIELD_BEHIND = re.compile(
    r"(?P<text>.+?)(?P<wish>(?:\n|(?<=[.!?。！？])[ \t]+)(?:target(?: language)?|zielsprache|langue cible"
    r"|idioma(?: de)? destino|目标语言|目標言語)\s*[:：]\s*[^\W\d_]{2,20}\s*[.。]?)\s*",
    re.DOTALL | re.IGNORECASE,
)
_TRANSLATES = re.compile(r"trans|tradu|tradú|übers|翻|译|譯|訳|번역|перевед", re.IGNORECASE)
_CHARACTERS = "英中汉漢日和法仏德独西韩俄意露"


def by_wish(turn: str) -> tuple[str, str] | None:
    """Return a wish that stands before a text, and the text; ``None`` where none plainly does."""
    before = _BEFORE_TEXT.fullmatch(turn)
    # `Will you translate it into Greek?` may be the text, and what is asked stand on the last line.
    tail = before["text"].rpartition("\n")[2] if before and "\n" in turn else ""
    if before and is_wish(before["wish"]) and not (asks(tail) and size(tail) <= 2 * MANY):
        return before["wish"], before["text"]
    asked = _wanted().match(turn)
    if asked and size(asked["wish"]) <= _LONGEST and size(asked["text"]) >= 2:
        return asked["wish"], asked["text"]
    return None


def behind_text(turn: str) -> tuple[str, str] | None:
    """Return the wish on the last line, or in brackets at the end, with the text before it."""
    match = _BEHIND.fullmatch(turn)
    wish = match["wish"].strip() if match else ""
    joins = re.match(r"(?:and|or|und|oder|et|ou|y|o)\b(?!.*[?？])", wish, re.IGNORECASE)
    if match and not joins and is_wish(wish) and size(match["text"]) > 1:
        return wish, match["text"].rstrip()
    return None


def moved(request: str, passage: str) -> tuple[str, str]:
    """Return both with a wish for a language at the passage's end moved to the request.

    Only where the request asks for a translation without naming a language itself.
    """
    if names_language(request) or not _TRANSLATES.search(request):
        return request, passage
    behind = _FIELD_BEHIND.fullmatch(passage)
    parted = (behind["wish"].strip(), behind["text"]) if behind else behind_text(passage)
    if parted is None or not names_language(parted[0]):
        return request, passage
    return f"{request}\n{parted[0]}", parted[1].rstrip()


def is_wish(text: str) -> bool:
    """Tell whether ``text`` names a language and, but for small words, nothing else."""
    if size(text) > _LONGEST:
        return False
    return _CODE_WISH.fullmatch(text.strip()) is not None or (
        names_language(text) and refers_back(text)
    )


@lru_cache(maxsize=1)
def _wanted() -> re.Pattern[str]:
    """Compile what asks for a version in a language and then gives the text."""
    latin = "|".join(re.escape(name) for name in names() if name[0].isascii())
    wide = "|".join(re.escape(name) for name in names() if not name[0].isascii())
    forms = (
        rf"[^\n:：?？.]*?\bthe (?:{latin}) for\b[^\n:：?？.]*?",
        rf"(?:[^\n:：?？.]*?\b)?(?:{latin}) (?:version|translation|equivalent)\b[^\n:：?？.]*?(?=[:：])",
        rf"(?:version|traduction|traducción|versión|versione|tradução) (?:{latin})\b[^\n:：?？.]*?",
        rf"how (?:would|do|does) (?:an? |the )?(?:{latin})s? (?:say|put)\b[^\n:：?？.]*?",
        rf"(?:{wide})(?:で|に)[^\n:：?？。]*?",
        rf"[{_CHARACTERS}](?:文|語|语)?(?:→|->|译|訳|翻)[{_CHARACTERS}]?(?:文|語|语)?",
        rf"[{_CHARACTERS}]文?[{_CHARACTERS}](?:訳|译)",
    )
    form = "|".join(forms)
    return re.compile(
        rf"(?P<wish>(?:{form})\s*(?:[:：?？]))\s*(?P<text>\S.*)", re.IGNORECASE | re.DOTALL
    )
