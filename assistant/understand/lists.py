"""Takes a list of labels apart: what parts its items, what is cut off them, what is no list at all.

``items`` is for what stands where a list must come (``Options: …``). ``bare_list`` is for text that
nothing announces: it tells a list from a sentence with commas in it, and takes only the former.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from assistant.understand.cues import size

_MAX_LABELS, _MAX_WORDS, _MAX_CHARS = 60, 6, 48
_BARE_WORDS = 3  # an item of a bare list is rarely longer; a clause mostly is
_BARE_WIDE = 7  # the same in Chinese or Japanese characters

_JOINS = (
    r"\s+(?:or|vs\.?|versus|and|ou|oder|und|et|o|y|または)\s+"
    r"|还是|或者|或是|或|以及|和|与|それとも|また?は|또는|아니면"
)
_AGAIN = r"\s*(?:(?:or|and|else|还是|或者?)(?![^\W_])\s*)?"
_SEPARATOR = re.compile(
    rf"\s*(?:[,，、;；|｜／]|\n|(?<=\S)\s*/\s*(?=\S)|{_JOINS}){_AGAIN}", re.IGNORECASE
)
_NOT_SLASH = re.compile(rf"\s*(?:[,，、;；|｜]|\n|{_JOINS}){_AGAIN}", re.IGNORECASE)
_DOTS = re.compile(r"\s*(?:・|それとも|または|か)\s*")

_STOPS = re.compile(
    r"\s+(?:in|about|based|for|with|toward|towards|here|please|overall|given|when|depending|to|from"
    r"|at|sentiment|label|labels|only|just|nothing|the|this|that|of|on|by|then|is|does|do|are"
    r"|-|–|—|review|tone|email|message|feedback|text|tweet|comment|bitte|dans|en|in|para)\b.*$",
    re.IGNORECASE,
)
_CJK_STOPS = re.compile(
    r"(?:这[两二三四五六七八九十几]|[两二三四五六七八九十几][类种个]|的?(?:哪|一[类种个项])|中的|情感|情绪|呢$|的$|吗$|类$"
    r"|之一|だけ|です|ですか|のどちら|か$|でしょう|인가요|입니까|\s+(?:中|里|标[注记]|分类|归类|打标))\S*$"
)
EDGE = " \t\n\"'“”‘’「」『』《》«»`*_.。,，;；:：?？!！()（）[]【】{}-–—•·"
BULLET = re.compile(r"^\s*(?:[-*•·]|\(?\d{1,2}[.)、]|\(?[A-Za-z][.)])\s*", re.MULTILINE)
_INLINE_BULLET = re.compile(
    r"(?:^|(?<=[\s,，;；、]))\(?(?:\d{1,2}[.)、．]|[A-Ha-h][.)．])\s*(?=\S)"
)
# Where a list ends though no sentence does: at an arrow or a dash before the text.
_ARROW_OR_DASH = re.compile(r"\s*(?:[-=]+>|→|⇒|——).*$|\s+[-–—]+\s.*$", re.DOTALL)
_QUOTE_OPENS = re.compile(r"(?<!\bor)(?<!\band)(?<![,;/|])\s[\"“«„「].*$", re.DOTALL)

# Where a list must come, only what no label can be speaks against it; `can wait` is one.
_SAYS = re.compile(
    r"\b(?:i|we|they|he|she|should|would)\b|[我你您他她它们了吗呢吧啊]|怎么|什么|ます$|ません$",
    re.IGNORECASE,
)
# Words that make a clause of an item that nothing announces as a label: nobody calls a label `we should take this`.
_CLAUSE = re.compile(
    r"\b(?:i|you|we|they|he|she|if|should|would|could|can|will|isn't|don't|was|were|has|have|had)\b"
    r"|\b(?:ich|wir|ist|sind|war|hat|haben|je|nous|est|sont|était|il|elle|yo|está|son|fue|foi|é)\b",
    re.IGNORECASE,
)
_CJK_CLAUSE = re.compile(
    r"[我你您他她它们了吗呢吧啊]|怎么|什么|为什么|就|都|很|也|还|请|[をがはもへ](?!$)|ます|ません|した$"
)
_LEADS = re.compile(
    r"^(?:please )?(?:answer|reply|choose|pick|select)(?: one)?(?: (?:with|from|of|between))?\s+",
    re.IGNORECASE,
)
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def items(listed: str) -> tuple[str, ...]:
    """Take a list apart; ``()`` when what is there does not look like one."""
    if "\n" in listed:
        lines = [BULLET.sub("", line) for line in listed.split("\n")]
        lines = [line for line in lines if line.strip()]
        if len(lines) >= 2:
            return clean(lines)
    listed = _INLINE_BULLET.sub(" , ", listed) if _INLINE_BULLET.search(listed) else listed
    parts = split_items(listed)
    found = clean([*parts[:1], *trim_ends(parts)])
    told = _only_commas(listed) and any(_SAYS.search(label) or _is_long(label) for label in found)
    return () if told else found


def bare_list(text: str) -> tuple[str, ...]:
    """Return the items of ``text`` if it is nothing but a list of labels, else ``()``.

    Three items at least, or two that a slash with spaces parts; each of a few words.
    """
    text = text.strip(" \t.。!！?？…")
    bracket = re.fullmatch(r"[(（\[【{]([^()（）\[\]【】{}]+)[)）\]】}]", text)
    text = bracket.group(1) if bracket else text
    if not text or re.search(r"[.。!！?？:：\n\"“”«»「」()（）]", text):
        return ()
    parts = split_items(_LEADS.sub("", text))
    found = clean(parts)
    enough = 2 if re.search(r"\S\s[/|]\s\S|／", text) else 3
    if len(found) < max(enough, len(parts)) or any(map(_is_clause, found)):
        return ()
    widest = 4 if "，" in text else _BARE_WIDE  # this comma parts clauses more than it does items
    return found if all(_is_short(label, widest) for label in found) else ()


def _is_short(label: str, widest: int) -> bool:
    wide = len(_WIDE.findall(label))
    return wide <= widest and size(_WIDE.sub(" ", label)) <= _BARE_WORDS


def _is_long(label: str) -> bool:
    return len(_WIDE.findall(label)) > _BARE_WIDE + 1


def _is_clause(label: str) -> bool:
    return (_CJK_CLAUSE if _WIDE.search(label) else _CLAUSE).search(label) is not None


def _only_commas(listed: str) -> bool:
    """Tell whether nothing but commas parts ``listed``, as it parts the clauses of a text."""
    return re.search(r"[、;；/／|｜\n]", listed) is None


def cut_list(listed: str) -> str:
    """Cut what no longer belongs to the list: a colon ends it, so does a new clause or the text."""
    listed = re.split(r":\s|：", listed)[0]
    listed = _ARROW_OR_DASH.sub("", listed)
    if not re.match(r"\s*[\"“«„「]", listed):
        listed = _QUOTE_OPENS.sub("", listed)
    return re.sub(
        r"\s*(?:,? (?:based on|according to|depending on|for (?:this|the)|given)\b).*$", "", listed
    )


def trim_end(part: str) -> str:
    """Cut what follows an item in its sentence (``negative for this review``) off."""
    part = _ARROW_OR_DASH.sub("", part)
    part = _STOPS.sub("", f" {part}").strip()
    return _CJK_STOPS.sub("", part).strip(EDGE)


def trim_ends(parts: Sequence[str]) -> list[str]:
    """Return all but the first of ``parts`` with their ends cut, but what the first ends with too.

    In 鱼类、鸟类 the 类 belongs to both labels; in 积极还是消极类 it speaks of the two.
    """
    kept = parts[0].strip(EDGE)[-1:] if parts else ""
    trimmed = [trim_end(part) for part in parts[1:]]
    whole = [part.strip(EDGE) for part in parts[1:]]
    return [
        full if kept in ("的", "类") and short + kept == full else short
        for short, full in zip(trimmed, whole, strict=True)
    ]


def split_items(listed: str) -> list[str]:
    """Return the items of ``listed`` as they stand, the blank ones left out."""
    if "・" in listed and not re.search(r"[,，、;；/／|\n]", listed):
        return [part for part in _DOTS.split(listed) if part and part.strip(EDGE)]
    # In `Business, Sci/Tech` the slash belongs to a label; in `a / b / c` it parts them.
    separator = _NOT_SLASH if re.search(r"[,，、;；\n]", listed) else _SEPARATOR
    return [part for part in separator.split(listed) if part and part.strip(EDGE)]


def clean(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the items without marks and articles, each once; ``()`` when one cannot be a label."""
    labels: dict[str, str] = {}
    for part in parts:
        label = re.sub(
            r"^(?:either|or|and|an?|the|as|还是|或)\s+", "", part.strip(EDGE), flags=re.I
        )
        label = label.strip(EDGE)
        if not label or len(label) > _MAX_CHARS or size(label) > _MAX_WORDS:
            return ()
        labels.setdefault(label.casefold(), label)
    return tuple(labels.values()) if 2 <= len(labels) <= _MAX_LABELS else ()
