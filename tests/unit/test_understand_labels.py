"""The labels that a turn offers, in wordings as different as people are."""

from __future__ import annotations

import pytest
from understand_texts import ARTICLE

from assistant.understand import (
    labels_in,
)

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
