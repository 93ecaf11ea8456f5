"""Long texts cut into sections, and down to the parts that a question is about."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest

from assistant.passages import relevant, sections

_GAP = "\n[…]\n"


def count(text: str) -> int:
    """Count words, Chinese characters and punctuation marks; line breaks too, as tokenizers do."""
    return len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+|[^\w\s]|\n", text))


class Counting:
    """Counts like :func:`count` and how often, and how many characters it was given."""

    def __init__(self) -> None:
        self.calls = 0
        self.characters = 0

    def __call__(self, text: str) -> int:
        self.calls += 1
        self.characters += len(text)
        return count(text)


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


# -- filler that reads like something --------------------------------------------------------------

_SUBJECTS = {
    "en": """the harbour office|a retired teacher|the night train|the village choir|her younger brother
        |the repair shop|an old ferry|the city archive|the bakery on the corner|a group of students
        |the water company|the orchard behind the school|the new librarian|a delivery driver""",
    "de": """das Hafenamt|eine pensionierte Lehrerin|der Nachtzug|der Dorfchor|sein jüngerer Bruder
        |die Werkstatt|eine alte Fähre|das Stadtarchiv|die Bäckerei an der Ecke|eine Gruppe Studenten
        |der Wasserversorger|der Obstgarten hinter der Schule|die neue Bibliothekarin""",
    "zh": "港务局|一位退休教师|夜班列车|村里的合唱团|她的弟弟|修理铺|一艘旧渡轮|市档案馆|街角的面包店"
    "|一群学生|自来水公司|学校后面的果园|新来的图书管理员|送货司机",
}
_VERBS = {
    "en": """repaired|painted|moved|measured|closed|described|opened|photographed|rented|counted
        |inspected|delivered""",
    "de": "reparierte|bemalte|verlegte|vermaß|schloss|beschrieb|öffnete|mietete|zählte|prüfte|lieferte",
    "zh": "修好了|粉刷了|搬走了|测量了|关闭了|描述了|打开了|租下了|清点了|检查了|送来了",
}
_OBJECTS = {
    "en": """the wooden benches|three boxes of letters|the roof of the market hall|a map of the coast
        |the winter timetable|the stone bridge|forty folding chairs|the school kitchen|two small boats
        |the clock in the tower|a collection of seeds|the lower car park""",
    "de": """die Holzbänke|drei Kisten mit Briefen|das Dach der Markthalle|eine Karte der Küste
        |den Winterfahrplan|die Steinbrücke|vierzig Klappstühle|die Schulküche|zwei kleine Boote
        |die Uhr im Turm|eine Sammlung von Samen|den unteren Parkplatz""",
    "zh": "木头长椅|三箱信件|市场大厅的屋顶|一张海岸地图|冬季时刻表|石桥|四十把折叠椅|学校厨房|两条小船"
    "|钟楼上的大钟|一批种子|下层停车场",
}
_WHEN = {
    "en": """before the holidays|on a wet Tuesday|in the spring of {y}|without telling anyone|for {n} euros
        |after a long meeting|with help from the neighbours|shortly after noon|for the second time
        |although nobody had asked for it""",
    "de": """vor den Ferien|an einem nassen Dienstag|im Frühjahr {y}|ohne jemandem etwas zu sagen
        |für {n} Euro|nach einer langen Sitzung|mit Hilfe der Nachbarn|kurz nach Mittag|zum zweiten Mal""",
    "zh": "放假之前|一个下雨的星期二|{y}年春天|没有告诉任何人|花了{n}元|开完长会之后|在邻居的帮助下|中午刚过"
    "|第二次",
}


def one_of(rng: random.Random, words: str) -> str:
    return rng.choice([word.strip() for word in words.split("|")])


def sentence(rng: random.Random, lang: str) -> str:
    when = one_of(rng, _WHEN[lang]).format(y=rng.randrange(1950, 2020), n=rng.randrange(20, 900))
    who, did, what = (one_of(rng, part[lang]) for part in (_SUBJECTS, _VERBS, _OBJECTS))
    if lang == "zh":
        return f"{when}，{who}{did}{what}。"
    said = f"{who} {did} {what} {when}. "
    return said[0].upper() + said[1:]


def paragraphs(lang: str, number: int, seed: int = 0) -> list[str]:
    rng = random.Random(f"{lang}{seed}")
    return [
        "".join(sentence(rng, lang) for _ in range(rng.randrange(3, 8))).strip()
        for _ in range(number)
    ]


def text_of(lang: str, number: int) -> str:
    return "\n\n".join(paragraphs(lang, number))


# -- sections --------------------------------------------------------------------------------------

GIANT = "and then " * 2500
CODE = "".join(
    f"def step_{i}(value: int) -> int:\n    total = value * {i}\n\n    return total + {i}\n\n\n"
    for i in range(120)
)
TEXTS = {
    "english": text_of("en", 60),
    "german": text_of("de", 60),
    "chinese": text_of("zh", 60),
    "chinese without a stop": "水上的船慢慢地走过城市" * 400,
    "one line": text_of("en", 60).replace("\n\n", " "),
    "one sentence": GIANT,
    "one word": "abcdefgh" * 700,
    "code": CODE,
    "windows line ends": text_of("en", 40).replace("\n", "\r\n"),
    "many blank lines": "\n\n\n \n".join(paragraphs("en", 40)),
    "list": "\n".join(f"- item {i} of the list" for i in range(600)),
}


def characters(text: str) -> int:
    """A count for texts with words of any length: one token for four characters, one for the rest."""
    return (len(text) + 3) // 4


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("most", [50, 300, 900])
def test_sections_lose_nothing_and_keep_to_the_limit(name: str, most: int) -> None:
    for counted in (count, characters):
        found = sections(TEXTS[name], counted, most)
        assert bare("".join(found)) == bare(TEXTS[name])
        assert max(counted(section) for section in found) <= most
        assert all(section.strip() for section in found)


@pytest.mark.parametrize(
    "name", ["english", "german", "chinese", "one line", "one sentence", "code"]
)
def test_sections_are_few_and_of_even_size(name: str) -> None:
    total = count(TEXTS[name])
    found = [count(section) for section in sections(TEXTS[name], count, 900)]
    assert len(found) <= total / 900 * 1.15 + 1
    assert min(found) >= 0.6 * max(found)


def test_a_text_a_little_too_long_is_halved_and_not_cut_at_its_end() -> None:
    text = "\n\n".join(f"Paragraph {i} has exactly eight words in it." for i in range(20))
    one, two = sections(text, count, count(text) - 1)
    assert one.count("Paragraph") == two.count("Paragraph") == 10


def test_sections_end_where_paragraphs_end() -> None:
    whole = paragraphs("en", 60)
    found = sections("\n\n".join(whole), count, 300)
    assert len(found) > 5
    assert [part for section in found for part in section.split("\n\n")] == whole


def test_a_paragraph_too_long_is_cut_behind_sentences() -> None:
    for lang, end in (("en", "."), ("de", "."), ("zh", "。")):
        long = "".join(paragraphs(lang, 40)).replace(".", ". ")
        found = sections(f"A short one.\n\n{long}", count, 200)
        assert len(found) > 4
        assert all(section.endswith(end) for section in found)


def test_a_sentence_too_long_is_cut_behind_words() -> None:
    found = sections(GIANT, count, 300)
    assert {word for section in found for word in section.split()} == {"and", "then"}


def test_code_is_cut_between_functions_or_lines() -> None:
    lines = set(CODE.split("\n"))
    for section in sections(CODE, count, 200):
        # The first line lost its indentation, if it had any.
        assert set(section.split("\n")[1:]) <= lines
    assert "\n    total" in sections(CODE, count, 200)[0]


def test_short_and_empty_texts() -> None:
    assert sections("Just this.", count, 100) == ["Just this."]
    assert sections("", count, 100) == []
    assert sections(" \n\n \n", count, 2) == []


def test_a_limit_below_any_word_ends() -> None:
    found = sections("one two three", lambda text: 5 * len(text.split()), 2)
    assert bare("".join(found)) == "onetwothree"


def test_counts_that_do_not_add_up_leave_no_section_above_the_limit() -> None:
    def growing(text: str) -> int:
        """A tokenizer to which a whole is a tenth more than its parts."""
        return len(text.split()) + len(text.split()) // 10

    text = " ".join(f"word{i}." for i in range(2000))
    assert all(growing(section) <= 100 for section in sections(text, growing, 100))


# -- what a question is about ----------------------------------------------------------------------

NEEDLES = {
    "en": [
        (
            "The lighthouse at Cape Wrenfield was built by Ada Lindqvist.",
            "Who built the lighthouse at Cape Wrenfield?",
        ),
        (
            "Tickets for the aquarium cost 14.50 for adults.",
            "How much is a ticket for the aquarium?",
        ),
        (
            "Marlowe signed the treaty in the cellar of an inn.",
            "Where did Marlowe sign the treaty?",
        ),
        (
            "The backup copies lie in /srv/vault/copies on the second machine.",
            "In which folder are the backups kept?",
        ),
        (
            "Oxygen makes up 21 percent of the air in the cabin.",
            "what share of the cabin's air is oxygen",
        ),
        (
            "She was calibrating the spectrometer when the alarm went off.",
            "What was she doing with the spectrometer at the alarm?",
        ),
    ],
    "de": [
        (
            "Die Sternwarte in Falkenrode gründete der Apotheker Emil Haase.",
            "Wer hat die Sternwarte in Falkenrode gegründet?",
        ),
        (
            "Der Tunnel unter dem Grenzberg ist 4.312 Meter lang.",
            "Wie lang ist der Tunnel unter dem Grenzberg?",
        ),
        (
            "Das Rezept verlangt eine Prise Muskatnuss und zwei Eier.",
            "Welches Gewürz kommt nach dem Rezept hinein?",
        ),
        (
            "Die Kündigungsfrist beträgt sechs Wochen zum Quartalsende.",
            "Welche Kündigungsfrist gilt?",
        ),
    ],
    "zh": [
        ("青石镇的灯塔是林雅琴设计的。", "青石镇的灯塔是谁设计的？"),
        ("水族馆的成人票价是八十五元。", "水族馆成人票多少钱？"),
        ("这种蝴蝶只在海拔两千米以上的草甸产卵。", "这种蝴蝶在哪里产卵？"),
        ("合同规定违约金为货款的百分之十二。", "合同里的违约金是多少？"),
    ],
}


def hidden(lang: str, needle: str, seed: int) -> str:
    """Return 60 paragraphs with a sentence in the middle of one of those in the middle."""
    filler = paragraphs(lang, 60, seed)
    stop = "。" if lang == "zh" else ". "
    at = 22 + 3 * seed
    head, rest = filler[at].split(stop, 1)
    filler[at] = f"{head}{stop}{needle}{stop[1:]}{rest}"
    return "\n\n".join(filler)


def test_facts_in_the_middle_of_long_texts_are_kept() -> None:
    lost = []
    for lang, pairs in NEEDLES.items():
        for seed, (needle, question) in enumerate(pairs):
            text = hidden(lang, needle, seed)
            assert count(text) > 2500
            parts = relevant(text, question, count, 500)
            assert count(parts) <= 500
            if needle not in parts:
                lost.append(question)
    assert len(lost) <= 1, lost


def test_facts_are_kept_in_far_less_room() -> None:
    for lang, pairs in NEEDLES.items():
        needle, question = pairs[0]
        parts = relevant(hidden(lang, needle, 0), question, count, 80, window=40)
        assert needle in parts


def test_parts_keep_their_order_and_gaps_are_marked() -> None:
    rows = [f"Paragraph {i} is about nothing much at all." for i in range(60)]
    rows[50] = "The zeppelin landed first of all here."
    rows[10] = "The zeppelin and its captain slept here."
    rows[30] = "Here the captain wrote his letter about the zeppelin."
    parts = relevant("\n\n".join(rows), "zeppelin captain letter", count, 120, window=12)
    assert parts.index(rows[10]) < parts.index(rows[30]) < parts.index(rows[50])
    cut = parts.split(_GAP)
    assert len(cut) >= 3
    for stretch in cut:
        assert stretch in "\n\n".join(rows)


def test_what_stands_together_has_no_gap() -> None:
    rows = [f"Line {i} of the log says so. " for i in range(40)]
    rows[20:24] = [f"The reactor reported value {i}. " for i in range(4)]
    parts = relevant("".join(rows), "Which values did the reactor report?", count, 40, window=7)
    assert "".join(rows[20:24]).strip() in parts


def test_a_window_beside_the_questions_words_comes_along() -> None:
    rows = [f"Something else happened on day {i}. " for i in range(60)]
    rows[30] = "Then there is Professor Okonkwo. "
    rows[31] = "He keeps nine bees. "
    parts = relevant("".join(rows), "Okonkwo?", count, 40, window=8)
    assert rows[30] in parts
    assert rows[31].strip() in parts


@pytest.mark.parametrize("room", [1, 5, 20, 57, 200, 900])
@pytest.mark.parametrize("name", TEXTS)
def test_the_parts_fit_the_room(name: str, room: int) -> None:
    parts = relevant(TEXTS[name], "the stone bridge 石桥 return total item 40", characters, room)
    assert characters(parts) <= room
    assert parts or room == 1


def test_what_fits_is_kept_whole() -> None:
    text = text_of("en", 5)
    assert bare(relevant(text, "benches", count, 2 * count(text))) == bare(text)


def test_nothing_shared_keeps_the_beginning() -> None:
    text = text_of("en", 60)
    parts = relevant(text, "完全不同的问题", count, 200)
    assert text.startswith(parts)
    assert count(parts) > 100
    assert text.startswith(relevant(text, "", count, 200))


def test_empty_passages() -> None:
    assert relevant("", "Who?", count, 100) == ""
    assert relevant(" \n\n ", "Who?", count, 100) == ""


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Im Büro von Müller steht eine Orgel.", "Müller?"),
        ("Im Bu\u0308ro von Mu\u0308ller steht eine Orgel.", "Müller?"),
        ("房间号码是４０７，请走左边。", "407"),
        ("The CALIBRATION was wrong.", "Was it calibrated?"),
        ("The ships were sunk.", "Which ship sank?"),
    ],
)
def test_one_word_in_several_forms(written: str, asked: str) -> None:
    rows = [f"Nothing of the kind was seen on day {i}." for i in range(50)]
    parts = relevant("\n\n".join([*rows[:40], written, *rows[40:]]), asked, count, 40, window=12)
    assert written in parts


# -- how much is counted ---------------------------------------------------------------------------


def words(number: int, ends: Sequence[str]) -> str:
    rng = random.Random(number)
    return "".join(
        f"{rng.choice(['river', 'stone', 'letter', 'garden'])}{ends[i % len(ends)]}"
        for i in range(number)
    )


SHAPES = {
    "prose": [" "] * 14 + [". "] * 1 + [" "] * 14 + [".\n\n"],
    "no paragraphs": [" "] * 14 + [". "],
    "no sentences": [" "],
    "lines": [" "] * 9 + ["\n"],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_text_is_counted_a_few_times_and_no_more(shape: str) -> None:
    text = words(50_000, SHAPES[shape])
    counting = Counting()
    sections(text, counting, 900)
    # Whole, by paragraph, by sentence, by piece and by section: each at most once.
    assert counting.characters <= 6 * len(text)
    assert counting.calls <= 50_000 / 8
    counting = Counting()
    relevant(text, "Which letter lies in the garden?", counting, 900)
    assert counting.characters <= 4 * len(text)
    assert counting.calls <= 50_000 / 8


def test_twice_the_text_takes_twice_the_counting() -> None:
    spent = []
    for number in (20_000, 40_000):
        counting = Counting()
        sections(words(number, SHAPES["prose"]), counting, 900)
        relevant(words(number, SHAPES["prose"]), "Which letter?", counting, 900)
        spent.append((counting.calls, counting.characters))
    assert spent[1][0] <= 2.2 * spent[0][0]
    assert spent[1][1] <= 2.2 * spent[0][1]
