"""The training mixtures: built from a small folder of the same layout, nothing of the dev files in them."""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation.examples import read_examples
from assistant.training.shortening import REFUSALS

ROOT = Path(__file__).resolve().parents[2]

TOWNS = ["Askerby", "Birkholm", "Corwen", "Dunmore", "Elvestad", "Farleigh", "Grimsdal", "Hollin"]
RIVERS = ["Lun", "Tarn", "Weyra", "Ostel", "Brand", "Kelda", "Mirow", "Sorne"]


@pytest.fixture(scope="module")
def mixtures() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("mixtures")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    name = file.name.split(".")[0]
    some = [
        {"id": f"{name}-{i}", "task": file.parent.name, "source": name, "license": "CC0-1.0"} | row
        for i, row in enumerate(rows)
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in some]
    file.write_text("".join(lines), encoding="utf-8")


def _row(lang: str, given: str, target: str, **more: Any) -> dict[str, Any]:
    return {"input": given, "target": target, **more, "lang": lang}


def _films() -> list[dict[str, Any]]:
    """Two reviews a town, one of each label."""
    request = "Classify the sentiment of this review as positive or negative:\nthe film about"
    said = (("a joy from start to end", "positive"), ("dull and far too long", "negative"))
    return [
        _row("en", f"{request} {town} was {word}", label, labels=["positive", "negative"])
        for town in TOWNS
        for word, label in said
    ]


def _questions() -> list[dict[str, Any]]:
    """A question a town, each with a long and a short answer."""
    return [
        _row(
            "en",
            "Read the passage and answer the question.\n\n"
            f"Passage: {town} is a small town in the hills. The river {river} flows past it. It has a "
            f"school and a mill. Market day is Friday.\n\nQuestion: Which river flows past {town}?",
            f"The river {river}",
            answers=[f"The river {river}", river],
        )
        for town, river in zip(TOWNS, RIVERS, strict=True)
    ]


def _into(lang: str, name: str, target: str) -> list[dict[str, Any]]:
    """The same sentence about each town, and its translation with ``{town}`` in it."""
    sentence = f"Translate to {name}: The road to {{town}} is closed until the evening."
    return [_row(lang, sentence.format(town=town), target.format(town=town)) for town in TOWNS]


def _bad_pairs() -> list[dict[str, Any]]:
    """Too short, not translated, and without its number."""
    left = "The train leaves at half past four today."
    return [
        _row("en-fr", f"Translate to French: {given}", target)
        for given, target in (
            ("Wash your hands for at least twenty seconds, please.", "Oui."),
            (left, left),
            ("There were 4512 visitors in all.", "Il y avait des visiteurs partout."),
        )
    ]


def _talks() -> list[dict[str, Any]]:
    """A talk a town and what came of it."""
    return [
        _row(
            "en",
            f"Summarize the following dialogue:\n\n#Person1#: Are you coming to {town}?\n"
            "#Person2#: Yes, I will be there at noon, I only have to lock up first.\n"
            "#Person1#: Good, see you at the mill.",
            f"#Person1# and #Person2# meet at the mill in {town} at noon.",
        )
        for town in TOWNS
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few rows of each task, and among them some that have to stay out."""
    folder = tmp_path_factory.mktemp("data")
    films = _films()
    odd = _row("en", "odd", "positive", labels=["positive", "negative"])
    french = _into("en-fr", "French", "La route de {town} est fermée jusqu'au soir.")
    chinese = _into("en-zh", "Chinese", "去{town}的路关闭到晚上。")
    traditional = _row(
        *("en-zh", "Translate to Chinese: Do you know these people over there?"),
        "你認識那邊的這些人嗎？",
    )
    for name, rows in {
        "classification/sentiment_en_films.train": [*films, odd],
        "classification/sentiment_en_films.dev": films[:2],
        "qa/squadshifts_small_en.train": _questions(),
        "translation/tico19_en-fr.train": [*french, *_bad_pairs()],
        "translation/tico19_en-fr.dev": french[:1],
        "translation/tico19_en-zh.train": [*chinese, traditional],
        "summarization/dialogsum_en.train": _talks(),
    }.items():
        _write(folder / f"{name}.jsonl", rows)
    return folder


def _built(mixtures: Any, data: Path, task: str, out: Path, *more: str) -> list[dict[str, Any]]:
    argv = sys.argv
    sys.argv = ["mixtures.py", "--data", str(data), "--task", task, "--out", str(out), *more]
    try:
        assert mixtures.main() == 0
    finally:
        sys.argv = argv
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("task", ["classification", "qa", "translation", "summarization"])
def test_a_mixture_is_a_file_that_training_reads(
    mixtures: Any, data: Path, tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _built(mixtures, data, task, tmp_path / "m.jsonl")
    examples = read_examples(tmp_path / "m.jsonl", task).rows
    assert len(examples) == len(rows) > 20
    assert all(row["source"] and row["license"] for row in rows)
    for example in examples:
        if example.labels:
            assert example.target in example.labels
    printed = capsys.readouterr().out
    assert f"{len(rows)} rows" in printed
    assert "CC0-1.0" in printed
    again = _built(mixtures, data, task, tmp_path / "n.jsonl")
    assert again == rows
    other = _built(mixtures, data, task, tmp_path / "n.jsonl", "--seed", "5")
    assert other != rows


def test_what_is_held_out_is_not_there(mixtures: Any, data: Path, tmp_path: Path) -> None:
    rows = _built(
        mixtures, data, "classification", tmp_path / "m.jsonl", "--hold-out", "sentiment_en", "own"
    )
    sources = {row["source"].split(",")[0] for row in rows}
    assert rows
    assert "sentiment_en_films" not in sources
    assert "own" not in sources


def test_rows_of_the_dev_files_and_odd_rows_stay_out(mixtures: Any, data: Path) -> None:
    found = mixtures.build(data, "classification")
    assert found.rejected["sentiment_en_films: in the development data"] == 2
    assert found.rejected["sentiment_en_films: not taken apart"] == 1
    films = [row for row in found.rows if row.part == "sentiment_en_films"]
    assert len(films) == 14
    assert not [row for row in films if "Askerby" in row.example.input]


def test_labels_come_in_many_orders_and_names(mixtures: Any, data: Path) -> None:
    rows = [
        row
        for row in mixtures.build(data, "classification").rows
        if row.part == "sentiment_en_films"
    ]
    assert len({row.example.labels for row in rows}) > 4
    for row in rows:
        glad = "joy" in row.example.input
        names = {"positive": True, "negative": False}
        if row.example.target in names:
            assert names[row.example.target] == glad


def test_a_passage_that_does_not_say_has_none_of_the_answers(mixtures: Any, data: Path) -> None:
    rows = mixtures.build(data, "qa", ("own",)).rows
    refused = [row for row in rows if row.example.target in REFUSALS]
    assert len(refused) == pytest.approx(0.25 * len(rows), abs=2)
    for row in refused:
        town = next(town for town in TOWNS if f"flows past {town}?" in row.example.input)
        river = RIVERS[TOWNS.index(town)]
        assert river not in row.example.input.replace(f"flows past {town}?", "")


def test_the_shortest_answer_is_the_target(mixtures: Any, data: Path) -> None:
    rows = mixtures.build(data, "qa", ("own",)).rows
    answered = [row.example for row in rows if row.example.target not in REFUSALS]
    assert {example.target for example in answered} <= set(RIVERS)
    assert all(f"The river {example.target}" in example.references for example in answered)


def test_bad_pairs_stay_out_and_two_languages_meet_over_english(mixtures: Any, data: Path) -> None:
    found = mixtures.build(data, "translation", ("own",))
    assert found.rejected["tico19_en-fr: lengths do not match"] == 1
    assert found.rejected["tico19_en-fr: not translated"] == 1
    assert found.rejected["tico19_en-fr: numbers do not match"] == 1
    assert found.rejected["tico19_en-fr: in the development data"] == 1
    assert found.rejected["tico19_en-zh: traditional characters"] == 1
    between = [row.example for row in found.rows if row.part == "between other languages"]
    assert {example.lang for example in between} == {"fr-zh", "zh-fr"}
    for example in between:
        town = next(town for town in TOWNS if town in example.target)
        assert town in example.input
        assert ("La route" in example.target) == example.lang.endswith("fr")


def test_lines_that_ask_are_translated(mixtures: Any, data: Path) -> None:
    rows = [
        row for row in mixtures.build(data, "translation").rows if row.part.startswith("own lines")
    ]
    assert len(rows) > 200
    assert len({row.example.lang for row in rows}) == 20
    assert any("Ignore" in row.example.input for row in rows)


def test_persons_get_names_in_text_and_summary_alike(mixtures: Any, data: Path) -> None:
    rows = [row.example for row in mixtures.build(data, "summarization", ("own",)).rows]
    counts = Counter("#Person1#" in example.input for example in rows)
    assert counts[True]
    assert counts[False]
    for example in rows:
        assert ("#Person1#" in example.input) == ("#Person1#" in example.target)
        first = example.target.split(" and ")[0]
        assert f"{first}:" in example.input


def test_a_number_of_words_is_kept_to(mixtures: Any, data: Path) -> None:
    summarization = importlib.import_module("mixture.summarization")
    checked = 0
    for seed in range(4):
        for row in mixtures.build(data, "summarization", (), seed).rows:
            most = next((n for n in range(5, 61, 1) if f" {n} words" in row.example.input), None)
            if most:
                checked += 1
                assert summarization.size(row.example.target) <= most
    assert checked


@pytest.mark.parametrize(
    "name", ["labelled_examples", "own_questions", "own_translations", "own_summaries"]
)
def test_own_texts_are_ours_and_have_their_answers(name: str) -> None:
    file = ROOT / "benchmarks" / "texts" / f"{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert all(row["license"] == "Apache-2.0" and row["source"] == "own" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    if name == "labelled_examples":
        assert len(rows) >= 300
        assert len({tuple(row["labels"]) for row in rows}) >= 40
        assert all(row["target"] in row["labels"] for row in rows)
    if name == "own_questions":
        assert len({row["passage"] for row in rows if "passage" in row}) >= 60


def test_a_pair_that_does_not_belong_together_is_found(mixtures: Any) -> None:
    alignment = importlib.import_module("mixture.alignment")
    words = [
        "red",
        "old",
        "cat",
        "dog",
        "sea",
        "sun",
        "mill",
        "road",
        "tree",
        "bird",
        "milk",
        "king",
    ]
    pairs = []
    rng = random.Random(1)
    for i in range(240):
        some = rng.sample(words, 4)
        pairs.append((" ".join([*some, str(i)]), " ".join(f"x{word}" for word in some)))
    wrong = ("red old cat dog", "xmilk xking xbird xtree")
    found = alignment.doubtful((*pairs, wrong))
    assert wrong in found
    assert len(found) < 12
    assert not alignment.doubtful((*pairs[:20], wrong))  # too few to learn from
