"""Make untrusted text harmless for a terminal, at the moment it is displayed.

Text comes from models, files, pasted logs and the web; it may carry escape sequences that move the
cursor, set the window title, fill the clipboard or turn reading order round. Store raw text and
clean it on display, titles, file names and errors included.

What goes: CSI, OSC, DCS, APC, PM and SOS sequences in their 7-bit (``ESC [``) and 8-bit (U+009B)
forms, all other escape sequences, lone C0 and C1 controls and DEL, and the bidirectional
embedding, override and isolate controls. What stays: everything else, ``\\n`` and ``\\t`` too.
``\\r\\n``, U+2028 and U+2029 become ``\\n`` and lone surrogates U+FFFD.
"""

from __future__ import annotations

import re
from typing import Literal

_HELD_AT_MOST = 4096
"""How much of an 8-bit string sequence is kept back while its end is awaited."""

_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STRING_OPENERS_7BIT = frozenset("]PX^_")
_STRING_OPENERS_8BIT = frozenset("\x9d\x90\x98\x9e\x9f")
_ABORT = frozenset("\x18\x1a")

_State = Literal["text", "escape", "csi", "string", "string_escape"]


def clean(text: str) -> str:
    """Return ``text`` without anything that a terminal would obey."""
    cleaner = Cleaner()
    return cleaner.feed(text) + cleaner.flush()


class Cleaner:
    """The same for a stream: a sequence may be cut anywhere between two chunks.

    It holds at most a few kilobytes. A string sequence opened in its 8-bit form may just as well
    be mis-decoded text (a wrongly decoded closing quote ends in U+009D), so what follows it is
    given back when it has not ended after a line or that many characters.
    """

    def __init__(self) -> None:
        self._state: _State = "text"
        self._held: list[str] | None = None

    def feed(self, chunk: str) -> str:
        """Return what of ``chunk`` (and of text held back before) can be shown now."""
        out: list[str] = []
        position = 0
        while position < len(chunk):
            if self._state == "text":
                position = self._copy_text(chunk, position, out)
            else:
                position += self._consume(chunk[position], out)
        return "".join(out)

    def flush(self) -> str:
        """End the text: return what was held back and start anew."""
        out: list[str] = []
        self._give_back(out)
        self._state = "text"
        return "".join(out)

    def _copy_text(self, chunk: str, position: int, out: list[str]) -> int:
        """Copy up to the next special character, act on it, and return the position after it."""
        found = _SPECIAL.search(chunk, position)
        if found is None:
            out.append(chunk[position:])
            return len(chunk)
        out.append(chunk[position : found.start()])
        char = found.group()
        if char == "\x1b":
            self._state = "escape"
        elif char == "\x9b":
            self._state = "csi"
        elif char in _STRING_OPENERS_8BIT:
            self._state = "string"
            self._held = []
        else:
            out.append(_stand_in(found))
        return found.end()

    def _consume(self, char: str, out: list[str]) -> int:
        """Take one character inside a sequence; 0 means: look at it again in the new state."""
        if self._state == "escape":
            return self._consume_escape(char)
        if self._state == "csi":
            return self._consume_csi(char)
        return self._consume_string(char, out)

    def _consume_escape(self, char: str) -> int:
        if char == "[":
            self._state = "csi"
        elif char in _STRING_OPENERS_7BIT:
            self._state = "string"
            self._held = None
        elif " " <= char <= "/" or char == "\x1b":
            pass  # intermediate bytes, or the escape starts again
        else:
            self._state = "text"
            return 1 if "0" <= char <= "~" else 0
        return 1

    def _consume_csi(self, char: str) -> int:
        if " " <= char <= "?":
            return 1  # parameters and intermediates
        self._state = "text"
        return 1 if "@" <= char <= "~" else 0

    def _consume_string(self, char: str, out: list[str]) -> int:
        if self._state == "string_escape":
            # ESC ends the string; with a backslash it is ST, otherwise a new sequence starts.
            if char == "\\":
                return self._end_string()
            self._give_back(out)
            self._state = "escape"
            return 0
        if char == "\x1b":
            self._state = "string_escape"
        elif char in ("\x07", "\x9c") or char in _ABORT:
            return self._end_string()
        elif self._held is not None:
            self._held.append(char)
            if char == "\n" or len(self._held) >= _HELD_AT_MOST:
                self._give_back(out)
                self._state = "text"
        return 1

    def _end_string(self) -> int:
        self._held = None
        self._state = "text"
        return 1

    def _give_back(self, out: list[str]) -> None:
        held, self._held = self._held, None
        if held:
            out.append(_SPECIAL.sub(_stand_in, "".join(held)))


def _stand_in(found: re.Match[str]) -> str:
    """Return what is shown in place of one special character outside any sequence."""
    char = found.group()
    if char in "\u2028\u2029":
        return "\n"
    return "\ufffd" if "\ud800" <= char <= "\udfff" else ""
