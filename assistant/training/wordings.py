"""Ways of asking for a task, read from ``wordings.yaml``, and filled with a passage.

A wording is a text with ``{passage}`` in it. Which other slots it has depends on its task; see the top
of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("wordings.yaml")
_OR = {"en": " or ", "zh": "还是", "de": " oder ", "fr": " ou ", "es": " o ", "ja": "、"}


@dataclass(frozen=True, slots=True)
class Wording:
    """One way of asking: ``text`` in the language ``lang``, for a kind of a task."""

    task: str
    kind: str
    lang: str
    text: str

    def has(self, slot: str) -> bool:
        """Tell whether the wording has the slot."""
        return f"{{{slot}}}" in self.text

    @property
    def names_labels(self) -> bool:
        """Tell whether the labels are to stand in it."""
        return self.has("labels") or self.has("or")

    def filled(self, passage: str, **slots: str) -> str:
        """Return the request; what stands in a passage is never taken for a slot."""
        parts = self.text.split("{passage}")
        for name, value in slots.items():
            parts = [part.replace(f"{{{name}}}", value) for part in parts]
        return passage.join(parts)


@lru_cache(maxsize=1)
def all_wordings() -> tuple[Wording, ...]:
    """Return every wording of the file, in its order."""
    return tuple(_each(_loaded()))


@lru_cache(maxsize=64)
def wordings(task: str, kinds: tuple[str, ...]) -> tuple[Wording, ...]:
    """Return the wordings of some kinds of a task."""
    return tuple(one for one in all_wordings() if one.task == task and one.kind in kinds)


def language_name(code: str, lang: str) -> str | None:
    """Return how requests written in ``lang`` call a language; ``None`` if that is not known."""
    name = _loaded()["translation"]["names"].get(lang, {}).get(code)
    return None if name is None else str(name)


def plain_list(labels: Sequence[str], lang: str) -> str:
    """Return the labels as a list in a request of that language."""
    return ("、" if lang in ("zh", "ja") else ", ").join(labels)


def with_or(labels: Sequence[str], lang: str) -> str:
    """Return the labels with "or" before the last one."""
    return plain_list(labels[:-1], lang) + _OR.get(lang, " or ") + labels[-1]


def _each(data: Mapping[str, Any]) -> Iterator[Wording]:
    for task, kinds in data.items():
        for kind, languages in kinds.items():
            if kind == "names":
                continue
            for lang, texts in languages.items():
                yield from (Wording(task, kind, lang, text) for text in texts)


@lru_cache(maxsize=1)
def _loaded() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return data
