"""Which language a turn asks to be translated into.

Every language named in the request gets a role from the words round it: target (``into French``),
source (``from French``, ``this French note``), or none. The strongest target wins. Names inside
the passage do not count.
"""

from __future__ import annotations

import re
from functools import lru_cache

from assistant.understand.cues import ends_of, size
from assistant.understand.detect import detect_language
from assistant.understand.languages import language_code, names, speakers
from assistant.understand.quotes import without_quotes
from assistant.understand.roles import CJK_RULES, LATIN_RULES, MEDIUM, SOURCE, WEAK
from assistant.understand.split import split_request

_TRANSLATES = re.compile(
    r"\btranslat|\bsay\b|\bput\b|\bcalled?\b|\bwrite\b|\brender|\brewrite|\bversion\b|\bconvert"
    r"|\bmean\b|\btraduc|\btradui|\btraduz|\btradur|\btradú|übersetz|\bsagt|heißt|\bdice\b|\bdit\b"
    r"|翻|译|怎么说|訳|言い|번역|перевед|перевест|\bturn\b|\bmake\b",
    re.IGNORECASE,
)

# 英译中, 中翻英, 汉译德; 英訳, 和訳: one character a language.
_SHORT = {
    "英": "en",
    "中": "zh",
    "汉": "zh",
    "漢": "zh",
    "日": "ja",
    "和": "ja",
    "邦": "ja",
    "法": "fr",
}
_SHORT |= {
    "德": "de",
    "独": "de",
    "仏": "fr",
    "西": "es",
    "韩": "ko",
    "俄": "ru",
    "意": "it",
    "露": "ru",
}
_SHORT_PAIR = re.compile(
    rf"[{''.join(_SHORT)}](?:译|翻译?|譯|到|转|->|→)成?([{''.join(_SHORT)}])(?!语|文|語|国)"
)
_SHORT_ONE = re.compile(rf"^\W*(?:译|翻)([{''.join(_SHORT)}])\s*[:：]")
_SHORT_JA = re.compile(rf"([{''.join(_SHORT)}])訳")

_SAFE_CODES = "en|zh|fr|de|es|ja|ko|ru|pt|ar|nl|pl|sv|tr|cs|vi|th|hu|ro|uk|fi|it|jp|cn|hi|el|he|da"
_CODE_AFTER = re.compile(
    r"(?:\b(?:in)?to\s+|(?:->|→|=>)\s*)(?P<code>" + _SAFE_CODES + r")(?:-[a-z]{2,4})?\b(?!['’])",
    re.IGNORECASE,
)
_CODE_FIRST = re.compile(
    r"^\s*(?P<code>" + _SAFE_CODES + r")(?:-[a-z]{2,4})?\s*[:：]", re.IGNORECASE
)
_CODE_PAIR = re.compile(
    rf"^\W*(?:{_SAFE_CODES})\s*(?:-+>?|→|=>|>|/|2)\s*(?P<code>{_SAFE_CODES})\s*[:：]", re.IGNORECASE
)
_CAPITALS = "|".join(code.upper() for code in _SAFE_CODES.split("|"))
_CAPITAL_PAIR = re.compile(
    rf"^\W*(?:{_CAPITALS})\s*(?:-+>?|–|→|=>|>|/|2)\s*(?P<code>{_CAPITALS})(?![^\W_])"
)
_FIELD = re.compile(
    r"(?:^|\n|[.。!?！？])[^\S\n]*(?:target(?: lang(?:uage)?)?|zielsprache|langue cible|目标语言|目標言語"
    r"|idioma(?: de)? destino)\s*[:：=]\s*(?P<name>[^\W\d_]{2,20})",
    re.IGNORECASE,
)
_ENGLISH_WORDS = frozenset(
    ["it", "he", "hi", "no", "da", "de", "el", "es"]
)  # codes that are words as well

_SPEAKERS = re.compile(
    r"\bhow (?:do|would|does|might|could) (?P<who>"
    + "|".join(sorted(map(re.escape, speakers()), key=len, reverse=True))
    + r") (?:say|put|express|call|write|phrase)",
    re.IGNORECASE,
)


def target_language(turn: str) -> str | None:
    """Return the code of the language that ``turn`` asks to be put into, ``None`` if not named."""
    field = _FIELD.search(turn)
    if field and (named := language_code(field["name"])):
        return named
    request, passage = split_request(turn)
    if passage is None:
        request = without_quotes(request)
    request = ends_of(request)
    short = _short_form(request)
    if short:
        return short
    best: tuple[int, int, str] | None = None
    for start, end, code in _mentions(request):
        weight = _weight(request, start, end)
        if weight <= MEDIUM and passage and size(passage) > 1 and detect_language(passage) == code:
            continue  # `translate this text in French: Le chien dort` names the source
        if weight == MEDIUM and not _in_is_meant(request, end):
            continue
        alone = not re.search(r"\w", request[:start] + request[end:])  # `"Good night." Spanish?`
        if weight == WEAK and not (alone or (_TRANSLATES.search(request) and len(request) < 60)):
            continue
        if weight > 0 and (best is None or weight >= best[0]):
            best = (weight, start, code)
    return best[2] if best else None


def translation_direction(
    turn: str, to: str | None = None, default: tuple[str, str] = ("en", "zh")
) -> tuple[str, str]:
    """Return the languages to translate from and to; they are never the same.

    ``to`` (a code or a name) goes over what the turn says. With no target named anywhere, a text
    in ``default[0]`` goes to ``default[1]`` and any other to ``default[0]``.
    """
    target = (language_code(to) if to else None) or target_language(turn)
    request, passage = split_request(turn)
    source = detect_language(passage if passage is not None else without_quotes(request))
    if target is None:
        target = default[1] if source == default[0] else default[0]
    if source == target:
        # The text is in its target language already, or too short to tell: take the other one.
        named = _source_named(ends_of(request))
        source = named if named and named != target else default[target == default[0]]
        if source == target:
            source = default[0] if target != default[0] else default[1]
    return source, target


def _source_named(request: str) -> str | None:
    for start, end, code in _mentions(request):
        if _weight(request, start, end) == SOURCE:
            return code
    return None


def _short_form(request: str) -> str | None:
    pairs = (
        _SHORT_PAIR.findall(request) or _SHORT_JA.findall(request) or _SHORT_ONE.findall(request)
    )
    if pairs:
        return _SHORT[pairs[-1]]
    who = _SPEAKERS.search(request)
    if who:
        return speakers()[who["who"].lower()]
    for pattern in (_CODE_PAIR, _CAPITAL_PAIR, _CODE_AFTER, _CODE_FIRST):
        match = pattern.search(request)
        if match:
            code = match["code"]
            alone = request[match.end() :].strip(" .?!:：,") == "" or pattern is not _CODE_AFTER
            if code.lower() not in _ENGLISH_WORDS or (alone and code.isupper()) or "->" in request:
                return language_code(code)
    return None


@lru_cache(maxsize=1)
def _name_pattern() -> re.Pattern[str]:
    latin: list[str] = []
    other: list[str] = []
    for name in sorted(names(), key=len, reverse=True):
        cjk = re.search("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", name)
        (other if cjk else latin).append(re.escape(name))
    return re.compile(
        rf"(?<![^\W_])(?P<latin>{'|'.join(latin)})(?![^\W_])|(?P<cjk>{'|'.join(other)})",
        re.IGNORECASE,
    )


def _mentions(request: str) -> list[tuple[int, int, str]]:
    return [
        (match.start(), match.end(), names()[match.group().lower()])
        for match in _name_pattern().finditer(request)
    ]


def _weight(request: str, start: int, end: int) -> int:
    left, right = request[max(0, start - 60) : start], request[end : end + 40]
    cjk = re.match("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", request[start:end]) is not None
    for left_rule, right_rule, weight in _compiled(cjk):
        if left_rule.search(left) and right_rule.search(right):
            return weight
    return WEAK


@lru_cache(maxsize=2)
def _compiled(cjk: bool) -> tuple[tuple[re.Pattern[str], re.Pattern[str], int], ...]:
    rules = CJK_RULES if cjk else LATIN_RULES
    flags = re.IGNORECASE
    return tuple((re.compile(r.left, flags), re.compile(r.right, flags), r.weight) for r in rules)


_GOES_ON = re.compile(
    r"^\s*(?:$|[^\w\s]|…|(?:please|pls|plz|and|to|for|if|so|but|without|using|with|keep|keeping|the"
    r"|this|that|what|how|when|instead|rather|again|too|as|or|is|thanks|thank|only|now|by|using"
    r"|bitte|s'il|svp|por favor)\b)|^[^\x00-\x7f]",
    re.IGNORECASE,
)


def _in_is_meant(request: str, end: int) -> bool:
    """Tell ``in French, please`` from ``in French cuisine``: a thing's name must not follow."""
    return bool(_GOES_ON.search(request[end:])) or bool(_TRANSLATES.search(request))
