"""Parts a turn into the request and the passage it is about, by structure.

People mark a passage with quotes, with a colon, with a field name (``Text: …``) or with line
breaks, before or after the request; and say small things inline (``how do you say … in French``).
Where none of these is clear the answer is ``None``: a wrong cut is worse than no cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.understand.languages import names
from assistant.understand.quotes import find_quotes

Split = tuple[str, str | None]

# Words by which a sentence or line is known as a request about a text (not just any request).
CUES = re.compile(
    r"\b(?:translat\w+|summar\w+|tl;?dr|classif\w+|categori[sz]e\w*|label|sentiment|paraphrase"
    r"|condense|shorten|headline|gist|rephrase|proofread|in (?:one|a single|two|three|\d+)"
    r" (?:short )?(?:sentence|word|line|bullet)s?|bullet points?|key (?:points|takeaways)|recap"
    r"|(?:do|would|can|to) (?:you|i|we|one) (?:say|put)|what does (?:this|it|that) (?:say|mean)"
    r"|positive (?:or|and|vs\.?) negative|spam or|spam\?|is (?:this|it) spam|which (?:category|"
    r"label|topic|class|emotion|tone|intent|type|kind)"
    r"|(?:pick|choose|select)\b.{0,20}\b(?:one|from|between|of|among)|according to|based on (?:the|this)|in the (?:passage|text|article)"
    r"|tradui\w+|traduction|résum\w+|class(?:e|er|ez)\b|comment (?:dit|dire|dit-on)"
    r"|übersetz\w+|fass\w* .{0,60}zusammen|zusammenfass\w+|klassifizier\w+|wie sagt man|was heißt"
    r"|traduc\w+|traduz\w+|tradur\w+|tradú\w+|resum\w+|clasific\w+|cómo se dice|riassum\w+)"
    r"|[中英汉日法德西韩俄][译翻][中英汉日法德西韩俄]|翻译|翻譯|译成|译为|翻成|怎么说|怎麼說|怎么讲|总结|總結|概括|归纳|摘要|提炼|要点|缩写|标题"
    r"|分类|分類|归类|情感|情绪|判断|属于|分为|归为|归入|标为|标注|正面|负面|垃圾|根据|译一下|什么意思"
    r"|訳し|翻訳|要約|分類|まとめて|번역|요약|분류|перевед\w*|переведи\w*|кратко",
    re.IGNORECASE,
)
_POINTS_DOWN = re.compile(
    r"\b(?:this|these|the following|following|below|the (?:text|article|passage|sentence|email|"
    r"review|message|note|dialogue|conversation|paragraph|story|report)|it|ci-dessous|suivante?s?"
    r"|diese[nrsm]?|folgende\w*|siguientes?|est[eao]s?)\b|下面|以下|这|如下|次の|この|以下の|다음",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"^\s*(?:#+\s*|\*\*)?(?P<name>passage|context|text|article|document|paragraph|source|email|"
    r"e-mail|message|review|dialogue|dialog|conversation|transcript|notes|sentence|input|content|"
    r"tweet|comment|question|q|task|instructions?|options|labels|categories|choices|answer|a|"
    r"texte|contexte|frage|kontext|pregunta|texto|contexto|artículo|"
    r"文章|原文|文本|段落|材料|内容|短文|对话|评论|邮件|短信|背景|上下文|句子|问题|问|要求|任务|"
    r"指令|选项|标签|类别|答案|答|質問|文|本文)(?:\*\*)?\s*[:：](?:\*\*)?[ \t]*",
    re.IGNORECASE,
)
_ASKING_FIELDS = frozenset(
    [
        "question",
        "q",
        "task",
        "instruction",
        "instructions",
        "options",
        "labels",
        "categories",
        "choices",
        "answer",
        "a",
        "frage",
        "pregunta",
        "问题",
        "问",
        "要求",
        "任务",
        "指令",
        "选项",
        "标签",
        "类别",
        "答案",
        "答",
        "質問",
    ]
)
_FIELD_AHEAD = re.compile(
    r"(?<=[.!?。！？])[ \t]*(?=(?:question|q|text|passage|context|article|review|message|options|"
    r"labels|问题|文本|原文|短文|句子|选项|标签)[:：])",
    re.IGNORECASE,
)
_QUESTION_AFTER = re.compile(
    r"(?<=[.!?。！？])\s*(?=(?:question|q|options|labels|问题|选项|标签)[:：])", re.IGNORECASE
)
_MORE_REQUEST = re.compile(
    r"^(?:(?:please )?(?:choose|pick|select|answer|reply|respond) |options|labels|categories|"
    r"请?(?:从|选|只回答|只需)|选项|标签)",
    re.IGNORECASE,
)
_LIST_FIELDS = frozenset(
    ["options", "option", "labels", "categories", "choices", "选项", "标签", "类别"]
)
_LIST_AHEAD = re.compile(
    r"(?:one of(?: the following| these)?(?: \w+)?|options?|labels?|categories|classes|choices|"
    r"either|类别|标签|选项|以下\S{0,3}类|哪一?类|分类|之一|中选)(?: are| is)?\s*$",
    re.IGNORECASE,
)
_PRONOUNS = re.compile(
    r"^(?:this|that|it|these|those|the (?:following|above|below|previous|last|text|sentence)"
    r"|your|my|what|everything|them|into|to|for me|from|me|us|下面|以下|这|那|上面|刚才|它|把|请)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*\s+(?=\S)|(?<=[。！？])[”」』）]*\s*(?=\S)")
_MANY = 30  # words; a request is rarely longer


def split_request(turn: str) -> Split:
    """Return ``(request, passage)``; the passage is ``None`` when the turn has no clear one."""
    turn = turn.strip()
    for rule in (_by_quotes, _by_fields, _by_lines, _by_colon, _by_sentence, _inline):
        found = rule(turn)
        if found:
            request, passage = found
            request = " ".join(request.split()) if "\n" not in request else request.strip()
            return request, passage.strip()
    return turn, None


def size(text: str) -> int:
    """Return about how many words ``text`` has; two Chinese characters make one."""
    wide = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))
    return len(re.findall(r"[^\W_]+", re.sub(r"[\u3040-\u30ff\u3400-\u9fff]", " ", text))) + (
        (wide + 1) // 2
    )


def ends_of(text: str, each: int = 2000) -> str:
    """Return a long text's head and tail: a request stands at either end of what people paste."""
    return text if len(text) <= 2 * each else f"{text[:each]}\n\n{text[-each:]}"


def _by_quotes(turn: str) -> tuple[str, str] | None:
    quotes = find_quotes(turn)
    if not quotes:
        return None
    longest = max(quotes, key=lambda quote: len(quote.content))
    content = longest.content
    before, after = turn[: longest.start], turn[longest.end :]
    outside = f"{before} {after}"
    others = sum(size(quote.content) for quote in quotes if quote is not longest)
    if not size(content) or size(outside) > _MANY or not size(outside):
        return None
    if others and size(content) < 2 * others:
        return None  # several quotes alike: labels, or quotations within a passage
    # A colon with words between it and the quote: the quote is only a part of the passage.
    head = re.split(r"[:：]\s|：", before)
    if len(head) > 1 and head[-1].strip() and _asks(head[0]):
        return None
    if _is_inside_text(before, after):
        return None
    return f"{before.rstrip()} … {after.lstrip()}".strip(), content


def _is_inside_text(before: str, after: str) -> bool:
    """Tell whether a quotation stands inside running text (``He said "hi" and left.``)."""
    around = f"{before} {after}"
    if re.search(r"[:：]\s*$", before) or not after.strip(" .,;!?。，；！？"):
        # `Translate: She said "no".` has a colon and words before the quote, seen above.
        return not before.strip() or not (_asks(before) or re.search(r"[:：]\s*$", before))
    return not (_asks(around) or _names_language(around) or around.rstrip().endswith(("?", "？")))


def _asks(text: str) -> bool:
    return CUES.search(text) is not None


def _names_language(text: str) -> bool:
    low = text.lower()
    return any(_whole(name, low) for name in names())


def _whole(name: str, low: str) -> bool:
    if name not in low:
        return False
    if not name.isascii():
        return True
    return re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", low) is not None


def _by_fields(turn: str) -> tuple[str, str] | None:
    """Split at lines such as ``Passage: …`` and ``Question: …``."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in _FIELD_AHEAD.sub("\n", turn).split("\n"):
        field = _FIELD.match(line)
        if field:
            name = field["name"].lower()
            # `Options: a, b` keeps its name: it tells that these are labels.
            parts.append((name, [line if name in _LIST_FIELDS else line[field.end() :]]))
        else:
            parts[-1][1].append(line)
    named = [(name, "\n".join(lines).strip()) for name, lines in parts]
    passages = [text for name, text in named if name and name not in _ASKING_FIELDS and text]
    requests = [text for name, text in named if name in _ASKING_FIELDS | {""} and text]
    if len(passages) != 1 or not requests:
        return None
    # `Text: …` and then a blank line and the bare question: the question is not the text's.
    passage, blank, rest = passages[0].rpartition("\n\n")
    if blank and not any(n in _ASKING_FIELDS for n, _ in named) and _is_request(rest):
        return "\n".join([*requests, rest]), passage
    return "\n".join(requests), passages[0]


def _is_request(line: str) -> bool:
    line = line.strip()
    return size(line) <= _MANY and (_asks(line) or line.endswith(("?", "？", ":", "：")))


def _by_lines(turn: str) -> tuple[str, str] | None:
    lines = turn.split("\n")
    if len([line for line in lines if line.strip()]) < 2:
        return None
    head, tail = lines[0].strip(), lines[-1].strip()
    rest_after, rest_before = "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip()
    first, last = _strength(head), _strength(tail)
    if "\n\n" in turn and not first and not last:
        return _by_paragraphs(turn)
    if head.endswith((":", "：")) and (first or size(head) <= 12):
        if not _LIST_AHEAD.search(head.rstrip(" :：")):
            return head, rest_after
        return _by_paragraphs(turn)
    if first and first >= last:
        return head, rest_after
    if last:
        return tail, rest_before
    return None


def _strength(line: str) -> int:
    if not line or size(line) > _MANY:
        return 0
    question = line.endswith(("?", "？"))
    return 2 * _asks(line) + question + line.endswith((":", "：")) * (_asks(line) or size(line) < 8)


def _by_paragraphs(turn: str) -> tuple[str, str] | None:
    """Take the first or last paragraph (labels on several lines, say) as the request."""
    paragraphs = re.split(r"\n\s*\n", turn)
    if len(paragraphs) < 2:
        return None
    if _asks(paragraphs[0]) and size(paragraphs[0]) <= 2 * _MANY:
        return paragraphs[0], "\n\n".join(paragraphs[1:])
    if _is_request(paragraphs[-1]):
        return paragraphs[-1], "\n\n".join(paragraphs[:-1])
    return None


def _by_colon(turn: str) -> tuple[str, str] | None:
    colons = list(re.finditer(r":(?=\s)|：", turn))
    for colon, following in zip(colons, [*colons[1:], None], strict=False):
        prefix, rest = turn[: colon.start()], turn[colon.end() :].strip()
        if not rest or size(prefix) > _MANY:
            return None
        if _LIST_AHEAD.search(prefix) or _offers_labels(prefix, rest):
            continue  # what follows is a list of labels; the passage comes after the next colon
        if following is not None and _LIST_AHEAD.search(turn[: following.start()]):
            # `Review: … Options: …` - the passage ends where the sentence before the list ends
            continue
        if _asks(prefix) or _POINTS_DOWN.search(prefix) or _is_name(prefix):
            request = prefix + turn[colon.start()]
            passage, *question = _QUESTION_AFTER.split(rest, maxsplit=1)
            return " ".join([request, *question]), passage
    return None


def _offers_labels(prefix: str, rest: str) -> bool:
    """Tell ``Which emotion is it: happy or sad? …`` from a colon before a passage."""
    first = re.split(r"(?<=[?？])", rest)[0]
    return (
        first.endswith(("?", "？"))
        and size(first) <= 10
        and re.search(r"\bor\b|还是|\bou\b|\boder\b", first) is not None
        and re.search(r"\b(?:which|what|is it|tell me)\b|哪|什么", prefix, re.I) is not None
        and re.search(r"translat|summar|翻译|总结", prefix, re.I) is None
    )


def _is_name(prefix: str) -> bool:
    """Tell whether a short prefix names a language or a task (``French please: …``)."""
    return size(prefix) <= 4 and (
        _names_language(prefix) or re.fullmatch(r"[A-Za-z]{2}(-[A-Za-z]{2})?", prefix) is not None
    )


def _by_sentence(turn: str) -> tuple[str, str] | None:
    """Take the first or the last sentence as the request when it points at the others."""
    if "\n" in turn:
        return None
    cuts = [match.end() for match in _SENTENCE_END.finditer(turn)]
    if not cuts:
        return None
    end = cuts[-1]
    before, last = turn[:end].strip(), turn[end:].strip()
    if _asks(last) and size(last) <= _MANY and not _asks(before):
        return last, before
    end = cuts[0]
    for cut in cuts[1:]:
        if not _MORE_REQUEST.match(turn[end:cut]):
            break
        end = cut
    first, rest = turn[:end].strip(), turn[end:].strip()
    if _asks(first) and _POINTS_DOWN.search(first) and size(first) <= _MANY and size(rest) >= 4:
        return first, rest
    return None


def _inline(turn: str) -> tuple[str, str] | None:
    for pattern in _inline_patterns():
        match = pattern.match(turn)
        if match and not _PRONOUNS.match(match["text"].strip()):
            text = match["text"]
            start, end = match.span("text")
            if size(text):
                return f"{turn[:start]} … {turn[end:]}", text
    return None


def _inline_patterns() -> Iterator[re.Pattern[str]]:
    yield from _INLINE


def _compile_inline() -> tuple[re.Pattern[str], ...]:
    language = "(?:" + "|".join(sorted(map(re.escape, names()), key=len, reverse=True)) + ")"
    text = r"(?P<text>\S.*?)"
    polite = r"(?:please |pls |can you |could you |would you |hey,? )*"
    forms = (
        rf"{polite}translate {text},? (?:in|into|to) (?:\w+ )?{language}(?: (?:please|for me))?[.?!]*$",
        rf"(?:and )?how (?:do|would|can|should) (?:you|i|we|one) (?:say|write|put) {text}"
        rf" in (?:\w+ )?{language}[ .?!]*$",
        rf"what(?:'s|’s|s| is| are) (?:the )?{language}(?: word| phrase| term)? for {text}[ .?!]*$",
        rf"what(?:'s|’s|s| is| are) {text} in {language}[ .?!]*$",
        rf"comment (?:dit-on|on dit|dire|dit on) {text} en {language}[ .?!]*$",
        rf"(?:traduis|traduire|traduisez)(?:-moi)? {text} en {language}[ .?!]*$",
        rf"wie (?:sagt man|sage ich|heißt) {text} auf {language}[ .?!]*$",
        rf"(?:übersetze?|übersetzen sie) {text} (?:ins|auf|nach) {language}[ .?!]*$",
        rf"¿?cómo se dice {text} en {language}[ .?!]*$",
        rf"(?:traduce|traducir|traduzca) {text} (?:al|en) {language}[ .?!]*$",
        rf"(?:请|请问)?(?:用)?{language}(?:里|中)?(?:怎么|如何)(?:说|讲|写|表达)[:：，, ]*{text}[。？?！!]*$",
        rf"(?:请问)?{text}(?:用|的){language}(?:怎么|如何|该怎么|是什么|是啥|叫什么)"
        r"(?:说|讲|写|表达)?[呢啊]?[。？?！!]*$",
        rf"(?:请|帮我|麻烦)*(?:把|将){text}(?:翻译|译|翻)(?:成|为|到){language}[吧。？?！!]*$",
        rf"{text}(?:は|って|を){language}で(?:何|なん|どう).*$",
    )
    return tuple(re.compile(form, re.IGNORECASE) for form in forms)


_INLINE = _compile_inline()
