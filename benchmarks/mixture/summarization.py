"""The summarization mixture: papers, dialogues, Chinese abstracts, asked for in the length of the target.

A summary that is one sentence may be asked for as one; a number of words is named only where the target
keeps to it. Titles of Chinese papers are mostly asked for as titles: whoever asks for a summary wants
more than that.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

from mixture.rows import OWN, Item, Mixture, items, read_rows, training_files

CAPS = {"csl": 800, "dialogsum": 700, "scitldr": 800}
OTHER = 700
OWN_TIMES = 3
_NAMES = ("Kim", "Toni", "Jo", "Dominique", "Sascha", "Noor", "Ari", "Quinn", "Morgan", "Lin")

_PATTERNS = (
    r"Summarize the following (?:text in one sentence|dialogue|conversation):\n\n(?P<passage>.+)",
    r"Write a one-sentence summary\.\n\n(?P<passage>.+)",
    r"Please summarize this article briefly: (?P<passage>.+)",
    r"What happened in this conversation\? Write a short summary\.\n(?P<passage>.+)",
    r"(?P<passage>.+)\n\n(?:Summarize this conversation\.|TL;?DR:?|tl;?dr|Summary:|一句话总结：)",
    r"(?:为下面的论文摘要写一个标题式概括|请用一句话概括以下内容)：\n(?P<passage>.+)",
    r"(?:摘要|概括|总结)：(?P<passage>.+)",
)


def build(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Fill the mixture."""
    counts: dict[str, int] = {}
    for item in texts(data, mixture, hold_out):
        cap = next((n for start, n in CAPS.items() if item.name.startswith(start)), OTHER)
        counts[item.name] = counts.get(item.name, 0) + 1
        reason = _wrong(item)
        if counts[item.name] > cap or reason:
            mixture.rejected[f"{item.name}: {reason or 'over the cap'}"] += 1
            counts[item.name] -= bool(reason)
            continue
        item = _tidy(_with_names(item, mixture.rng))
        kinds, slots = _length(item, mixture.rng)
        mixture.ask(item, kinds, **slots)
    if "own" not in hold_out:
        _own(mixture)


def texts(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[Item]:
    """Return all texts with their summaries, in random order."""
    files = training_files(data, "summarization", hold_out)
    found = [item for file in files for item in items(file, _PATTERNS, mixture)]
    mixture.rng.shuffle(found)
    return found


def _own(mixture: Mixture) -> None:
    """Add the own texts (news, mails, chats, notices), which the public sets have none of."""
    for row in read_rows(OWN / "own_summaries.jsonl"):
        item = Item(
            row["id"],
            "own summaries",
            row["input"],
            row["target"],
            row["lang"],
            row["source"],
            row["license"],
        )
        for _ in range(OWN_TIMES):
            mixture.ask(item, (row["kind"],), most=row.get("most", ""))


def _with_names(item: Item, rng: random.Random) -> Item:
    """Return a dialogue with names for ``#Person1#`` and the others, every second time.

    Only where text and summary speak of the same persons in this way: of a person missing from the
    summary the name is known already. The names fit he and she.
    """
    persons = sorted(set(re.findall(r"#Person\d#", item.passage)))
    if not persons or set(re.findall(r"#Person\d#", item.target)) != set(persons):
        return item
    free = [name for name in _NAMES if name not in item.passage]
    if rng.random() < 0.5 or len(free) < len(persons):
        return item
    passage, target = item.passage, item.target
    for person, name in zip(persons, rng.sample(free, len(persons)), strict=True):
        passage, target = passage.replace(person, name), target.replace(person, name)
    return replace(item, passage=passage, target=target, answers=())


def _tidy(item: Item) -> Item:
    """Return the item without what does not belong to a summary: parts of a series, remarks."""
    target = re.sub(r"\s*[（(][上中下一二三四五六七八九十ⅠⅡⅢ\d]{1,2}[)）]$", "", item.target)
    target = re.sub(r"(?:——|--|-)[^-—]{0,20}研究之[一二三四五六]$", "", target)
    return replace(item, target=re.sub(r"^\((?:Camera-ready|[Rr]evised)[^)]*\)\s*", "", target))


def _wrong(item: Item) -> str | None:
    if size(item.target) < 4:
        return "summary too short"
    if size(item.target) > 0.6 * size(item.passage):
        return "summary as long as the text"
    return None


def size(text: str) -> int:
    """Return words, of a Chinese text characters."""
    wide = len(re.findall("[\u4e00-\u9fff]", text))
    return wide + len(re.findall(r"[^\W\u4e00-\u9fff]+", text)) if wide else len(text.split())


def _length(item: Item, rng: random.Random) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return which wordings fit the target, and the number of words to be named."""
    marks = re.findall(r"[.!?](?=\s|$)|[。！？]", item.target)
    kinds: list[tuple[str, float]] = [("any", 3.0)]
    if item.name.startswith("dialogsum"):
        kinds.append(("dialogue", 4.0))
    if item.name.startswith("csl"):
        kinds = [("title", 6.0), ("one_sentence", 2.0), ("any", 1.5)]
    elif len(marks) <= 1:
        kinds.append(("one_sentence", 4.0))
    kinds.append(("words", 1.2))
    names, weights = zip(*kinds, strict=True)
    kind = rng.choices(names, weights)[0]
    # The next round number above: a limit that the target keeps and nearly uses.
    step = 5
    most = -(-size(item.target) // step) * step
    return (kind,), {"most": str(most)} if kind == "words" else {}
