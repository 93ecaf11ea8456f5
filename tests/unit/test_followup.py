"""Turns that bring no text of their own."""

from __future__ import annotations

import pytest

from assistant.understand import language_mentioned, refers_back


@pytest.mark.parametrize(
    "text",
    [
        "and in German?",
        "now put that into French please",
        "in spanish",
        "und auf Deutsch?",
        "et en anglais ?",
        "y en francés?",
        "再翻成英文",
        "那日语呢？",
        "shorter please",
        "短一点",
    ],
)
def test_a_bare_wish_refers_back(text: str) -> None:
    assert refers_back(text)


@pytest.mark.parametrize(
    "text",
    [
        "translate bonjour",
        "how do I say hello in French",
        "and what about dinner in German?",
        "翻译：猫在睡觉",
        "Summarize: the council met on Monday",
    ],
)
def test_a_turn_with_a_text_does_not(text: str) -> None:
    assert not refers_back(text)


def test_the_language_of_a_bare_wish_is_found() -> None:
    assert language_mentioned("那日语呢？") == "ja"
    assert language_mentioned("and in German?") == "de"
    assert language_mentioned("y en francés?") == "fr"
    assert language_mentioned("shorter please") is None
