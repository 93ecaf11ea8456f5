"""Which language a turn asks to be translated into.

Every language named in the request gets a role from the words round it: target (``into French``),
source (``from French``, ``this French note``), or none. The strongest target wins. Names inside
the passage do not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from assistant.understand.detect import detect_language
from assistant.understand.languages import language_code, names, speakers
from assistant.understand.quotes import without_quotes
from assistant.understand.split import ends_of, split_request

_STRONG, _MEDIUM, _WEAK = 9, 6, 3
_SOURCE = -1

_TRANSLATES = re.compile(
    r"\btranslat|\bsay\b|\bput\b|\bcalled?\b|\bwrite\b|\brender|\brewrite|\bversion\b|\bconvert"
    r"|\bmean\b|\btraduc|\btradui|\btraduz|\btradur|\btradú|übersetz|\bsagt|heißt|\bdice\b|\bdit\b"
    r"|翻|译|怎么说|訳|言い|번역|перевед|перевест|\bturn\b|\bmake\b",
    re.IGNORECASE,
)

# Words that may stand between "into" and the language.
_MANNER = (
    r"(?:(?:a|an|the|simple|plain|natural|everyday|formal|informal|casual|good|proper|fluent"
    r"|modern|idiomatic|polite|colloquial|correct|nice|perfect|standard|native|spoken|written"
    r"|business|simplified|traditional|american|british|brazilian|mexican|european|canadian"
    r"|bon|gutes?|buen|flüssiges|einfaches)\s+)*"
)
_NOUNS = (
    r"(?:[\s-]+(?:language\s+)?(?:texts?|sentences?|phrases?|words?|paragraphs?|passages?|articles?"
    r"|e-?mails?|messages?|notes?|letters?|lines?|quotes?|reviews?|posts?|tweets?|comments?"
    r"|originals?|documents?|poems?|lyrics|songs?|recipes?|menus?|titles?|headlines?|signs?"
    r"|sayings?|proverbs?|idioms?|expressions?|stor(?:y|ies)|speech|snippets?|source|blog|contract"
    r"|instructions?|label|manual|website|page|greeting|verb|one|bit|part|stuff|thing)\b)"
)
_DETERMINERS = (
    r"(?:\b(?:this|that|these|those|the|my|his|her|our|their|your|a|an|some|following|below|above"
    r"|short|long|little|old|original|attached|two|three|few|another|any|le|la|cette|ce|cet|ces"
    r"|dies\w*|folgende\w*|est[ea]|esa|der|die|das|den|dem|el|una?|une)\s+)"
)
_WHICH = r"(?:version|translation|equivalent|rendering|counterpart|edition|traduction|übersetzung"
_RESULT = rf"^[\s-]+(?:language\s+)?{_WHICH}|fassung|versión|traducción|versione|tradução|versão)\b"
_CJK_THING = (
    r"^的?(?:这|那)?(?:句子?|段|篇|文章|原文|邮件|信|歌词?|单词|短语|文本|合同|新闻|台词|评论|短信|留言"
    r"|菜单|说明书?|便条|诗|内容|资料|材料|文件|短文|话|文$|の)"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A role for a language whose left and right context match; the first rule that fits holds."""

    weight: int
    left: str = ""
    right: str = ""


_LATIN_RULES = (
    # the word for it, the version in it: what is asked for, whatever stands in front
    _Rule(_SOURCE, r"\bfrom (?:the |its )?(?:original )?$"),
    _Rule(
        _SOURCE,
        r"\b(?:desde el|depuis (?:le|l')|aus dem|vom|del|du|de l'|dal|dall'|do|с|из|von)\s*$",
    ),
    _Rule(_SOURCE, r"\b(?:translat\w+|translate) (?:the |this )$", _RESULT),
    _Rule(_STRONG, r"", _RESULT),
    _Rule(_STRONG, r"\b(?:versión|version|traduction|traducción|übersetzung|traduzione) $"),
    _Rule(
        _STRONG,
        r"",
        r"^\s+(?:word|term|phrase|expression|name|way|verb|noun|translation)s?\s+(?:for|of|to say)\b",
    ),
    _Rule(_STRONG, r"(?:'s|’s|\bis|\bwhats|\bare|\bthe|\bgive me|\bin) (?:the )?$", r"^\s+for\b"),
    _Rule(_SOURCE, _DETERMINERS + r"$", _NOUNS),
    _Rule(_SOURCE, r"\b(?:this|these|that|those|cette|ce|cet|ces|dies\w*|est[ea]|esa?) $"),
    _Rule(
        _SOURCE,
        r"\b(?:speak|read|understand|learn|learning|study|studying|know|teach|my|habla|parle)"
        r"(?: (?:any|much|a bit of|some|good|enough))? $",
    ),
    _Rule(
        _SOURCE,
        r"\b(?:text|sentence|article|e-?mail|message|note|letter|poem|it|this|that|which|wrote|written"
        r"|sent|received|got|posted|replied|phrase|passage|review|original|song|document)"
        r"(?:'s|’s)?(?: (?:is|was|are|were|me|us|this|that|it|all|only|originally|came))+ in $",
    ),
    _Rule(_SOURCE, r"\b(?:written|escrito|escrita|écrite?s?|geschrieben) (?:in|en|auf) $"),
    # into it, to it
    _Rule(
        _STRONG,
        r"(?:\b(?:into|to|2|zu|nach|ins|auf|vers|al|à l'|au|hacia el|hacia|para o|para|на|po|all'"
        r"|in das|in die|ao|pro|in het|naar het|till)\s*|→\s*|[-=]+>\s*|»\s*|>\s*)"
        + _MANNER
        + r"$",
    ),
    _Rule(_STRONG, r"\w[\s-]*(?:→|->|=>|/|>|-)\s*$"),
    _Rule(_MEDIUM, r"\b(?:in|en|em|på)\s+" + _MANNER + r"$"),
    _Rule(_STRONG, r"", r"^\s*,?\s*(?:please|pls|plz|bitte|s'il|por favor)"),
    _Rule(_SOURCE, r"", _NOUNS),
    _Rule(
        _MEDIUM,
        r"\bfor (?:a |an |my |our |the |some )$",
        r"^[\s-]+(?:speak|friend|col|boss|custom"
        r"|client|audience|grand|team|partner|neighbo|host|guest|teacher|reader|user|market)",
    ),
    _Rule(_MEDIUM, r"(?:^|[.?!]\s)\s*(?:(?:now|and|same|also|again|ok|then)[, ]+)*$", r"^\s*[:：]"),
    _Rule(_SOURCE, r"\b(?:is|isn't|was) (?:this|it|that) $"),
    _Rule(_WEAK),
)

_CJK_RULES = (
    _Rule(
        _SOURCE,
        r"(?:从|由|自|這句|这(?:句|段|篇|封|个|条|首|些|份|张|则|几句|是|里是)?|那(?:句|段|篇)?)$",
    ),
    _Rule(_SOURCE, r"(?:看不懂|不会|不懂|学|是用|写的是|原文是|原文为)$"),
    _Rule(_SOURCE, r"", r"^(?:文章?)?(?:に|へ|を|から|から)?(?:翻译|翻譯|译|翻)(?:成|为|到|至|過)"),
    _Rule(_SOURCE, r"", r"^(?:から|을|를|에서)"),
    _Rule(_SOURCE, r"(?:この|その|次の|以下の|下の)$"),
    _Rule(
        _STRONG,
        r"(?:译|翻|譯|转|换|改|写|变|说|讲|弄|做|整|表达|翻译|翻譯|转换|转化)(?:成|为|作|到|至|回|過|過來|一下)?"
        r"(?:一[段份句个]|地道的?|自然的?|正式的?|口语化?的?|流利的?|简单的?|标准的?|通顺的?|对应的?)*$",
    ),
    _Rule(_STRONG, r"(?:成|为|到|至|->|→|=>|－>)\s*(?:地道的?|自然的?|正式的?|流利的?|标准的?)*$"),
    _Rule(_SOURCE, r"(?:下面|以下|下列|上面|一段|一句|一篇|一封)的?$", r"^(?!怎么|如何|版)"),
    _Rule(
        _STRONG,
        r"",
        r"^(?:訳|版本?|译文|譯文|翻译(?!成|为|到)|翻譯|说法|表达|怎么|怎麼|如何|咋|该怎么|里怎|中怎|是什么|是啥|叫什么|叫啥)",
    ),
    _Rule(_STRONG, r"", r"^(?:に|へ)(?!翻译)"),
    _Rule(_STRONG, r"", r"^(?:で|では|だと)"),
    _Rule(_STRONG, r"", r"^(?:로|으로)"),
    _Rule(_SOURCE, r"", _CJK_THING),
    _Rule(_STRONG, r"用(?:地道的?|自然的?|正式的?|标准的?|流利的?|简单的?)?$"),
    _Rule(_MEDIUM, r"(?:以|要|来|给我|出|求|请说|需要|想要|看|的)$"),
    _Rule(_MEDIUM, r"^\s*(?:请)?$", r"^\s*[:：]"),
    _Rule(_MEDIUM, r"", r"^\s*(?:呢|は|では)?\s*[?？]"),
    _Rule(_WEAK),
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
_SHORT_JA = re.compile(rf"([{''.join(_SHORT)}])訳")

_SAFE_CODES = "en|zh|fr|de|es|ja|ko|ru|pt|ar|nl|pl|sv|tr|cs|vi|th|hu|ro|uk|fi|it|jp|cn|hi|el|he|da"
_CODE_AFTER = re.compile(
    r"(?:\b(?:in)?to\s+|(?:->|→|=>)\s*)(?P<code>" + _SAFE_CODES + r")(?:-[a-z]{2,4})?\b(?!['’])",
    re.IGNORECASE,
)
_CODE_FIRST = re.compile(
    r"^\s*(?P<code>" + _SAFE_CODES + r")(?:-[a-z]{2,4})?\s*[:：]", re.IGNORECASE
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
        if weight <= _MEDIUM and passage is not None and detect_language(passage) == code:
            continue  # `translate this text in French: Le chien dort` names the source
        if weight == _MEDIUM and not _in_is_meant(request, end):
            continue
        if weight == _WEAK and not (_TRANSLATES.search(request) and len(request) < 60):
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
        if _weight(request, start, end) == _SOURCE:
            return code
    return None


def _short_form(request: str) -> str | None:
    pairs = _SHORT_PAIR.findall(request) or _SHORT_JA.findall(request)
    if pairs:
        return _SHORT[pairs[-1]]
    who = _SPEAKERS.search(request)
    if who:
        return speakers()[who["who"].lower()]
    for pattern in (_CODE_AFTER, _CODE_FIRST):
        match = pattern.search(request)
        if match:
            code = match["code"]
            alone = request[match.end() :].strip(" .?!:：,") == "" or pattern is _CODE_FIRST
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
    return _WEAK


@lru_cache(maxsize=2)
def _compiled(cjk: bool) -> tuple[tuple[re.Pattern[str], re.Pattern[str], int], ...]:
    rules = _CJK_RULES if cjk else _LATIN_RULES
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
