"""What a turn asks for, read from its own words: languages, labels, and where the passage is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant import understand
from assistant.prompts import PromptFile
from assistant.types import Turn

_LONG_QUESTION = 200
"""Size from which on a question holds the passage it is about, even if they cannot be parted."""

_TELLING_REQUEST = 12
"""Characters from which on the language of an ASCII request can be told ("Traduis :" is not)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A turn, understood: what is sent as user text and what fills the prompt.

    ``pair`` is the direction of a translation, as in ``en-zh``; ``passage`` the text that the turn is
    about, where it can be parted from the request.
    """

    text: str
    lang: str
    has_passage: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    pair: str | None = None
    passage: str | None = None

    @property
    def measured_as(self) -> str:
        """Return which measurements are about such turns: ``en-zh``, ``en`` or ``en/no_passage``."""
        if "no_passage" in self.tags:
            return f"{self.lang}/no_passage"
        return self.pair or self.lang


def read_request(
    text: str,
    *,
    task: str,
    prompt: PromptFile,
    labels: Sequence[str] = (),
    to: str | None = None,
    default_to: str | None = None,
    earlier: Sequence[Turn] = (),
) -> Request:
    """Return what ``text`` asks of ``task``.

    Args:
        labels: the labels fixed by the user; else those named in the turn, else a set of the
            task whose words the turn uses.
        to: the language fixed for this turn (code or name); else the one named in the turn.
        default_to: the language when the turn names none.
        earlier: earlier turns; "and in German?" is about the text of the last one.
    """
    if task in ("translation", "summarization"):
        whole = _with_text_meant(text, task, earlier)
        if whole != text:
            text, to = whole, to or understand.language_mentioned(text)
    instruction, passage = understand.split_request(text, task)
    lang = understand.detect_language(instruction or text)
    if task == "translation":
        return _translation(text, passage, lang, to, default_to)
    if task == "classification":
        found = tuple(labels) or understand.labels_in(text)
        found = found or prompt.labels_for(instruction or text, lang)
        between = "、" if lang == "zh" else ", "
        variables = {"labels": between.join(found)} if found else {}
        return Request(text, lang, passage is not None, variables, labels=found, passage=passage)
    if task == "qa":
        given = passage is not None or _size(text) > _LONG_QUESTION
        tags = ("passage",) if given else ("no_passage",)
        return Request(text, lang, given, tags=tags, passage=passage)
    if task == "summarization":
        lang = understand.detect_language(passage or text)
    return Request(text, lang, passage is not None, passage=passage)


def _size(text: str) -> int:
    """Return the length in Latin characters; a Chinese one counts as three."""
    return sum(3 if character > "\u2e80" else 1 for character in text)


def _with_text_meant(text: str, task: str, earlier: Sequence[Turn]) -> str:
    """Return ``text`` with what it refers back to: the text the last turn was about."""
    last = next((turn for turn in reversed(earlier) if turn.answer), None)
    if last is None or not understand.refers_back(text):
        return text
    meant = last.correction or last.answer
    if task == "translation" and last.route is not None and last.route.task == "translation":
        meant = understand.split_request(last.user_text)[1] or meant
    return f"{text}\n\n{meant}"


def _target(
    instruction: str, passage: str | None, to: str | None, default_to: str | None
) -> str | None:
    """Return the target: as fixed, by default, or the language the request is written in.

    Whoever asks in Chinese what a French mail says wants to read Chinese. When request and text
    are in one language, the default pair decides.
    """
    if to or understand.target_language(instruction):
        return to
    if default_to or passage is None:
        return default_to
    asked_in = understand.detect_language(instruction)
    known = len(instruction) >= _TELLING_REQUEST or not instruction.isascii()
    return asked_in if known and asked_in != understand.detect_language(passage) else None


def _translation(
    text: str, passage: str | None, lang: str, to: str | None, default_to: str | None
) -> Request:
    instruction = understand.split_request(text)[0]
    to = _target(instruction, passage, to, default_to)
    source, target = understand.translation_direction(text, to=to)
    prompt_lang = "zh" if lang == "zh" else "en"
    return Request(
        text,
        lang,
        passage is not None,
        variables={
            "target_language": understand.language_name(target, prompt_lang),
            "source_language": understand.language_name(source, prompt_lang),
        },
        tags=(f"{source}-{target}",),
        pair=f"{source}-{target}",
        passage=passage,
    )
