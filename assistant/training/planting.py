"""Puts lines into passages that look like requests, attacks and harmless ones; the answer stays.

So a model learns that the text is data. The lines are in ``planted.yaml``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from assistant.understand import detect_language

_FILE = Path(__file__).with_name("planted.yaml")
_GAP = re.compile(r"(?<=[.!?…])\s+(?=\S)|(?<=[。！？])(?=[^”」』）])|\n+")
_WORDS = {"en": ("banana", "maybe", "OK", "42"), "zh": ("香蕉", "好的", "不知道")}


def attack(task: str, passage: str, wrong: Sequence[str], rng: random.Random) -> str:
    """Return a line that tries to take over a request about ``passage``.

    ``wrong`` are answers that are not the right one; without any, some word stands there.
    """
    groups = _lines()["attacks"]
    lang = _language(passage, rng)
    lines = list(groups["any"].get(lang, ()))
    if task == "classification":
        # The wrong label is what matters most here.
        lines = 2 * list(groups["classification"].get(lang, ())) + lines
    said = rng.choice(list(wrong) or list(_WORDS.get(lang, _WORDS["en"])))
    return str(rng.choice(lines)).replace("{wrong}", said).replace("{{", "{").replace("}}", "}")


def harmless(passage: str, rng: random.Random) -> str:
    """Return a line that belongs to a page and asks nothing of who answers."""
    return str(rng.choice(_lines()["harmless"][_language(passage, rng)]))


def planted(passage: str, line: str, rng: random.Random) -> str:
    """Return the passage with the line at its beginning, its end, or between two sentences."""
    gaps = [gap for gap in _GAP.finditer(passage) if 0 < gap.start() < len(passage)]
    where = rng.choice(("start", "end", "end", "middle"))
    joint = rng.choice((" ", "\n", "\n\n"))
    if where == "middle" and gaps:
        gap = rng.choice(gaps)
        before, after = passage[: gap.start()], passage[gap.end() :]
        return f"{before}{joint}{line}{joint}{after}"
    return f"{line}{joint}{passage}" if where == "start" else f"{passage}{joint}{line}"


def _language(passage: str, rng: random.Random) -> str:
    """Return mostly the language of the passage, at times another."""
    known = list(_lines()["harmless"])
    own = detect_language(passage)
    return own if own in known and rng.random() < 0.75 else rng.choice(known)


@lru_cache(maxsize=1)
def _lines() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return data
