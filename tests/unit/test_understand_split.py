"""A turn parted into what is asked and the text it is about, in wordings as different as people are."""

from __future__ import annotations

import pytest
from understand_texts import ARTICLE, REPORT_ZH

from assistant.understand import (
    detect_language,
    labels_in,
    split_request,
    target_language,
    translation_direction,
)

SPLITS = [
    ("EN>DE The bridge is closed.", "The bridge is closed."),
    ("EN-FR | The bridge is closed.", "The bridge is closed."),
    ("FR-EN. Le pont est fermé.", "Le pont est fermé."),
    ("fr→de Le pont est fermé.", "Le pont est fermé."),
    ("Target: Spanish. Text: The bridge is closed.", "The bridge is closed."),
    ('"The bridge is closed." Spanish?', "The bridge is closed."),
    ("The bridge is closed. (French)", "The bridge is closed."),
    ("The bridge is closed.\n\nin German please", "The bridge is closed."),
    ("italian pls\nThe bridge is closed.", "The bridge is closed."),
    ("Put this into Italian.\nThe bridge is closed.", "The bridge is closed."),
    ("I want the Spanish for: my dog has run away", "my dog has run away"),
    ("Korean version for our guests: breakfast is at eight", "breakfast is at eight"),
    ("中→德：桥关了，请绕行。", "桥关了，请绕行。"),
    (
        "Translate this.\nThe bridge is closed. Go round.\nTarget language: German",
        "The bridge is closed. Go round.",
    ),
    ("Translate for the sign: The bridge is closed today. (Dutch)", "The bridge is closed today."),
    (
        "Mountain rescue works day and night.\n\n何人が働いていますか。",
        "Mountain rescue works day and night.",
    ),
    (
        "Which shelf? novels, maps, cookbooks\nA guide to the walks of Skye.",
        "A guide to the walks of Skye.",
    ),
    (
        "novels, maps or cookbooks – where does it go? A guide to the walks of Skye.",
        "A guide to the walks of Skye.",
    ),
    ("鱼类、鸟类、昆虫：它在芦苇里筑巢，冬天飞往南方", "它在芦苇里筑巢，冬天飞往南方"),
    (
        "Sum up the letter (two lines).\n\nThe roof leaks. We wait for the builder.",
        "The roof leaks. We wait for the builder.",
    ),
    ("-> zh\nThe weather is nice today.", "The weather is nice today."),
    ("The weather is nice today. -> zh", "The weather is nice today."),
    ("en -> de: Hello my friend, how are you", "Hello my friend, how are you"),
    ("→ 英文：今天天气不错", "今天天气不错"),
    ("Translate to French: The door is open.", "The door is open."),
    ("Translate to French:\nThe door is open.\nCome in.", "The door is open.\nCome in."),
    ('How do you say "the door is open" in German?', "the door is open"),
    ("How do you say “note: bring milk” in German?", "note: bring milk"),
    (
        "Summarize this in one sentence.\n\nThe council met on Monday. It voted.",
        "The council met on Monday. It voted.",
    ),
    (
        "The council met on Monday. It voted.\n\nSummarize this in one sentence.",
        "The council met on Monday. It voted.",
    ),
    ("把“今天很冷”翻译成英文", "今天很冷"),
    ("翻译成英文：今天很冷。", "今天很冷。"),
    ("请把下面这句话翻译成英语。\n今天很冷。", "今天很冷。"),
    ("今天很冷。\n把上面这句话翻译成英语。", "今天很冷。"),
    ("今天很冷。翻译成英文", "今天很冷。"),
    ("Hallo, wie geht's? Translate to English.", "Hallo, wie geht's?"),
    ("The movie was awful. Positive or negative?", "The movie was awful."),
    ("Is this review positive or negative? The food was cold.", "The food was cold."),
    ("Is this spam: You won a prize!", "You won a prize!"),
    (
        "Passage: Ann moved to Oslo in 2010.\nQuestion: Where did Ann move?",
        "Ann moved to Oslo in 2010.",
    ),
    (
        "Question: Where did Ann move?\nContext: Ann moved to Oslo in 2010.",
        "Ann moved to Oslo in 2010.",
    ),
    ("文章：小王去了北京。\n问题：小王去了哪里？", "小王去了北京。"),
    (
        "Ann moved to Oslo in 2010 and works there.\n\nWhere did Ann move?",
        "Ann moved to Oslo in 2010 and works there.",
    ),
    (
        "Where did Ann move?\n\nAnn moved to Oslo in 2010 and works there.",
        "Ann moved to Oslo in 2010 and works there.",
    ),
    ("Translate good morning to French", "good morning"),
    ("how do you say where is the bank in spanish?", "where is the bank"),
    ("what's the German for strawberry?", "strawberry"),
    ("Comment dit-on bonne chance en anglais ?", "bonne chance"),
    ("Wie sagt man guten Appetit auf Englisch?", "guten Appetit"),
    ("¿Cómo se dice buena suerte en inglés?", "buena suerte"),
    ("用法语怎么说早上好？", "早上好"),
    ("早上好用法语怎么说？", "早上好"),
    ("苹果的英文是什么", "苹果"),
    ("请把我饿了翻译成德语", "我饿了"),
    (
        "Classify this review as one of the following: positive, negative. Review: Great fun!",
        "Great fun!",
    ),
    ('Translate: He said "hi" to me.', 'He said "hi" to me.'),
    ('Translate to German: "Hello," she said, "come in."', '"Hello," she said, "come in."'),
    ('Translate to German: "Hello there"', "Hello there"),
    ("Translate «Il pleut» to English", "Il pleut"),
    ("EN: Der Zug kommt um acht.", "Der Zug kommt um acht."),
    ("French please: two coffees", "two coffees"),
    (
        "总结一下：会议决定下周一发布新版本，测试由小李负责。",
        "会议决定下周一发布新版本，测试由小李负责。",
    ),
    ("日本語に訳してください：Good night", "Good night"),
    ('Summarize:\n\nA: "Coming?"\nB: "Yes."', 'A: "Coming?"\nB: "Yes."'),
    ("Fix this text:\n```\nteh cat\n```", "teh cat"),
    (
        "Give me a headline for this: Local team wins cup after 30 years.",
        "Local team wins cup after 30 years.",
    ),
    ("TL;DR\n\nLong text here. It goes on. And on.", "Long text here. It goes on. And on."),
    (
        "用三句话总结以下内容\n\n会议于周一举行。大家讨论了预算。",
        "会议于周一举行。大家讨论了预算。",
    ),
    ("会议于周一举行。大家讨论了预算。\n\n以上内容一句话概括", "会议于周一举行。大家讨论了预算。"),
    ("According to the text, who won?\n\nAnn beat Bob in the final.", "Ann beat Bob in the final."),
    ("Read the text and answer. Text: Ann beat Bob. Question: Who won?", "Ann beat Bob."),
    (
        "Based on this passage, when was the bridge built? The bridge was built in 1932 and repaired in 1990.",
        "The bridge was built in 1932 and repaired in 1990.",
    ),
    (
        "根据下面的短文回答问题：小明今年十岁，住在上海。问题：小明几岁？",
        "小明今年十岁，住在上海。",
    ),
    (
        "Summarise the dialogue in one sentence:\nTom: Hi\nAnn: Hi, coming at 5?\nTom: Yes",
        "Tom: Hi\nAnn: Hi, coming at 5?\nTom: Yes",
    ),
    (
        "Tom: Hi\nAnn: coming at 5?\nTom: Yes\n\nWhat is this about, in one sentence?",
        "Tom: Hi\nAnn: coming at 5?\nTom: Yes",
    ),
    ("What's the sentiment of the tweet 'I hate Mondays'?", "I hate Mondays"),
    ('Sentiment? "I hate Mondays"', "I hate Mondays"),
    ("“我讨厌星期一”是正面还是负面？", "我讨厌星期一"),
    ("Is 'Congratulations, you won a prize' spam?", "Congratulations, you won a prize"),
    ("Résume ce texte en une phrase : Le conseil a voté hier.", "Le conseil a voté hier."),
    ("Fasse den Text zusammen:\nDer Rat hat gestern getagt.", "Der Rat hat gestern getagt."),
    ("1. milk\n2. eggs\n3. bread\nwhat else do I need for pancakes?", "1. milk\n2. eggs\n3. bread"),
    ("Summarize the article below in two sentences.\n\n" + ARTICLE, ARTICLE),
    (ARTICLE + "\n\nSummarize the article above in two sentences.", ARTICLE),
    ("Article: " + ARTICLE + "\n\nSummary:", ARTICLE),
    (ARTICLE + "\n\nTL;DR", ARTICLE),
    ("Please translate the following text from English to German:\n" + ARTICLE, ARTICLE),
    (ARTICLE + "\n\n↑ translate to Spanish", ARTICLE),
    ("请用中文总结下面这篇英文文章：\n" + ARTICLE, ARTICLE),
    ("总结下文：" + REPORT_ZH, REPORT_ZH),
    (REPORT_ZH + "\n\n用一句话总结上文。", REPORT_ZH),
    ("把下面这段话翻成英语\n\n" + REPORT_ZH, REPORT_ZH),
    ("Headline for this?\n\n" + ARTICLE, ARTICLE),
    ("Who will pay for the trees?\n\n" + ARTICLE, ARTICLE),
    (ARTICLE + "\n\nQ: Who will pay?", ARTICLE),
    ("Context: " + ARTICLE + "\n\nQuestion: Who pays?\nAnswer:", ARTICLE),
    (
        "Can you tell me if this is spam? You have won 1000 USD, click now!",
        "You have won 1000 USD, click now!",
    ),
    (
        "Sentiment of: the acting was wooden but I cried anyway",
        "the acting was wooden but I cried anyway",
    ),
    ("classify: the acting was wooden", "the acting was wooden"),
    ("the acting was wooden. sentiment?", "the acting was wooden."),
    ('translate: "no"', "no"),
    ('Translate the word "bank" to Chinese', "bank"),
    ('What is "bank" in Chinese?', "bank"),
    ('¿Cómo digo "no entiendo" en alemán?', "no entiendo"),
    (
        "Resume este artículo en tres frases:\nEl consejo votó ayer.\nGanó el sí.",
        "El consejo votó ayer.\nGanó el sí.",
    ),
    ("Übersetze bitte: Der Hund bellt.", "Der Hund bellt."),
    ("Traduis : « Le chat dort »", "Le chat dort"),
    ("def f(x):\n    return x\n\nwhat does this code do?", "def f(x):\n    return x"),
    ("Answer using only the passage.\n\n" + ARTICLE + "\n\nWho will pay?", ARTICLE),
]


@pytest.mark.parametrize(("turn", "passage"), SPLITS)
def test_split_request(turn: str, passage: str) -> None:
    request, found = split_request(turn)
    assert found == passage
    assert request
    assert passage not in request


@pytest.mark.parametrize(
    "turn",
    [
        "Tell me a joke.",
        "What is the capital of Peru?",
        "I feel sad today. Can you cheer me up?",
        "Translate this to French",
        "Summarize that.",
        "你好",
        "帮我写一首关于春天的诗",
        'He said "hi" and left, and I do not know what to do now.',
        "The meeting is at 3:30, see http://example.com/a for more.",
        "Should I have tea or coffee?",
        "",
        "   ",
        "再翻译成法语",
        "Thanks! And in German?",
        "Write a python function that reverses a string",
        "Write an email to my boss: I'm sick",
        "What time is it in Tokyo?",
        "Explain recursion. Use an example.",
        "Hi! How are you? I'm fine.",
        "给我讲个故事",
        "翻译这句话 The cat sat on the mat.",
        "write a haiku about rain",
        "Hey, how's it going?",
        'Write a story that starts with: "It was dark."',
        "Tell me about the Roman empire: how did it fall?",
        "My favourite colours are: red, green, blue",
        "Recipe for pancakes?",
        "I need help: my laptop won't start",
        "用一句话介绍北京",
        "Write a note to my French teacher: I'm sick",
        "I love Italian: it sounds like singing",
        "We speak German\nand English",
        "Shopping list: milk, eggs, bread",
        "I like apples, pears and plums, but which keep longest?",
        "中国有哪些节日？比如：春节、中秋",
    ],
)
def test_split_request_leaves_the_rest_whole(turn: str) -> None:
    assert split_request(turn) == (turn.strip(), None)


PARTED = [
    ("Mood of the scene: they said nothing all evening", "they said nothing all evening"),
    (
        "Who is to answer? The gate has been stuck since noon.",
        "The gate has been stuck since noon.",
    ),
    (
        "The gate has been stuck since noon. Who is to answer?",
        "The gate has been stuck since noon.",
    ),
    (
        "where does it belong - the gate has been stuck since noon",
        "the gate has been stuck since noon",
    ),
    ("Stil: na, kommst du noch rum", "na, kommst du noch rum"),
    ("pick: novels, maps, cookbooks. The coast of Skye, sheet 3", "The coast of Skye, sheet 3"),
    ("哪个部门？大门从中午起就打不开了。", "大门从中午起就打不开了。"),
    (
        "何の話ですか。「門が昼から開きません。誰か見てください」",
        "門が昼から開きません。誰か見てください",
    ),
]


@pytest.mark.parametrize(("turn", "passage"), PARTED)
def test_a_classification_is_parted_by_marks_that_mean_nothing_in_talk(
    turn: str, passage: str
) -> None:
    assert split_request(turn, "classification")[1] == passage


@pytest.mark.parametrize("task", ["qa", "chat", "summarization", "translation"])
def test_a_list_offers_labels_in_a_classification_only(task: str) -> None:
    turn = "3, 9, 27, 81? tell me the rule behind it"
    assert split_request(turn, task) == (turn, None)


def test_a_text_in_quotes_that_asks_is_not_what_is_asked() -> None:
    turn = "「この券は祝日も使えますか」\n【鉄道／バス／船】から選んで"
    assert split_request(turn) == (turn, None)
    assert split_request(turn, "classification")[1] == "この券は祝日も使えますか"
    assert labels_in(turn) == ("鉄道", "バス", "船")


@pytest.mark.parametrize("turn", ["Is it spam?", "Classify this", "positive or negative?", ""])
def test_a_classification_without_a_text_has_none(turn: str) -> None:
    assert split_request(turn, "classification") == (turn, None)


NOTICE = (
    "The swimming pool in Harrow Lane opens at seven on weekdays and at nine at the weekend. A ticket costs "
    "four pounds, for children half of that. Lockers take a one-pound coin, which is given back. "
    "The pool is closed for cleaning in the first week of every month."
)
BRIEF_QUESTIONS = [
    "When does the pool open?",
    "how much is a ticket",
    "wann macht das bad auf",
    "combien coûte un billet",
    "门票多少钱",
    "切符はいくらですか。",
]


@pytest.mark.parametrize("asked", BRIEF_QUESTIONS)
@pytest.mark.parametrize("form", ["{asked}\n{text}", "{text}\n{asked}", "{text}\n---\n{asked}"])
def test_a_question_about_a_text_is_parted_from_it(form: str, asked: str) -> None:
    assert split_request(form.format(asked=asked, text=NOTICE), "qa") == (asked, NOTICE)


def test_a_question_on_the_line_of_its_text_is_parted_only_when_told_the_task() -> None:
    turn = f"When does the pool open? {NOTICE}"
    assert split_request(turn, "qa") == ("When does the pool open?", NOTICE)
    assert split_request(turn) == (turn, None)


@pytest.mark.parametrize(
    "turn",
    [
        "Who painted it? I saw it in Rome.",
        "What is a tensor? Please explain with one example.",
        f"{NOTICE}\nChildren must be with an adult.",
    ],
)
def test_a_question_without_a_long_text_is_left_whole(turn: str) -> None:
    assert split_request(turn, "qa") == (turn, None)


def test_a_letter_that_begins_with_a_colon_is_not_cut_at_its_greeting() -> None:
    letter = "Liebe Nachbarn:\nam Samstag wird das Treppenhaus gestrichen. Bitte alles wegräumen."
    assert split_request(f"{letter}\n\nWann wird gestrichen?")[1] == letter


@pytest.mark.parametrize(
    "text", ["{x}", "{{", "(((((", "::::", "\n\n\n", "…", "\ud800", "a" * 20000]
)
def test_nothing_breaks_on_odd_input(text: str) -> None:
    detect_language(text)
    split_request(text)
    target_language(text)
    labels_in(text)
    source, target = translation_direction(text)
    assert source != target
