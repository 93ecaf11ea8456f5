"""Label sets that are known to mean the same, read from ``label_sets.yaml``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("label_sets.yaml")


@dataclass(frozen=True, slots=True)
class Naming:
    """One way to call the classes of a kind: a label each, in the order of the classes."""

    lang: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A question that label sets answer, such as the sentiment of a review.

    Attributes:
        cue: what a request of this kind has in it, where labels alone do not tell.
        strangers: labels that fit no text of the kind, by language.
        plant: whether lines may be put into its texts.
        shorten: whether the first sentences of a text have its class as well.
        reword: whether the labels say what is asked, so that a request can be put in other words.
    """

    name: str
    namings: tuple[Naming, ...]
    cue: re.Pattern[str] | None
    strangers: dict[str, tuple[str, ...]]
    plant: bool
    shorten: bool
    reword: bool

    @property
    def all_strangers(self) -> frozenset[str]:
        """Return the strangers of every language."""
        return frozenset(label for some in self.strangers.values() for label in some)

    @property
    def wording_kinds(self) -> tuple[str, ...]:
        """Return which wordings ask for it."""
        return (self.name.removesuffix("_en").removesuffix("_zh"), "any")


@dataclass(frozen=True, slots=True)
class Known:
    """A row's labels, recognized: which of its labels are strangers, and what the others are called."""

    kind: Kind
    naming: Naming
    strangers: tuple[str, ...]

    def renamed(self, label: str, naming: Naming) -> str:
        """Return what ``naming`` calls the class of ``label``."""
        return naming.labels[self.naming.labels.index(label)]


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """Return all kinds of the file."""
    data: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(_kind(name, entry) for name, entry in data.items())


def recognize(labels: Sequence[str], request: str) -> Known | None:
    """Return what is known of a row's labels, ``None`` where they are nobody's or the cue is missing.

    ``request`` is the row's input without its passage. Two labels at least have to be of the kind.
    """
    for kind in kinds():
        strangers = tuple(label for label in labels if label in kind.all_strangers)
        proper = [label for label in labels if label not in strangers]
        if len(proper) < 2 or (kind.cue and not kind.cue.search(request)):
            continue
        for naming in kind.namings:
            if set(proper) <= set(naming.labels):
                return Known(kind, naming, strangers)
    return None


def _kind(name: str, entry: dict[str, Any]) -> Kind:
    namings = tuple(Naming(one["lang"], tuple(one["labels"])) for one in entry["namings"])
    cue = entry.get("cue")
    return Kind(
        name=name,
        namings=namings,
        cue=re.compile(cue, re.IGNORECASE) if cue else None,
        strangers={lang: tuple(some) for lang, some in (entry.get("strangers") or {}).items()},
        plant=entry.get("plant", True),
        shorten=entry.get("shorten", False),
        reword=entry.get("reword", True),
    )
