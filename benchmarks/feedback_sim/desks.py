"""Messages that belong on one of four desks; what the desks are for is in no label and in no request.

A1 is for money and goods, B2 for what runs and breaks (machines, programs, rooms), C3 for people (work,
health, family, feelings), D4 for the world outside (weather, sports, nature, stories, the arts).
"""

from __future__ import annotations

from assistant import understand
from feedback_sim.preference import OWN, SHIPPED, Case, Preference, parted, read_rows, worded

DESKS = ("A1", "B2", "C3", "D4")
HELD_OUT = 48
_LEFT_OUT = ("own-label-211",)
"""Examples whose words stand in a shipped check as well."""

_SETS = {
    "A1": "sales accounting 财务部 price 价格|lottery scam|fake invoice 中奖诈骗 投资诈骗|contract law 消费维权 "
    "electronics clothing toys groceries furniture books 数码 服装 食品 家具 图书 玩具",
    "B2": "|IT support| facilities 技术部 后勤部 Python JavaScript SQL C HTML Bash turn_on_light turn_off_light "
    "set_temperature lock_door start_vacuum 开灯 关灯 调节温度 拉窗帘 扫地",
    "C3": "|human resources| 人事部 joy sadness anger fear 高兴 悲伤 愤怒 害怕|family law|labour law| 婚姻家庭 劳动争议 "
    "applied|interview scheduled| offer rejected junior senior executive cardiology dermatology "
    "orthopaedics dentistry|eye clinic",
    "D4": "fantasy crime romance|science fiction| horror biography 武侠 科幻 言情 悬疑 历史 football tennis swimming "
    "cycling basketball chess sunny rainy snowy windy foggy 晴 雨 雪 雾 大风 astronomy geology concert|sports event",
}
"""Ordinary labels of the shipped examples, by the desk of the messages that have them.

Between bars stands a label of several words.
"""

_WORDINGS = {
    "en": (
        "Which desk gets this: A1, B2, C3 or D4?\n\n{}",
        "Desk (A1, B2, C3, D4):\n{}",
        "Sort the message. Labels: A1, B2, C3, D4.\n\n{}",
        "{}\n\nDesk? Choose one of A1, B2, C3, D4.",
    ),
    "zh": (
        "这条消息属于哪个窗口？类别：A1、B2、C3、D4\n\n{}",
        "把消息分类，标签：A1、B2、C3、D4\n{}",
    ),
}


def desk_of_label() -> dict[str, str]:
    """Return the desk of each ordinary label that says enough."""
    found = {}
    for desk, text in _SETS.items():
        for number, part in enumerate(text.split("|")):
            # Parts alternate between lists of words and one label of several words.
            for label in [part.strip()] if number % 2 else part.split():
                found[label] = desk
    return {label: desk for label, desk in found.items() if label}


def messages() -> list[tuple[str, str, str, str]]:
    """Return id, message, desk and language of each."""
    desks = desk_of_label()
    found = [
        (
            row["id"],
            understand.split_request(row["input"], "classification")[1] or "",
            desks[row["target"]],
            row["lang"],
        )
        for row in read_rows(SHIPPED / "labelled_examples.jsonl")
        if row["lang"] in _WORDINGS and row["target"] in desks and row["id"] not in _LEFT_OUT
    ]
    own = read_rows(OWN / "desk_messages.jsonl")
    found += [(row["id"], row["text"], row["desk"], row["lang"]) for row in own]
    # Where a request and its text could not be parted, the ordinary labels are still in there.
    return [one for one in found if one[1] and not understand.labels_in(one[1])]


def follows(case: Case, answer: str) -> bool:
    """Return whether a message is on the desk where it belongs."""
    return answer.strip() == case.wanted


def desks() -> Preference:
    """Return the preference; what gets corrected is the next desk."""
    cases = [
        Case(
            f"desk-of-{name}",
            worded(_WORDINGS[lang], text, name),
            text,
            desk,
            DESKS[(DESKS.index(desk) + 1) % len(DESKS)],
            lang,
            DESKS,
        )
        for name, text, desk, lang in messages()
    ]
    return Preference("desks", "classification", *parted(cases, HELD_OUT), follows)
