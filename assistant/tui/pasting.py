"""Keep escape sequences inside a paste from being read as keys.

Textual 8.2.8 looks for key sequences inside a bracketed paste too: what follows an escape there is
taken out of the paste and typed key by key, so a coloured log could press Enter. Most terminals
filter pastes themselves; tmux does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

from assistant.sanitize import Cleaner

_START = "\x1b[200~"
_END = "\x1b[201~"


class PasteFilter:
    """Cleans what lies between the marks of a paste and leaves all other input alone."""

    def __init__(self) -> None:
        self._cleaner: Cleaner | None = None
        self._tail = ""

    def feed(self, data: str) -> str:
        """Return ``data`` as the parser may see it; a mark may be cut between two calls."""
        data, self._tail = self._tail + data, ""
        out: list[str] = []
        while data:
            if self._cleaner is None:
                before, mark, data = data.partition(_START)
                out += [before, mark]
                self._cleaner = Cleaner() if mark else None
                continue
            pasted, mark, rest = data.partition(_END)
            if not mark:
                pasted, self._tail = _without_open_end(pasted)
            out.append(self._cleaner.feed(pasted.replace("\r\n", "\n").replace("\r", "\n")))
            if mark:
                out += [self._cleaner.flush(), mark]
                self._cleaner = None
            data = rest
        return "".join(out)


def _without_open_end(text: str) -> tuple[str, str]:
    """Split off what may be the beginning of the end mark, or half of a line break."""
    for length in range(len(_END) - 1, 0, -1):
        if text.endswith(_END[:length]):
            return text[:-length], text[-length:]
    return (text[:-1], "\r") if text.endswith("\r") else (text, "")


class PasteSafeParser(XTermParser):
    """Textual's parser behind a :class:`PasteFilter`."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._filter = PasteFilter()

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what came; an empty ``data`` means there is no more."""
        if not data:
            return super().feed("")
        filtered = self._filter.feed(data)
        # Nothing left (all of it is held back) must not look like the end.
        return super().feed(filtered) if filtered else ()


def install() -> None:
    """Make Textual's terminal driver use the safe parser."""
    try:
        from textual.drivers import linux_driver
    except ImportError:  # Windows has another driver, without this parser in a thread
        return
    setattr(linux_driver, "XTermParser", PasteSafeParser)  # noqa: B010
