"""Small signs by which a line or sentence is known as a request about a text."""

from __future__ import annotations

import re

from assistant.understand.languages import names

# Words by which a sentence or line is known as a request about a text (not just any request).
CUES = re.compile(
    r"\b(?:translat\w+|summar\w+|tl;?dr|classif\w+|categori[sz]e\w*|label|sentiment|paraphrase"
    r"|condense|shorten|sum(?:s|med)? up|abstract of|short abstract|headline|gist|rephrase|proofread|in (?:one|a single|two|three|\d+)"
    r" (?:short )?(?:sentence|word|line|bullet)s?|bullet points?|key (?:points|takeaways)|recap"
    r"|(?:do|would|can|to) (?:you|i|we|one) (?:say|put)|what does (?:this|it|that) (?:say|mean)"
    r"|positive (?:or|and|vs\.?) negative|spam or|spam\?|is (?:this|it) spam|which (?:category|"
    r"label|topic|class|emotion|tone|intent|type|kind)|(?:type|kind) of question|\bintent\b"
    r"|\bemotions?\b"
    r"|(?:pick|choose|select)\b.{0,20}\b(?:one|from|between|of|among)|according to"
    r"|based on (?:the|this)|(?:using|from|only) the (?:passage|text|article|context)"
    r"|in the (?:passage|text|article)"
    r"|tradui\w+|traduction|résum\w+|class(?:e|er|ez)\b|comment (?:dit|dire|dit-on)"
    r"|übersetz\w+|fass\w* .{0,60}zusammen|zusammenfass\w+|klassifizier\w+|wie sagt man|was heißt"
    r"|traduc\w+|traduz\w+|tradur\w+|tradú\w+|resum\w+|clasific\w+|cómo se dice|riassum\w+)"
    r"|[中英汉日法德西韩俄][译翻][中英汉日法德西韩俄]"
    r"|翻译|翻譯|译成|译为|翻成|怎么说|怎麼說|怎么讲|总结|總結|概括|归纳|摘要|梗概|提炼|要点|缩写|标题"
    r"|分类|分類|归类|情感|情绪|判断|主题|意图|立场|属于|分为|归为|归入|标为|标注|正面|负面|垃圾|根据|译一下|什么意思"
    r"|訳し|翻訳|要約|分類|まとめて|번역|요약|분류|перевед\w*|переведи\w*|кратко",
    re.IGNORECASE,
)
POINTS_DOWN = re.compile(
    r"\b(?:this|these|the following|following|below|the (?:text|article|passage|sentence|email|"
    r"review|message|note|dialogue|conversation|paragraph|story|report)|it|ci-dessous|suivante?s?"
    r"|diese[nrsm]?|folgende\w*|siguientes?|est[eao]s?)\b|下面|以下|这|如下|次の|この|以下の|다음",
    re.IGNORECASE,
)
_JAPANESE_ASKS = re.compile("(?:す|た|の|だろう|でしょう)か。?$")
_TELLS = re.compile(
    r"(?:please )?(?:tell|name|give|pick|choose|find|decide|say|label|sort|file|read|bestimme|nenne|ordne"
    r"|donne|choisis|range|dime|etiqueta|elige)\b|请",
    re.IGNORECASE,
)
MANY = 30  # words; a request is rarely longer


def size(text: str) -> int:
    """Return about how many words ``text`` has; two Chinese characters make one."""
    wide = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))
    return len(re.findall(r"[^\W_]+", re.sub(r"[\u3040-\u30ff\u3400-\u9fff]", " ", text))) + (
        (wide + 1) // 2
    )


def ends_of(text: str, each: int = 2000) -> str:
    """Return a long text's head and tail: a request stands at either end of what people paste."""
    return text if len(text) <= 2 * each else f"{text[:each]}\n\n{text[-each:]}"


def asks(text: str) -> bool:
    return CUES.search(text) is not None


def names_language(text: str) -> bool:
    low = text.lower()
    return any(_whole(name, low) for name in names())


def _whole(name: str, low: str) -> bool:
    if name not in low:
        return False
    if not name.isascii():
        return True
    return re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", low) is not None


def tells(text: str) -> bool:
    """Tell a sentence that begins by telling what to do (``Sort these …``)."""
    return _TELLS.match(text) is not None


def is_question(text: str) -> bool:
    """Tell a question by its mark, in Japanese also by the か that ends it."""
    text = text.rstrip('"”’»」』) ')
    return text.endswith(("?", "？")) or _JAPANESE_ASKS.search(text) is not None


def is_request(line: str) -> bool:
    line = line.strip()
    return size(line) <= MANY and (asks(line) or is_question(line) or line.endswith((":", "：")))
