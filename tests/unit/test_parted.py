"""Turns with a long text: the user's own words stay out of what is cut down."""

from __future__ import annotations

import pytest

from assistant import understand
from assistant.parted import Parted, part

EN = (
    "Harvest on the upper terraces begins in late October. The grapes are picked by hand, because no "
    "machine stands on such a slope.\n\nIn 1974 a rope lift was built by the Castel brothers. It carries "
    "forty crates an hour.\n\nToday the lift is looked after by volunteers."
)
ZH = "上层梯田的采摘从十月下旬开始。葡萄全靠手工采摘。\n\n一九七四年，卡斯特兄弟建了一条索道。\n\n今天索道由志愿者维护。"
ASKED = "Who built the rope lift?"


def parted(turn: str) -> Parted:
    return part(turn, understand.split_request(turn)[1])


@pytest.mark.parametrize(
    "turn",
    [
        f"{ASKED}\n\n{EN}",
        f"{EN}\n\n{ASKED}",
        f"{EN}\n\nQuestion: {ASKED}\nAnswer:",
        f"Read the passage and answer the question.\n\nPassage: {EN}\n\nQuestion: {ASKED}",
        f"Context: {EN}\nQ: {ASKED}",
        f"Based on the text below, {ASKED}\n\n{EN}",
        f"Answer this:\n{ASKED}\n\n{EN}",
        f"{ASKED} {EN}",
        f"Text:\n{EN}\n\nFrage: {ASKED}\nAntwort:",
    ],
)
def test_the_question_is_kept_out_of_the_text(turn: str) -> None:
    found = parted(turn).with_question()
    assert found.before + found.passage + found.after == turn
    assert ASKED in found.request
    assert "rope lift was built by the Castel brothers" in found.passage
    assert ASKED not in found.passage


@pytest.mark.parametrize(
    "turn",
    [
        f"根据以下内容回答：索道是谁建的？\n\n{ZH}",
        f"索道是谁建的？\n\n{ZH}",
        f"{ZH}\n\n问题：索道是谁建的？\n答案：",
        f"阅读下面的短文并回答问题。\n\n{ZH}\n\n问题：索道是谁建的？",
        f"{ZH}\n\n索道是谁建的？",
    ],
)
def test_so_it_is_in_chinese(turn: str) -> None:
    found = parted(turn).with_question()
    assert found.before + found.passage + found.after == turn
    assert "索道是谁建的？" in found.request
    assert "卡斯特兄弟建了一条索道" in found.passage
    assert "谁建的" not in found.passage


def test_a_request_without_a_sign_is_a_short_first_or_last_line() -> None:
    assert part(f"shorter please\n\n{EN}", None).request.startswith("shorter please")
    assert part(f"{EN}\n\ntell me who built it", None).request.endswith("tell me who built it")
    assert part(f"shorter please\n{EN}".replace("\n\n", "\n"), None).before == "shorter please\n"
    assert part(f"Make it short. {EN}".replace("\n\n", " "), None).before == "Make it short. "


def test_nothing_is_taken_for_a_request_that_is_as_long_as_a_text() -> None:
    long = " ".join(["word"] * 80) + "."
    found = part(f"{long}\n\n{long}\n\n{long}", None)
    assert (found.before, found.after) == ("", "")


def test_a_text_without_any_break_is_all_passage() -> None:
    assert part("word " * 500, None) == Parted("", ("word " * 500).strip(), " ")
    assert part("", None) == Parted("", "", "")


def test_a_passage_that_is_the_smaller_part_is_none() -> None:
    turn = f'{EN}\n\nThey call it "the old rope" here.\n\n{EN}'
    assert len(part(turn, "the old rope").passage) > len(EN)


def test_a_passage_put_together_in_another_way_is_found() -> None:
    turn = f"Summarize this: {EN}"
    found = part(turn, EN.replace("\n\n", "\n"))
    assert (found.before, found.passage, found.after) == ("Summarize this: ", EN, "")


def test_where_something_is_asked_already_the_texts_own_questions_stay() -> None:
    text = f"{EN}\n\nBut who will pay for it?"
    assert parted(f"{ASKED}\n\n{text}").with_question().passage == text
    assert part(f"Summarize this.\n\n{text}", text).passage == text


def test_another_text_in_its_place() -> None:
    assert part(f"Sum up:\n\n{EN}\n\nIn two sentences.", EN).around("Short.") == (
        "Sum up:\n\nShort.\n\nIn two sentences."
    )


def test_the_line_that_asks_is_the_question() -> None:
    assert parted(
        f"Read the text.\n\n{EN}\n\nQuestion: {ASKED}\nAnswer:"
    ).with_question().question == (f"Question: {ASKED}")
    assert part(f"tell me who built it\n\n{EN}", EN).question == "tell me who built it"
    assert part("word " * 500, None).question == ""
