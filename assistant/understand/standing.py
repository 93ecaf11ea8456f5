"""Finds a list of labels that stands by itself, with no word such as ``Options`` before it.

Before the text, as the turn's opening (``spring, summer, autumn – when is this? …``), or on the
line of a question or a title (``Which season? spring, summer, autumn``). The text is what is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from assistant.understand.cues import MANY, asks, is_question, size, tells
from assistant.understand.lists import bare_list
from assistant.understand.quotes import find_quotes

_INTRODUCED = 15  # words; a longer question before a list is rather a text

_LIST = r"[^\n:：?？.。!！\"“«「„→]{3,200}?"
_OPENING = re.compile(
    r"(?:(?:one of|pick|choose|choose (?:from|between)|选|从)\s*[:：]?\s*)?"
    rf"(?P<list>[\[【(（][^\n\]】)）]{{3,200}}[\]】)）](?=\s)|{_LIST}"
    r"(?=\s*[?？]|:\s|：|\s+[-–—]+\s|\s*——|\s*[-=]+>|\s*→|\s*\n|\s+[\"“«「„]|，?\s*选哪))"
    r"(?P<mark>\s*(?:[?？]\s*——|[?？]|[:：]|[-–—]+(?!>)|[-=]+>|→|\n|，?\s*选哪[^\n？?]{0,4}[?？](?:\s*——)?)?)"
    r"(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_QUESTION = re.compile(r"(?P<question>[^\n?？.。:：]{2,120}[?？])\s*(?P<text>\S.*)", re.DOTALL)
_LINE = re.compile(r"(?P<head>[^\n]{0,120}(?:[?？]|:\s|：|\s[-–—]\s))[ \t]*(?P<list>[^\n]{3,200})$")
_NAMES_LABELS = re.compile(
    r"\W*(?:labels?|options?|categor\w+|class\w*|choices|choose|pick|kategorien|optionen|opciones"
    r"|catégories|カテゴリ|标签|选|类别|.{0,6}(?:类别|分类|归类|属于))|[^\n]*[?？]",
    re.IGNORECASE,
)
_OTHER_TASK = re.compile(
    r"translat|summar|übersetz|zusammenfass|tradu|résum|resum|翻译|譯|译成|总结|概括|訳|要約"
    r"|\b(?:say|spell|ingredients|includ\w+|following words|write|explain|example)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The labels, the request with them in it, and the text that they are to be chosen for."""

    labels: tuple[str, ...]
    request: str
    passage: str


def standing_list(turn: str) -> Standing | None:
    """Return the list that stands by itself in ``turn`` with its text, ``None`` without one.

    Without a text there is none either: ``Buy: milk, eggs, bread`` gives nothing to choose for.
    """
    turn = turn.strip()
    found = _opening(turn) or _on_first_line(turn) or _on_last_line(turn)
    if found is None or not size(found.passage) or _OTHER_TASK.search(found.request):
        return None
    quotes = find_quotes(found.passage)
    whole = len(quotes) == 1 and quotes[0].end - quotes[0].start == len(found.passage)
    return replace(found, passage=quotes[0].content) if whole else found


def _opening(turn: str) -> Standing | None:
    match = _OPENING.match(turn)
    if not match or not (labels := bare_list(match["list"])):
        return None
    head, rest = match["list"] + match["mark"].rstrip(), match["rest"].strip()
    alone = not match["mark"].strip()  # on a line of its own
    if _asked_at_the_end(f"\n{rest}" if alone else rest) or (alone and _is_table(head, rest)):
        return None
    question = _QUESTION.match(rest) if "?" not in head and "？" not in head else None
    # `a, b, c – which one is it? …`: after a dash the question may come first.
    if question and re.search(r"[-–—\n]$", match["mark"].rstrip(" ") or " "):
        return Standing(labels, f"{head} {question['question']}", question["text"])
    return Standing(labels, head, rest)


def _asked_at_the_end(text: str) -> bool:
    """Tell whether the last line asks, so that a list before it is a text that happens to be one."""
    _, apart, line = text.rpartition("\n")
    return bool(apart) and size(line) <= 2 * MANY and asks(line)


def _is_table(line: str, rest: str) -> bool:
    """Tell a table's first line (``Item | Stock | Price``): the next has as many cells."""
    following = rest.split("\n")[0]
    return any(
        line.count(mark) and line.count(mark) == following.count(mark) for mark in ",;|/、\t"
    )


def _on_first_line(turn: str) -> Standing | None:
    line, _, rest = turn.partition("\n")
    return None if _asked_at_the_end(rest) else _of_line(line, rest.strip())


def _on_last_line(turn: str) -> Standing | None:
    before, _, line = turn.rpartition("\n")
    first = before.strip().split("\n")[0]
    # `Sort these by colour.` and then `Fruits: cherry, lemon, plum`: the list is what to sort.
    if (
        (asks(first) or tells(first) or is_question(first))
        and size(first) <= MANY
        and not _NAMES_LABELS.match(line)
    ):
        return None
    if found := _of_line(line, before.strip()):
        return found
    quoted = re.match(r"(?P<text>.*[\"”»」])\s*(?P<asked>[^\"”»」\s:：,，][^\"”»」]{2,200})$", line)
    if not quoted:
        return None
    # More than one quotation, or a request before it: they are the labels, and the list is sorted.
    quotes = find_quotes(quoted["text"])
    if len(quotes) != 1 or asks(quoted["text"][: quotes[0].start]):
        return None
    return _of_line(quoted["asked"].strip(), quotes[0].content)


def _of_line(line: str, text: str) -> Standing | None:
    """Read ``line`` as a question or title and the list behind it, ``text`` being all the rest."""
    match = _LINE.match(line.strip())
    if not text or not match or size(match["head"]) > _INTRODUCED:
        return None
    labels = bare_list(match["list"].rstrip(" :：.。"))
    return Standing(labels, line.strip(), text) if labels else None
