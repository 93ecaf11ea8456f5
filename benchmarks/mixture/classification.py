"""The classification mixture: seven public sets, tasks made of the other files, and own label sets.

No set may dominate, and no label set may be learnt by heart: the labels are shuffled, dropped and
renamed, English texts get Chinese labels and the other way round.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from assistant.evaluation.examples import Example
from assistant.training import relabelling
from assistant.training.label_sets import kinds
from mixture import recast
from mixture.rows import OWN, Item, Mixture, items, read_rows, set_name, training_files

CAPS = {
    "sentiment_en": 560,
    "sentiment_zh": 560,
    "topic_en": 560,
    "topic_zh": 640,
    "spam_en": 420,
    "questiontype_en": 600,
    "intent_en": 600,
}
"""Rows a public set gives; the beginnings of the names."""
OTHER = 500
"""Rows of a set that is not in ``CAPS``."""
OWN_TIMES = 2
"""How often an own row comes, with its labels in another order each time."""

_LIST = r"[^\n]{3,400}?"
_PATTERNS = (
    # sentiment
    rf"Classify the sentiment of this review as {_LIST}:\n(?P<passage>.+)",
    rf"Is the sentiment of the following text {_LIST}\?\n\n(?P<passage>.+)",
    r"Sentiment analysis \([^)]*\): (?P<passage>.+)",
    r"(?P<passage>.+)\n\nWhat is the sentiment\? Choose one: [^\n]+",
    r"判断下面评论的情感倾向（[^）]*）：\n(?P<passage>.+)",
    r"这条评论的情感是[^\n]+？\n(?P<passage>.+)",
    r"情感分类，可选：[^\n]+。\n文本：(?P<passage>.+)",
    # topic
    r"Topic classification\. Labels: [^.\n]+\. Text: (?P<passage>.+)",
    r"Classify this news article into one of these topics: [^\n]+\.\n(?P<passage>.+)",
    r"What is the topic of this text\? Options: [^\n]+\n\n(?P<passage>.+)",
    r"(?P<passage>.+)\n\nTopic \([^)\n]+\):",
    r"将下面的新闻标题分类，类别包括：[^\n]+。\n(?P<passage>.+)",
    r"新闻分类（[^）]*）：(?P<passage>.+)",
    r"请判断以下文本的主题，选项：[^\n]+\n文本：(?P<passage>.+)",
    # spam
    r"Classify the message as \w+ or \w+: (?P<passage>.+)",
    r"Spam detection \([^)]*\)\. Message: (?P<passage>.+)",
    r"Is this SMS \w+ or \w+\?\n(?P<passage>.+)",
    r"(?P<passage>.+)\n\nSpam check - answer \w+ or \w+\.",
    # questions
    r"Classify the question \([^)]*\): (?P<passage>.+)",
    r"What type of answer does this question ask for\? Options: [^\n]+\n(?P<passage>.+)",
    r"Question type\? [^\n]+\.\n\n(?P<passage>.+)",
    # intents
    r"Intent classification\. Labels: [^.\n]+\. Utterance: (?P<passage>.+)",
    r"What is the intent of this request\? Options: [^\n]+\n(?P<passage>.+)",
    r"(?P<passage>.+)\n\nWhich intent is it: [^\n]+\?",
)
_CHANGES: tuple[tuple[float, Callable[[Example, random.Random], Example | None]], ...] = (
    (0.4, relabelling.renamed),
    (0.1, relabelling.with_strangers),
    (0.25, relabelling.with_fewer),
    (1.0, relabelling.shuffled),
)


def build(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Fill the mixture."""
    for file in training_files(data, "classification", hold_out):
        _public(file, mixture)
    recast.build(data, mixture, hold_out)
    if "own" not in hold_out:
        _own(mixture)


def varied(example: Example, rng: random.Random) -> Example:
    """Return the example with its labels shuffled, and some of them renamed, added or dropped."""
    for share, change in _CHANGES:
        if rng.random() < share:
            example = change(example, rng) or example
    return example


def _public(file: Path, mixture: Mixture) -> None:
    name = set_name(file)
    cap = next((cap for start, cap in CAPS.items() if name.startswith(start)), OTHER)
    found = _balanced(items(file, _PATTERNS, mixture), cap)
    mixture.rejected[f"{name}: over the cap"] += sum(1 for _ in read_rows(file)) - len(found)
    for item in found:
        _asked(item, mixture)


def texts(file: Path, mixture: Mixture) -> list[Item]:
    """Return the texts of a public set, without their requests."""
    return items(file, _PATTERNS, mixture)


def _balanced(found: list[Item], cap: int) -> list[Item]:
    """Return about ``cap`` items, of each label as many as there can be of all of them."""
    by_label: dict[str, list[Item]] = {}
    for item in found:
        by_label.setdefault(item.target, []).append(item)
    chosen: list[Item] = []
    rest = sorted(by_label.values(), key=len)
    for i, some in enumerate(rest):
        chosen += some[: (cap - len(chosen)) // (len(rest) - i)]
    return chosen


def _asked(item: Item, mixture: Mixture) -> None:
    kind = next(
        (kind for kind in kinds() if any(set(item.labels) <= set(n.labels) for n in kind.namings)),
        None,
    )
    wording_kinds = kind.wording_kinds if kind else ("any",)
    before = len(mixture.rows)
    example = mixture.ask(item, wording_kinds)
    if example is not None:
        row = mixture.rows[before]
        mixture.rows[before] = replace(row, example=varied(row.example, mixture.rng))


def _own(mixture: Mixture) -> None:
    for row in read_rows(OWN / "labelled_examples.jsonl"):
        labels = tuple(row["labels"])
        example = Example(
            row["id"],
            "classification",
            row["input"],
            row["target"],
            (row["target"],),
            labels=labels,
            lang=row["lang"],
            source=row["source"],
        )
        for _ in range(OWN_TIMES):
            mixture.add(varied(example, mixture.rng), row["license"], "own labels")
