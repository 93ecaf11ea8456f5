"""Summaries of texts that are too long for one go: section by section, then of what that gave.

As in recursive summarization (Wu et al. 2021), with the user's own request for the last step.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from assistant.answer_checks import loop_start
from assistant.answering import AskOptions, Planner, complete
from assistant.engine.base import Engine
from assistant.errors import Cancelled
from assistant.parted import part
from assistant.passages import sections
from assistant.request import read_request
from assistant.types import Generation

ONE_GO = 1600
"""Tokens up to which a text is summarized at once."""

SECTION = 900
"""Most tokens of one section."""

_ROUNDS = 3
"""A book needs a second one, and sections may come out long."""

_TOGETHER = 4
_SECTION_TOKENS = 120
_SENTENCE_END = re.compile(r"[.!?…][\"”’)]*(?:\s+|$)|[。！？][”」』）]*")
_REQUESTS = {
    "en": "Summarize this part of a longer text in two or three sentences.",
    "zh": "用两三句话概括这段文字（它是一篇长文的一部分）。",
    "de": "Fasse diesen Teil eines längeren Textes in zwei oder drei Sätzen zusammen.",
    "fr": "Résume cette partie d'un texte plus long en deux ou trois phrases.",
    "es": "Resume esta parte de un texto más largo en dos o tres frases.",
    "ja": "長い文章の一部です。二、三文で要約してください。",
}


@dataclass(frozen=True, slots=True)
class Read:
    """How many of the sections are read, and, at the end, the turn with the text made short."""

    done: int
    total: int
    text: str | None = None


def by_sections(
    text: str,
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    stop: threading.Event | None = None,
) -> Iterator[Read]:
    """Yield how far the sections of a turn to be summarized are; nothing where it is short enough.

    What the user wrote around the text stays as it is, so that the last step follows it.

    Raises:
        Cancelled: ``stop`` was set.
    """
    count = engine.count_text_tokens
    window = planner.limit(engine)
    one_go, section = min(ONE_GO, window * 3 // 4), min(SECTION, window // 2)
    if count(text) <= one_go:
        return
    request = read_request(text, task="summarization", prompt=planner.prompts.get("summarization"))
    parted = part(text, request.passage)
    passage = parted.passage
    for _ in range(_ROUNDS):
        if count(passage) <= one_go:
            return
        short: list[str] = []
        parts = sections(passage, count, section)
        yield Read(0, len(parts))
        for start in range(0, len(parts), _TOGETHER):
            some = parts[start : start + _TOGETHER]
            short += _summaries(some, request.lang, planner, engine, options, stop)
            if len(short) < len(parts):
                yield Read(len(short), len(parts))
        passage = "\n\n".join(short)
        yield Read(len(parts), len(parts), parted.around(passage))


def _summaries(
    parts: list[str],
    lang: str,
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    stop: threading.Event | None,
) -> list[str]:
    request = _REQUESTS.get(lang, _REQUESTS["en"])
    options = replace(options, max_tokens=_SECTION_TOKENS, personal=False)
    plans = [planner.plan(f"{request}\n\n{one}", "summarization", options, engine) for one in parts]
    found = complete(plans, engine, stop)
    if stop is not None and stop.is_set():
        raise Cancelled("Stopped while the parts were read.")
    return [_told_once(one) for one in found]


def _told_once(summary: Generation) -> str:
    """Return a section's summary with each sentence once, and without one that was only begun."""
    text = summary.text[: loop_start(summary.text)].strip()
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text))]
    told: dict[str, str] = {}
    for a, b in pairwise(ends):
        told.setdefault(text[a:b].strip(), text[a:b])
    rest = text[ends[-1] :].strip()
    if told and summary.finish_reason == "length":
        rest = ""
    return "".join([*told.values(), rest]).strip()
