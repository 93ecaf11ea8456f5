"""The translation mixture: all pairs, balanced by direction, cleaned; longer texts; lines that ask.

A pair can be read either way, and two pairs with the same English sentence make a third between the
other languages. What reads like a request has to be translated like any other text: the own lines
(questions, orders, attacks) are there for that, alone and behind another sentence.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assistant.training.wordings import language_name
from mixture.alignment import doubtful
from mixture.rows import OWN, Item, Mixture, items, read_rows, set_name, training_files

CAPS: dict[str, tuple[tuple[str, int], ...]] = {
    "en-zh": (("tico19", 550), ("tatoeba", 600)),
    "zh-en": (("tico19", 400), ("tatoeba", 500)),
    "en-fr": (("tico19", 500), ("multi30k", 150)),
    "fr-en": (("tico19", 400), ("multi30k", 100)),
    "en-es": (("tico19", 700),),
    "es-en": (("tico19", 450),),
    "en-de": (("multi30k", 700),),
    "de-en": (("multi30k", 450),),
}
"""Rows a direction takes of a source; English to others more, that is where small models fail."""
BETWEEN = 70
"""Rows of each direction between two languages that are not English."""
REVERSED = 0.25
"""Share of a direction's rows that come from pairs of the other direction."""
JOINED = 0.1
LINES = 420

_PATTERNS = (
    r"Please translate this from \w+ to \w+\.\n\n(?P<passage>.+)",
    r"Translate the following \w+ text into \w+:\n(?P<passage>.+)",
    r"Translate to \w+: (?P<passage>.+)",
    r"(?:English|Chinese|French|Spanish|German) to \w+: (?P<passage>.+)",
    r"(?P<passage>.+)\n\nTranslate the text above into \w+\.",
    r"(?:请|请将|把|将)?(?:下面的句子|以下内容|下面的内容|以下文字)?翻译[成为][^：\n]{2,6}：\n?(?P<passage>.+)",
    r"(?:请|请将|把|将)(?:下面的句子|以下内容|下面的内容|以下文字)翻译[成为][^：\n]{2,6}：\n?(?P<passage>.+)",
    r"(?P<passage>.+)\n\n请?翻译[成为][^：\n]{2,6}。",
    r"[英中]译[英中]：\n?(?P<passage>.+)",
)
_RATIO = {"zh": 3.2}
"""How many Latin letters one Chinese character is worth; measured on the TICO-19 pairs, about."""


def build(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Fill the mixture."""
    found = pairs(data, mixture, hold_out)
    for direction, caps in CAPS.items():
        for source, cap in caps:
            _direction(found, direction, source, cap, mixture)
    for item in _between(found, mixture.rng):
        _ask(item, mixture, "between other languages")
    if "own" not in hold_out:
        _lines(found, mixture)


def pairs(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[Item]:
    """Return all pairs that pass the checks, in random order; ``lang`` is the direction."""
    found, seen = [], set()
    for file in training_files(data, "translation", hold_out):
        for item in items(file, _PATTERNS, mixture):
            reason = _wrong(item)
            if reason is None and (item.lang, item.passage) in seen:
                reason = "twice"
            if reason:
                mixture.rejected[f"{set_name(file)}: {reason}"] += 1
                continue
            seen.add((item.lang, item.passage))
            found.append(item)
    found = _aligned(found, mixture)
    mixture.rng.shuffle(found)
    return found


def _aligned(found: Sequence[Item], mixture: Mixture) -> list[Item]:
    """Return the pairs that belong together, judged among those of the same source and languages."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for item in found:
        groups.setdefault(_group(item), []).append(_english_first(item))
    wrong = {name: doubtful(tuple(sorted(set(some)))) for name, some in groups.items()}
    kept = []
    for item in found:
        if _english_first(item) in wrong[_group(item)]:
            mixture.rejected[f"{item.name}: does not seem to be its translation"] += 1
        else:
            kept.append(item)
    return kept


def _group(item: Item) -> str:
    return f"{item.name.split('_')[0]} {'-'.join(sorted(item.lang.split('-')))}"


def _english_first(item: Item) -> tuple[str, str]:
    if item.lang.startswith("en"):
        return item.passage, item.target
    return item.target, item.passage


def turned(item: Item) -> Item:
    """Return a pair read the other way."""
    source, target = item.lang.split("-")
    return replace(item, passage=item.target, target=item.passage, lang=f"{target}-{source}")


def is_traditional(text: str) -> bool:
    """Tell whether a Chinese text has characters that the simplified standard lacks."""
    for character in re.findall("[\u4e00-\u9fff]", text):
        try:
            character.encode("gb2312")
        except UnicodeEncodeError:
            try:
                character.encode("big5")
            except UnicodeEncodeError:
                continue  # rare in both
            return True
    return False


def _wrong(item: Item) -> str | None:
    """Return what is wrong with a pair, if anything."""
    source, target = item.lang.split("-")
    # Both sides may become the target, so both are looked at.
    if "zh" in (source, target) and is_traditional(item.passage if source == "zh" else item.target):
        return "traditional characters"
    one, other = (
        _size(text, lang) for text, lang in ((item.passage, source), (item.target, target))
    )
    if min(one, other) == 0 or not 1 / 2.2 <= one / other <= 2.2:
        return "lengths do not match"
    if _alike(item.passage, item.target):
        return "not translated"
    if not _numbers(item.passage) and _numbers(item.target):
        return "numbers do not match"
    lost = _numbers(item.passage) - _numbers(item.target)
    if len(lost) > len(_numbers(item.passage)) / 2:
        return "numbers do not match"
    return None


def _size(text: str, lang: str) -> float:
    return len(re.sub(r"\s", "", text)) * _RATIO.get(lang, 1.0) + 8


def _alike(one: str, other: str) -> bool:
    words, others = (set(re.findall(r"\w+", text.lower())) for text in (one, other))
    return len(words) > 3 and len(words & others) > 0.7 * len(words)


def _numbers(text: str) -> set[str]:
    """Return the numbers of two digits and more; separators differ from language to language."""
    return set(re.findall(r"\d{2,}", re.sub(r"(?<=\d)[,.\s\u202f\xa0](?=\d{3})", "", text)))


def _direction(
    found: Sequence[Item], direction: str, source: str, cap: int, mixture: Mixture
) -> None:
    own = [one for one in found if one.lang == direction and one.name.startswith(source)]
    other = "-".join(reversed(direction.split("-")))
    back = [one for one in found if one.lang == other and one.name.startswith(source)]
    # The first of the other direction's pairs are used there; the last ones are free.
    many = min(round(cap * REVERSED), len(back))
    chosen = own[: cap - many] + [turned(one) for one in back[::-1][:many]]
    joined = round(len(chosen) * JOINED)
    for i, item in enumerate(chosen):
        if i < joined:
            item = _joined(
                mixture.rng.sample(own or chosen, min(len(own or chosen), 2 + i % 2)), mixture.rng
            )
        _ask(item, mixture)


def _joined(some: Sequence[Item], rng: random.Random) -> Item:
    """Return two or three pairs as one longer text: running, on lines, or in paragraphs."""
    gap = rng.choice((" ", " ", "\n", "\n\n"))
    source, target = some[0].lang.split("-")
    gaps = ("" if gap == " " and lang == "zh" else gap for lang in (source, target))
    passage, translated = (
        gap.join(_ended(text, lang) for text in texts)
        for gap, texts, lang in zip(
            gaps,
            ([one.passage for one in some], [one.target for one in some]),
            (source, target),
            strict=True,
        )
    )
    return replace(some[0], passage=passage, target=translated)


def _ended(text: str, lang: str) -> str:
    """Return the text with a mark at its end."""
    if text[-1:] in '.!?。！？…:：;；"”':
        return text
    return text + ("。" if lang == "zh" else ".")


def _between(found: Sequence[Item], rng: random.Random) -> list[Item]:
    """Return pairs between two languages whose English sentence is exactly the same."""
    by_english: dict[str, dict[str, tuple[str, Item]]] = {}
    for item in found:
        source, target = item.lang.split("-")
        english, other = (
            (item.passage, item.target) if source == "en" else (item.target, item.passage)
        )
        lang = target if source == "en" else source
        by_english.setdefault(english, {})[lang] = (other, item)
    made: dict[str, list[Item]] = {}
    for others in by_english.values():
        for one, two in itertools.permutations(sorted(others), 2):
            (passage, item), (target, _) = others[one], others[two]
            made.setdefault(f"{one}-{two}", []).append(
                replace(item, passage=passage, target=target, lang=f"{one}-{two}")
            )
    checked = {
        pair: [one for one in some if _wrong(one) is None] for pair, some in sorted(made.items())
    }
    return [item for some in checked.values() for item in rng.sample(some, min(BETWEEN, len(some)))]


def _lines(found: Sequence[Item], mixture: Mixture) -> None:
    """Add the own lines in many directions, half of them behind a sentence of a data set."""
    rng = mixture.rng
    rows = list(read_rows(OWN / "own_translations.jsonl"))
    langs = ("en", "zh", "de", "fr", "es")
    # English to the others and back comes twice as often as the rest.
    directions = list(itertools.permutations(langs, 2))
    weights = [2.0 if "en" in pair else 1.0 for pair in directions]
    used = set()
    for i in range(LINES):
        row, (source, target) = rng.choice(rows), rng.choices(directions, weights)[0]
        item = Item(
            row["id"],
            "own lines",
            row[source],
            row[target],
            f"{source}-{target}",
            row["source"],
            row["license"],
        )
        before = [one for one in found if one.lang == item.lang and len(one.passage) < 160]
        if i % 2 and before:
            first = rng.choice(before)
            both = _joined([first, item], rng)
            item = replace(both, name="own lines behind a sentence")
        if (item.passage, item.lang) not in used:
            used.add((item.passage, item.lang))
            _ask(item, mixture, item.name)


def _ask(item: Item, mixture: Mixture, part: str | None = None) -> None:
    source, target = item.lang.split("-")
    if not language_name(target, "en"):
        mixture.rejected[f"{item.name}: no name for the language"] += 1
        return
    mixture.ask(
        item,
        ("any",),
        part or f"{item.name.split('_')[0]} {item.lang}",
        source=source,
        target=target,
    )
