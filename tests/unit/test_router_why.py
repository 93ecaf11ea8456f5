"""Why a turn is routed as it is: parts of it, and what is measured when they are taken away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from assistant.router.why import (
    MOST_PARTS,
    PREVIOUS,
    explain_parts,
    sentences_of,
    without,
    words_of,
)

Turns = Sequence[tuple[str, str | None]]


class Linear:
    """Scores a turn by its words: each adds its weights to the tasks' logits."""

    def __init__(
        self, weights: dict[str, dict[str, float]], context: dict[str, float] | None = None
    ) -> None:
        self.weights = weights
        self.context = context or {}
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, turns: Turns) -> list[dict[str, float]]:
        self.asked += turns
        return [self.score(text, context) for text, context in turns]

    def score(self, text: str, context: str | None = None) -> dict[str, float]:
        logits = {"qa": 0.0, "chat": 0.0}
        found = [self.weights.get(text[a:b], {}) for a, b in words_of(text)]
        for each in [*found, self.context if context else {}]:
            for task, weight in each.items():
                logits[task] = logits.get(task, 0.0) + weight
        total = sum(math.exp(value) for value in logits.values())
        return {task: math.exp(value) / total for task, value in logits.items()}


def pieces(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [text[start:end] for start, end in spans]


# -- what the parts are ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the capital?", ["What's", "the", "capital", "?"]),
        ("a_b  c-d\n12.5", ["a", "_", "b", "c-d", "12", ".", "5"]),
        ("把这句话翻译成英文：早。", ["把这", "句话", "翻译", "成英", "文", "：", "早", "。"]),
        ("把hello翻译成英文", ["把", "hello", "翻译", "成英", "文"]),
        ("GPT3是什么", ["GPT3", "是什", "么"]),
        ("カタカナ 한국어", ["カタ", "カナ", "한국", "어"]),
        ("Où est‑il né ?", ["Où", "est", "‑", "il", "né", "?"]),
        ("", []),
        (" \n", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert pieces(text, words_of(text)) == words


def test_sentences_and_lines() -> None:
    text = "First one. Second, really?! Third\nfourth \n\n。第五句。Sixth"
    found = [piece.strip() for piece in pieces(text, sentences_of(text))]
    assert found == ["First one.", "Second, really?!", "Third", "fourth", "。", "第五句。", "Sixth"]


@pytest.mark.parametrize("count", [MOST_PARTS, MOST_PARTS + 1, 100, 113])
def test_many_sentences_are_taken_together_and_none_is_lost(count: int) -> None:
    text = " ".join(f"Sentence {n}." for n in range(count))
    spans = sentences_of(text)
    assert MOST_PARTS / 2 <= len(spans) <= MOST_PARTS
    assert [piece.strip() for piece in " ".join(pieces(text, spans)).split(".")[:-1]] == [
        f"Sentence {n}" for n in range(count)
    ]


@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ([], "one two three"),
        ([(4, 7)], "one  three"),
        ([(8, 13), (0, 3)], " two "),
        ([(0, 7), (4, 8)], "three"),
        ([(0, 13)], ""),
    ],
)
def test_what_is_left_without_parts(spans: list[tuple[int, int]], left: str) -> None:
    assert without("one two three", spans) == left


# -- what they do ----------------------------------------------------------------------------------


def test_the_effect_of_a_word_is_its_weight_where_weights_add_up() -> None:
    score = Linear({"why": {"qa": 2.0}, "hello": {"chat": 0.5}, "so": {"qa": 0.25}})
    parts = explain_parts("hello so why ?", None, score)
    assert [part.text for part in parts] == ["why", "hello", "so", "?"]
    effects = [part.for_task("qa") for part in parts]
    assert effects == pytest.approx([2.0, -0.5, 0.25, 0.0], abs=1e-6)
    assert [part.for_task("chat") for part in parts] == pytest.approx([-e for e in effects])
    assert parts[0].for_task("no such task") == 0.0
    assert all("hello so why ?"[part.start : part.end] == part.text for part in parts)


def test_the_same_word_twice_is_two_parts() -> None:
    parts = explain_parts("why , why", None, Linear({"why": {"qa": 1.0}}))
    assert sorted((part.text, part.start) for part in parts) == [(",", 4), ("why", 0), ("why", 6)]


def test_a_turn_of_one_word_is_compared_with_none_at_all() -> None:
    (part,) = explain_parts("why", None, Linear({"why": {"qa": 1.0}}))
    assert part.for_task("qa") == pytest.approx(1.0)


def test_a_turn_without_words_has_no_parts() -> None:
    assert explain_parts(" \n", None, Linear({})) == []


def test_a_certainty_is_no_infinite_effect() -> None:
    def score(turns: Turns) -> list[dict[str, float]]:
        return [{"qa": float("why" in text), "chat": float("why" not in text)} for text, _ in turns]

    (part,) = [part for part in explain_parts("why oh", None, score) if part.text == "why"]
    assert 10 < part.for_task("qa") < 100


def test_a_task_that_comes_up_only_with_a_part_counts_as_impossible_without() -> None:
    def score(turns: Turns) -> list[dict[str, float]]:
        return [{"qa": 0.4, "haiku": 0.6} if "frog" in text else {"qa": 1.0} for text, _ in turns]

    parts = explain_parts("a frog", None, score)
    assert (parts[0].text, parts[1].for_task("haiku")) == ("frog", 0.0)
    assert parts[0].for_task("haiku") > 5


def test_a_long_turn_is_looked_at_by_sentences_and_by_words_in_those_that_matter() -> None:
    filler = " ".join(f"Filler sentence number {n} says nothing at all." for n in range(8))
    text = f"Please tell me why. {filler} Or say hello."
    score = Linear({"why": {"qa": 2.0}, "hello": {"chat": 1.0}})
    parts = explain_parts(text, None, score)
    found = {part.text.strip(): part for part in parts}
    assert all(text[part.start : part.end] == part.text for part in parts)
    assert found["Please tell me why."].for_task("qa") == pytest.approx(2.0)
    assert found["why"].for_task("qa") == pytest.approx(2.0)
    assert found["hello"].for_task("qa") == pytest.approx(-1.0)
    assert found["Please"].for_task("qa") == pytest.approx(0.0)
    assert "Filler sentence number 3 says nothing at all." in found
    assert "Filler" not in found
    assert len(score.asked) == len(parts) + 1


def test_the_end_of_a_long_sentence_is_looked_at_too() -> None:
    text = " ".join(f"word{n}" for n in range(90)) + " why"
    score = Linear({"why": {"qa": 2.0}})
    parts = explain_parts(text, None, score)
    assert len(parts) <= MOST_PARTS + 1
    inner = [part for part in parts if part.end == len(text) and part.start > 0]
    assert inner[0].text.endswith("why")
    assert len(inner[0].text) < 30
    assert inner[0].for_task("qa") == pytest.approx(2.0)
    covered = {n for part in parts if part.start > 0 for n in range(part.start, part.end)}
    assert len(covered) > 0.9 * len(text)


def test_the_previous_turn_is_a_part_where_there_is_one() -> None:
    score = Linear({"why": {"qa": 1.0}}, context={"qa": 3.0})
    parts = explain_parts("why", "User: a\nAssistant: b", score)
    assert [(part.text, part.start) for part in parts] == [(PREVIOUS, -1), ("why", 0)]
    assert [part.for_task("qa") for part in parts] == pytest.approx([3.0, 1.0])
    for none in (None, ""):
        assert [part.text for part in explain_parts("why", none, score)] == ["why"]


# -- faithfulness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_without_its_top_parts_the_winner_loses_more_than_without_random_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tasks = ["qa", "chat", "translation", "summarization", "classification"]
    words = [f"word{n}" for n in range(20)]
    score = Linear({w: dict(zip(tasks, rng.normal(size=5), strict=True)) for w in words})
    text = " ".join(words)
    full = score.score(text)
    winner = max(full, key=lambda task: full[task])
    parts = explain_parts(text, None, score)
    top = sorted(parts, key=lambda part: -part.for_task(winner))[:3]

    def left(spans: Sequence[tuple[int, int]]) -> float:
        return score.score(without(text, spans))[winner]

    chosen = left([(part.start, part.end) for part in top])
    spans = words_of(text)
    random = [left([spans[at] for at in rng.choice(20, 3, replace=False)]) for _ in range(20)]
    assert full[winner] - chosen > 2 * (full[winner] - float(np.mean(random)))
