"""Shortens passages where it is certain that the answer stays what it is."""

from __future__ import annotations

import random
import re

REFUSALS = ("The passage does not say.", "文中没有提到。")
"""What prompts/qa.yaml has answered when a passage does not hold the answer."""

_SENTENCE = re.compile(r".+?(?:[.!?…][\"”’)\]]*(?=\s)|[。！？][”」』）]*|\n|$)\s*", re.DOTALL)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, the blanks behind each with it: joined they are the text."""
    return _SENTENCE.findall(text)


def around_answer(passage: str, answer: str, rng: random.Random) -> str:
    """Return the sentences that hold the answer, with one before and some more on either side.

    Of a passage without the answer (the target is a refusal) any sentences will do. The passage
    stays whole where the answer is not in one sentence word for word.
    """
    parts = sentences(passage)
    if answer in REFUSALS:
        if len(parts) < 4:
            return passage
        size = rng.randint(3, len(parts))
        start = rng.randint(0, len(parts) - size)
        return "".join(parts[start : start + size]).strip()
    holding = [i for i, part in enumerate(parts) if answer in part]
    if not holding:
        return passage
    # The sentence before says who "he" is, more often than not.
    start = max(0, holding[0] - 1 - rng.randint(0, 2))
    end = min(len(parts), holding[-1] + 1 + rng.randint(0, 2))
    return "".join(parts[start:end]).strip()


def first_sentences(passage: str, rng: random.Random) -> str:
    """Return the first two or three sentences of a text."""
    return "".join(sentences(passage)[: rng.randint(2, 3)]).strip()
