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

ARTICLE = 'The city of Bern said on Monday: "We will plant 500 trees." Residents welcomed the plan, but some asked who would pay. The mayor answered: the state.\nWork starts in spring. Will it be done in time?'
REPORT_ZH = "伯尔尼市周一表示：“我们将种植五百棵树。”居民对此表示欢迎，但有人问谁来出钱。\n工程将于春天开始。能按时完成吗？"

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
    ("fr", "Hey could u translate this to french for me: see you at 8"),
    ("es", "spanish translation of 'good luck'?"),
    ("de", "I'd like the following text in German.\n\nThe store is closed on Sundays."),
    ("ja", "Turn this into polite Japanese: I can't come tomorrow."),
    ("zh", "What would 'Feierabend' be in Chinese?"),
    ("en", "What does 'Feierabend' mean in English?"),
    ("en", "Help me understand this French email in English:\nBonjour, votre colis est arrivé."),
    ("zh", "把下面的德语翻译为中文：Ich liebe dich."),
    ("zh", "请将以下英文段落翻译成简体中文：\nThe sun rises."),
    ("en", "能不能帮我把这封信翻成英语\n\n亲爱的约翰：你好。"),
    ("fr", "法语怎么说“我迷路了”"),
    ("de", "“生日快乐”用德语怎么写"),
    ("es", "帮我翻译成西班牙语，谢谢：我要一杯咖啡"),
    ("en", "Ce texte en anglais s'il te plaît : Je suis malade."),
    ("de", "Traduire en allemand : J'ai perdu mes clés."),
    ("fr", "Bitte ins Französische übersetzen: Ich habe meinen Schlüssel verloren."),
    ("es", "Wie sagt man auf Spanisch „Guten Abend“?"),
    ("zh", "Übersetze folgenden Satz ins Chinesische: Das Wetter ist schön."),
    ("fr", "Pásalo al francés: Me duele la cabeza."),
    ("zh", "traducir al chino: ¿cuánto cuesta?"),
    ("de", "Quiero esto en alemán: La cuenta, por favor."),
    ("zh", "この文を中国語に翻訳して：今日は暑いです。"),
    ("fr", "フランス語で「ありがとう」は何ですか"),
    ("en", "英語に直してください。「犬が好きです」"),
    ("fr", "In French: where is the nearest pharmacy?"),
    ("de", "translate 2 german: i am hungry"),
    ("en", "German → English: Das ist mir egal"),
    ("zh", "English-Chinese: cloud computing"),
    ("fr", "Translate the English sentence below to French.\nI like tea."),
    ("en", "The following is in Italian. Give me an English translation.\nMi piace il mare."),
    (
        "es",
        "My Spanish is terrible, how do I tell the waiter in Spanish that I'm allergic to nuts?",
    ),
    ("fr", "say 'nice to meet you' in french"),
    ("ko", "how to say thanks in korean"),
    ("zh", "Please provide a Chinese version of this paragraph:\nWater boils at 100 degrees."),
    ("en", "这段中文帮我翻译成英文，要正式一点：\n贵公司的报价我们已收到。"),
    ("en", "译成英语：熟能生巧"),
    ("ja", "我想知道“加油”日语怎么说"),
    ("fr", "Same thing but in French"),
    ("es", "and in spanish?"),
    ("de", "Jetzt auf Deutsch"),
    ("fr", "et en français ?"),
    ("es", "¿y en español?"),
    ("en", "再来个英文版"),
    ("fr", "换成法语"),
    ("de", "Write this in German: Happy birthday, grandma!"),
    ("zh", "TRANSLATE INTO CHINESE\nHappy new year"),
    (
        "en",
        "I got this letter from a German company, what does it say in English?\n\nSehr geehrte Damen und Herren, wir danken Ihnen.",
    ),
    ("fr", "Can you give me the French for 'to be late'?"),
    ("en", "Was bedeutet das auf Englisch: c'est la vie"),
    ("en", "How can I express 缘分 in English?"),
    ("es", "for a Spanish-speaking customer, translate: your order has shipped"),
    ("fr", "Traduzca al francés la siguiente frase: El niño juega en el parque."),
    ("en", "convert this chinese text to english 我喜欢你"),
    (None, "Translate the French menu: soupe du jour"),
    (None, "这是一封德语邮件，帮我翻译一下：Guten Tag"),
    (None, "Translate\nShe speaks German to her French husband in English class."),
    (None, "Which is harder, Chinese or Japanese?"),
    (None, "Summarize the article about German cars."),
    (None, "Best Italian restaurants in town"),
    (None, "How many people speak Spanish?"),
    (None, "中国的首都是哪里"),
    (None, "I want to learn French. Any tips?"),
    (None, "How do I improve my English?"),
    (None, "英语和法语有什么区别？"),
    (None, "What's the weather like in German cities?"),
    (None, "Translate this for me please"),
    ("es", ARTICLE + "\n\n↑ translate to Spanish"),
    ("zh", "请用中文总结下面这篇英文文章：\n" + ARTICLE),
    ("de", "Please translate the following text from English to German:\n" + ARTICLE),
    (
        "fr",
        "Translate the following English paragraph into French: Our German partners arrive in Spain tomorrow.",
    ),
    ("en", "请把这段日文翻译成英文：東京は暑いです。"),
    ("de", "deutsche Übersetzung bitte: see you soon"),
    ("zh", "in chinese: see you soon"),
    ("es", 'how would you say in Spanish "I\'m lost"'),
    ("es", 'What\'s "cheese" in Spanish'),
    ("en", "what does 'je ne sais quoi' mean in English"),
    ("en", "What's the English translation of 加油?"),
    ("fr", "Écris ça en français : see you soon"),
    ("en", "Wie lautet die englische Übersetzung von „Feierabend“?"),
    ("en", "Cómo se traduce al inglés «madrugada»"),
    ("ja", "please render this sentence in Japanese -> I'm home"),
    ("zh", "to Chinese pls\n\nhello"),
    ("en", "用英文翻译：我爱学习"),
    ("en", "给我翻译成英语版本：我爱学习"),
    ("fr", "请将这段西班牙语译为法语：Hola"),
    ("zh", "这段德语说的是什么？请用中文回答：Guten Tag"),
    ("it", "Fammi la traduzione in italiano: good evening"),
    ("en", "traduci in inglese: buonasera"),
    ("en", "Traduza para o inglês: Bom dia"),
    ("fr", "fr: good evening"),
    ("de", "Translate to DE: good evening"),
    ("es", "make it Spanish: good evening"),
    ("ja", "I'm writing to a Japanese client, translate this into Japanese: hello"),
    ("en", "My French is bad. What does this say in English? Défense de fumer"),
    ("en", "Somebody wrote me this in Russian, can you put it into English? Привет"),
    ("ko", "Korean translation of: happy new year"),
    ("zh", "translate (English -> Chinese): hello"),
    ("de", "EN-DE: hello"),
    ("fr", "Translate this to french and keep it formal: hello"),
    ("pt", "translate hello to portuguese"),
    ("ru", "how is 'thank you' written in Russian?"),
    ("en", "Could you help me with the English for 随便?"),
    ("es", "翻成西语：早安"),
    ("de", "译德：早安"),
    (None, "translate the following: I studied Chinese in Germany."),
    (None, "what language is this: bonjour"),
    (None, "Is this French or Italian: buongiorno"),
    (None, "Translate this German"),
    (None, "write me an email in which I ask for a refund"),
    ("de", "EN>DE The bridge is closed."),
    ("fr", "EN-FR | The bridge is closed."),
    ("es", "Target: Spanish. Text: The bridge is closed."),
    ("es", '"Good night." Spanish?'),
    ("fr", "Please translate this for the menu. Grilled trout with almonds. (French)"),
    ("de", "请翻译下面的句子。\n桥关闭了。\n目标语言：德语"),
    (None, "SO-DE was the name of the band."),
    (None, "My target: Spanish by summer, but which book is good?"),
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
    (
        ("fr", "en"),
        "Help me understand this French email in English:\nBonjour, votre colis est arrivé.",
    ),
    (("zh", "en"), "Translate 我喜欢你"),
    (("zh", "en"), "convert this chinese text to english 我喜欢你"),
    (("fr", "en"), "Translate the French menu: soupe du jour"),
    (("de", "en"), "这是一封德语邮件，帮我翻译一下：Guten Tag"),
    (("en", "zh"), "What is 'apple' in Chinese?"),
    (("en", "fr"), "say 'nice to meet you' in french"),
    (("zh", "de"), "“生日快乐”用德语怎么写"),
    (("de", "zh"), "What would 'Feierabend' be in Chinese?"),
    (("fr", "zh"), '把"C\'est la vie"翻译成中文'),
    (("es", "en"), "Hace frío. What does this mean?"),
    (("zh", "ja"), "我想知道“加油”日语怎么说"),
    (("en", "zh"), "翻译 hello world"),
    (("zh", "en"), "翻译 你好"),
    (("fr", "de"), "Übersetze „Bonne nuit“ ins Deutsche"),
    (("ja", "en"), "これを英語にしてください：雨が降っています。"),
    (("en", "zh"), "翻译一下这句：Where there is a will, there is a way."),
    (("zh", "en"), "这句话翻译成英语：有志者事竟成"),
    (("en", "es"), "how do I tell the waiter in Spanish: I'm allergic to nuts"),
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


LABELS = [
    ((), "合同分类：逾期付款超过三十日的，出租方可以解除合同。"),
    (("垃圾邮件", "正常邮件"), "类别：垃圾邮件，正常邮件\n文本：请点击领奖"),
    (
        ("urgent", "can wait"),
        "Sort the ticket. Labels: urgent, can wait.\n\nThe printer is out of ink.",
    ),
    (
        ("urgent", "normal", "idle"),
        "could you put it into Greek for me\n\nWhich label: urgent, normal, idle?",
    ),
    (
        ("sad", "merry", "calm"),
        "a slow , if tender , farewell\n\nWhat is the mood? Choose one: sad, merry, calm.",
    ),
    ((), "Sort these by colour.\nFruits: cherry, lemon, plum"),
    ((), "把下面的东西按“衣物”和“餐具”归类：袜子，勺子，帽子"),
    ((), "Name | Age | Town\nAnn | 31 | Oslo\n\nWho is the oldest?"),
    (
        ("novels", "maps", "cookbooks"),
        "Which shelf? novels, maps, cookbooks\nA guide to the walks of Skye.",
    ),
    (
        ("novels", "maps", "cookbooks"),
        "novels, maps, cookbooks – where does it go? A guide to Skye.",
    ),
    (("novels", "maps", "cookbooks"), 'novels, maps, cookbooks: "A guide to the walks of Skye."'),
    (
        ("novels", "maps", "cookbooks"),
        "Shelve this: novels, maps or cookbooks.\nA guide to the walks of Skye.",
    ),
    (
        ("novels", "maps", "cookbooks"),
        "one of novels, maps, cookbooks → A guide to Skye, with tides, in colour",
    ),
    (
        ("novels", "maps", "sea charts"),
        "Sort the book into novels, maps, sea charts - the coast of Skye, sheet 3",
    ),
    (("still water", "juice"), "still water / juice: pressed from last week's apples"),
    (
        ("fix", "new feature", "chore"),
        'commit kind – fix/new feature/chore? "Bump the year in the footer."',
    ),
    (("rain", "snow"), "Does it speak of rain or of snow?\nThe white has covered the roofs."),
    (("roman", "carte", "guide"), "Choisir entre roman / carte / guide.\nLes sentiers de Skye."),
    (("Fisch", "Vogel", "Insekt"), "Fisch, Vogel, Insekt – was ist das? Es nistet im Schilf."),
    (("pez", "ave", "insecto"), "pez, ave o insecto — anida en los juncos y en invierno se va"),
    (("鱼类", "鸟类", "昆虫"), "下面写的是哪种动物？鱼类、鸟类、昆虫\n它在芦苇里筑巢。"),
    (("鱼类", "鸟类", "昆虫"), "动物归类（鱼类／鸟类／昆虫）：它在芦苇里筑巢。"),
    (("鱼类", "鸟类", "昆虫"), "它在芦苇里筑巢。\n动物归到：鱼类、鸟类、昆虫 中哪一类？"),
    (("鱼类", "鸟类", "昆虫"), "它在芦苇里筑巢。\n（选：鱼类、鸟类、昆虫）"),
    (("鱼类", "鸟类", "昆虫"), "它在芦苇里筑巢。请问是鱼类、鸟类还是昆虫？"),
    (("fish", "bird"), "请用标签 fish、bird 标注：它在芦苇里筑巢。"),
    (("魚", "鳥", "昆虫"), "魚・鳥・昆虫から選ぶ。葦の中に巣を作る。"),
    (("好意的", "批判的"), "この記事は好意的ですか、批判的ですか。\n「よくできた計画だ。」"),
    ((), "备注分类：我先走了，钥匙在门口"),
    ((), "来信归类：\n昨天来过，没有人，电话也不接"),
    ((), "Qual é o tom? «Volto amanhã, sem falta.»"),
    ((), "Which of our teams should look at this, i.e. who? The gate is stuck."),
    ((), "診療科を判定：転んで膝が痛く、歩けません。"),
    ((), "Topic: we had tea, we had cake, we went home"),
    ((), "Tom has a dog, a cat and a parrot at home. What is the mood?"),
    (("positive", "negative"), "Is this review positive or negative? I loved it."),
    (("positive", "negative"), "I loved it. positive or negative?"),
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
    (
        ("positive", "negative", "mixed"),
        "Determine whether the following review is positive, negative, or mixed: meh",
    ),
    (("positive", "negative"), 'Does this sound positive or negative to you? "love it"'),
    (
        ("sports", "business", "science"),
        "What's the topic of this headline? Choose between sports, business, and science. Apple releases earnings",
    ),
    (("bug", "feature"), "bug or feature: the button is blue"),
    (
        ("refund request", "complaint", "question"),
        "Intent (refund request / complaint / question)?\nI want my money back",
    ),
    (("positive", "negative"), "Tell me the sentiment: positive vs negative\nGood stuff"),
    (("好评", "差评"), "这是好评还是差评：送货太慢"),
    (("好评", "中评", "差评"), "给下面的评论打标签，标签只能是好评、中评、差评之一：还行吧"),
    (("体育", "科技", "财经"), "请判断新闻类别（体育、科技、财经）：苹果发布新手机"),
    (("开心", "难过", "生气"), "说话人是开心、难过还是生气？我今天丢了钱包。"),
    (("anger", "joy", "sadness"), "Emotion labels: anger, joy, sadness.\nText: I lost my dog."),
    (("spam", "not spam"), "Classify the email as spam or not spam.\n\nWin cash now"),
    (("1", "2", "3", "4", "5"), "Rate from these options: 1, 2, 3, 4, 5. Review: superb"),
    (
        ("abbreviation", "entity", "description", "human", "location", "number"),
        "What type of question is this? abbreviation, entity, description, human, location or number: Who wrote Emma?",
    ),
    (
        ("positif", "négatif", "neutre"),
        "Classe cet avis comme positif, négatif ou neutre : correct sans plus",
    ),
    (
        ("positiv", "negativ", "neutral"),
        "Ist die Bewertung positiv, negativ oder neutral? Ganz okay.",
    ),
    (
        ("positivo", "negativo", "neutro"),
        "Clasifica esta reseña como positivo, negativo o neutro: regular",
    ),
    (("urgent", "normal"), "Is this ticket urgent or normal? Printer is on fire"),
    (("sincere", "sarcastic"), "Is the author being sincere or sarcastic here: oh great, rain"),
    (
        ("Tech Support", "Sales", "HR"),
        "Route this message to Tech Support, Sales or HR: my laptop died",
    ),
    (("是", "否"), "回答是或否：这句话有讽刺意味吗？真棒啊"),
    (("真", "假"), "判断真假（真/假）：地球是平的"),
    (
        ("politics", "health"),
        "Assign a label. Labels: politics, health. Article: New vaccine approved",
    ),
    (("happy", "sad"), "happy/sad?\n\nI got the job"),
    (("A", "B"), "Is it A or B?"),
    (
        ("food", "travel", "money"),
        "Categories are food, travel and money. Where does this go? Bus ticket 3 euros",
    ),
    (("正面", "负面", "中性"), "情感分类，类别为正面、负面、中性。\n文本：服务不错"),
    (("formal", "informal"), "Label the register - formal or informal - of this: Dear Sir"),
    (("animal", "plant", "mineral"), "animal, plant or mineral? granite"),
    (("咨询", "投诉"), "用户意图是咨询还是投诉？\n我的快递呢"),
    (
        ("World", "Local", "Sports"),
        "Which section does this article belong to - World, Local, Sports?\n\n" + ARTICLE,
    ),
    (("World", "Local", "Sports"), ARTICLE + "\n\nCategories: World, Local, Sports"),
    (("good", "bad"), ARTICLE + "\n\nIs this news good or bad?"),
    (("bug", "feature", "docs"), "Tag with a single label (bug | feature | docs): README typo"),
    (
        ("angry", "happy", "indifferent"),
        "Is the customer angry, happy or indifferent?\n\nwhatever, fine",
    ),
    (("offensive", "not offensive"), "Please decide: offensive or not offensive? You look great"),
    (("A1", "A2", "B1", "B2"), "Given labels [A1, A2, B1, B2] give the CEFR level: I like cats."),
    (("positive", "negative"), "Review: Good food.\nSentiment: positive or negative?"),
    (("positive", "negative"), "Text: Good food.\nLabel (positive, negative):"),
    (("正面", "负面"), "文本：好吃\n情感（正面/负面）："),
    (("正面评价", "负面评价"), "好吃！\n\n这是正面评价还是负面评价？"),
    (
        ("军事", "教育", "房产"),
        "请判断下列文本属于哪个类别。可选类别：军事、教育、房产。\n文本：房价上涨",
    ),
    (("cat", "dog"), "Choose the best label.\n(a) cat\n(b) dog\n\nText: woof"),
    (
        ("agree", "disagree", "unrelated"),
        "Options: (1) agree (2) disagree (3) unrelated\n\nClaim: x",
    ),
    (
        ("grammatical", "ungrammatical"),
        "Decide if the sentence is grammatical or ungrammatical: He go home",
    ),
    (("subjective", "objective"), "subjective or objective?\nThe film runs 90 minutes."),
    (
        ("favor", "against", "none"),
        "Determine the stance: favor, against, none.\nTweet: Ban plastic",
    ),
    (
        ("person", "place", "thing"),
        "Is this question about a person, place, or thing? Where is Oslo?",
    ),
    (
        ("hate speech", "offensive language", "neither"),
        "hate speech or offensive language or neither: you are silly",
    ),
    (("Spam", "kein Spam"), "Ist das Spam oder kein Spam? Gewinne jetzt!"),
    (
        ("1 star", "2 stars", "3 stars", "4 stars", "5 stars"),
        "1 star, 2 stars, 3 stars, 4 stars or 5 stars? I loved it",
    ),
    (("真", "假"), "判断这条新闻是真是假：月亮是奶酪做的"),
    (("高兴", "生气", "难过"), "选一个：高兴/生气/难过。今天被老板骂了"),
    ((), "What is the sentiment of this text? I might buy it or return it."),
    ((), "Classify the emotion: I am happy or maybe just tired"),
    ((), "Which topic is this: the bank, the market and the stock exchange were closed"),
    ((), "Sentiment: great camera, poor screen, fair price"),
    ((), "Is this spam? Buy now, pay later, or never!"),
    ((), "情感分析：这家店的奶茶、咖啡和蛋糕都好吃"),
    ((), "What type of question is this: Where can I buy milk, eggs or bread?"),
    ((), "Classify this text.\n\nChoose between tea or coffee, he said."),
    ((), 'What emotion does this show? "I don\'t know whether to laugh or cry"'),
    ((), "判断主题：中国队和日本队谁会赢？"),
    ((), "这条评论的情感倾向是什么？\n不知道该哭还是该笑"),
    ((), "Detect intent: cancel or change my flight please"),
    ((), "Is the following review about food? The pizza was great"),
    (("yes", "no"), "Does this review mention price? Answer yes or no.\n\nToo expensive for me."),
    (("positive", "negative"), "Decide whether the tweet is positive or negative.\n@bob you rock"),
    (
        ("Positive", "Negative", "Neutral"),
        "Sentiment analysis. Output one of: Positive, Negative, Neutral.\n\nInput: meh",
    ),
    (
        ("Positive", "Negative", "Neutral"),
        "What's the sentiment (Positive/Negative/Neutral) of 'meh'?",
    ),
    (
        ("Business", "Sport"),
        "You will be given a headline. Respond with Business or Sport only.\n\nHeadline: Shares dip",
    ),
    (
        ("alarm", "music", "weather"),
        "Map the utterance to an intent from {alarm, music, weather}: wake me at 6",
    ),
    (("0", "1"), "Label 0 or 1: I hate it"),
    (("toxic", "clean"), "toxic or clean? go away"),
    (
        ("politics", "sport", "culture"),
        "Would this go under politics, sport or culture? The museum reopens on Friday.",
    ),
    (("relevant", "irrelevant"), "Mark each as relevant or irrelevant to cooking: boil the eggs"),
    (("支持", "反对", "中立"), "作者的立场是支持、反对还是中立？我觉得这个政策很好。"),
    (("紧急", "不紧急"), "这个工单紧急还是不紧急：打印机没纸了"),
    (("广告", "通知", "私人"), "把短信归类到：广告、通知、私人。\n您的快递已到"),
    (("高", "中", "低"), "优先级（高/中/低）：服务器宕机"),
    (("疑问句", "陈述句", "感叹句"), "这个句子是疑问句、陈述句还是感叹句？你去哪儿？"),
    (("男", "女"), "说话人是男是女：我是一名父亲"),
    (
        ("Sport", "Politik", "Wirtschaft"),
        "Ordne den Text einer Kategorie zu: Sport, Politik, Wirtschaft.\n\nDer DAX fällt.",
    ),
    (("sport", "politique"), "Classe le texte : sport ou politique ?\n\nLe match est annulé."),
    (("a", "b", "c"), "Text: I love this phone\nLabels: a, b, c\nSentiment:"),
    (("正面", "负面"), "标签：正面、负面\n文本：很好\n答案："),
    (("a", "b", "c"), "Labels: a,\nb,\nc\n\nText: which one is it?"),
    (
        ("food", "service", "price", "ambience"),
        "Aspect categories: food; service; price; ambience\nReview: waiters were slow",
    ),
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


@pytest.mark.parametrize(
    ("turn", "labels"),
    [
        ("Positive or negative? The soup was cold.", ("positive", "negative")),
        ("Spam or not spam: you won a prize", ("spam", "not spam")),
        ("Rome or Paris? The city of light.", ("Rome", "Paris")),
        ("Labels: Good, bad. The soup was cold.", ("Good", "bad")),
        ("NASA or ESA? Ariane lifted off.", ("NASA", "ESA")),
    ],
)
def test_a_capital_at_the_start_of_a_sentence_is_no_part_of_a_label(
    turn: str, labels: tuple[str, ...]
) -> None:
    assert labels_in(turn) == labels


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
