"""Choosing examples: fixed or the nearest, in the right language, within the budget."""

from __future__ import annotations

import time
from typing import Any

import pytest

from assistant.paths import shipped
from assistant.prompts import DEFAULT_SHOTS, Example, Prompts, select_shots
from assistant.prompts.shots import estimate_tokens
from assistant.types import Message

RAIN = Example("What is rain made of?", "water", "en")
SNOW = Example("What is snow made of?", "ice", "en")
KING = Example("Who was the first king?", "nobody knows", "en")
YU = Example("雨是由什么组成的？", "水", "zh")
XUE = Example("雪是由什么组成的？", "冰", "zh")
FR = Example("De quoi est faite la pluie ?", "d'eau", "fr")
ALL = (KING, YU, RAIN, FR, XUE, SNOW)


def test_the_nearest_stands_last() -> None:
    shots = select_shots(ALL, "What is hail made of?", lang="en", shots=3)
    assert shots[0] == KING
    assert set(shots[1:]) == {RAIN, SNOW}
    shots = select_shots(ALL, "Who was the last king?", lang="en", shots=2)
    assert shots[-1] == KING


def test_chinese_is_compared_by_characters() -> None:
    more = (*ALL, Example("谁是第一个皇帝？", "秦始皇", "zh"))
    shots = select_shots(more, "谁是最后一个皇帝？", lang="zh", shots=2)
    assert shots[-1].target == "秦始皇"
    assert all(shot.lang == "zh" for shot in shots)


def test_other_languages_fill_up_from_english_only() -> None:
    shots = select_shots(ALL, "De quoi est faite la neige ?", lang="fr", shots=3)
    assert FR in shots
    assert {shot.lang for shot in shots} == {"fr", "en"}
    assert {s.lang for s in select_shots(ALL, "Regen", lang="de", shots=3)} == {"en"}


def test_the_turn_itself_is_left_out() -> None:
    shots = select_shots(ALL, "  what is RAIN made of? ", lang="en", shots=6)
    assert RAIN not in shots
    assert SNOW in shots


def test_tags_restrict_when_two_have_them() -> None:
    def example(text: str, *tags: str) -> Example:
        return Example(text, text.upper(), "en", tags)

    some = (
        example("one", "en-fr"),
        example("two", "en-fr"),
        example("three", "de-fr"),
        example("four", "en-zh"),
        example("five"),
    )

    def chosen(tag: str) -> set[str]:
        return {e.input for e in select_shots(some, "x", lang="en", shots=9, tags=[tag])}

    assert chosen("en-fr") == {"one", "two"}
    assert chosen("es-fr") == {"one", "two", "three"}  # no such pair: the same target language
    assert chosen("de-fr") == {"one", "two", "three"}  # one is too few
    assert len(chosen("en-sw")) == 5


def test_budget_is_kept_and_the_nearest_come_first() -> None:
    cost = estimate_tokens(SNOW.input) + estimate_tokens(SNOW.target) + 10
    text = "What is snow made up of?"
    assert select_shots(ALL, text, lang="en", shots=3, budget_tokens=cost) == (SNOW,)
    assert select_shots(ALL, text, lang="en", shots=3, budget_tokens=5) == ()
    assert select_shots(ALL, text, lang="en", shots=0) == ()
    counted = select_shots(ALL, text, lang="en", shots=3, budget_tokens=24, count=lambda _: 1)
    assert len(counted) == 2


def test_choice_is_deterministic_and_order_breaks_ties() -> None:
    twins = tuple(Example(f"zzz{i}", "t", "en") for i in range(6))
    first = select_shots(twins, "nothing alike", lang="en", shots=3)
    assert [shot.input for shot in first] == ["zzz2", "zzz1", "zzz0"]
    assert first == select_shots(twins, "nothing alike", lang="en", shots=3)


def test_odd_turns_do_no_harm() -> None:
    for text in ("", " ", "{x}", "\x00", "😀" * 50):
        assert len(select_shots(ALL, text, lang="en", shots=2)) == 2
    assert select_shots((), "x", lang="en", shots=2) == ()


def test_choosing_is_fast_even_for_a_long_turn() -> None:
    examples = Prompts.load(shipped("prompts")).get("translation").examples
    text = "Translate this to French:\n" + "The quick brown fox jumps over the lazy dog. " * 2000
    select_shots(examples, text, lang="en", shots=4)  # builds the index
    times = []
    for _ in range(5):
        started = time.perf_counter()
        select_shots(examples, text, lang="en", shots=4, tags=["en-fr"])
        times.append(time.perf_counter() - started)
    assert min(times) < 0.02


# -- fixed examples --------------------------------------------------------------------------------


def fixed(text: str, lang: str = "en", shots: int = 2, **options: Any) -> tuple[Example, ...]:
    return select_shots(ALL, text, lang=lang, shots=shots, nearest=False, **options)


def test_fixed_examples_are_the_first_of_the_file_whatever_the_turn() -> None:
    assert fixed("What is hail made of?") == fixed("Who was the last king?") == (KING, RAIN)
    assert fixed("谁?", "zh") == (YU, XUE)
    assert fixed("De quoi est faite la neige ?", "fr", shots=3) == (FR, KING, RAIN)
    assert fixed("x", shots=0) == ()


def test_fixed_examples_leave_the_turn_itself_out_and_keep_the_budget() -> None:
    assert fixed("  who was the FIRST king? ") == (RAIN, SNOW)
    assert fixed("x", budget_tokens=12, count=lambda _: 1) == (KING,)
    assert fixed("x", budget_tokens=5) == ()


def test_prompts_show_fixed_examples_unless_asked_for_the_nearest() -> None:
    prompts = Prompts.load(shipped("prompts"))

    def shown(text: str, **options: Any) -> tuple[Message, ...]:
        wanted = {"target_language": "French", "source_language": "English"}
        return prompts.render(
            "translation", text, strategy="few_shot", variables=wanted, tags=["en-fr"], **options
        ).messages[:-1]

    texts = ("The library closes at six.", "I would like a cup of coffee, please.")
    assert shown(texts[0]) == shown(texts[1])
    assert shown(texts[0], nearest=True) != shown(texts[1], nearest=True)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_classifications_shown_are_each_of_another_kind(lang: str) -> None:
    # Four reviews in a row made small models call every review alike, and topics go wrong.
    prompts = Prompts.load(shipped("prompts"))
    shown = [e for e in prompts.get("classification").examples if e.lang == lang]
    kinds = [example.tags[0] for example in shown[:DEFAULT_SHOTS]]
    assert len(set(kinds)) == len(kinds) == DEFAULT_SHOTS
