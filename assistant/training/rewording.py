"""Puts a request in other words: the passage stays, what is asked of it stays, the wording changes.

Only requests that can be taken apart without doubt are touched, and a new request counts only when the
program reads it as it read the old one: same passage, same labels, same direction.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from assistant.evaluation.examples import Example
from assistant.parted import Parted
from assistant.training.label_lists import list_in
from assistant.training.label_sets import recognize
from assistant.training.wordings import Wording, language_name, plain_list, with_or, wordings
from assistant.understand import (
    detect_language,
    labels_in,
    split_request,
    target_language,
    translation_direction,
)

_TRIES = 8
_LONG_REQUEST = 160
"""Characters; who writes more than that asks for something particular."""

# What a request may ask for beside its task; another wording would lose it.
_PARTICULAR = re.compile(
    r"formal|polite|literal|slang|glossary|style|\btone\b|do not|don't|without|\bkeep\b|bullet|points"
    r"|\blist\b|table|decision|next steps|paragraph|\bchild|explain|step|if you|highlight|(?:two|three|\d) "
    r"sentences|正式|口语|语气|保留|不要|要点|列出|两句|三句|儿童|解释|决定|stichpunkt|puntos|points clés",
    re.IGNORECASE,
)
_QUESTION_NAME = re.compile(
    r"^(?:question|q|frage|pregunta|问题|问|質問)\s*[:：]\s*", re.IGNORECASE
)
_LEAD_IN = re.compile(
    r"^(?:(?:based on|according to|using) [^,.:?]{3,40}[,:] ?(?:answer(?: the question)?: ?)?"
    r"|answer briefly from the article\. |can you find this in the text\? |read this and tell me: "
    r"|does it say anything on this\? |from this e-mail: |i can't find it\. |look it up in the document\. |quick one: |in the text, "
    r"|(?:请)?根据[^：:，?？]{2,12}[，：:](?:回答[：:])?|看完这段话告诉我：|在文中找答案：|帮我查一下：|我没看懂，)",
    re.IGNORECASE,
)
_ANSWER_LEFT = re.compile(
    r"^(?:answer|a|答案?|回答)\s*(?:in a few words)?\s*[:：]?\s*$", re.IGNORECASE
)
_ONE_SENTENCE = re.compile(
    r"(?:one|a single|1)[ -](?:short )?sentence|一句话|einem satz|une phrase|una frase",
    re.IGNORECASE,
)
_TITLE = re.compile(r"headline|\btitle\b|标题", re.IGNORECASE)
_AT_MOST = re.compile(
    r"(?:at most|no more than|max\.?|about|within|不超过) ?(\d+)|(\d+) ?(?:words|个?字)",
    re.IGNORECASE,
)
_TALK = re.compile(r"dialog|conversation|\bchat\b|对话|gespräch", re.IGNORECASE)


def parted(example: Example) -> Parted | None:
    """Return the input in three, ``None`` where the passage is not known for sure.

    It has to stand there once; and a list of the labels in it shows that it is part of the request.
    """
    text = example.input
    passage = split_request(text)[1]
    if not passage or text.count(passage) != 1 or list_in(passage, example.labels):
        return None
    before, _, after = text.partition(passage)
    return Parted(before, passage, after)


def request_of(example: Example) -> str:
    """Return the input without its passage; all of it where that is not known."""
    found = parted(example)
    return example.input if found is None else found.request


def reworded(example: Example, rng: random.Random) -> Example | None:
    """Return the example with its request in other words, ``None`` where that is not safe."""
    found = parted(example)
    if found is None or example.context or _is_particular(found, example):
        return None
    return worded(example, found.passage, _slots(example, found), _kinds(example, found), rng)


def worded(
    example: Example,
    passage: str,
    slots: dict[str, str],
    kinds: tuple[str, ...],
    rng: random.Random,
    *,
    exact: bool = True,
) -> Example | None:
    """Return the example asked in one of the wordings of ``kinds`` that is read as meant.

    Args:
        slots: what else wordings may have in them, such as ``question``; ``source`` and ``target``
            are the languages of a translation. A wording whose slots are not all known is left out.
        exact: whether the program has to find exactly ``passage`` in it.
    """
    choices = [one for one in wordings(example.task, kinds) if _fits(one, example, slots)]
    weights = [_weight(one, passage, example) for one in choices]
    for _ in range(_TRIES if choices else 0):
        wording = rng.choices(choices, weights)[0]
        text = wording.filled(passage, **_values(wording, example, slots))
        if is_read_as(text, example, passage if exact else None, slots):
            return replace(example, input=text)
    return None


def is_read_as(
    text: str, example: Example, passage: str | None, slots: dict[str, str] | None = None
) -> bool:
    """Tell whether the program reads ``text`` as the request of ``example`` about ``passage``."""
    inner = split_request(text)[1]
    # A list of labels may hide where the text begins; the labels are then known all the same.
    unknown = inner is None and example.task == "classification"
    if passage is not None and inner != passage.strip() and not unknown:
        return False
    if example.task == "classification":
        named = labels_in(text)
        return named == example.labels or not (named or not example.labels)
    if example.task == "translation" and slots:
        # The target has to be named in the request: without it, the user's settings would decide.
        said = target_language(split_request(text)[0]) == slots["target"]
        return said and translation_direction(text) == (slots["source"], slots["target"])
    return True


def _is_particular(found: Parted, example: Example) -> bool:
    request = found.request
    if example.task == "qa":
        request = request.replace(_question(found) or "", "")
    if example.task == "classification":
        for label in example.labels:
            request = request.replace(label, "")
        return len(request) > _LONG_REQUEST
    return len(request) > _LONG_REQUEST or _PARTICULAR.search(request) is not None


def _slots(example: Example, found: Parted) -> dict[str, str]:
    if example.task == "qa":
        question = _question(found)
        return {"question": question} if question else {}
    if example.task == "translation":
        source, target = translation_direction(example.input)
        return {"source": source, "target": target}
    most = _AT_MOST.search(found.request) if example.task == "summarization" else None
    return {"most": most[1] or most[2]} if most else {}


def _kinds(example: Example, found: Parted) -> tuple[str, ...]:
    """Return which wordings ask for the same; none where that is not known."""
    if example.task == "classification":
        known = recognize(example.labels, found.request)
        return known.kind.wording_kinds if known and known.kind.reword else ()
    if example.task == "summarization":
        return _lengths(found.request)
    return ("any",) if example.task in ("qa", "translation") else ()


def _lengths(request: str) -> tuple[str, ...]:
    if _TITLE.search(request):
        return ("title",)
    if _AT_MOST.search(request):
        return ("words",)
    if _ONE_SENTENCE.search(request):
        return ("one_sentence",)
    return ("any", "dialogue") if _TALK.search(request) else ("any",)


def _question(found: Parted) -> str | None:
    """Return the bare question of a request; ``None`` where more is said than that."""
    lines = [line.strip() for line in found.request.split("\n") if line.strip()]
    lines = [line for line in lines if not _ANSWER_LEFT.match(line)]
    asking = [line for line in lines if line.endswith(("?", "？"))]
    if len(asking) != 1 or len(lines) > 4:
        return None
    return _LEAD_IN.sub("", _QUESTION_NAME.sub("", asking[0])) or None


def _fits(wording: Wording, example: Example, slots: dict[str, str]) -> bool:
    if example.task == "classification":
        return wording.names_labels or bool(example.labels)
    if example.task == "translation":
        names = (slots.get("target"), slots.get("source"))
        return all(code and language_name(code, wording.lang) for code in names)
    return all(slots.get(name) or not wording.has(name) for name in ("question", "most"))


def _values(wording: Wording, example: Example, slots: dict[str, str]) -> dict[str, str]:
    if example.task == "translation":
        pair = {"to": slots["target"], "from": slots["source"]}
        return {name: language_name(code, wording.lang) or "" for name, code in pair.items()}
    if example.task == "classification" and example.labels:
        return {
            "labels": plain_list(example.labels, wording.lang),
            "or": with_or(example.labels, wording.lang),
        }
    return slots


def _weight(wording: Wording, passage: str, example: Example) -> float:
    """Prefer the languages of passage and question, English next; any may come."""
    own = example.lang.split("-") if example.lang else [detect_language(passage)]
    if wording.lang in own:
        return 4.0 / _languages(example.task, wording)
    share = {"en": 2.0, "zh": 0.7}.get(wording.lang, 0.25)
    if example.task in ("qa", "summarization"):
        share *= 0.25  # who asks about a text mostly asks in its language
    return share / _languages(example.task, wording)


def _languages(task: str, wording: Wording) -> int:
    """Return how many wordings share the language's weight."""
    return sum(one.lang == wording.lang for one in _same_kind(task, wording.kind))


def _same_kind(task: str, kind: str) -> Sequence[Wording]:
    return wordings(task, (kind,))
