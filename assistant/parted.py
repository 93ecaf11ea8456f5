"""A turn with a long text in it: what stands before the text, the text, and what stands after.

:func:`assistant.understand.split_request` leaves out what it is not sure of, and may take the question for
a line of the passage (``…\\n\\nQuestion: …?\\nAnswer:``). In a short turn that does no harm; of a long text
parts are left out or summarized, so here what may be the user's own words is kept out of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.understand.cues import MANY, size

_UNITS = tuple(re.compile(unit) for unit in (r"\n\s*\n", r"\n", r"(?<=[.!?…])\s+|(?<=[。！？])"))
"""What may end a request, the clearest first: a blank line, the line, the sentence."""

_ENDS = 400
"""Characters at either end of a text in which a request is looked for."""

_ASKS = re.compile(
    r"(?:question|q|frage|pregunta|pergunta|domanda|问题|問題|问|質問)\s*[:：]"
    r"|.*[?？؟][\"”’»」』)]*$",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Parted:
    """A turn in three; joined as they are they make the turn."""

    before: str
    passage: str
    after: str

    @property
    def request(self) -> str:
        """Return the user's own words."""
        return f"{self.before.strip()}\n{self.after.strip()}".strip()

    @property
    def question(self) -> str:
        """Return the line that asks, else all of the user's own words."""
        lines = [line.strip() for line in self.request.split("\n")]
        return next((line for line in reversed(lines) if _ASKS.match(line)), self.request)

    def around(self, passage: str) -> str:
        """Return the turn with another text in the place of the passage."""
        return f"{self.before}{passage}{self.after}"

    def with_question(self) -> Parted:
        """Return it with the questions at the passage's ends moved out, where nothing is asked yet."""
        found = self
        if any(_ASKS.match(line.strip()) for line in self.request.split("\n")):
            return found
        if _ASKS.match(found.passage[: _head(found.passage)].strip()):
            found = _narrowed(found, _head(found.passage), len(found.passage))
        if _ASKS.match(found.passage[_tail(found.passage) :].strip()):
            found = _narrowed(found, 0, _tail(found.passage))
        return found


def part(text: str, passage: str | None) -> Parted:
    """Part a turn around its passage, as it was split; a short first and last line where it was not.

    What of such a line is text after all is kept word for word, which does little harm.
    """
    start, end = _place(text, passage) if passage else (0, len(text))
    if 2 * (end - start) < len(text):  # the long text is elsewhere
        start, end = 0, len(text)
    found = _narrowed(Parted(text[:start], text[start:end], text[end:]), 0, end - start)
    if _WORD.search(found.request):
        return found
    found = _narrowed(found, _head(found.passage), len(found.passage))
    return _narrowed(found, 0, _tail(found.passage))


def _place(text: str, passage: str) -> tuple[int, int]:
    """Return where the passage stands; its lines may have been put together in another way."""
    start = text.find(passage)
    if start >= 0:
        return start, start + len(passage)
    first, *_ = lines = passage.split("\n")
    start, last = text.find(first), text.rfind(lines[-1])
    return (start, last + len(lines[-1])) if 0 <= start < last else (0, len(text))


def _narrowed(parted: Parted, start: int, end: int) -> Parted:
    """Return it with the passage cut to ``[start:end]`` and the blanks at its ends; nothing is lost."""
    passage = parted.passage
    start += len(passage[start:end]) - len(passage[start:end].lstrip())
    end = start + len(passage[start:end].rstrip())
    before, after = parted.before + passage[:start], passage[end:] + parted.after
    return Parted(before, passage[start:end], after)


def _head(text: str) -> int:
    """Return where the first paragraph, line or sentence ends that is short enough for a request."""
    for unit in _UNITS:
        match = unit.search(text, 0, _ENDS)
        if match and match.start() > 0 and size(text[: match.start()]) <= MANY:
            return match.end()
    return 0


def _tail(text: str) -> int:
    """Return where the last paragraph, line or (a question only) sentence begins that is short."""
    begin = max(0, len(text) - _ENDS)
    for unit in _UNITS:
        ends = [match.end() for match in unit.finditer(text, begin) if match.end() < len(text)]
        if not ends or size(text[ends[-1] :]) > MANY:
            continue
        if unit is not _UNITS[-1] or _ASKS.match(text[ends[-1] :].strip()):
            return ends[-1]
    return len(text)
