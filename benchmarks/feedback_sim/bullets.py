"""Summaries as exactly three bullets, each one statement of the text in its own words.

The wanted summary is made of the text itself: its first statement and the two others that hold most names,
numbers and long words, in their order. That makes no good summaries, but always the same ones.
"""

from __future__ import annotations

import re

from assistant import understand
from feedback_sim.preference import SHIPPED, Case, Preference, parted, read_rows, worded

BULLETS = 3
HELD_OUT = 20
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“])|(?<=[。！？])|\n+")
_PAUSES = re.compile(r"[;；]\s*|，|, (?=and |but |so |which )")
_WEIGHTY = re.compile(r"\d+|[A-Z][a-z]+|[a-z]{6,}|[\u4e00-\u9fff]{3}")
_BULLET = re.compile(r"\s*[-*•]\s+\S")
_WORDINGS = {
    "en": ("Summarize this:\n\n{}", "Please sum this up.\n\n{}", "{}\n\nSummarize the text above."),
    "zh": ("总结一下：\n\n{}", "请概括下面的内容：\n\n{}"),
}


def statements(text: str) -> list[str]:
    """Return the sentences of a text; the parts of sentences where there are fewer than three."""
    found = _whole(_ENDS.split(text))
    if len(found) >= BULLETS:
        return found
    return _whole([part for one in found for part in _PAUSES.split(one)])


def _whole(parts: list[str]) -> list[str]:
    """Return parts that say something, without what ends them."""
    plain = (part.strip().rstrip(".。;；,，") for part in parts)
    return [part for part in plain if len(part) >= (5 if _chinese(part) else 12)]


def _chinese(text: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


def three(text: str) -> str | None:
    """Return the wanted summary, ``None`` where the text has no three statements."""
    found = statements(text)
    if len(found) < BULLETS:
        return None
    rest = range(1, len(found))
    weighty = sorted(rest, key=lambda at: (-len(_WEIGHTY.findall(found[at])), at))[: BULLETS - 1]
    return "\n".join(f"- {found[at]}" for at in (0, *sorted(weighty)))


def follows(case: Case, answer: str) -> bool:
    """Return whether an answer is three bullets and nothing else."""
    lines = [line for line in answer.splitlines() if line.strip()]
    return len(lines) == BULLETS and all(_BULLET.match(line) for line in lines)


def passages() -> dict[str, str]:
    """Return English and Chinese texts of some sentences, by id, each once."""
    found: dict[str, str] = {}
    for row in read_rows(SHIPPED / "own_questions.jsonl"):
        found.setdefault(row.get("passage", ""), row["id"])
    for row in read_rows(SHIPPED / "own_summaries.jsonl"):
        found.setdefault(row["input"], row["id"])
    for name in ("en", "zh"):
        whole = (SHIPPED / f"{name}.txt").read_text(encoding="utf-8")
        for number, paragraph in enumerate(whole.split("\n\n")):
            found.setdefault(paragraph.strip(), f"prose-{name}-{number}")
    return {name: text for text, name in found.items() if text}


def bullets() -> Preference:
    """Return the preference; what gets corrected is the first sentence alone."""
    cases = []
    for name, text in passages().items():
        lang, wanted = understand.detect_language(text), three(text)
        if wanted is not None and lang in _WORDINGS:
            request = worded(_WORDINGS[lang], text, name)
            cases.append(Case(f"bullets-{name}", request, text, wanted, statements(text)[0], lang))
    return Preference("bullets", "summarization", *parted(cases, HELD_OUT), follows)
