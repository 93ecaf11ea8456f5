"""What was changed between two texts: nothing is lost, and it reads as a person would mark it."""

from __future__ import annotations

import itertools
import random

import pytest

from assistant.text_diff import Part, changed_words, diff


def marked(before: str, after: str) -> str:
    """Return the difference as wdiff writes it."""
    signs = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(signs[part.change].format(part.text) for part in diff(before, after))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", ""),
        ("Same.", "Same.", "Same."),
        ("", "New.", "{+New.+}"),
        ("Old.", "", "[-Old.-]"),
        ("It is Sydney.", "It is Canberra.", "It is [-Sydney-]{+Canberra+}."),
        ("the big red house", "the small blue house", "the [-big red-]{+small blue+} house"),
        ("one two", "one", "one[- two-]"),
        ("今天天气很好。", "今天天气不好。", "今天天气[-很-]{+不+}好。"),
        ("a\nb\nc\n", "a\nB\nc\n", "a\n[-b-]{+B+}\nc\n"),
        ("a\n\nb", "a\n\nc\n\nb", "a\n{+\nc\n+}\nb"),
    ],
)
def test_what_is_marked(before: str, after: str, expected: str) -> None:
    assert marked(before, after) == expected


def test_nothing_is_lost() -> None:
    lots = random.Random(5)
    for _ in range(300):
        before, after = (
            "".join(lots.choices(["a", "bc ", " ", "\n", "天", ".", "d"], k=lots.randrange(25)))
            for _ in range(2)
        )
        parts = diff(before, after)
        assert "".join(p.text for p in parts if p.change != "added") == before
        assert "".join(p.text for p in parts if p.change != "removed") == after
        assert all(part.text for part in parts)
        assert all(a.change != b.change for a, b in itertools.pairwise(parts))


def test_long_texts_that_differ_everywhere_are_taken_whole() -> None:
    before, after = " ".join(f"a{n}" for n in range(5000)), " ".join(f"b{n}" for n in range(5000))
    assert diff(before, after) == (Part("removed", before), Part("added", after))


def test_a_word_in_a_long_text_is_found() -> None:
    lines = [f"Line {n} of a long answer." for n in range(600)]
    after = list(lines)
    after[300] = "Line 300 of a short answer."
    parts = diff("\n".join(lines), "\n".join(after))
    assert [part for part in parts if part.change != "same"] == [
        Part("removed", "long"),
        Part("added", "short"),
    ]


def test_words_are_counted() -> None:
    assert changed_words(diff("It is Sydney.", "It is the city of Canberra!")) == (1, 4)
    assert changed_words(diff("很好", "不好")) == (1, 1)
