"""The labels that a turn itself gives to choose from.

Looked for in this order, most explicit first: a list after a marker (``Options: …``), a list in
brackets, a list before a marker (``A、B、C中的哪一个``), items joined by *or* in a question, items
joined by slashes, a bare list after a colon. Only the request is searched, never the passage.
"""

from __future__ import annotations

import re

from assistant.understand.cues import CUES, ends_of, size
from assistant.understand.detect import detect_language
from assistant.understand.lists import (
    BULLET,
    EDGE,
    bare_list,
    clean,
    cut_list,
    items,
    split_items,
    trim_end,
    trim_ends,
)
from assistant.understand.split import split_request
from assistant.understand.standing import standing_list

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
    r"|\b(?:sort|put|divide|group|file)(?: [\w']+){1,5} (?:into|under)(?! one of)\s*[:：]?"
    r"|\b(?:in|into|under|as|to|with)"
    r"(?: (?:one of|either|the (?:categories|labels|classes)|these (?:\w+)))+\s*[:：]?"
    r"|\b(?:étiquettes|catégories|options|optionen|kategorien|labels|opciones|categorías|etiquetas"
    r"|klassen)\s*[:：]"
    r"|(?:标签|选项|类别|分类|类型|候选项?|备选|可选|范围|情绪|哪一?[类种个]|[以如]下[^\s：:]{0,6}|之一|"
    r"ラベル|選択肢|カテゴリー?|분류|선택지)(?:有|为|是|包括|如下)?\s*[:：]"
    r"|(?:标签|选项|类别)\s+(?=[A-Za-z])"
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
_OR = re.compile(
    r"(?P<list>[^.!?。！？\n:：;；]{1,160}?(?:\s(?:or|vs\.?|versus|ou|oder)\s|还是|或者|或是|或|(?<=か)、|\s[ou]\s)"
    r"[^.!?。！？\n:：;；…]{1,60})",
    re.IGNORECASE,
)
# `of fact or of opinion`: the word before both is no part of either.
_OF_AGAIN = re.compile(r"(?<=\s)(or )(?:of|about) ", re.IGNORECASE)
_SLASH = re.compile(
    r"(?<![\w/:.])(?P<list>[^\W\d_][\w' -]{0,24}(?:\s?[/|]\s?[^\W\d_][\w' -]{0,24})+)"
)

# The first item of a list joined by "or" still has the sentence in front of it. After these words
# the item is whole; after the others a noun may come first ("is this review positive or …").
_OPENS = re.compile(
    r"^.*?\b(?:as|either|whether|an?|of|between|into|from|among|be|sounds?|feels?|seems?|looks?|it|"
    r"entweder|als|soit|plutôt|entre|zwischen|ist das|como)\s+(?!(?:this|that|the|it|is)\b)",
    re.IGNORECASE,
)
_TAKES = re.compile(
    r"^.*\b(?:is|are|was|were|this|that|these|those|the|its|say|answer|reply|label|choose|tag|"
    r"pick|classify|mark|does|do|with|to|est|ist|es|está|il|c'est|esto|das|dies\w*)\b\s*",
    re.IGNORECASE,
)
_CJK_OPENS = (
    re.compile(r"^.*请问(?:应该|该)?(?:挂|选|去|算|归|属于|是)?(?=\S{2})"),
    re.compile(r"^.*(?:属于|归为|判断为|是不是|应该是|算是|算|是|为|成|到|：|:|は|が|を)"),
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
_NOT = re.compile(r"^(?:not|nicht|不是|isn't|is not)$", re.IGNORECASE)

_NEGATION = re.compile(r"^(?:not |non[- ]?|no |un(?=\w{4})|nicht )", re.IGNORECASE)


def labels_in(turn: str) -> tuple[str, ...]:
    """Return the labels given in ``turn``, as spelt and in order; ``()`` when it gives none."""
    request, passage = split_request(turn)
    request = ends_of(request)
    standing = standing_list(turn)
    for finder in _FINDERS:
        found = finder(request)
        if found:
            return _without_sentence_capital(found, request)
    if standing:
        return _without_sentence_capital(standing.labels, standing.request)
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
    begins = request.lstrip(EDGE).startswith(first) and first[:1].isupper()
    if begins and first[1:] == first[1:].lower() and all(one == one.lower() for one in others):
        return (first.lower(), *others)
    return labels


def _after_marker(request: str) -> tuple[str, ...]:
    for match in _MARKER.finditer(request):
        rest = request[match.end() :]
        bracket = re.match(rf"(?:[\w-]+ ){{0,3}}{_BRACKETS.pattern}", rest)
        if bracket:
            listed = bracket.group(1)
        elif rest.startswith("\n") or BULLET.match(rest):
            listed = re.split(r"\n\s*\n", rest.strip("\n"))[0]
        elif len(found := items(cut_list(_first_line(rest)))) >= 2:
            return found  # a line of its own: what follows is another field (`Answer:`)
        elif "\n" in rest[:40]:
            listed = re.split(r"\n\s*\n", rest.strip("\n"))[0]
        else:
            listed = re.split(r"[.。!！?？…\n](?:\s|$)|[。！？…]|\s-\s", rest)[0]
        found = items(cut_list(listed))
        if len(found) >= 2:
            return found
    return ()


def _first_line(rest: str) -> str:
    """Return the first line where the list ends with it, else nothing."""
    line, _, following = rest.partition("\n")
    goes_on = not following or line.rstrip().endswith((",", "，", "、", ";", "；"))
    return "" if goes_on or re.search(r"[.。!！?？…](?:\s|$)|[。！？…]|\s-\s", line) else line


def _in_brackets(request: str) -> tuple[str, ...]:
    for match in _BRACKETS.finditer(request):
        inner = match.group(1)
        named = re.sub(r"^[^,，、;；/|｜]{1,20}(?::\s|：)\s*", "", inner)  # `选：…`
        inner = named if bare_list(named) else inner
        if not re.search(r"[,，、;；/／|｜]|\bor\b|或|还是|\bou\b|\boder\b|\bo\b", inner):
            continue
        found = items(
            re.sub(r"^(?:e\.?g\.?|i\.e\.|for example|such as|例如|比如|如)[:,， ]*", "", inner)
        )
        if len(found) >= 2 and all(size(label) <= 4 for label in found):
            return found
    return ()


def _before_marker(request: str) -> tuple[str, ...]:
    for pattern in _BEFORE_MARKER:
        match = pattern.search(request)
        if match and re.search(r"[、,，/／・]|还是|或|和|と|か", match["list"]):
            found = items(_after_opening(match["list"]))
            if len(found) >= 2:
                return found
    return ()


def _joined_by_or(request: str) -> tuple[str, ...]:
    for pair in (_YES_NO.search(request), _IS_IS.search(request), _JAPANESE.search(request)):
        if pair:
            return clean([_without_copula(pair["a"]), _without_copula(pair["b"])])
    request = _OF_AGAIN.sub(r"\1", request)
    portuguese = detect_language(request) == "pt"
    for match in _OR.finditer(request):
        if portuguese and re.search(r"\so\s", match["list"]) and " ou " not in match["list"]:
            continue  # `Qual é o tom?`: an article there, not Spanish "or"
        parts = [part for part in split_items(match["list"]) if part]
        if len(parts) < 2:
            continue
        rest = trim_ends(parts)
        if len(rest) == 1 and _NOT.match(rest[0]):
            first = _trim_start(parts[0], 2)
            return (first, f"not {first}" if first.isascii() else f"不是{first}") if first else ()
        longest = max((size(_NEGATION.sub("", part)) for part in rest), default=1)
        first = _trim_start(parts[0], max(1, longest))
        found = clean(_drop_shared_words([first, *rest]))
        if len(found) >= 2 and max(map(size, found)) <= 4:
            return found
    return ()


def _without_copula(label: str) -> str:
    return re.sub(r"(?:なの|だと)?(?:です|でしょう|だろう)$", "", label)


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
        return cjk.strip(EDGE)
    whole = part
    while (shorter := _OPENS.sub("", whole, count=1)) != whole:
        whole = shorter
    taken = _TAKES.sub("", whole, count=1)
    if whole != part and taken == whole and size(whole) <= 3 and not _after_pronoun(part, whole):
        return whole.strip(EDGE)
    pieces = taken.split()
    if all(piece[0].isupper() for piece in pieces):
        words = max(words, min(len(pieces), 3))  # `Tech Support` is one name
    return " ".join(pieces[-words:]).strip(EDGE) if pieces else ""


def _after_opening(text: str) -> str:
    """Cut what stands in front of a list in Chinese or Japanese off."""
    for pattern in _CJK_OPENS:
        shorter = pattern.sub("", text, count=1)
        if shorter != text:
            return shorter
    return text


def _after_pronoun(part: str, whole: str) -> bool:
    return part[: len(part) - len(whole)].rstrip().lower().endswith("it")


def _joined_by_slash(request: str) -> tuple[str, ...]:
    for match in _SLASH.finditer(request):
        spaced = re.search(r"\s[/|]\s", match["list"]) is not None
        parts = [part.strip() for part in re.split(r"[/|]", match["list"])]
        parts = [_after_opening(parts[0]) or parts[0], *parts[1:]]
        wide = re.search("[\u3040-\u9fff]", parts[0]) is not None
        opens = spaced and not request[: match.start()].strip() and size(parts[0]) <= 2
        first = [parts[0]] if wide or opens else parts[0].split()[-1:]
        # Where a mark ends the list, all of the last item belongs to it: `tax / tenancy law?`
        ends = (spaced or len(parts) > 2) and re.match(
            r"\s*(?:[?？:：.)）]|$)", request[match.end() :]
        )
        whole = not parts[-1].isascii() or (ends and size(parts[-1]) <= 3)
        last = [trim_end(parts[-1])] if whole else parts[-1].split()[:1]
        found = clean([*first, *parts[1:-1], *last])
        if len(found) >= 2 and (CUES.search(request) or len(found) > 2 or size(request) <= 12):
            return found
    return ()


def _in_bullets(request: str) -> tuple[str, ...]:
    lines = request.split("\n")
    return clean(BULLET.sub("", line) for line in lines if BULLET.match(line))


def _after_colon(request: str) -> tuple[str, ...]:
    """Find a bare list of three or more after a colon (``Which fits: politics, science, art?``)."""
    for match in re.finditer(
        r"(?::\s|：|\s[-–—]\s)([^:：.。!！?？\n]{3,200})(?=[.。?？:：\n]|$)", request
    ):
        if len(re.findall(r"[,，、;；]", match.group(1))) >= 2:
            found = items(match.group(1))
            if len(found) >= 3 and all(size(label) <= 3 for label in found):
                return found
    return ()


_FINDERS = (
    _after_marker,
    _in_brackets,
    _before_marker,
    _joined_by_or,
    _joined_by_slash,
    _in_bullets,
    _after_colon,
)
