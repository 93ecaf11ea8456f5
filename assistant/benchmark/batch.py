"""Suite ``batch``: many prompts side by side against one by one, and whether answers are the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.benchmark.results import Result, median_ratio, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import mixed_prompts, open_prompts

if TYPE_CHECKING:
    from assistant.engine.base import Engine
    from assistant.types import Decoding, Generation, Message

_SUITE = "batch"
PROMPTS, TOKENS = 32, 48
_MOST_RUNS = 3
_ALONE, _TOGETHER = "one by one", "batch"


def run(subject: Subject) -> list[Result]:
    """Answer 32 prompts both ways; tokens a second count the answers' tokens, reading included.

    Once with prompts of mixed length whose answers repeat much of them, where prompt lookup helps one by
    one, and once with short ones whose answers are new.
    """
    from assistant.types import Decoding, Message

    kinds = {
        "answers that repeat": mixed_prompts(PROMPTS),
        "answers of their own": open_prompts(PROMPTS),
    }
    decoding = Decoding(max_tokens=TOKENS)
    rows: list[Result] = []
    engine = subject.open("auto")
    try:
        for kind, texts in kinds.items():
            prompts = [[Message("user", text)] for text in texts]
            engine.complete(
                prompts[:2], Decoding(max_tokens=2)
            )  # the first call pays for what is new
            rows += _compared(subject, engine, kind, prompts, decoding)
    finally:
        engine.close()
    return rows


def _compared(
    subject: Subject,
    engine: Engine,
    kind: str,
    prompts: Sequence[Sequence[Message]],
    decoding: Decoding,
) -> list[Result]:
    speeds: dict[str, list[float]] = {_ALONE: [], _TOGETHER: []}
    texts: dict[str, list[str]] = {}
    rounds = min(subject.runs, _MOST_RUNS)
    for round_ in range(rounds):
        for name, way in ((_ALONE, _one_by_one), (_TOGETHER, _together)):
            speed, texts[name] = _timed(way, engine, prompts, decoding)
            speeds[name].append(speed)
        subject.note(f"{_SUITE}, {kind}: round {round_ + 1} of {rounds}")
    same = sum(a == b for a, b in zip(texts[_ALONE], texts[_TOGETHER], strict=True)) / len(prompts)
    alone = f"{kind}, {_ALONE}"
    together = result(
        _SUITE,
        (subject.name, kind, _TOGETHER),
        speeds[_TOGETHER],
        "tokens/s",
        baseline=alone,
        ratio=median_ratio(speeds[_TOGETHER], speeds[_ALONE]),
    )
    return [
        result(_SUITE, (subject.name, kind, _ALONE), speeds[_ALONE], "tokens/s"),
        together,
        result(_SUITE, (subject.name, kind, "share of identical answers"), [same], "share"),
    ]


def _timed(
    way: object, engine: Engine, prompts: Sequence[Sequence[Message]], decoding: Decoding
) -> tuple[float, list[str]]:
    """Return tokens a second and the texts; nothing of an earlier run is in memory."""
    from assistant.benchmark.own import forget

    assert callable(way)
    forget(engine)
    start = time.perf_counter()
    answers: list[Generation] = way(engine, prompts, decoding)
    seconds = time.perf_counter() - start
    tokens = sum(answer.usage.completion_tokens for answer in answers if answer.usage)
    return tokens / seconds, [answer.text for answer in answers]


def _together(
    engine: Engine, prompts: Sequence[Sequence[Message]], decoding: Decoding
) -> list[Generation]:
    return engine.complete(prompts, decoding)


def _one_by_one(
    engine: Engine, prompts: Sequence[Sequence[Message]], decoding: Decoding
) -> list[Generation]:
    from dataclasses import replace

    answers = []
    for prompt in prompts:
        pieces = list(engine.generate(prompt, decoding))
        answers.append(replace(pieces[-1], text="".join(piece.text for piece in pieces)))
    return answers
