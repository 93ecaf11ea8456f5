"""The labels that a turn itself gives to choose from.

Looked for in this order, most explicit first: a list after a marker (``Options: …``), a list in
brackets, a list before a marker (``A、B、C中的哪一个``), items joined by *or* in a question, items
joined by slashes, a bare list after a colon. Only the request is searched, never the passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from assistant.understand.cues import CUES, ends_of, size
from assistant.understand.split import split_request

_MAX_LABELS, _MAX_WORDS, _MAX_CHARS = 60, 6, 48

_MARKER = re.compile(
    r"(?:\b(?:possible |candidate |allowed |valid |available |given |the |following |these )*"
    r"(?:labels?|options?|categor(?:y|ies)|class(?:es)?|choices|tags|buckets|topics|answers?)"
    r"(?: (?:are|is|to choose from|to use|include|set))?\s*[:=：]"
    r"|\b(?:labels|options|categories|classes|choices|topics|tags) (?:are|include)\b\s*[:：]?"
    r"|\b(?:one|any|which|either) of(?: (?:the )?(?:following|these|those)(?: \w+)?)?"
    r"(?: (?:the )?(?:labels?|options?|categor(?:y|ies)|classes|choices|tags|buckets|topics|types))?"
    r"\s*[:：]?"
    r"|\b(?:choose|pick|select)(?: \w+){0,2} (?:from|between|among|of)"
    r"(?: (?:the )?(?:following|these))?\s*[:：]?"
    r"|\b(?:between|among|amongst)\b\s*[:：]?"
    r"|\b(?:in|into|under|as|to|with)"
    r"(?: (?:one of|either|the (?:categories|labels|classes)|these (?:\w+)))+\s*[:：]?"
    r"|\b(?:étiquettes|catégories|options|optionen|kategorien|labels|opciones|categorías|etiquetas"
    r"|klassen)\s*[:：]"
    r"|(?:标签|选项|类别|分类|类型|候选项?|备选|可选|范围|情绪|哪一?[类种个]|[以如]下[^\s：:]{0,6}|之一|"
    r"ラベル|選択肢|カテゴリー?|분류|선택지)(?:有|为|是|包括|如下)?\s*[:：]"
    r"|(?:标签|选项|类别|分类|答案|结果)"
    r"(?:只能|只可以|可以|可|分别|必须|共|一共)?(?:是|为|有|包括|包含)[:：]?"
    r"|(?:分为|分成|归为|归入|归到|标为|标成|标注为|分类为|分类成|分到|判断为|判断是|选自|要么是))\s*",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(（\[【{]([^()（）\[\]【】{}]{3,400})[)）\]】}]")
_BEFORE_MARKER = (
    re.compile(
        r"(?:从|在|由|属于|是)\s*(?P<list>[^从在。？?！!：:]{2,120}?)\s*(?:这)?(?:[两二三四五六七八九十\d]+)?"
        r"(?:[类种个]\S{0,3})?(?:中|里|之中|当中|之间)(?:的|任?选|选|哪|挑|判断|进行)"
    ),
    re.compile(
        r"(?:属于|是|归为|分为|分成)?\s*(?P<list>[^。？?！!：:，]{2,120}?)"
        r"(?:中的|里的|这[两二三四五六]?[类种个]?中的?)?哪[一]?[类种个]"
    ),
    re.compile(r"(?P<list>[^。？?！!：:]{2,120}?)(?:のどれ|のどちら|のうち|から選)"),
)
_JOINS = (
    r"\s+(?:or|vs\.?|versus|and|ou|oder|und|et|o|y|または)\s+"
    r"|还是|或者|或是|或|以及|和|与|それとも|또는|아니면"
)
_AGAIN = r"\s*(?:(?:or|and|else|还是|或者?)(?![^\W_])\s*)?"
_SEPARATOR = re.compile(
    rf"\s*(?:[,，、;；|｜]|\n|(?<=\S)\s*/\s*(?=\S)|{_JOINS}){_AGAIN}", re.IGNORECASE
)
_NOT_SLASH = re.compile(rf"\s*(?:[,，、;；|｜]|\n|{_JOINS}){_AGAIN}", re.IGNORECASE)
_OR = re.compile(
    r"(?P<list>[^.!?。！？\n:：;；]{1,160}?(?:\s(?:or|vs\.?|versus|ou|oder)\s|还是|或者|或是|或|(?<=か)、?|\s[ou]\s)"
    r"[^.!?。！？\n:：;；…]{1,60})",
    re.IGNORECASE,
)
_SLASH = re.compile(
    r"(?<![\w/:.])(?P<list>[^\W\d_][\w' -]{0,24}(?:\s?[/|]\s?[^\W\d_][\w' -]{0,24})+)"
)

# The first item of a list joined by "or" still has the sentence in front of it. After these words
# the item is whole; after the others a noun may come first ("is this review positive or …").
_OPENS = re.compile(
    r"^.*?\b(?:as|either|whether|an?|of|between|into|from|among|be|sounds?|feels?|seems?|looks?|it|"
    r"entweder|als|soit|plutôt|ist das|como)\s+(?!(?:this|that|the|it|is)\b)",
    re.IGNORECASE,
)
_TAKES = re.compile(
    r"^.*\b(?:is|are|was|were|this|that|these|those|the|its|say|answer|reply|label|choose|tag|"
    r"pick|classify|mark|does|do|with|to|est|ist|es|está|il|c'est|esto|das|dies\w*)\b\s*",
    re.IGNORECASE,
)
_CJK_OPENS = (
    re.compile(r"^.*(?:属于|归为|判断为|是不是|应该是|算是|算|是|为|成|到|：|:|は|が)"),
    re.compile(r"^.*(?:情感|情绪|态度|评论|这句话|这条|句子|文章|邮件)(?=\S{2})"),
)
_YES_NO = re.compile(
    r"(?P<a>是|对|真|有|正确)\s*(?:或者?|/|还是)\s*(?P<b>否|不是|不对|错误?|假|没有|无)(?![^\s：:，,。？?）)])"
)
_IS_IS = re.compile(
    r"(?<![不就])是(?P<a>[^是不\s]{1,2})是(?P<b>[^是不\s]{1,2})(?=[：:，,。？?！]|$)"
)
_SHARED_NOUN = re.compile(r"(?:评价|评论|情感|情绪|态度|邮件|短信|新闻|文章|内容|语气)$")
_JAPANESE = re.compile(
    r"(?:^|[はが、：:\s])(?P<a>[^\s、。：:はが]{1,20})か、?(?:それとも)?(?P<b>[^\s、。：:]{1,20}?)か"
)
_STOPS = re.compile(
    r"\s+(?:in|about|based|for|with|toward|towards|here|please|overall|given|when|depending|to|from"
    r"|at|sentiment|label|labels|only|just|nothing|the|this|that|of|on|by|then|is|does|do|are"
    r"|-|–|—|review|tone|email|message|feedback|text|tweet|comment|bitte|dans|en|in|para)\b.*$",
    re.IGNORECASE,
)
_CJK_STOPS = re.compile(
    r"(?:这[两二三四五六七八九十几]|[两二三四五六七八九十几][类种个]|的?(?:哪|一[类种个项])|中的|情感|情绪|呢$|的$|吗$|类$"
    r"|之一|だけ|です|ですか|のどちら|か$|でしょう|인가요|입니까)\S*$"
)
_EDGE = " \t\n\"'“”‘’「」『』《》«»`*_.。,，;；:：?？!！()（）[]【】{}-•·"
_BULLET = re.compile(r"^\s*(?:[-*•·]|\(?\d{1,2}[.)、]|\(?[A-Za-z][.)])\s*", re.MULTILINE)
_INLINE_BULLET = re.compile(
    r"(?:^|(?<=[\s,，;；、]))\(?(?:\d{1,2}[.)、．]|[A-Ha-h][.)．])\s*(?=\S)"
)
_NOT = re.compile(r"^(?:not|nicht|不是|isn't|is not)$", re.IGNORECASE)

_NEGATION = re.compile(r"^(?:not |non[- ]?|no |un(?=\w{4})|nicht )", re.IGNORECASE)


def labels_in(turn: str) -> tuple[str, ...]:
    """Return the labels given in ``turn``, as spelt and in order; ``()`` when it gives none."""
    request, passage = split_request(turn)
    request = ends_of(request)
    for finder in _FINDERS:
        found = finder(request)
        if found:
            return _without_sentence_capital(found, request)
    # `Which fits: a, b, c? The text` - the list stands where the text is expected.
    listed = re.match(r"[^?？\n]{3,200}[?？]", passage or "")
    if listed and request.rstrip().endswith((":", "：")):
        return _after_colon(f"{request.rstrip()} {listed[0]}")
    return ()


def _without_sentence_capital(labels: tuple[str, ...], request: str) -> tuple[str, ...]:
    """Return labels with the first in lower case like the others, where it begins the sentence.

    In "Positive or negative?" the capital belongs to the sentence; scored with it, the label would be
    another word to the model than its rival.
    """
    first, *others = labels
    begins = request.lstrip(_EDGE).startswith(first) and first[:1].isupper()
    if begins and first[1:] == first[1:].lower() and all(one == one.lower() for one in others):
        return (first.lower(), *others)
    return labels


def _after_marker(request: str) -> tuple[str, ...]:
    for match in _MARKER.finditer(request):
        rest = request[match.end() :]
        bracket = _BRACKETS.match(rest)
        if bracket:
            listed = bracket.group(1)
        elif rest.startswith("\n") or _BULLET.match(rest) or "\n" in rest[:40]:
            listed = re.split(r"\n\s*\n", rest.strip("\n"))[0]
        else:
            listed = re.split(r"[.。!！?？…\n](?:\s|$)|[。！？…]|\s-\s", rest)[0]
        found = _items(_cut_list(listed))
        if len(found) >= 2:
            return found
    return ()


def _cut_list(listed: str) -> str:
    """Cut what no longer belongs to the list: a colon ends it, so does a new clause."""
    listed = re.split(r":\s|：", listed)[0]
    return re.sub(
        r"\s*(?:,? (?:based on|according to|depending on|for (?:this|the)|given)\b).*$", "", listed
    )


def _in_brackets(request: str) -> tuple[str, ...]:
    for match in _BRACKETS.finditer(request):
        inner = match.group(1)
        if not re.search(r"[,，、;；/|｜]|\bor\b|或|还是|\bou\b|\boder\b|\bo\b", inner):
            continue
        found = _items(
            re.sub(r"^(?:e\.?g\.?|i\.e\.|for example|such as|例如|比如|如)[:,， ]*", "", inner)
        )
        if len(found) >= 2 and all(size(label) <= 4 for label in found):
            return found
    return ()


def _before_marker(request: str) -> tuple[str, ...]:
    for pattern in _BEFORE_MARKER:
        match = pattern.search(request)
        if match and re.search(r"[、,，/]|还是|或|和|と|か", match["list"]):
            found = _items(_after_opening(match["list"]))
            if len(found) >= 2:
                return found
    return ()


def _joined_by_or(request: str) -> tuple[str, ...]:
    for pair in (_YES_NO.search(request), _IS_IS.search(request), _JAPANESE.search(request)):
        if pair:
            return _clean([pair["a"], pair["b"]])
    for match in _OR.finditer(request):
        parts = [part for part in _split(match["list"]) if part]
        if len(parts) < 2:
            continue
        rest = [_trim_end(part) for part in parts[1:]]
        if len(rest) == 1 and _NOT.match(rest[0]):
            first = _trim_start(parts[0], 2)
            return (first, f"not {first}" if first.isascii() else f"不是{first}") if first else ()
        longest = max((size(_NEGATION.sub("", part)) for part in rest), default=1)
        first = _trim_start(parts[0], max(1, longest))
        found = _clean(_drop_shared_words([first, *rest]))
        if len(found) >= 2 and max(map(size, found)) <= 4:
            return found
    return ()


def _drop_shared_words(items: list[str]) -> list[str]:
    """Cut a noun that only one end has: 正面还是负面评价 asks for 正面 or 负面."""
    stem = re.match(r"[不非没]是?(\S+)$", items[-1])
    if stem and items[0].endswith(stem[1]):
        return [stem[1], *items[1:]]  # 这个工单紧急还是不紧急
    noun = _SHARED_NOUN.search(items[-1])
    if noun and noun.start() and not any(item.endswith(noun.group()) for item in items[:-1]):
        return [*items[:-1], items[-1][: noun.start()]]
    return items


def _trim_start(part: str, words: int) -> str:
    """Cut the sentence in front of the first item off."""
    cjk = _after_opening(part)
    if cjk != part and re.search("[\u3040-\u9fff]", part):
        return cjk.strip(_EDGE)
    whole = part
    while (shorter := _OPENS.sub("", whole, count=1)) != whole:
        whole = shorter
    taken = _TAKES.sub("", whole, count=1)
    if whole != part and taken == whole and size(whole) <= 3 and not _after_pronoun(part, whole):
        return whole.strip(_EDGE)
    pieces = taken.split()
    if all(piece[0].isupper() for piece in pieces):
        words = max(words, min(len(pieces), 3))  # `Tech Support` is one name
    return " ".join(pieces[-words:]).strip(_EDGE) if pieces else ""


def _after_opening(text: str) -> str:
    """Cut what stands in front of a list in Chinese or Japanese off."""
    for pattern in _CJK_OPENS:
        shorter = pattern.sub("", text, count=1)
        if shorter != text:
            return shorter
    return text


def _after_pronoun(part: str, whole: str) -> bool:
    return part[: len(part) - len(whole)].rstrip().lower().endswith("it")


def _trim_end(part: str) -> str:
    part = _STOPS.sub("", f" {part}").strip()
    return _CJK_STOPS.sub("", part).strip(_EDGE)


def _joined_by_slash(request: str) -> tuple[str, ...]:
    for match in _SLASH.finditer(request):
        parts = [part.strip() for part in re.split(r"[/|]", match["list"])]
        parts = [_after_opening(parts[0]) or parts[0], *parts[1:]]
        first = parts[0].split()[-1:] if parts[0].isascii() else [parts[0]]
        last = parts[-1].split()[:1] if parts[-1].isascii() else [_trim_end(parts[-1])]
        found = _clean([*first, *parts[1:-1], *last])
        if len(found) >= 2 and (CUES.search(request) or len(found) > 2 or size(request) <= 12):
            return found
    return ()


def _in_bullets(request: str) -> tuple[str, ...]:
    lines = request.split("\n")
    return _clean(_BULLET.sub("", line) for line in lines if _BULLET.match(line))


def _after_colon(request: str) -> tuple[str, ...]:
    """Find a bare list of three or more after a colon (``Which fits: politics, science, art?``)."""
    for match in re.finditer(
        r"(?::\s|：|\s[-–—]\s)([^:：.。!！?？\n]{3,200})(?=[.。?？\n]|$)", request
    ):
        if len(re.findall(r"[,，、;；]", match.group(1))) >= 2:
            found = _items(match.group(1))
            if len(found) >= 3 and all(size(label) <= 3 for label in found):
                return found
    return ()


def _items(listed: str) -> tuple[str, ...]:
    """Take a list apart; ``()`` when what is there does not look like one."""
    if "\n" in listed:
        lines = [_BULLET.sub("", line) for line in listed.split("\n")]
        lines = [line for line in lines if line.strip()]
        if len(lines) >= 2:
            return _clean(lines)
    listed = _INLINE_BULLET.sub(" , ", listed) if _INLINE_BULLET.search(listed) else listed
    return _clean(_trim_end(part) if i else part for i, part in enumerate(_split(listed)))


def _split(listed: str) -> list[str]:
    # In `Business, Sci/Tech` the slash belongs to a label; in `a / b / c` it parts them.
    separator = _NOT_SLASH if re.search(r"[,，、;；\n]", listed) else _SEPARATOR
    return [part for part in separator.split(listed) if part and part.strip(_EDGE)]


def _clean(parts: Iterable[str]) -> tuple[str, ...]:
    labels: dict[str, str] = {}
    for part in parts:
        label = re.sub(
            r"^(?:either|or|and|an?|the|as|还是|或)\s+", "", part.strip(_EDGE), flags=re.I
        )
        label = label.strip(_EDGE)
        if not label or len(label) > _MAX_CHARS or size(label) > _MAX_WORDS:
            return ()
        labels.setdefault(label.casefold(), label)
    return tuple(labels.values()) if 2 <= len(labels) <= _MAX_LABELS else ()


_FINDERS = (
    _after_marker,
    _in_brackets,
    _before_marker,
    _joined_by_or,
    _joined_by_slash,
    _in_bullets,
    _after_colon,
)
