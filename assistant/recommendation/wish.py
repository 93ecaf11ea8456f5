"""What a user wants a model for: the task, the languages, and the examples they have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.errors import UsageError
from assistant.understand.languages import LANGUAGES

_CODE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model is wanted for.

    Attributes:
        task: a task's name, ``None`` for any.
        languages: ISO 639 codes that the model has to know.
        lang: the language as measurements name it: ``de``, for a translation ``en-zh``; ``""``
            where several are wanted, or none is named.
        examples: how many labelled examples the user has, ``None`` when they did not say.
    """

    task: str | None = None
    languages: tuple[str, ...] = ()
    lang: str = ""
    examples: int | None = None


def read_wish(
    task: str | None = None, given: Sequence[str] = (), examples: int | None = None
) -> Wish:
    """Return the wish in the words of the command line; ``given`` are codes, pairs, or lists of them.

    Raises:
        UsageError: something is no code of a language.
    """
    named = [part.strip() for each in given for part in each.split(",") if part.strip()]
    languages: list[str] = []
    for one in named:
        languages += [code for code in _codes(one) if code not in languages]
    lang = ""
    if len(named) == 1 and (len(languages) == 1 or task == "translation"):
        lang = "-".join(languages)
    return Wish(task, tuple(languages), lang, examples)


def _codes(text: str) -> list[str]:
    """Return both languages of a pair such as ``en-zh``, else the language without its region.

    By custom a region is in capitals beside a small language, so ``es-AR`` is Argentina's Spanish
    and ``es-ar`` a translation into Arabic.
    """
    first, *rest = text.replace("_", "-").split("-")
    known = {language.code for language in LANGUAGES}
    if len(rest) == 1 and first.islower() == rest[0].islower():
        pair = [first.lower(), rest[0].lower()]
        if known.issuperset(pair) and pair[0] != pair[1]:
            return pair
    if not _CODE.fullmatch(first.lower()):
        raise UsageError(
            f"'{text}' is no code of a language.", "Give one such as de, or a pair such as en-zh."
        )
    return [first.lower()]
