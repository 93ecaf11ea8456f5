"""What a turn asks for, read from its own words: languages, labels, and where the passage is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant import understand
from assistant.prompts import PromptFile
from assistant.types import Turn


@dataclass(frozen=True, slots=True)
class Request:
    """A turn, understood: what is sent as user text and what fills the prompt."""

    text: str
    lang: str
    has_passage: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def read_request(
    text: str,
    *,
    task: str,
    prompt: PromptFile,
    labels: Sequence[str] = (),
    to: str | None = None,
    earlier: Sequence[Turn] = (),
) -> Request:
    """Return what ``text`` asks of ``task``.

    Args:
        labels: the labels fixed by the user; else those named in the turn, else a set of the
            task whose words the turn uses.
        to: the language fixed by the user (code or name); else the one named in the turn.
        earlier: earlier turns; a bare follow-up is about the last one's text.
    """
    instruction, passage = understand.split_request(text)
    lang = understand.detect_language(instruction or text)
    if task == "translation":
        return _translation(text, passage, lang, to, earlier)
    if task == "classification":
        found = tuple(labels) or understand.labels_in(text)
        found = found or prompt.labels_for(text, lang)
        return Request(text, lang, passage is not None, labels=found)
    if task == "summarization":
        lang = understand.detect_language(passage or text)
    return Request(text, lang, passage is not None)


def _translation(
    text: str, passage: str | None, lang: str, to: str | None, earlier: Sequence[Turn]
) -> Request:
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
    )
