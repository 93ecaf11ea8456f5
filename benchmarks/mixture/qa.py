"""The qa mixture: questions with their passage, questions whose passage does not say, own domains.

Passages are often cut to what is around the answer: it saves time, and long ones and short ones both
come. A passage "does not say" when the sentences with the answer were taken out of it, when it is
another one that is like it (BM25), or when it is any other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from assistant.evaluation.examples import Example
from assistant.passages import bm25, terms_of
from assistant.training.shortening import REFUSALS, around_answer, sentences
from mixture.rows import OWN, Item, Mixture, items, read_rows, set_name, training_files

ANSWERED = {"squadshifts": 900, "cmrc2018": 900}
OTHER = 600
UNANSWERED = 0.25
"""Share of the questions with a passage whose passage does not say."""
CLOSED = 110
"""Questions without a passage; few: the guesses of a small model are wrong more often than not."""
OWN_TIMES = 2

_PATTERNS = (
    r"Read the passage and answer the question\.\n\nPassage: (?P<passage>.+)\n\nQuestion: (?P<question>[^\n]+)",
    r"Based on the text below, (?P<question>[^\n]+)\n\n(?P<passage>.+)",
    r"Context: (?P<passage>.+)\nQ: (?P<question>[^\n]+?)(?:\nA:)?",
    r"(?P<passage>.+)\n\nQuestion: (?P<question>[^\n]+)\nAnswer:",
    r"(?P<passage>.+)\n\n问题：(?P<question>[^\n]+)\n答案：",
    r"阅读下面的短文并回答问题。\n\n(?P<passage>.+)\n\n问题：(?P<question>[^\n]+)",
    r"根据以下内容回答：(?P<question>[^\n]+)\n\n(?P<passage>.+)",
    r"文章：(?P<passage>.+)\n问题：(?P<question>[^\n]+?)(?:\n答案?：)?",
    r"(?P<passage>.+)\n\n(?P<question>[^\n]+[?？])",
)
_LEFTOVER = re.compile(r"-?\{[^{}]*zh-[^{}]*\}-?|（[，；、。 ]*）|\(\s*\)|\[[^\]]{0,3}\]")
_LONGEST_ANSWER = 60


def build(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Fill the mixture."""
    answered = 0
    for file in _files(data, hold_out):
        found = _clean(file, mixture)
        cap = next((n for start, n in ANSWERED.items() if file.name.startswith(start)), OTHER)
        for item in found[:cap]:
            example = mixture.ask(_cut(item, mixture.rng), ("any",), question=item.question)
            answered += example is not None
    wanted = round(answered * UNANSWERED / (1 - UNANSWERED))
    for item in without_answer(data, mixture, hold_out, wanted):
        mixture.ask(item, ("any",), f"{item.name}, not said", question=item.question)
    if "own" not in hold_out:
        _own(mixture)
    _closed(data, mixture, hold_out)


def questions(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[Item]:
    """Return all questions with passages, cut to what is around the answer."""
    found = [item for file in _files(data, hold_out) for item in _clean(file, mixture)]
    mixture.rng.shuffle(found)
    return [_cut(item, mixture.rng) for item in found]


def without_answer(
    data: Path, mixture: Mixture, hold_out: tuple[str, ...], count: int
) -> list[Item]:
    """Return questions with a passage that does not say; the target is the refusal."""
    rng = mixture.rng
    files = _files(data, hold_out)
    made: list[Item] = []
    for file in files:
        found = _clean(file, Mixture(mixture.task, rng))  # counted where they are answered
        passages = list(dict.fromkeys(item.passage for item in found))
        terms = _all_terms(tuple(passages))
        for item in rng.sample(found, min(len(found), 3 * count)):
            if len(made) >= count * (files.index(file) + 1) / len(files):
                break
            way = rng.choices((_taken_out, _alike, _any_other), (0.4, 0.4, 0.2))[0]
            passage = way(item, passages, terms, rng)
            if passage is None:
                mixture.rejected[f"{item.name}: no passage without the answer"] += 1
                continue
            refusal = REFUSALS[item.lang == "zh"]
            passage = around_answer(passage, refusal, rng)
            made.append(replace(item, passage=passage, target=refusal, answers=()))
    return made


def _files(data: Path, hold_out: tuple[str, ...]) -> list[Path]:
    return [
        file for file in training_files(data, "qa", hold_out) if "webquestions" not in file.name
    ]


def _clean(file: Path, mixture: Mixture) -> list[Item]:
    """Return the questions whose answer stands in the passage, the shortest answer as target."""
    found = []
    for item in items(file, _PATTERNS, mixture):
        passage = _LEFTOVER.sub("", item.passage).strip()
        answers = [answer.strip() for answer in (item.target, *item.answers)]
        held = [answer for answer in answers if answer and answer in passage]
        shortest = min(held, key=len, default="")
        if not held or len(shortest) > _LONGEST_ANSWER * (1 if item.lang == "zh" else 2):
            mixture.rejected[f"{item.name}: no short answer word for word in the passage"] += 1
            continue
        question = item.question
        if question[-1:] not in "?？":
            question += "？" if item.lang == "zh" else "?"
        found.append(
            replace(
                item, passage=passage, target=shortest, answers=tuple(answers), question=question
            )
        )
    return found


def _cut(item: Item, rng: random.Random) -> Item:
    """Return the item with a passage cut around its answer two times in three."""
    if rng.random() < 0.34:
        return item
    return replace(item, passage=around_answer(item.passage, item.target, rng))


def _says(passage: str, item: Item) -> bool:
    low = passage.casefold()
    return any(answer.casefold() in low for answer in (item.target, *item.answers))


def _taken_out(
    item: Item, passages: Sequence[str], terms: Sequence[Sequence[str]], rng: random.Random
) -> str | None:
    """Return the own passage without the sentences that have an answer in them."""
    kept = [part for part in sentences(item.passage) if not _says(part, item)]
    passage = "".join(kept).strip()
    if len(kept) < 2 or len(item.target) < 2 or _says(passage, item):
        return None
    return passage


def _alike(
    item: Item, passages: Sequence[str], terms: Sequence[Sequence[str]], rng: random.Random
) -> str | None:
    """Return one of the three passages most like the question that do not have an answer."""
    scores = bm25(terms, terms_of(item.question))
    order = sorted(range(len(passages)), key=lambda i: -scores[i])
    near = [passages[i] for i in order[:12] if passages[i] != item.passage]
    near = [passage for passage in near if not _says(passage, item)][:3]
    return rng.choice(near) if near else None


def _any_other(
    item: Item, passages: Sequence[str], terms: Sequence[Sequence[str]], rng: random.Random
) -> str | None:
    """Return any passage that does not have an answer."""
    for passage in rng.sample(passages, min(8, len(passages))):
        if passage != item.passage and not _says(passage, item):
            return passage
    return None


@lru_cache(maxsize=8)
def _all_terms(passages: tuple[str, ...]) -> list[list[str]]:
    return [terms_of(passage) for passage in passages]


def _own(mixture: Mixture) -> None:
    for row in read_rows(OWN / "own_questions.jsonl"):
        if "passage" not in row:
            example = Example(row["id"], "qa", row["input"], row["target"], (row["target"],))
            mixture.add(_of(example, row), row["license"], "own facts")
            continue
        item = Item(
            row["id"],
            "own questions",
            row["passage"],
            row["target"],
            row["lang"],
            row["source"],
            row["license"],
            question=row["question"],
        )
        for _ in range(OWN_TIMES):
            mixture.ask(item, ("any",), question=item.question)


def _of(example: Example, row: dict[str, str]) -> Example:
    return replace(example, lang=row["lang"], source=row["source"])


def _closed(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Add some questions without a passage: those with one short answer that names something.

    Without any, an adapter would learn to say that "the passage" does not tell.
    """
    for file in training_files(data, "qa", hold_out):
        if "webquestions" not in file.name:
            continue
        name = set_name(file)
        rows = [row for row in read_rows(file) if _names_one_thing(row)]
        for row in mixture.rng.sample(rows, min(CLOSED, len(rows))):
            text = row["input"]
            if mixture.rng.random() < 0.5:
                text = text[:1].upper() + text[1:]
            example = Example(row["id"], "qa", text, row["target"], (row["target"],))
            mixture.add(_of(example, row), row["license"], name)


def _names_one_thing(row: dict[str, object]) -> bool:
    asks = str(row["input"]).lower()
    target = str(row["target"])
    return (
        not row.get("answers")
        and asks.startswith(("who ", "where ", "what language", "what country", "what city"))
        and len(target.split()) <= 4
        and "\n" not in asks
    )
