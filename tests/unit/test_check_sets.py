"""The frozen check sets: they can be read, are what they claim to be, and no row is there twice."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation.examples import read_examples
from assistant.prompts import read_prompt_file

ROOT = Path(__file__).parents[2]
TASKS = ("classification", "qa", "translation", "summarization")
PAIRS = ("en-zh", "zh-en", "en-de", "de-en", "en-fr", "fr-en", "en-es", "es-en")


@cache
def rows(task: str) -> list[dict[str, Any]]:
    """Return a set's rows as they stand in the file, with what the program does not read."""
    lines = _path(task).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _path(task: str) -> Path:
    return ROOT / "benchmarks" / "texts" / f"{task}_check.jsonl"


def _shares(task: str) -> dict[str, float]:
    count = Counter(row["lang"] for row in rows(task))
    return {lang: number / count.total() for lang, number in count.items()}


@pytest.mark.parametrize("task", TASKS)
def test_the_program_reads_every_row_as_its_task(task: str) -> None:
    read = read_examples(_path(task), task).rows
    assert [one.id for one in read] == [row["id"] for row in rows(task)]
    assert {row["task"] for row in rows(task)} == {task}
    assert {(row["source"], row["license"]) for row in rows(task)} == {("own", "Apache-2.0")}


@pytest.mark.parametrize("task", TASKS)
def test_the_target_is_the_first_answer_and_no_answer_is_there_twice(task: str) -> None:
    for row in rows(task):
        answers = row.get("answers", [row["target"]])
        assert answers[0] == row["target"], row["id"]
        assert len(set(answers)) == len(answers), row["id"]


def test_no_id_and_no_input_is_there_twice() -> None:
    every = [row for task in TASKS for row in rows(task)]
    assert len({row["id"] for row in every}) == len(every)
    inputs = Counter("".join(row["input"].lower().split()) for row in every)
    assert [text for text, number in inputs.items() if number > 1] == []


def test_a_right_label_is_one_of_the_labels() -> None:
    for row in rows("classification"):
        labels = row["labels"]
        assert row["target"] in labels, row["id"]
        assert 2 <= len(labels) <= 12, row["id"]
        assert len({label.casefold() for label in labels}) == len(labels), row["id"]


def test_there_are_many_label_sets_of_a_few_rows_each() -> None:
    sizes = Counter(row["kind"] for row in rows("classification"))
    assert len(sizes) >= 45
    assert min(sizes.values()) >= 3
    assert max(sizes.values()) <= 8
    sets = {(row["kind"], tuple(row["labels"])) for row in rows("classification")}
    assert len(sets) == len(sizes)  # one list of labels a kind
    assert sum(row.get("hostile", False) for row in rows("classification")) >= 20


def test_no_label_set_has_one_right_label_only() -> None:
    right: dict[str, set[str]] = {}
    for row in rows("classification"):
        right.setdefault(row["kind"], set()).add(row["target"])
    assert [kind for kind, labels in right.items() if len(labels) < 2] == []


def test_about_half_of_the_inputs_name_their_labels() -> None:
    named = [
        all(label.casefold() in row["input"].casefold() for label in row["labels"])
        for row in rows("classification")
    ]
    assert 0.4 <= sum(named) / len(named) <= 0.6


@pytest.mark.parametrize(
    ("task", "least"),
    [
        ("classification", {"en": 0.4, "zh": 0.25, "de": 0.04, "fr": 0.04, "es": 0.04, "ja": 0.04}),
        ("qa", {"en": 0.45, "zh": 0.3, "de": 0.03, "fr": 0.03, "es": 0.03, "ja": 0.03}),
        ("summarization", {"en": 0.45, "zh": 0.3, "de": 0.05, "fr": 0.05, "es": 0.05}),
    ],
)
def test_every_language_has_its_share(task: str, least: dict[str, float]) -> None:
    shares = _shares(task)
    assert {lang: shares.get(lang, 0) for lang in least if shares.get(lang, 0) < least[lang]} == {}


def test_every_direction_has_its_rows() -> None:
    count = Counter(row["lang"] for row in rows("translation"))
    assert {pair: count[pair] for pair in PAIRS} == dict.fromkeys(PAIRS, 20)
    others = {pair: number for pair, number in count.items() if pair not in PAIRS}
    assert others == dict.fromkeys(("ja-en", "en-ja", "zh-fr", "de-zh"), 10)


def test_what_the_passage_does_not_say_is_answered_in_the_programs_words() -> None:
    prompt = read_prompt_file(ROOT / "prompts" / "qa.yaml")
    refusals = {one.target for one in prompt.examples if "no_answer" in one.tags}
    for row in rows("qa"):
        assert (row["target"] in refusals) == (not row["answerable"]), row["id"]
        if not row["answerable"]:
            assert (row["target"] == "文中没有提到。") == (row["lang"] == "zh"), row["id"]
    silent = sum(not row["answerable"] for row in rows("qa"))
    assert 0.2 <= silent / len(rows("qa")) <= 0.3


def test_a_summary_is_much_shorter_than_its_text_and_has_a_second_wording() -> None:
    for row in rows("summarization"):
        assert len(row["answers"]) == 2, row["id"]
        assert max(map(len, row["answers"])) < 0.55 * len(row["input"]), row["id"]
