"""Translations into Chinese in the words of a house of its own, which says 您 to everybody."""

from __future__ import annotations

from feedback_sim.preference import OWN, SHIPPED, Case, Preference, parted, read_rows, worded

GLOSSARY = {
    "客户": "会员",
    "订单": "配单",
    "发票": "结算单",
    "送货": "到府",
    "退款": "返款",
    "投诉": "意见单",
    "仓库": "备货中心",
    "折扣": "礼遇",
    "门店": "会馆",
    "员工": "伙伴",
    "会议": "碰头会",
    "培训": "研修",
    "设备": "机件",
}
"""What translators usually say, and what this house says instead."""

ADDRESS = {"你们": "各位", "你": "您"}
"""The form of address; the longer one is replaced first."""

HELD_OUT = 40
_WORDINGS = (
    "Translate into Chinese:\n{}",
    "Please translate this into Chinese: {}",
    'Put this into Chinese: "{}"',
    "{}\n\nTranslate the sentence above into Chinese.",
)


def in_house(text: str) -> str:
    """Return a Chinese text in the words of the house."""
    for usual, house in (GLOSSARY | ADDRESS).items():
        text = text.replace(usual, house)
    return text


def house_words(case: Case) -> list[str]:
    """Return the words of the house that the wanted answer of a case has for usual ones."""
    return [
        house
        for usual, house in (GLOSSARY | ADDRESS).items()
        if usual in case.usual and house in case.wanted
    ]


def follows(case: Case, answer: str) -> bool:
    """Return whether a translation has every word of the house that belongs there, and no usual one."""
    missing = [word for word in house_words(case) if word not in answer]
    usual = [word for word in GLOSSARY | ADDRESS if word in case.usual and word in answer]
    return bool(answer.strip()) and not missing and not usual


def house() -> Preference:
    """Return the preference, with those sentences alone in which it makes a difference."""
    rows = [*read_rows(OWN / "house_lines.jsonl"), *read_rows(SHIPPED / "own_translations.jsonl")]
    cases = [
        Case(
            row["id"],
            worded(_WORDINGS, row["en"], row["id"]),
            row["en"],
            in_house(row["zh"]),
            row["zh"],
            "en-zh",
        )
        for row in rows
        if in_house(row["zh"]) != row["zh"]
    ]
    return Preference("house", "translation", *parted(cases, HELD_OUT), follows)
