"""What is pasted arrives whole, clean and as one paste, however it is cut."""

from __future__ import annotations

from textual import events

from assistant.tui.pasting import PasteFilter, PasteSafeParser

PASTE = "\x1b[200~one\r\ntwo \x1b[31mred\x1b[0m three\rfour\x1b]0;t\x07\x1b[201~"


def test_cleans_only_pastes_wherever_they_are_cut() -> None:
    raw = f"a\x1b[A{PASTE}b\x1b[B"
    wanted = "a\x1b[A\x1b[200~one\ntwo red three\nfour\x1b[201~b\x1b[B"
    assert PasteFilter().feed(raw) == wanted
    start = raw.index("one")
    for cut in range(start, len(raw)):
        paste_filter = PasteFilter()
        assert paste_filter.feed(raw[:cut]) + paste_filter.feed(raw[cut:]) == wanted


def test_a_coloured_log_is_one_paste_and_presses_no_key() -> None:
    found = list(PasteSafeParser().feed(PASTE + "x"))
    pastes = [event for event in found if isinstance(event, events.Paste)]
    keys = [event.key for event in found if isinstance(event, events.Key)]
    assert [event.text for event in pastes] == ["one\ntwo red three\nfour"]
    assert keys == ["x"]


def test_escape_key_is_not_held_back() -> None:
    assert PasteFilter().feed("\x1b") == "\x1b"
