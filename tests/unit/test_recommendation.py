"""Which model is recommended by what was measured, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.adapters.card import Card
from assistant.adapters.run_record import RunRecord, Score
from assistant.adapters.shelf import Look, OnShelf
from assistant.errors import UsageError
from assistant.measured import Measurement
from assistant.models.catalog import load_catalog
from assistant.models.hardware import Hardware
from assistant.models.recommend import recommend
from assistant.recommendation import Advice, Judged, Wish, advise, read_wish
from assistant.recommendation.advice import MODEL_MARGIN
from assistant.recommendation.evidence import gather
from assistant.recommendation.words import FEW_EXAMPLES, MANY_EXAMPLES
from assistant.strategy import Chooser

TINY, SMALL, LARGE = "smollm2-135m-instruct", "qwen3-0.6b", "qwen2.5-1.5b-instruct"
MODELS = (TINY, SMALL, LARGE)


def row(model: str, value: float, **fields: Any) -> Measurement:
    known: dict[str, Any] = {
        "task": "qa",
        "lang": "en",
        "strategy": "zero_shot",
        "metric": "f1",
        "low": value - 3,
        "high": value + 3,
        "n": 100,
        "data": "A",
    }
    return Measurement(model=model, value=value, **{**known, **fields})


def advice(
    rows: list[Measurement],
    wish: Wish | None = None,
    *,
    memory: float = 4.0,
    can_train: bool = False,
) -> Advice:
    wish = wish or read_wish("qa", ["en"])
    size = int(memory * 1e9)
    ranked = recommend(
        Hardware(size, size, 2), languages=wish.languages, task=wish.task, entries=load_catalog()
    )
    return advise(ranked, wish, Chooser(rows), can_train=can_train)


def named(found: Advice, name: str) -> Judged:
    return next(one for one in found.models if one.name == name)


@pytest.mark.parametrize(
    ("given", "languages", "lang"),
    [
        (["de"], ("de",), "de"),
        (["DE_de"], ("de",), "de"),
        (["en-zh"], ("en", "zh"), "en-zh"),
        (["EN-ZH"], ("en", "zh"), "en-zh"),
        (["es-AR"], ("es",), "es"),
        (["es-ar"], ("es", "ar"), "es-ar"),
        (["zh-Hant"], ("zh",), "zh"),
        (["de,en"], ("de", "en"), ""),
        (["de", "en", "de"], ("de", "en"), ""),
        ([" , "], (), ""),
    ],
)
def test_languages_and_pairs_are_read(
    given: list[str], languages: tuple[str, ...], lang: str
) -> None:
    wish = read_wish("translation", given)
    assert (wish.languages, wish.lang) == (languages, lang)


def test_a_pair_is_a_language_of_translations_only() -> None:
    assert read_wish("qa", ["en-zh"]) == Wish("qa", ("en", "zh"))


@pytest.mark.parametrize("wrong", ["german", "d", "->", "x1"])
def test_no_language(wrong: str) -> None:
    with pytest.raises(UsageError, match="no code of a language"):
        read_wish("qa", [wrong])


@pytest.mark.parametrize(
    ("lead", "wanted"), [(MODEL_MARGIN - 0.1, SMALL), (MODEL_MARGIN + 0.1, LARGE)]
)
def test_a_larger_model_must_be_ahead_by_the_margin(lead: float, wanted: str) -> None:
    found = advice([row(TINY, 20), row(SMALL, 50), row(LARGE, 50 + lead)])
    assert found.by_measurement
    assert found.recommended is found.models[0]
    assert found.recommended.name == wanted
    assert ("not worth a larger model" in found.sentences[1]) == (wanted == SMALL)
    assert ("best of the 3 models" in found.sentences[1]) == (wanted == LARGE)


def test_only_what_fits_is_recommended() -> None:
    rows = [row(TINY, 20), row(SMALL, 50), row(LARGE, 90)]
    found = advice(rows, memory=2.0)
    assert found.recommended is not None
    assert found.recommended.name == SMALL
    assert not named(found, LARGE).by_size.fits
    assert LARGE not in " ".join(found.sentences)


def test_the_best_way_of_each_model_is_shown_with_its_figures() -> None:
    few = {"strategy": "few_shot", "shots": 4, "nearest": True}
    found = advice([row(SMALL, 40), row(SMALL, 60, **few), row(LARGE, 55), row(LARGE, 45, **few)])
    (best,) = named(found, SMALL).measured
    assert (best.way, best.value, best.low, best.high) == ("few-shot (4 nearest)", 60, 57, 63)
    assert (best.n, best.data, best.langs, best.compared) == (100, ("A",), ("en",), True)
    assert named(found, LARGE).measured[0].way == "zero-shot"
    said = found.sentences[1]
    assert "f1 60.0 (95 % interval 57.0 to 63.0, n = 100) with few-shot (4 nearest) on A" in said
    assert "the best of the 2 models" in said


def test_models_on_other_data_are_shown_but_not_compared() -> None:
    found = advice([row(SMALL, 40), row(LARGE, 50), row(TINY, 99, data="easy")])
    assert found.by_measurement
    assert found.recommended is not None
    assert found.recommended.name == LARGE
    (alone,) = named(found, TINY).measured
    assert (alone.value, alone.compared) == (99, False)


def test_a_mean_is_taken_over_shared_data_only() -> None:
    rows = [row(SMALL, 40), row(SMALL, 60, data="B"), row(LARGE, 30), row(LARGE, 40, data="B")]
    found = gather(Chooser([*rows, row(LARGE, 99, data="C")]), Wish("qa", ("en",), "en"), MODELS)
    small, large = found[SMALL][0], found[LARGE][0]
    assert (small.value, large.value, small.n, small.data) == (50, 35, 200, ("A", "B"))
    # Two independent means with a half width of 3 each: 3 / sqrt(2) for their mean.
    assert small.high - small.value == pytest.approx(2.12, abs=0.01)


def test_nothing_measured_goes_by_size_and_speed() -> None:
    found = advice([])
    assert not found.by_measurement
    by_size = [one.by_size for one in found.models]
    assert by_size[0].score == max(one.score for one in by_size)
    assert not any(one.measured for one in found.models)
    assert "size and expected speed decided" in found.sentences[1]


def test_one_model_measured_is_no_comparison() -> None:
    without = advice([]).recommended
    found = advice([row(TINY, 20)])
    assert found.recommended is not None
    assert without is not None
    assert found.recommended.name == without.name != TINY
    assert named(found, TINY).measured[0].compared is False
    own = advice([row(without.name, 70)])
    assert "by itself it reached f1 70.0" in own.sentences[1]


def test_an_unmeasured_favourite_is_named() -> None:
    favourite = advice([]).recommended
    assert favourite is not None
    found = advice([row(TINY, 20), row(SMALL, 50)])
    assert f"{favourite.name}, first by size and speed, was not measured" in found.sentences[1]


def test_own_measurements_of_two_models_win_over_the_shipped() -> None:
    shipped = [row(SMALL, 40), row(LARGE, 60)]
    one = row(SMALL, 80, own=True, data="mine")
    found = advice([*shipped, one])
    assert found.recommended is not None
    assert found.recommended.name == LARGE
    assert [each.own for each in named(found, SMALL).measured] == [False, True]
    found = advice([*shipped, one, row(LARGE, 70, own=True, data="mine")])
    assert found.recommended is not None
    assert found.recommended.name == SMALL
    assert [each.own for each in named(found, SMALL).measured] == [True]
    assert "on your own data (mine)" in found.sentences[1]


def test_of_two_own_runs_on_the_same_data_the_newer_counts() -> None:
    rows = [row(SMALL, 40, own=True, n=5), row(SMALL, 60, own=True, n=50)]
    found = gather(Chooser(rows), Wish("qa", ("en",), "en"), MODELS)
    assert [(one.value, one.n) for one in found[SMALL]] == [(60, 50)]


def test_another_language_is_said_and_does_not_recommend_a_model_not_made_for_it() -> None:
    rows = [row(TINY, 59), row(SMALL, 60), row(LARGE, 59)]
    assert advice(rows).models[0].name == TINY
    found = advice(rows, read_wish("qa", ["de"]))
    assert found.recommended is not None
    assert found.recommended.name == SMALL
    assert "(measured in en, not in de)" in found.sentences[1]


def test_one_language_of_a_translation_is_measured_by_its_pairs() -> None:
    pair: dict[str, Any] = {"task": "translation", "metric": "chrf"}
    rows = [
        row(model, value, lang=lang, **pair)
        for model, value, lang in (
            (SMALL, 30, "en-de"),
            (LARGE, 40, "en-de"),
            (SMALL, 90, "en-fr"),
            (LARGE, 10, "en-fr"),
        )
    ]
    found = advice(rows, read_wish("translation", ["de"]))
    assert found.recommended is not None
    assert found.recommended.name == LARGE
    assert found.recommended.measured[0].langs == ("en-de",)
    assert "not in de" not in found.sentences[1]
    exact = advice(rows, read_wish("translation", ["en-fr"]))
    assert exact.sentences[1].startswith("For translation en-fr it reached chrf 90.0")


def test_chat_counts_only_as_it_is_answered() -> None:
    few = row(SMALL, 90, task="chat", strategy="few_shot", shots=4)
    found = gather(Chooser([few, row(SMALL, 10, task="chat")]), Wish("chat"), MODELS)
    assert [one.way for one in found[SMALL]] == ["zero-shot"]
    assert gather(Chooser([few]), Wish("chat"), MODELS) == {}


def test_an_adapter_that_is_not_in_use_counts_for_nothing() -> None:
    rows = [row(SMALL, 90, strategy="adapter", adapter="v1"), row(SMALL, 40, data="B")]
    wish = Wish("qa", ("en",), "en")
    assert [one.value for one in gather(Chooser(rows), wish, MODELS)[SMALL]] == [40]
    used = Chooser([replace(rows[1], data="A"), rows[0]], {"qa": "v1"})
    assert gather(used, wish, MODELS)[SMALL][0].way == "adapter v1"


def shelf(model: str, *in_use: Card) -> Look:
    there = OnShelf({one.name: one for one in in_use}, {one.task: one.name for one in in_use})
    return lambda name: there if name == model else OnShelf()


def trained(**scores: Score) -> Card:
    return Card(SMALL, "qa", "v1", Path("nowhere"), own=True, run=RunRecord(scores=scores))


def test_an_adapter_counts_for_the_model_it_is_in_use_for() -> None:
    rows = [row(model, 40) for model in (SMALL, LARGE)]
    rows += [row(model, 90, strategy="adapter", adapter="qa/v1") for model in (SMALL, LARGE)]
    found = gather(Chooser(rows), Wish("qa", ("en",), "en"), MODELS, shelf(SMALL, trained()))
    assert {model: one.way for model, (one,) in found.items()} == {
        SMALL: "adapter qa/v1",
        LARGE: "zero-shot",
    }


def test_what_only_a_record_says_of_an_adapter_on_the_same_data_is_compared() -> None:
    rows = [row(SMALL, 40), row(LARGE, 60)]
    look = shelf(SMALL, trained(A=Score("f1", 100, 80.0, few_shot=45.0, lang="en")))
    found = gather(Chooser(rows), Wish("qa", ("en",), "en"), MODELS, look)
    assert [(one.way, one.value, one.compared) for one in found[SMALL]] == [
        ("adapter qa/v1", 80.0, True)
    ]
    assert found[LARGE][0].value == 60.0


def test_what_only_a_record_says_of_an_adapter_on_other_data_stands_beside() -> None:
    rows = [row(SMALL, 40), row(LARGE, 60)]
    look = shelf(SMALL, trained(B=Score("f1", 50, 80.0, few_shot=45.0, lang="en")))
    wish = Wish("qa", ("en",), "en")
    found = gather(Chooser(rows), wish, MODELS, look)
    assert [(one.way, one.value, one.compared) for one in found[SMALL]] == [
        ("zero-shot", 40.0, True),
        ("adapter qa/v1", 80.0, False),
    ]
    assert found[SMALL][1].data == ("B (qa/v1)",)
    # One that is not better is not what answers, and is not spoken of.
    worse = shelf(SMALL, trained(B=Score("f1", 50, 30.0, few_shot=45.0, lang="en")))
    assert [one.way for one in gather(Chooser(rows), wish, MODELS, worse)[SMALL]] == ["zero-shot"]
    # Of a model of which nothing else is known it is all there is.
    alone = gather(Chooser([]), wish, MODELS, look)
    assert [(one.way, one.value) for one in alone[SMALL]] == [("adapter qa/v1", 80.0)]


def test_no_task_no_measurement() -> None:
    found = advice([row(SMALL, 40), row(LARGE, 60)], Wish())
    assert not found.by_measurement
    assert not any(one.measured for one in found.models)
    assert "--task" in found.sentences[1]


def test_nothing_fits() -> None:
    found = advice([row(SMALL, 40), row(LARGE, 60)], memory=0.3)
    assert found.recommended is None
    assert len(found.models) == len(load_catalog())
    assert "needs 1.0 GB of memory, 0.3 GB free" in found.sentences[0]


def test_the_first_sentence_is_about_the_machine_and_the_terms() -> None:
    bound = "qwen2.5-3b-instruct"
    found = advice([row(SMALL, 40), row(bound, 80)], memory=8.0)
    assert "needs 4.8 GB of memory, 8.0 GB free" in found.sentences[0]
    assert "tokens a second" in found.sentences[0]
    assert "non-commercial" in found.sentences[0]


def last_words(examples: int | None, *, task: str = "qa", can_train: bool = False) -> str:
    rows = [row(SMALL, 40, task=task), row(LARGE, 60, task=task)]
    found = advice(rows, read_wish(task, ["en"], examples), can_train=can_train)
    assert len(found.sentences) == (2 if examples is None else 3)
    return found.sentences[-1]


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (0, "0 examples of your own"),
        (1, "1 example of your own"),
        (FEW_EXAMPLES - 1, "zero-shot, the best measured"),
        (FEW_EXAMPLES, "answer few-shot"),
        (MANY_EXAMPLES - 1, "answer few-shot"),
        (MANY_EXAMPLES, "comes with a later version"),
    ],
)
def test_what_the_examples_at_hand_allow(examples: int, said: str) -> None:
    assert said in last_words(examples)
    assert "rule of thumb" in last_words(examples)


def test_training_is_advised_where_the_program_can() -> None:
    said = last_words(MANY_EXAMPLES, can_train=True)
    assert "assistant train --task qa --data FILE" in said
    assert "later version" not in said
    assert "train" not in last_words(FEW_EXAMPLES - 1, can_train=True)


def test_no_few_shot_for_chat() -> None:
    for examples in (FEW_EXAMPLES, MANY_EXAMPLES):
        assert "few-shot" not in last_words(examples, task="chat")


def test_no_examples_named_nothing_said_of_them() -> None:
    assert "example" not in last_words(None)
