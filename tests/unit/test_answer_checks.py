"""Echoes, answers in the wrong script, and loops: seen in time, and nothing else taken for them."""

from __future__ import annotations

import pytest

from assistant.answer_checks import TranslationWatch, loop_start

ENGLISH = "In a study conducted in Wuhan on 240 patients half were given favipiravir."
CHINESE = "图书馆今晚九点关门，请大家提前还书。"


@pytest.mark.parametrize(
    ("source", "target", "answer", "held", "wrong"),
    [
        (ENGLISH, "zh", "在武汉进行的", False, False),
        (ENGLISH, "zh", "In a", True, False),
        (ENGLISH, "zh", "In a study conducted in Wuhan on", True, True),
        (ENGLISH, "zh", "Here is the translation you asked for", True, True),
        (ENGLISH, "zh", "法匹拉韦（favipiravir）", False, False),
        (ENGLISH, "fr", "In a stu", True, False),
        (ENGLISH, "fr", "Dans une étude menée à Wuhan", False, False),
        (CHINESE, "en", "The library", False, False),
        (CHINESE, "en", "图书馆今晚九点", True, False),
        (CHINESE, "en", CHINESE, True, True),
        (CHINESE, "ja", "図書館は今夜", False, False),
        ("NATO", "zh", "NATO", False, False),  # short enough to be the same in both
    ],
)
def test_a_translation_is_watched(
    source: str, target: str, answer: str, held: bool, wrong: bool
) -> None:
    watch = TranslationWatch(source, target)
    assert watch.suspicious(answer) is held
    assert watch.wrong(answer) is wrong


def test_a_whole_answer_that_is_the_source_is_wrong_however_short() -> None:
    watch = TranslationWatch("Il a oublié ses clés", "en")
    assert not watch.wrong("Il a oublié ses")
    assert watch.wrong("Il a oublié ses clés.", whole=True)
    assert not watch.wrong("Il a", whole=True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Hello world. " + "I am here and there. " * 5, "Hello world. I am here and there. "),
        ("答案是" + "很好，非常好。" * 6, "答案是很好，非常好。"),
    ],
)
def test_a_loop_is_cut_to_its_first_round(text: str, kept: str) -> None:
    start = loop_start(text)
    assert start is not None
    assert text[:start] == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Row, row, row your boat, gently down the stream.",
        "| a | b |\n|" + "---|" * 40,
        "ha " * 5,
        "The cat sat. The dog sat. The bird sat. The fish sat. The fox sat.",
        "=" * 300,
    ],
)
def test_what_is_no_loop(text: str) -> None:
    assert loop_start(text) is None


@pytest.mark.parametrize("answer", ["", '"', "1. ", "- 12"])
def test_what_has_no_letter_yet_is_held(answer: str) -> None:
    watch = TranslationWatch(ENGLISH, "zh")
    assert watch.suspicious(answer)
    assert not watch.wrong(answer, whole=True)
    assert not TranslationWatch("NATO", "zh").suspicious(answer)


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("bn", "গ্রন্থাগার আজ রাত নয়টায় বন্ধ হবে, দয়া করে বই ফেরত দিন।"),
        ("ta", "நூலகம் இன்று இரவு ஒன்பது மணிக்கு மூடப்படும்."),
        ("ur", "لائبریری آج رات نو بجے بند ہو جائے گی۔"),
    ],
)
def test_a_script_that_is_right_is_not_taken_for_a_wrong_one(target: str, answer: str) -> None:
    assert not TranslationWatch(CHINESE, target).wrong(answer, whole=True)
    assert TranslationWatch(CHINESE, target).wrong(CHINESE, whole=True)


def test_every_language_with_a_script_of_its_own_is_known() -> None:
    from assistant.understand.languages import language_name

    for code, letter in {"bn": "ক", "ta": "க", "ur": "ک", "hi": "क", "th": "ก", "he": "ש"}.items():
        assert language_name(code)
        assert not TranslationWatch(CHINESE, code).suspicious(letter)
