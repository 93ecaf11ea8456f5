"""Parts request and text where the task is known, by marks that would prove too little otherwise.

Of a turn known to be a classification, what stands before its first colon, question mark or dash is
what is asked; of a question about a text, the short line or sentence that asks. In plain talk the same
marks mean nothing, so :mod:`assistant.understand.split` comes here only when told the task.
"""

from __future__ import annotations

import re

from assistant.understand.cues import MANY, asks, is_question, size, tells
from assistant.understand.lists import bare_list
from assistant.understand.quotes import find_quotes

Parts = tuple[str, str]

_TEXT = 3  # words that a text to classify has at least
_PASSAGE = 30  # words that a passage to answer from has at least
_TITLE = 20  # words that stand before a colon or a dash at most
_HEAD = re.compile(
    r"(?P<asked>[^\n]{2,200}?(?:[:：](?=\s|[\"“«「„])|：|[?？](?=[\s\"“«「„—])|？|\s[-–—]+(?=\s)|——|[-=]+>|→))"
    r"\s*(?P<text>\S.*)",
    re.DOTALL,
)
_ENDS = re.compile(r"(?<=[.!?…])[\"”’»)]*\s+|(?<=[。！？])[”」』）]*\s*|\s*(?:——|→|[-=]+>)\s*|\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’»)]*\s+(?=\S)|(?<=[。！？])[”」』）]*\s*(?=\S)")
_RULE = re.compile(r"\n\s*[-=*_]{2,}\s*(?=\n|$)")
_ASKS_FOR_FACTS = re.compile(
    r"(?:q\s*[:：]\s*)?(?:who|what|when|where|why|how|which|whose|wer|was|wann|wo|warum|wie|welche\w*"
    r"|qui|quoi|que|quand|où|pourquoi|comment|combien|qu'est-ce|quel\w*|quién|qué|cuándo|cuánt\w+|dónde"
    r"|cómo|cuál\w*)\b|.*(?:什么|多少|多大|多久|多长|多远|谁|哪|几|怎么|为什么|吗|何|いつ|どこ|だれ|誰)",
    re.IGNORECASE,
)
_TELLS_TO_READ = re.compile(
    r"(?:please )?(?:read|look|find|tell|answer|using|lies|lis|lee|lea|antworte)\b(?!:)|请?(?:阅读|读|看)",
    re.IGNORECASE,
)


def for_labels(turn: str) -> Parts | None:
    """Part a turn that asks to choose a label."""
    for rule in (_list_behind, _around_quote, _question_behind, _head, _first_line):
        found = rule(turn)
        if found and size(found[1]) >= _TEXT:
            return found
    return None


def for_question(turn: str) -> Parts | None:
    """Part a turn that asks about a text; the text is much longer than the question."""
    turn = _RULE.sub("", turn)
    head, mark, rest = turn.partition("\n\n")
    if mark and size(rest) >= _PASSAGE and _asks_first(head.strip()):
        return head.strip(), rest
    for unit in ("\n\n", "\n"):
        rest, mark, tail = turn.rpartition(unit)
        if mark and size(rest) >= _PASSAGE and _asks_briefly(tail.strip()):
            return tail.strip(), rest
    head, mark, rest = turn.partition("\n")
    if mark and size(rest) >= _PASSAGE and _asks_briefly(head.strip()):
        return head.strip(), rest
    return _question_before(turn)


def _question_before(turn: str) -> Parts | None:
    """Take the first question for the request where a long text without another follows."""
    for end in _SENTENCE.finditer(turn):
        asked, rest = turn[: end.start()].strip(), turn[end.end() :].strip()
        if size(asked) > MANY or "\n" in asked:
            return None
        if is_question(asked):
            return (asked, rest) if size(rest) >= _PASSAGE and not is_question(rest) else None
    return None


def _asks_briefly(line: str) -> bool:
    """Tell a line that asks, with or without its mark; a statement ends with a mark of its own."""
    if size(line) > _TITLE or not line:
        return False
    open_end = not line.endswith((".", "。", "!", "！", ":", "："))
    return is_question(line) or (open_end and _ASKS_FOR_FACTS.match(line) is not None)


def _asks_first(line: str) -> bool:
    if size(line) > MANY:
        return False
    return (
        _asks_briefly(line) or "?" in line or "？" in line or _TELLS_TO_READ.match(line) is not None
    )


def _around_quote(turn: str) -> Parts | None:
    """Take the only long quotation for the text where little stands round it."""
    quotes = sorted(find_quotes(turn), key=lambda quote: -size(quote.content))
    if not quotes or (len(quotes) > 1 and size(quotes[1].content) * 2 > size(quotes[0].content)):
        return None
    quote = quotes[0]
    before, after = turn[: quote.start].strip(), turn[quote.end :].strip(" .。")
    outside = size(f"{before} {after}")
    alone = not before or not after or before.endswith((":", "：", "?", "？", "-", "–", "—", ">"))
    if not alone or not 0 < outside <= MANY or size(quote.content) * 3 < outside:
        return None
    return f"{before} … {after}".strip(), quote.content


def _question_behind(turn: str) -> Parts | None:
    """Take the last sentence where it alone is a question."""
    ends = [match for match in _ENDS.finditer(turn) if match.end() < len(turn)]
    if not ends:
        return None
    text, asked = turn[: ends[-1].start()].strip(), turn[ends[-1].end() :].strip()
    first = turn[: ends[0].start()].strip()
    told = is_question(first) or asks(first) or tells(first)
    if is_question(asked) and size(asked) <= _TITLE and not told:
        return asked, text
    return None


def _list_behind(turn: str) -> Parts | None:
    """Take a list in brackets on the last line for all that is asked."""
    match = re.fullmatch(
        r"(?P<text>.+)\n\s*(?P<list>[(（\[【][^\n]{3,200}[)）\]】])\s*", turn, re.DOTALL
    )
    inner = re.sub(r"^[^:：,，、]{0,20}[:：]\s*", "", match["list"][1:-1]) if match else ""
    return (match["list"], match["text"]) if match and bare_list(inner) else None


def _head(turn: str) -> Parts | None:
    match = _HEAD.fullmatch(turn)
    if not match or not 0 < size(match["asked"]) <= _TITLE:
        return None
    asked, text = match["asked"].strip(), match["text"]
    if re.search(r"[.!?。！？][\"”»」]", asked):
        return None  # a quoted sentence stands there: that is text already
    # `Pick: a, b, c. The text`: the list belongs to what is asked.
    listed = re.match(
        r"(?:[\[(（【][^\n\])）】]{3,200}[\])）】]|[^.。\n]{3,200}[.。](?=\s|\W?[\u3040-\u9fff]))",
        text,
    )
    if listed and bare_list(listed[0]):
        asked, text = f"{asked} {listed[0]}", text[listed.end() :].strip()
    return asked, re.sub(r"^[-–—]+\s+", "", text)


def _first_line(turn: str) -> Parts | None:
    head, mark, rest = turn.partition("\n")
    apart = rest.startswith("\n")  # a blank line between
    if mark and size(head) <= _TITLE and (apart or 2 * size(rest) >= size(head) or asks(head)):
        return head.strip(), rest.strip()
    return None
