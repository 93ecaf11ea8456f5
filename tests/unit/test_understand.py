"""What a turn asks for, in wordings as different as people are."""

from __future__ import annotations

import pytest

from assistant.understand import (
    detect_language,
    labels_in,
    language_code,
    language_name,
    split_request,
    target_language,
    translation_direction,
)

LANGUAGES = [
    ("en", "hello"),
    ("en", "good bye my friend"),
    ("en", "My wifi is down"),
    ("en", "spam?"),
    ("en", "python list comprehension"),
    ("en", "Tom lives in Berlin."),
    ("en", "Quarterly revenue rose 12%"),
    ("en", "Great phone, terrible battery."),
    ("en", "URGENT: verify account now"),
    ("en", "How do you say 你好 in French?"),
    ("en", "What does 你好吗 mean?"),
    ("en", "123"),
    ("en", ""),
    ("de", "Guten Morgen"),
    ("de", "Ich habe Hunger"),
    ("de", "Maria lebt in Rom."),
    ("de", "Der Zug hat Verspätung."),
    ("de", "Schadenfreude"),
    ("de", "Kein Problem"),
    ("fr", "Le chat dort."),
    ("fr", "merci"),
    ("fr", "J'ai faim"),
    ("fr", "Nous partons demain matin."),
    ("fr", "L’hôtel n’a plus de chambres."),
    ("es", "hola"),
    ("es", "El tren llega tarde."),
    ("es", "¿Dónde está la estación?"),
    ("es", "Nos vemos mañana a las ocho."),
    ("it", "Dov'è la stazione?"),
    ("pt", "Onde fica a estação?"),
    ("nl", "Waar is het station?"),
    ("sv", "Var är stationen?"),
    ("pl", "Dziękuję bardzo"),
    ("tr", "Merhaba, nasılsın?"),
    ("zh", "今天天气真好！"),
    ("zh", "请用Python写一个函数"),
    ("zh", "iPhone 15 Pro Max很好用"),
    ("zh", "我在用 VS Code 和 GitHub Copilot 写 Java"),
    ("zh", "鲜の每日很好吃，我们常去那家店。"),
    ("ja", "東京は日本の首都です"),
    ("ja", "こんにちは"),
    ("ko", "안녕하세요"),
    ("ru", "Привет, как дела?"),
    ("uk", "Привіт, як справи?"),
    ("ar", "مرحبا بك"),
    ("fa", "سلام چطوری؟"),
    ("el", "Καλημέρα"),
    ("he", "שלום"),
    ("th", "สวัสดี"),
    ("hi", "नमस्ते"),
]


@pytest.mark.parametrize(("code", "text"), LANGUAGES)
def test_detect_language(code: str, text: str) -> None:
    assert detect_language(text) == code


TARGETS = [
    ("fr", "Translate this into French: The door is open."),
    ("de", "auf Deutsch bitte: where is the station"),
    ("fr", "把这句话翻译成法语：我饿了。"),
    ("es", "¿Cómo se dice 'thank you' en español?"),
    ("zh", "How do I say good morning in Chinese?"),
    ("en", "请把下面的话译成英文：春天来了。"),
    ("ja", "用日语怎么说“谢谢”？"),
    ("fr", "Mets ça au français : The cat sleeps."),
    ("en", "Übersetze das ins Englische: Der Hund bellt."),
    ("en", "Traduce al inglés: El gato duerme."),
    ("ja", "日本語に訳してください: Good night"),
    ("zh", "translate to zh: good night"),
    ("de", "German version please: See you on Monday."),
    ("fr", "what's the French for butterfly"),
    ("en", "EN: Der Zug kommt um acht."),
    ("en", "Translate from German to English: Guten Appetit"),
    ("en", "Put this French note into English: Je serai en retard."),
    ("fr", "这句英语用法语怎么说：I miss you"),
    ("zh", "Translate this Spanish sentence to Chinese: Hace frío."),
    ("de", "Translate into German: The French president met the Spanish king."),
    ("es", "I need this in Spanish by tonight: Please call me back."),
    ("en", "Can you translate this email from my German landlord into plain English?\n\nHallo"),
    ("fr", "Comment dit-on « I am tired » en français ?"),
    ("en", "du français à l'anglais : Il pleut."),
    ("es", "Could I get that in Spanish?"),
    ("es", "Now in Spanish please"),
    ("zh", "English to Chinese: apple"),
    ("zh", "en->zh: a cup of tea"),
    ("en", "中译英：他昨天没来。"),
    ("zh", "英译中：He did not come."),
    ("de", "“我爱你”的德语是什么？"),
    ("en", "这句话英文怎么讲？"),
    ("en", "帮我用地道的英语表达：最近忙得不可开交"),
    ("ja", "翻成日文 谢谢你的礼物"),
    ("ja", "「Good night」は日本語で何と言いますか"),
    ("en", "これを英語にしてください：雨が降っています。"),
    ("en", "次の文を英訳してください。\n昨日は寒かった。"),
    ("ko", "한국어로 번역해 줘: thank you"),
    ("fr", "How would the French say 'no worries'?"),
    ("de", "How do Germans say cheers?"),
    ("it", "render in idiomatic Italian: Better late than never"),
    ("pt", "rewrite the following in Brazilian Portuguese\nThe shop closes at six."),
    ("zh", "Traditional Chinese translation of “library”"),
    ("en", "¿Qué significa esta frase alemana en inglés? Ich drücke dir die Daumen."),
    ("en", "Was heißt „je suis en retard“ auf Englisch?"),
    ("fr", "Traduis en français : The meeting was moved to Tuesday."),
    ("ru", "переведи на русский: good luck"),
    ("zh", "给我中文版：The library opens at nine."),
    ("en", "把这段法语翻成英语：Il fait beau."),
    ("es", "Spanish please: two coffees and the bill"),
    ("de", "Say it in German"),
    ("fr", "What is 'apple' called in French?"),
    (None, "这句法语是什么意思：Il fait beau."),
    (None, "Translate this Spanish sentence: Hace frío."),
    (None, "What does this German word mean: Feierabend"),
    (None, "Translate: She teaches French in Spain."),
    (None, "What was the French Revolution?"),
    (None, "Who wrote the best French novel?"),
    (None, "翻译：他会说英语和法语。"),
    (None, "Translate this text in French: Le chien dort dans le jardin."),
    (None, "Tell me a joke."),
    (None, "Recommend a book on Chinese history"),
]


@pytest.mark.parametrize(("code", "turn"), TARGETS)
def test_target_language(code: str | None, turn: str) -> None:
    assert target_language(turn) == code


DIRECTIONS = [
    (("en", "zh"), "Translate: The shop is closed."),
    (("fr", "en"), "Translate this: Le magasin est fermé."),
    (("zh", "en"), "翻译：商店关门了。"),
    (("zh", "en"), "Translate the following.\n\n商店关门了。"),
    (("de", "fr"), "Translate into French: Der Laden ist zu."),
    (("de", "en"), "How do you say 'Guten Morgen' in English?"),
    (("es", "zh"), "把“¿Dónde está la estación?”翻译成中文"),
    (("en", "de"), "Translate good morning to German"),
    (("fr", "en"), "Translate this text in French: Le chien dort dans le jardin."),
    (("en", "fr"), "Translate this text in French: The dog sleeps in the garden."),
]


@pytest.mark.parametrize(("pair", "turn"), DIRECTIONS)
def test_translation_direction(pair: tuple[str, str], turn: str) -> None:
    assert translation_direction(turn) == pair


def test_direction_takes_a_code_or_a_name_and_never_stays_in_one_language() -> None:
    assert translation_direction("Translate: The shop is closed.", to="fr") == ("en", "fr")
    assert translation_direction("Translate: The shop is closed.", to="German") == ("en", "de")
    assert translation_direction("翻译：商店关门了。", to="日语") == ("zh", "ja")
    for turn in ("翻译成中文：你好", "Translate to English: hello", "", "Translate", "翻译"):
        source, target = translation_direction(turn)
        assert source != target
    source, target = translation_direction("Guten Tag", default=("de", "fr"))
    assert (source, target) == ("de", "fr")


SPLITS = [
    ("Translate to French: The door is open.", "The door is open."),
    ("Translate to French:\nThe door is open.\nCome in.", "The door is open.\nCome in."),
    ('How do you say "the door is open" in German?', "the door is open"),
    ("How do you say “note: bring milk” in German?", "note: bring milk"),
    ("Summarize this in one sentence.\n\nThe council met on Monday. It voted.", None),
    ("The council met on Monday. It voted.\n\nSummarize this in one sentence.", None),
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
]


@pytest.mark.parametrize(("turn", "passage"), SPLITS)
def test_split_request(turn: str, passage: str | None) -> None:
    if passage is None:
        passage = "The council met on Monday. It voted."
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
    ],
)
def test_split_request_leaves_the_rest_whole(turn: str) -> None:
    assert split_request(turn) == (turn.strip(), None)


LABELS = [
    (("positive", "negative"), "Is this review positive or negative? I loved it."),
    (("positive", "negative"), "I loved it. Positive or negative?".replace("Pos", "pos")),
    (("positive", "negative", "neutral"), "Classify as positive, negative or neutral: It is ok."),
    (("spam", "ham"), "Label this SMS as either spam or ham: call me"),
    (("sports", "politics", "tech"), "Topic (sports, politics, tech): The match ended 2-1."),
    (("billing", "bug", "other"), "Options: billing, bug, other\nText: I was charged twice."),
    (
        ("billing", "bug report", "other"),
        "Sort it into one of these categories: billing, bug report, other.\n\nIt crashed.",
    ),
    (("正面", "负面"), "这条评论是正面还是负面？东西很好用。"),
    (("A", "B", "C"), "属于以下哪一类：A、B、C\n文本：今天"),
    (("积极", "消极"), "判断情感（积极/消极）：太棒了"),
    (("积极", "消极", "中性"), "情感是积极、消极还是中性？\n服务一般。"),
    (("体育", "财经", "娱乐"), "请从体育、财经、娱乐中选一个类别：股市今天大涨"),
    (("体育", "财经", "娱乐"), "把新闻分为体育、财经、娱乐：股市今天大涨"),
    (("体育", "财经", "娱乐"), "类别：体育，财经，娱乐\n文本：股市今天大涨"),
    (("Positive", "Negative"), "Positive or Negative: what a day"),
    (("positive", "negative"), "positive/negative? what a day"),
    (("urgent", "not urgent"), "Is the following mail urgent or not urgent? Server down."),
    (("spam", "not spam"), "Is this spam or not? You won!"),
    (("happy", "sad", "angry"), "Which emotion is it: happy, sad or angry? I cried all day."),
    (
        ("question", "complaint", "praise"),
        "Choose from [question, complaint, praise]: Why is it late?",
    ),
    (
        ("question", "complaint", "praise"),
        'Pick one of ["question", "complaint", "praise"]\nWhy is it late?',
    ),
    (("cat", "dog", "bird"), "Labels:\n- cat\n- dog\n- bird\n\nText: It barks."),
    (("cat", "dog", "bird"), "Which class?\nOptions:\n1. cat\n2. dog\n3. bird\n\nText: It barks."),
    (("fact", "opinion"), "fact or opinion? The sky is blue."),
    (("fact", "opinion"), "Tell me if this is a fact or an opinion: Tea is better."),
    (("formal", "informal"), "Would you say the tone is formal or informal: Yo dude"),
    (("True", "False"), "Answer True or False: Water is wet."),
    (("yes", "no"), "Answer yes or no only: is it sarcastic? Sure, great."),
    (("positif", "négatif"), "Cet avis est-il positif ou négatif ? Très bon."),
    (("positiv", "negativ"), "Ist das positiv oder negativ: Sehr gut"),
    (("positivo", "negativo"), "¿Es positivo o negativo? Muy bueno."),
    (("ポジティブ", "ネガティブ"), "ポジティブかネガティブか判定して：最高でした"),
    (("low", "medium", "high"), "Rate the priority as low / medium / high: printer jam"),
    (("joy", "fear"), "is it joy vs fear? I ran away"),
    (("垃圾邮件", "正常邮件"), "这封邮件是垃圾邮件还是正常邮件：点击领取大奖"),
    (("投诉", "咨询", "表扬"), "下面这句话属于投诉、咨询、表扬中的哪一类？你们几点开门？"),
    (("投诉", "咨询", "表扬"), "标签：投诉/咨询/表扬。句子：你们几点开门？"),
    (
        ("World", "Sports", "Business", "Sci/Tech"),
        "Classify the news article into World, Sports, Business, or Sci/Tech.\n\nStocks fell.",
    ),
    (
        ("refund", "shipping", "account"),
        "Which of refund, shipping or account is this about? My parcel is lost.",
    ),
    (("toxic", "non-toxic"), "Mark as toxic or non-toxic:\nyou fool"),
    (
        ("entailment", "neutral", "contradiction"),
        "Decide between entailment, neutral and contradiction.\n\nPremise: A. Hypothesis: B.",
    ),
    ((), "Classify the sentiment: I want tea or coffee"),
    ((), "What is the sentiment of this review? Loved it."),
    ((), "Summarize this in one sentence: Ann left."),
    ((), "这句话是什么情感：我很开心"),
    ((), "Tell me a joke."),
]


@pytest.mark.parametrize(("labels", "turn"), LABELS)
def test_labels_in(labels: tuple[str, ...], turn: str) -> None:
    assert labels_in(turn) == labels


def test_names_and_codes() -> None:
    assert language_name("fr") == "French"
    assert language_name("fr", "zh") == "法语"
    assert language_name("zh-CN") == "Chinese"
    assert language_name("xx") == "xx"
    assert language_code("Französisch") == "fr"
    assert language_code("pt-BR") == "pt"
    assert language_code("nonsense") is None


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
