"""Summaries of texts that are too long for one go: section by section, then of what that gave.

As in recursive summarization (Wu et al. 2021), with the user's own request for the last step.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.errors import Cancelled
from assistant.passages import sections
from assistant.request import read_request
from assistant.types import Generation

ONE_GO = 1600
"""Tokens up to which a text is summarized at once."""

SECTION = 900
"""Most tokens of one section."""

_TOGETHER = 4
_SECTION_TOKENS = 120
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

    Raises:
        Cancelled: ``stop`` was set.
    """
    prompt = planner.prompts.get("summarization")
    for _ in range(3):  # a book needs a second round, and sections may come out long
        request = read_request(text, task="summarization", prompt=prompt)
        passage = request.passage
        if passage is None or engine.count_text_tokens(passage) <= ONE_GO:
            return
        short: list[str] = []
        parts = sections(passage, engine.count_text_tokens, SECTION)
        yield Read(0, len(parts))
        for start in range(0, len(parts), _TOGETHER):
            some = parts[start : start + _TOGETHER]
            short += [
                one.text.strip()
                for one in _summaries(some, request.lang, planner, engine, options, stop)
            ]
            if stop is not None and stop.is_set():
                raise Cancelled("Stopped while the parts were read.")
            if len(short) < len(parts):
                yield Read(len(short), len(parts))
        text = text.replace(passage, "\n\n".join(short))
        yield Read(len(parts), len(parts), text)


def _summaries(
    parts: list[str],
    lang: str,
    planner: Planner,
    engine: Engine,
    options: AskOptions,
    stop: threading.Event | None,
) -> list[Generation]:
    request = _REQUESTS.get(lang, _REQUESTS["en"])
    options = replace(options, max_tokens=_SECTION_TOKENS, personal=False)
    plans = [
        planner.plan(f"{request}\n\n{part}", "summarization", options, engine) for part in parts
    ]
    return engine.complete(
        [plan.messages for plan in plans],
        plans[0].decoding,
        adapter=plans[0].choice.adapter,
        stop=stop,
    )
