"""Parts a turn into the request and the passage it is about, by structure.

People mark a passage with quotes, with a colon, with a field name (``Text: …``) or with line
breaks, before or after the request; and say small things inline (``how do you say … in French``).
Where none of these is clear the answer is ``None``: a wrong cut is worse than no cut.
"""

from __future__ import annotations

import re

from assistant.understand.cues import (
    MANY,
    POINTS_DOWN,
    asks,
    is_question,
    is_request,
    names_language,
    size,
)
from assistant.understand.fields import QUESTION_AFTER, by_fields
from assistant.understand.inline import inline
from assistant.understand.languages import language_code
from assistant.understand.loose import for_labels, for_question
from assistant.understand.quotes import find_quotes
from assistant.understand.standing import standing_list
from assistant.understand.wishes import behind_text, by_wish, moved

Split = tuple[str, str | None]

_MORE_REQUEST = re.compile(
    r"^(?:(?:please )?(?:choose|pick|select|answer|reply|respond) |options|labels|categories|"
    r"请?(?:从|选|只回答|只需)|选项|标签)",
    re.IGNORECASE,
)
_LIST_AHEAD = re.compile(
    r"(?:one of(?: the following| these)?(?: \w+)?|options?|labels?|categories|classes|choices|"
    r"either|类别|标签|选项|以下\S{0,3}类|哪一?类|分类|之一|中选)(?: are| is)?\s*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*\s+(?=\S)|(?<=[。！？])[”」』）]*\s*(?=\S)")
_QUESTION_WORD = re.compile(
    r"(?:where|who|what|when|why|how|which|can|do|does|did|is|are|will|would|could|should)\b|哪|谁",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\banswer|\bquestion|回答|问题", re.IGNORECASE)
_ARROW = r"(?P<request>(?:[^\W\d_]{2,12}[ \t]*)?(?:->|=>|→|⇒)[ \t]*(?P<language>[^\W\d_]{2,20}))"
_CODES = "EN|ZH|FR|DE|ES|JA|KO|RU|PT|AR|NL|PL|SV|TR|CS|VI|TH|HU|RO|UK|FI|IT|JP|CN|HI|EL|HE|DA"
_ARROWS = (
    re.compile(
        rf"(?P<request>(?:{_CODES})\s*(?:-+>?|–|→|=>|>|/|2)\s*(?P<language>{_CODES}))"
        r"(?:\s*[:：|.]\s*|\s+)(?P<passage>.+)",
        re.DOTALL,
    ),
    re.compile(
        rf"(?P<request>(?:{_CODES})\s*(?:->|→|=>)\s*(?P<language>{_CODES}))[:：]?\s+(?P<passage>.+)",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(rf"{_ARROW}[ \t]*(?::\s|：|\n)\s*(?P<passage>.+)", re.DOTALL),
    re.compile(rf"(?P<passage>.+?)\s+{_ARROW}[ \t]*[.:。：]?", re.DOTALL),
)
_RULED_OFF = re.compile(r"\A[-=*_]{3,}[ \t]*\n|\n[ \t]*[-=*_]{3,}\Z")
_SPEAKS_OF = re.compile(r"(?:i|we|he|she|they|you|ich|wir|je|nous|yo)\b", re.IGNORECASE)
_GREETS = re.compile(
    r"(?:dear|hi|hello|hey|liebe\w*|hallo|sehr geehrte\w*|bonjour|cher|chère|chers|hola|estimad\w+"
    r"|querid\w+|ciao|olá)\b[^?？]{0,40}[,:：，!]$|.{0,12}(?:你好|您好|各位\w{0,6}|敬启)\s*[,，:：！!]$",
    re.IGNORECASE,
)
_CHOOSES = re.compile(
    r"从.{2,80}[中里].{0,4}[选挑]|\b(?:choose|pick|select) (?:one|from|between)\b"
)
_CODE = re.compile(
    r"^(?:def|class|if|elif|else|for|while|try|with)\b.*:$|[;{]$"
    r"|^(?:import|from \w+ import|return|const|let|var|function|public|#include)\b"
)


def split_request(turn: str, task: str | None = None) -> Split:
    """Return ``(request, passage)``; the passage is ``None`` when the turn has no clear one.

    ``task`` tells what the turn is for, where that is known: in a classification or a question about
    a text, marks that mean nothing in plain talk part the request from the text.
    """
    turn = turn.strip()
    for rule in (*_RULES, *_RULES_OF.get(task or "", ())):
        if rule is _by_list and task not in (None, "classification"):
            continue  # `2, 6, 12, ? Which comes next` offers no labels
        found = rule(turn)
        if found:
            request, passage = moved(*found)
            request = " ".join(request.split()) if "\n" not in request else request.strip()
            return request, _RULED_OFF.sub("", passage.strip())
    return turn, None


def _by_quotes(turn: str) -> tuple[str, str] | None:
    quotes = find_quotes(turn)
    if not quotes:
        return None
    longest = max(quotes, key=lambda quote: len(quote.content))
    content = longest.content
    before, after = turn[: longest.start], turn[longest.end :]
    outside = f"{before} {after}"
    others = sum(size(quote.content) for quote in quotes if quote is not longest)
    if not size(content) or size(outside) > MANY or not size(outside):
        return None
    if others and size(content) < 2 * others:
        return None  # several quotes alike: labels, or quotations within a passage
    # A colon with words between it and the quote: the quote is only a part of the passage.
    head, *text = re.split(r":\s|：", before, maxsplit=1)
    if text and text[0].strip() and asks(head):
        return None
    if "\n" in outside.strip() and size(outside) > MANY // 2:
        return None  # several lines with a quotation in them
    if _is_inside_text(before, after):
        return None
    return f"{before.rstrip()} … {after.lstrip()}".strip(), content


def _by_arrow(turn: str) -> tuple[str, str] | None:
    """Take ``-> French`` before or behind a text for the whole request."""
    for pattern in _ARROWS:
        match = pattern.fullmatch(turn)
        if match and language_code(match["language"]):
            return match["request"], match["passage"]
    return None


def _by_list(turn: str) -> tuple[str, str] | None:
    """Take a list of labels that stands by itself for the request, with its question or title."""
    found = standing_list(turn)
    return (found.request, found.passage) if found else None


def _is_inside_text(before: str, after: str) -> bool:
    """Tell whether a quotation stands inside running text (``He said "hi" and left.``)."""
    around = f"{before} {after}"
    if re.search(r"[:：]\s*$", before) or not after.strip(" .,;!?。，；！？"):
        # `Translate: She said "no".` has a colon and words before the quote, seen above.
        known = asks(before) or names_language(before) or POINTS_DOWN.search(before)
        return not (known or 0 < size(before) <= 3)
    return not (asks(around) or names_language(around) or around.rstrip().endswith(("?", "？")))


def _by_lines(turn: str) -> tuple[str, str] | None:
    lines = turn.split("\n")
    if len([line for line in lines if line.strip()]) < 2:
        return None
    head, tail = lines[0].strip(), lines[-1].strip()
    rest_after, rest_before = "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip()
    first, last = _strength(head), _strength(tail)
    begun = re.match(r"([^:：]{2,80}?(?::[ \t]|：))[ \t]*(\S.*[.!?。！？].*)", head)
    if begun and last < 2 and asks(begun[1]) and size(begun[2]) >= 6:
        return begun[1], f"{begun[2]}\n{rest_after}"  # the passage begins on the request's line
    middle = "\n".join(lines[1:-1]).strip()
    if (
        middle
        and "\n\n" in turn
        and first > 1
        and tail.endswith(("?", "？"))
        and _ANSWER.search(head)
    ):
        return f"{head}\n{tail}", middle
    if "\n\n" in turn and not first and not last:
        return _by_paragraphs(turn)
    titled = head.endswith((":", "：")) and not _CODE.search(head) and not _GREETS.match(head)
    if titled and (first or size(head) <= 12):
        if not _LIST_AHEAD.search(head.rstrip(" :：")):
            return head, rest_after
        return _by_paragraphs(turn)
    if first and (first > last or (first == last and not _CHOOSES.search(tail))):
        return head, rest_after
    if last:
        return tail, rest_before
    return None


def _strength(line: str) -> int:
    if not line or size(line) > MANY or _CODE.search(line):
        return 0
    quotes = find_quotes(line)
    if quotes and quotes[0].end - quotes[0].start == len(line):
        return 0  # what is quoted is the text, even where it asks
    if _GREETS.match(line):
        return 0  # a letter's first line ends with a colon as well
    question = is_question(line)
    asked = asks(line) or _CHOOSES.search(line) is not None
    return 2 * asked + question + line.endswith((":", "：")) * (asked or size(line) < 8)


def _by_paragraphs(turn: str) -> tuple[str, str] | None:
    """Take the first or last paragraph (labels on several lines, say) as the request."""
    paragraphs = re.split(r"\n\s*\n", turn)
    if len(paragraphs) < 2:
        return None
    if asks(paragraphs[0]) and size(paragraphs[0]) <= 2 * MANY:
        return paragraphs[0], "\n\n".join(paragraphs[1:])
    if is_request(paragraphs[-1]):
        return paragraphs[-1], "\n\n".join(paragraphs[:-1])
    return None


def _by_colon(turn: str) -> tuple[str, str] | None:
    colons = list(re.finditer(r":(?=\s)|：", turn))
    for colon, following in zip(colons, [*colons[1:], None], strict=False):
        prefix, rest = turn[: colon.start()], turn[colon.end() :].strip()
        if not rest or size(prefix) > MANY:
            return None
        if _LIST_AHEAD.search(prefix) or _offers_labels(prefix, rest):
            continue  # what follows is a list of labels; the passage comes after the next colon
        if following is not None and _LIST_AHEAD.search(turn[: following.start()]):
            # `Review: … Options: …` - the passage ends where the sentence before the list ends
            continue
        if asks(prefix) or POINTS_DOWN.search(prefix) or _is_name(prefix):
            request = prefix + turn[colon.start()]
            passage, *question = QUESTION_AFTER.split(rest, maxsplit=1)
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
        and _QUESTION_WORD.match(first) is None
    )


def _is_name(prefix: str) -> bool:
    """Tell whether a short prefix names a language or a task (``French please: …``)."""
    if size(prefix) > 4 or _SPEAKS_OF.match(prefix):
        return False  # `I love Italian: …`
    return names_language(prefix) or re.fullmatch(r"[A-Za-z]{2}(-[A-Za-z]{2})?", prefix) is not None


def _by_sentence(turn: str) -> tuple[str, str] | None:
    """Take the first or the last sentence as the request when it points at the others."""
    if "\n" in turn:
        return None
    cuts = [match.end() for match in _SENTENCE_END.finditer(turn)]
    if not cuts:
        return None
    end = cuts[-1]
    before, last = turn[:end].strip(), turn[end:].strip()
    if asks(last) and size(last) <= MANY and not asks(before):
        return last, before
    end = cuts[0]
    for cut in cuts[1:]:
        if not _MORE_REQUEST.match(turn[end:cut]):
            break
        end = cut
    first, rest = turn[:end].strip(), turn[end:].strip()
    if asks(first) and POINTS_DOWN.search(first) and size(first) <= MANY and size(rest) >= 4:
        return first, rest
    return None


_RULES = (
    _by_quotes,
    _by_arrow,
    by_fields,
    by_wish,
    _by_list,
    _by_lines,
    _by_colon,
    _by_sentence,
    inline,
    behind_text,
)
_RULES_OF = {"classification": (for_labels,), "qa": (for_question,)}
