"""What a prompt file holds, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_SHOTS = 4

DecodingValue = int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One worked example. ``context`` is what was said before; it goes in front of ``input``."""

    input: str
    target: str
    lang: str
    tags: tuple[str, ...] = ()
    context: str | None = None

    @property
    def question(self) -> str:
        """The text of the user's message: the context, when there is one, then the input."""
        return f"{self.context}\n\n{self.input}" if self.context else self.input


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A named set of labels, one list a language, and the words that call for it."""

    name: str
    labels: Mapping[str, tuple[str, ...]]
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def labels_in(self, lang: str) -> tuple[str, ...]:
        """Return the labels in ``lang``, in English or any other language where it has none."""
        return self.labels.get(lang) or self.labels.get("en") or next(iter(self.labels.values()))

    def match(self, text: str) -> int:
        """Return the length of the longest trigger in ``text``, 0 when there is none."""
        low = text.lower()
        words = (word.lower() for group in self.triggers.values() for word in group)
        return max((len(word) for word in words if _occurs(word, low)), default=0)


def _occurs(word: str, text: str) -> bool:
    # Latin words need a boundary ("tone" is not in "stone"); Chinese is written without any.
    if word.isascii():
        return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None
    return word in text


@dataclass(frozen=True, slots=True)
class Variant:
    """What is different for turns with a certain tag: the instruction and how many examples."""

    instruction: Mapping[str, str]
    shots: int


@dataclass(frozen=True, slots=True)
class PromptFile:
    """One prompt file as read. ``variables`` maps each declared name to its defaults a language
    (an empty mapping: it must be given)."""

    task: str
    version: int
    description: Mapping[str, str]
    instruction: Mapping[str, str]
    variables: Mapping[str, Mapping[str, str]]
    decoding: Mapping[str, DecodingValue]
    examples: tuple[Example, ...]
    label_sets: Mapping[str, LabelSet]
    path: Path
    sha256: str
    shots: int = DEFAULT_SHOTS
    variants: Mapping[str, Variant] = field(default_factory=dict)

    @property
    def version_id(self) -> str:
        """Name, version and content: what a stored turn keeps to tell which prompt it was."""
        return f"{self.task}@{self.version}-{self.sha256[:8]}"

    def instruction_in(self, lang: str, tags: Sequence[str] = ()) -> str:
        """Return the instruction in ``lang``, in English or any other where it has none.

        A variant named like one of ``tags`` has an instruction of its own.
        """
        variant = self._variant(tags)
        return in_language(variant.instruction if variant else self.instruction, lang)

    def shots_for(self, tags: Sequence[str] = ()) -> int:
        """Return how many examples a turn with ``tags`` is to get."""
        variant = self._variant(tags)
        return variant.shots if variant else self.shots

    def _variant(self, tags: Sequence[str]) -> Variant | None:
        return next((self.variants[tag] for tag in tags if tag in self.variants), None)

    def label_set_for(self, request: str) -> LabelSet | None:
        """Return the label set whose trigger words ``request`` uses (the longest trigger wins)."""
        best = max(self.label_sets.values(), key=lambda s: s.match(request), default=None)
        return best if best and best.match(request) else None

    def labels_for(self, request: str, lang: str) -> tuple[str, ...]:
        """Return the labels of :meth:`label_set_for` in ``lang``, ``()`` when there is none."""
        labels = self.label_set_for(request)
        return labels.labels_in(lang) if labels else ()


def in_language(texts: Mapping[str, str], lang: str) -> str:
    """Return the text for ``lang``, else the English one, else the first; ``""`` from nothing."""
    return texts.get(lang) or texts.get("en") or next(iter(texts.values()), "")
