"""Tells from the words round a language's name whether it is the target or the source.

Two tables, one for names in letters and one for names in Chinese, Japanese or Korean characters.
The first rule whose left and right context fit holds. A higher weight is a surer target.
"""

from __future__ import annotations

from dataclasses import dataclass

STRONG, MEDIUM, WEAK = 9, 6, 3
SOURCE = -1

# Words that may stand between "into" and the language.
_MANNER = (
    r"(?:(?:a|an|the|simple|plain|natural|everyday|formal|informal|casual|good|proper|fluent"
    r"|modern|idiomatic|polite|colloquial|correct|nice|perfect|standard|native|spoken|written"
    r"|business|simplified|traditional|american|british|brazilian|mexican|european|canadian"
    r"|bon|gutes?|buen|flüssiges|einfaches)\s+)*"
)
_NOUNS = (
    r"(?:[\s-]+(?:language\s+)?(?:texts?|sentences?|phrases?|words?|paragraphs?|passages?|articles?"
    r"|e-?mails?|messages?|notes?|letters?|lines?|quotes?|reviews?|posts?|tweets?|comments?"
    r"|originals?|documents?|poems?|lyrics|songs?|recipes?|menus?|titles?|headlines?|signs?"
    r"|sayings?|proverbs?|idioms?|expressions?|stor(?:y|ies)|speech|snippets?|source|blog|contract"
    r"|instructions?|label|manual|website|page|greeting|verb|one|bit|part|stuff|thing)\b)"
)
_DETERMINERS = (
    r"(?:\b(?:this|that|these|those|the|my|his|her|our|their|your|a|an|some|following|below|above"
    r"|short|long|little|old|original|attached|two|three|few|another|any|le|la|cette|ce|cet|ces"
    r"|dies\w*|folgende\w*|est[ea]|esa|der|die|das|den|dem|el|una?|une)\s+)"
)
_WHICH = r"(?:version|translation|equivalent|rendering|counterpart|edition|traduction|übersetzung"
_RESULT = rf"^[\s-]+(?:language\s+)?{_WHICH}|fassung|versión|traducción|versione|tradução|versão)\b"
_CJK_THING = (
    r"^的?(?:这|那)?(?:句子?|段|篇|文章|原文|邮件|信|歌词?|单词|短语|文本|合同|新闻|台词|评论|短信|留言"
    r"|菜单|说明书?|便条|诗|内容|资料|材料|文件|短文|话|文$|の)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A role for a language whose left and right context match; the first rule that fits holds."""

    weight: int
    left: str = ""
    right: str = ""


LATIN_RULES = (
    Rule(STRONG, r"\S\s*[(（\[]\s*$", r"^\s*[)）\]]\s*[.?!]*$"),  # in brackets behind the text
    # the word for it, the version in it: what is asked for, whatever stands in front
    Rule(SOURCE, r"\bfrom (?:the |its )?(?:original )?$"),
    Rule(
        SOURCE,
        r"\b(?:desde el|depuis (?:le|l')|aus dem|vom|del|du|de l'|dal|dall'|do|с|из|von)\s*$",
    ),
    Rule(SOURCE, r"\b(?:translat\w+|translate) (?:the |this )$", _RESULT),
    Rule(STRONG, r"", _RESULT),
    Rule(STRONG, r"\b(?:versión|version|traduction|traducción|übersetzung|traduzione) $"),
    Rule(
        STRONG,
        r"",
        r"^\s+(?:word|term|phrase|expression|name|way|verb|noun|translation)s?\s+(?:for|of|to say)\b",
    ),
    Rule(STRONG, r"(?:'s|’s|\bis|\bwhats|\bare|\bthe|\bgive me|\bin) (?:the )?$", r"^\s+for\b"),
    Rule(SOURCE, _DETERMINERS + r"$", _NOUNS),
    Rule(SOURCE, r"\b(?:this|these|that|those|cette|ce|cet|ces|dies\w*|est[ea]|esa?) $"),
    Rule(
        SOURCE,
        r"\b(?:speak|read|understand|learn|learning|study|studying|know|teach|my|habla|parle)"
        r"(?: (?:any|much|a bit of|some|good|enough))? $",
    ),
    Rule(
        SOURCE,
        r"\b(?:text|sentence|article|e-?mail|message|note|letter|poem|it|this|that|which|wrote|written"
        r"|sent|received|got|posted|replied|phrase|passage|review|original|song|document)"
        r"(?:'s|’s)?(?: (?:is|was|are|were|me|us|this|that|it|all|only|originally|came))+ in $",
    ),
    Rule(MEDIUM, r"\bhow(?:'s| is| are| do| would)\b.*\bin $"),
    Rule(SOURCE, r"\b(?:written|escrito|escrita|écrite?s?|geschrieben) (?:in|en|auf) $"),
    # into it, to it
    Rule(
        STRONG,
        r"(?:\b(?:into|to|2|zu|nach|ins|auf|vers|al|à l'|au|hacia el|hacia|para o|para|на|po|all'"
        r"|in das|in die|ao|pro|in het|naar het|till)\s*|→\s*|[-=]+>\s*|»\s*|>\s*)"
        + _MANNER
        + r"$",
    ),
    Rule(STRONG, r"\w[\s-]*(?:→|->|=>|/|>|-)\s*$"),
    Rule(MEDIUM, r"\b(?:in|en|em|på)\s+" + _MANNER + r"$"),
    Rule(STRONG, r"", r"^\s*,?\s*(?:please|pls|plz|bitte|s'il|por favor)"),
    Rule(SOURCE, r"", _NOUNS),
    Rule(
        MEDIUM,
        r"\bfor (?:a |an |my |our |the |some )$",
        r"^[\s-]+(?:speak|friend|col|boss|custom"
        r"|client|audience|grand|team|partner|neighbo|host|guest|teacher|reader|user|market)",
    ),
    Rule(MEDIUM, r"(?:^|[.?!]\s)\s*(?:(?:now|and|same|also|again|ok|then)[, ]+)*$", r"^\s*[:：]"),
    Rule(SOURCE, r"\b(?:is|isn't|was) (?:this|it|that) $"),
    Rule(WEAK),
)

CJK_RULES = (
    Rule(
        SOURCE,
        r"(?:从|由|自|這句|这(?:句|段|篇|封|个|条|首|些|份|张|则|几句|是|里是)?|那(?:句|段|篇)?)$",
    ),
    Rule(SOURCE, r"(?:看不懂|不会|不懂|学|是用|写的是|原文是|原文为)$"),
    Rule(SOURCE, r"", r"^(?:文章?)?(?:に|へ|を|から|から)?(?:翻译|翻譯|译|翻)(?:成|为|到|至|過)"),
    Rule(SOURCE, r"", r"^(?:から|을|를|에서)"),
    Rule(SOURCE, r"(?:この|その|次の|以下の|下の)$"),
    Rule(
        STRONG,
        r"(?:译|翻|譯|转|换|改|写|变|说|讲|弄|做|整|表达|翻译|翻譯|转换|转化)(?:成|为|作|到|至|回|過|過來|一下)?"
        r"(?:一[段份句个]|地道的?|自然的?|正式的?|口语化?的?|流利的?|简单的?|标准的?|通顺的?|对应的?)*$",
    ),
    Rule(STRONG, r"(?:成|为|到|至|->|→|=>|－>)\s*(?:地道的?|自然的?|正式的?|流利的?|标准的?)*$"),
    Rule(SOURCE, r"(?:下面|以下|下列|上面|一段|一句|一篇|一封)的?$", r"^(?!怎么|如何|版)"),
    Rule(
        STRONG,
        r"",
        r"^(?:訳|版本?|译文|譯文|翻译(?!成|为|到)|翻譯|说法|表达|怎么|怎麼|如何|咋|该怎么|里怎|中怎|是什么|是啥|叫什么|叫啥)",
    ),
    Rule(STRONG, r"", r"^(?:に|へ)(?!翻译)"),
    Rule(STRONG, r"", r"^(?:で|では|だと)"),
    Rule(STRONG, r"", r"^(?:로|으로)"),
    Rule(SOURCE, r"", _CJK_THING),
    Rule(STRONG, r"用(?:地道的?|自然的?|正式的?|标准的?|流利的?|简单的?)?$"),
    Rule(MEDIUM, r"(?:以|要|来|给我|出|求|请说|需要|想要|看|的)$"),
    Rule(MEDIUM, r"^\s*(?:请)?$", r"^\s*[:：]"),
    Rule(MEDIUM, r"", r"^\s*(?:呢|は|では)?\s*[?？]"),
    Rule(WEAK),
)
