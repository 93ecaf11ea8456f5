"""Nothing that a terminal would obey gets through, and nothing else is lost."""

from __future__ import annotations

import random
import re
import tracemalloc

import pytest

from assistant.sanitize import Cleaner, clean

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ascii, 中文, العربية, 🙂\n\ttabbed", "plain ascii, 中文, العربية, 🙂\n\ttabbed"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "ab"),
        ("a\x00b\x07c\x08d\x7fe", "abcde"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[?1049h\x1b[2J\x1b[1;1Hx", "x"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]0;title\x1b\\x", "x"),
        ("\x1b]52;c;c2VjcmV0\x9cx", "x"),
        ("\x9d0;title\x9cx", "x"),
        ("\x9d0;title\x07x", "x"),
        ("a\x1bPq#0;1;1\nmore\x1b\\b", "ab"),
        ("a\x90q#0\x9cb", "ab"),
        ("a\x1b_Gf=100;AAAA\x1b\\b", "ab"),
        ("a\x9fGf=100\x9cb", "ab"),
        ("a\x1b^private\x1b\\b\x9eprivate\x9cc", "abc"),
        ("a\x1bXstring\x1b\\b\x98string\x9cc", "abc"),
        ("\x1b(Bx\x1b#8y\x1bcz\x1b7\x1b=", "xyz"),
        ("x\x1b", "x"),
        ("x\x1b[", "x"),
        ("x\x1b[12;", "x"),
        ("\x1b\x1b[31mx", "x"),
        ("\x1b[31\nx", "\nx"),
        ("\x1b[3\x1b[1mx", "x"),
        ("\x1b[é", "é"),
        ("\x1bé", "é"),
        ("\x1b]0;a\x18x", "x"),
        ("\x1b]0;a\x1b[31mx", "x"),
        ("a\x1b]never ends", "a"),
        ("\u202eevil\u202c \u2066x\u2069 \u202aemb\u202b", "evil x emb"),
        ("שלום\u200f!", "שלום\u200f!"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("a\ud800b", "a\ufffdb"),
        ("a\x85b\x84c", "abc"),
    ],
)
def test_cleans(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_misdecoded_quote_does_not_hide_the_rest() -> None:
    assert clean("â\x80\x9dquoted and more\nnext line") == "âquoted and more\nnext line"
    assert clean("â\x80\x9dquoted to the end") == "âquoted to the end"


def test_many_openers_are_no_trouble() -> None:
    assert clean("\x9d" * 50_000 + "x") == "x"
    assert clean("\x1b]" * 50_000) == ""


def test_any_cut_gives_the_same() -> None:
    raw = (
        "a\x1b[1;31mb\x1b]8;;http://x\x1b\\c\x9b2Kd\x1bPq\x1b\\e\u202ef\r\ng\x9d8\x9ch\x1b(0i"
        "\x9dheld\nj\x90open \x1b[1mk\x9flast"
    )
    whole = clean(raw)
    for cut in range(len(raw) + 1):
        cleaner = Cleaner()
        assert cleaner.feed(raw[:cut]) + cleaner.feed(raw[cut:]) + cleaner.flush() == whole
    cleaner = Cleaner()
    assert "".join(cleaner.feed(char) for char in raw) + cleaner.flush() == whole


def test_noise_never_gets_through() -> None:
    noise = random.Random(7)
    alphabet = (
        "ab]P[_^X\\mc;0\n\t\x07\x18\x1b\x1b\x7f\x90\x98\x9b\x9c\x9d\x9e\x9f\x85\u202e\u2066é中"
    )
    for _ in range(2000):
        raw = "".join(noise.choice(alphabet) for _ in range(noise.randrange(60)))
        shown = clean(raw)
        assert not OBEYED.search(shown)
        assert clean(shown) == shown
        cleaner = Cleaner()
        half = len(raw) // 2
        assert cleaner.feed(raw[:half]) + cleaner.feed(raw[half:]) + cleaner.flush() == shown


def test_flush_starts_anew() -> None:
    cleaner = Cleaner()
    assert cleaner.feed("a\x1b[3") == "a"
    assert cleaner.flush() == ""
    assert cleaner.feed("1mb") == "1mb"


@pytest.mark.parametrize("opener", ["\x1b]", "\x1b[", "\x9d", "\x90"])
def test_unterminated_sequence_takes_bounded_memory(opener: str) -> None:
    cleaner = Cleaner()
    cleaner.feed(opener)
    block = "1" * 10_000
    tracemalloc.start()
    try:
        for _ in range(50):
            cleaner.feed(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
