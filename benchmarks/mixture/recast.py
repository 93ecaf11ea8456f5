"""Classification tasks made of the files of other tasks, so that there are more kinds of label sets.

Their answers are sure by the way they are made: which language, whether a question belongs to a
passage, whether a translation belongs to a sentence, what sort of text it is, which task is wanted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assistant.evaluation.examples import Example
from assistant.training import relabelling
from assistant.training.label_sets import kinds
from assistant.training.wordings import plain_list, with_or
from mixture import qa, translation
from mixture.rows import Item, Mixture, read_rows, training_files

COUNTS = {
    "which language": 300,
    "answers the question": 500,
    "right translation": 400,
    "kind of text": 420,
    "wanted task": 400,
    "asked for": 220,
}
"""Rows of each made task."""

_PERMISSIVE = ("CC-BY", "CC0", "Apache", "MIT", "project")

# {passage}, {or} and {labels} as in wordings.yaml; the second text of a pair is {other}.
_ASKS: dict[str, dict[str, tuple[str, ...]]] = {
    "which language": {
        "en": (
            "Which language is this? Options: {labels}\n\n{passage}",
            "What language is the text written in: {or}?\n{passage}",
            "{passage}\n\nlanguage? ({labels})",
            "Detect the language.\n\n{passage}",
        ),
        "zh": (
            "下面的文字是哪种语言？选项：{labels}\n\n{passage}",
            "{passage}\n\n这是什么语言？标签：{labels}",
            "识别语言：\n{passage}",
        ),
        "de": ("In welcher Sprache ist der Text? Optionen: {labels}\n\n{passage}",),
        "fr": ("Dans quelle langue est ce texte ? Options : {labels}\n\n{passage}",),
        "es": ("¿En qué idioma está el texto? Opciones: {labels}\n\n{passage}",),
    },
    "answers the question": {
        "en": (
            "Does the passage answer the question? Reply {or}.\n\nQuestion: {other}\nPassage: {passage}",
            "Question: {other}\n\n{passage}\n\nCan the question be answered from the text above, {or}?",
            'Is the answer to "{other}" in this text ({labels})?\n\n{passage}',
        ),
        "zh": (
            "下面的文章能回答这个问题吗？请回答（{labels}）。\n\n问题：{other}\n文章：{passage}",
            "{passage}\n\n问题：{other}\n上文里有这个问题的答案吗（{labels}）？",
        ),
    },
    "right translation": {
        "en": (
            "Is the second line a right translation of the first? Answer {or}.\n\n{passage}\n{other}",
            "Source: {passage}\nTranslation: {other}\n\nDo the two mean the same ({labels})?",
            "Check this translation: {or}?\n\n{passage}\n= {other}",
        ),
        "zh": (
            "第二句是第一句的正确翻译吗？（{labels}）\n\n{passage}\n{other}",
            "原文：{passage}\n译文：{other}\n\n译文正确吗（{labels}）？",
        ),
        "de": ("Ist das richtig übersetzt ({labels})?\n\n{passage}\n{other}",),
    },
    "kind of text": {
        "en": (
            "What kind of text is this? Options: {labels}\n\n{passage}",
            "{passage}\n\nText type: {or}?",
            "Where would you file this? Labels: {labels}\n\n{passage}",
        ),
        "zh": (
            "这是什么类型的文本？选项：{labels}\n\n{passage}",
            "{passage}\n\n判断文本类型，标签：{labels}",
        ),
        "de": ("Um welche Art von Text handelt es sich? Optionen: {labels}\n\n{passage}",),
    },
    "wanted task": {
        "en": (
            "What does the user want from the assistant? Options: {labels}\n\nMessage: {passage}",
            'Route this request: {or}?\n\n"{passage}"',
            "Which task is asked for in the message ({labels})?\n\n{passage}",
        ),
        "zh": (
            "用户想让助手做什么？选项：{labels}\n\n消息：{passage}",
            "这条消息属于哪种任务？标签：{labels}\n\n{passage}",
        ),
    },
    "asked for": {
        "en": (
            "What does the question ask for: {or}?\n\n{passage}",
            "{passage}\n\nThe answer will be one of: {labels}. Which?",
        ),
        "zh": ("这个问题问的是什么？选项：{labels}\n\n{passage}",),
        "de": ("Wonach wird gefragt? Optionen: {labels}\n\n{passage}",),
        "fr": ("Que demande la question ? Options : {labels}\n\n{passage}",),
    },
}
_KINDS = {
    "which language": "language",
    "answers the question": "yes_no",
    "right translation": "yes_no",
    "kind of text": "text_kind",
    "wanted task": "wanted_task",
    "asked for": "asked_for",
}


def build(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> None:
    """Add the made tasks to a mixture."""
    # What is left out of the other tasks' files is counted in their own mixtures.
    read = Mixture(mixture.task, mixture.rng)
    made = {
        "which language": _languages(data, read, hold_out),
        "answers the question": _answerable(data, read, hold_out),
        "right translation": _translated(data, read, hold_out),
        "kind of text": _kinds_of_text(data, read, hold_out),
        "wanted task": _wanted(data, read),
        "asked for": _asked_for(data, read, hold_out),
    }
    for part, found in made.items():
        if part in hold_out:
            continue
        for item, other in _even(found, COUNTS[part], mixture.rng):
            _add(part, item, other, mixture)


def _even(
    found: Sequence[tuple[Item, str]], count: int, rng: random.Random
) -> list[tuple[Item, str]]:
    """Return ``count`` of them, of each class about as many."""
    by_class: dict[str, list[tuple[Item, str]]] = {}
    for one in rng.sample(list(found), len(found)):
        by_class.setdefault(one[0].target, []).append(one)
    chosen: list[tuple[Item, str]] = []
    rest = sorted(by_class.values(), key=len)
    for i, some in enumerate(rest):
        chosen += some[: (count - len(chosen)) // (len(rest) - i)]
    return chosen


def _add(part: str, item: Item, other: str, mixture: Mixture) -> None:
    """Word the request for an item; ``target`` is a class, its label depends on the naming."""
    rng = mixture.rng
    kind = next(kind for kind in kinds() if kind.name == _KINDS[part])
    classes = _classes(kind.name)
    lang = _request_language(part, item.lang, rng)
    # Labels are mostly in the language of the request, at times in another.
    near = [one for one in kind.namings if one.lang == lang]
    naming = rng.choice(near if near and rng.random() < 0.7 else list(kind.namings))
    labels = rng.sample(naming.labels, len(naming.labels))
    target = naming.labels[classes.index(item.target)]
    wording = rng.choice(_ASKS[part][lang])
    text = wording.replace("{labels}", plain_list(labels, lang)).replace(
        "{or}", with_or(labels, lang)
    )
    text = text.replace("{other}", other, 1).replace("{passage}", item.passage, 1)
    example = Example(
        item.id,
        "classification",
        text,
        target,
        (target,),
        labels=tuple(labels),
        lang=item.lang,
        source=f"{item.source}, made: {part}",
    )
    for share, change in ((0.25, relabelling.with_fewer), (0.1, relabelling.with_strangers)):
        if rng.random() < share:
            example = change(example, rng) or example
    mixture.add(example, item.license, part)


def _classes(name: str) -> tuple[str, ...]:
    return {
        "language": ("en", "zh", "de", "fr", "es"),
        "yes_no": ("yes", "no"),
        "text_kind": ("caption", "dialogue", "abstract", "question", "review", "sms", "headline"),
        "wanted_task": ("qa", "translation", "summarization", "classification", "chat"),
        "asked_for": ("who", "when", "where", "how_many", "why"),
    }[name]


def _request_language(part: str, lang: str, rng: random.Random) -> str:
    """Return the language of the request: the text's own, English or any other."""
    known = list(_ASKS[part])
    own = lang.split("-")[0]
    weights = [4.0 if one == own else 3.0 if one == "en" else 1.0 for one in known]
    return rng.choices(known, weights)[0]


def _languages(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[tuple[Item, str]]:
    pairs = translation.pairs(data, mixture, hold_out)
    texts = [
        replace(item, passage=text, target=lang, lang=lang)
        for item in pairs
        for text, lang in zip((item.passage, item.target), item.lang.split("-"), strict=True)
    ]
    return [(item, "") for item in texts if 15 <= len(item.passage) <= 200]


def _answerable(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[tuple[Item, str]]:
    found: list[tuple[Item, str]] = []
    for item in qa.questions(data, mixture, hold_out)[:1200]:
        if len(item.passage) > 900:
            continue
        found.append((replace(item, target="yes"), item.question))
    wrong = qa.without_answer(data, mixture, hold_out, 600)
    found += [(replace(one, target="no"), one.question) for one in wrong if len(one.passage) <= 900]
    return found


def _translated(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[tuple[Item, str]]:
    """Return pairs that belong together, and such whose translation is another sentence's.

    The wrong one is the most alike in length among some, so that length does not tell.
    """
    pairs = [one for one in translation.pairs(data, mixture, hold_out) if len(one.passage) < 200]
    by_pair: dict[str, list[Item]] = {}
    for item in pairs:
        by_pair.setdefault(f"{item.name.split('_')[0]}{item.lang}", []).append(item)
    found = []
    for item in pairs[:900]:
        same = by_pair[f"{item.name.split('_')[0]}{item.lang}"]
        if mixture.rng.random() < 0.5 or len(same) < 2:
            found.append((replace(item, target="yes"), item.target))
            continue
        others = [
            one for one in mixture.rng.sample(same, min(30, len(same))) if one.target != item.target
        ]
        if others:
            near = min(others, key=lambda one: abs(len(one.target) - len(item.target)))
            found.append((replace(item, target="no"), near.target))
    return found


def _kinds_of_text(
    data: Path, mixture: Mixture, hold_out: tuple[str, ...]
) -> list[tuple[Item, str]]:
    from mixture import classification, summarization

    found: list[Item] = []
    for item in translation.pairs(data, mixture, hold_out):
        if item.name.startswith("multi30k"):
            found.append(replace(item, target="caption", lang=item.lang.split("-")[0]))
    for item in summarization.texts(data, mixture, hold_out):
        kind = "dialogue" if item.name.startswith("dialogsum") else "abstract"
        found.append(replace(item, passage=item.passage[:600], target=kind))
    for item in qa.questions(data, mixture, hold_out):
        found.append(replace(item, passage=item.question, target="question"))
    kinds_of = {"sentiment_zh": "review", "spam_en": "sms", "topic_zh": "headline"}
    for file in training_files(data, "classification", hold_out):
        kind = next((k for start, k in kinds_of.items() if file.name.startswith(start)), None)
        if kind:
            some = classification.texts(file, mixture)
            found += [
                replace(one, target=kind, labels=())
                for one in some
                if kind != "sms" or one.target == "ham"
            ]
    return [(one, "") for one in found]


def _wanted(data: Path, mixture: Mixture) -> list[tuple[Item, str]]:
    """Return turns of the routing data whose licence permits it, without their templates' rows."""
    file = data / "routing" / "routing.train.jsonl"
    if not file.exists():
        return []
    found = []
    for row in read_rows(file):
        free = row["license"].startswith(_PERMISSIVE) and "NC" not in row["license"]
        if not free or row.get("context") or len(row["input"]) > 400 or "\n" in row["input"]:
            continue
        if row["source"].startswith("template over"):
            continue
        item = Item(
            row["id"],
            "routing",
            row["input"],
            row["target"],
            row["lang"],
            row["source"],
            row["license"],
        )
        found.append((item, ""))
    return found


_FIRST_WORDS = {
    "who": ("who ", "whose ", "whom "),
    "when": ("when ", "what year ", "in what year ", "in which year "),
    "where": ("where ", "in which city ", "in what city ", "in which country ", "in what country "),
    "how_many": ("how many ", "how much "),
    "why": ("why ",),
}
_CHINESE = {
    "who": ("是谁", "谁是", "谁在", "哪位"),
    "when": ("哪一年", "什么时候", "何时", "几年"),
    "where": ("在哪里", "位于哪", "什么地方", "哪个城市", "哪个国家"),
    "how_many": ("多少", "几个", "几次"),
    "why": ("为什么", "为何", "什么原因"),
}


def _asked_for(data: Path, mixture: Mixture, hold_out: tuple[str, ...]) -> list[tuple[Item, str]]:
    """Return questions whose own words say what they ask for; those that say two things are left out."""
    found = []
    for item in qa.questions(data, mixture, hold_out):
        low = item.question.lower()
        if item.lang == "zh":
            kinds_said = [k for k, words in _CHINESE.items() if any(w in low for w in words)]
        else:
            kinds_said = [k for k, words in _FIRST_WORDS.items() if low.startswith(words)]
        if len(kinds_said) == 1:
            found.append((replace(item, passage=item.question, target=kinds_said[0]), ""))
    return found
