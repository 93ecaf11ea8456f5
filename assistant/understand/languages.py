"""The languages the program knows by name, and how people name them in several languages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Language:
    """One language: ISO code, English and Chinese name, and other names it goes by."""

    code: str
    en: str
    zh: str
    other: tuple[str, ...] = ()


def _language(code: str, en: str, zh: str, other: str = "") -> Language:
    return Language(code, en, zh, tuple(name for name in other.split("|") if name))


# Other names: Chinese variants, then French, German, Spanish, Japanese, Korean, Italian,
# Portuguese, Russian and the language's own, as far as they are in use in requests.
LANGUAGES: tuple[Language, ...] = (
    _language(
        "en",
        "English",
        "英文",
        "英语|英語|anglais|anglaise|englisch|englische|englischen|englischer|englisches"
        "|inglés|ingles|inglesa|영어|inglese|inglês|английский|английского|по-английски",
    ),
    _language(
        "zh",
        "Chinese",
        "中文",
        "汉语|漢語|华语|華語|中国话|中國話|普通话|普通話|国语|國語|简体中文|繁体中文|繁體中文"
        "|简体|繁体|繁體|大白话|白话文|现代汉语|文言文|中国語|中國語|mandarin|simplified chinese"
        "|traditional chinese|mandarin chinese|chinois|chinoise|chinois mandarin|chinesisch"
        "|chinesische|chinesischen|chinesischer|chinesisches|chino|china mandarín|mandarín"
        "|mandarin|중국어|cinese|chinês|китайский|китайского|по-китайски|putonghua",
    ),
    _language(
        "fr",
        "French",
        "法语",
        "法文|法語|français|francais|française|francaise|französisch|französische|französischen"
        "|französischer|französisches|franzoesisch|francés|frances|francesa|フランス語|仏語"
        "|프랑스어|불어|francese|francês|французский|французского|по-французски",
    ),
    _language(
        "de",
        "German",
        "德语",
        "德文|德語|allemand|allemande|deutsch|deutsche|deutschen|deutscher|deutsches|alemán"
        "|aleman|alemana|ドイツ語|独語|독일어|tedesco|tedesca|alemão|немецкий|немецкого"
        "|по-немецки",
    ),
    _language(
        "es",
        "Spanish",
        "西班牙语",
        "西班牙文|西班牙語|西语|西文|espagnol|espagnole|spanisch|spanische|spanischen|spanischer"
        "|spanisches|español|espanol|española|castellano|castilian|スペイン語|西語|스페인어"
        "|spagnolo|spagnola|espanhol|испанский|испанского|по-испански",
    ),
    _language(
        "it",
        "Italian",
        "意大利语",
        "意大利文|意大利語|意语|italien|italienne|italienisch|italienische|italienischen|italiano"
        "|italiana|イタリア語|이탈리아어|итальянский",
    ),
    _language(
        "pt",
        "Portuguese",
        "葡萄牙语",
        "葡萄牙文|葡萄牙語|葡语|portugais|portugaise|portugiesisch|portugiesische|portugués"
        "|portuguesa|português|portugues|ポルトガル語|포르투갈어|portoghese|португальский"
        "|brazilian portuguese|brazilian",
    ),
    _language(
        "nl",
        "Dutch",
        "荷兰语",
        "荷兰文|荷蘭語|néerlandais|niederländisch|niederländische|holländisch|neerlandés|holandés"
        "|オランダ語|네덜란드어|olandese|holandês|nederlands|нидерландский|flemish",
    ),
    _language(
        "ja",
        "Japanese",
        "日语",
        "日文|日語|日本语|日本語|japonais|japonaise|japanisch|japanische|japanischen|japonés"
        "|japones|japonesa|일본어|giapponese|japonês|японский|по-японски|nihongo",
    ),
    _language(
        "ko",
        "Korean",
        "韩语",
        "韩文|韓語|韓文|朝鲜语|coréen|coréenne|koreanisch|koreanische|coreano|coreana|韓国語|한국어"
        "|한국말|корейский|по-корейски",
    ),
    _language(
        "ru",
        "Russian",
        "俄语",
        "俄文|俄語|russe|russisch|russische|russischen|ruso|rusa|ロシア語|러시아어|russo|русский"
        "|по-русски",
    ),
    _language(
        "ar",
        "Arabic",
        "阿拉伯语",
        "阿拉伯文|阿拉伯語|arabe|arabisch|arabische|árabe|アラビア語|아랍어|arabo|арабский|العربية",
    ),
    _language("hi", "Hindi", "印地语", "印地文|印地語|ヒンディー語|힌디어|हिन्दी|हिंदी"),
    _language("tr", "Turkish", "土耳其语", "土耳其文|土耳其語|turc|türkisch|turco|トルコ語|türkçe"),
    _language(
        "pl", "Polish", "波兰语", "波兰文|波蘭語|polonais|polnisch|polaco|ポーランド語|polski"
    ),
    _language("sv", "Swedish", "瑞典语", "瑞典文|瑞典語|suédois|schwedisch|sueco|svenska"),
    _language("da", "Danish", "丹麦语", "丹麦文|danois|dänisch|danés|dansk"),
    _language("no", "Norwegian", "挪威语", "挪威文|norvégien|norwegisch|noruego|norsk|bokmål"),
    _language("fi", "Finnish", "芬兰语", "芬兰文|finnois|finnisch|finlandés|suomi"),
    _language("cs", "Czech", "捷克语", "捷克文|tchèque|tschechisch|checo|čeština|česky"),
    _language("sk", "Slovak", "斯洛伐克语", "slovaque|slowakisch|eslovaco|slovenčina"),
    _language("hu", "Hungarian", "匈牙利语", "匈牙利文|hongrois|ungarisch|húngaro|magyar"),
    _language("ro", "Romanian", "罗马尼亚语", "roumain|rumänisch|rumano|română"),
    _language("bg", "Bulgarian", "保加利亚语", "bulgare|bulgarisch|búlgaro"),
    _language("hr", "Croatian", "克罗地亚语", "croate|kroatisch|croata|hrvatski"),
    _language("el", "Greek", "希腊语", "希腊文|希臘語|grec|griechisch|griego|ギリシャ語|ελληνικά"),
    _language("he", "Hebrew", "希伯来语", "希伯来文|hébreu|hebräisch|hebreo|עברית"),
    _language("uk", "Ukrainian", "乌克兰语", "ukrainien|ukrainisch|ucraniano|українська"),
    _language("fa", "Persian", "波斯语", "波斯文|farsi|persan|persisch|persa|فارسی"),
    _language("ur", "Urdu", "乌尔都语", "ourdou|اردو"),
    _language("bn", "Bengali", "孟加拉语", "bangla|বাংলা"),
    _language("ta", "Tamil", "泰米尔语", "tamoul|tamilisch"),
    _language(
        "vi", "Vietnamese", "越南语", "越南文|越語|vietnamien|vietnamesisch|ベトナム語|tiếng việt"
    ),
    _language("th", "Thai", "泰语", "泰文|泰語|thaï|thailändisch|tailandés|タイ語|ภาษาไทย"),
    _language(
        "id", "Indonesian", "印尼语", "印度尼西亚语|印尼文|indonésien|indonesisch|bahasa indonesia"
    ),
    _language("ms", "Malay", "马来语", "马来文|malais|malaiisch|malayo|bahasa melayu"),
    _language("ca", "Catalan", "加泰罗尼亚语", "catalan|katalanisch|catalán|català"),
    _language("la", "Latin", "拉丁语", "拉丁文|lateinisch|latein|latín|ラテン語"),
    _language("sw", "Swahili", "斯瓦希里语", "kiswahili"),
    _language("tl", "Tagalog", "他加禄语", "filipino|菲律宾语"),
)

_BY_CODE = {language.code: language for language in LANGUAGES}

# Codes as people write them, where they differ from ISO 639-1.
_CODE_ALIASES = {"cn": "zh", "jp": "ja", "kr": "ko", "chs": "zh", "cht": "zh", "eng": "en"}

_PLURALS = {
    "en": "a Brit|Brits|native English speakers|English speakers",
    "fr": "the French|French people|a Frenchman|a Frenchwoman",
    "de": "Germans|a German",
    "es": "Spaniards|a Spaniard",
    "it": "Italians|an Italian",
    "ja": "Japanese people",
    "zh": "Chinese people",
    "ru": "Russians|a Russian",
    "pt": "Brazilians|a Brazilian",
}


def language_name(code: str, in_lang: str = "en") -> str:
    """Return what the language ``code`` is called in ``in_lang``: Chinese for zh, else English."""
    language = _BY_CODE.get(language_code(code) or "")
    if language is None:
        return code
    return language.zh if in_lang == "zh" else language.en


def language_code(name: str) -> str | None:
    """Return the code of a language given by code or by name in any of several languages."""
    name = name.strip()
    short = name.lower().replace("_", "-").split("-")[0]
    short = _CODE_ALIASES.get(short, short)
    if short in _BY_CODE and len(short) <= 3:
        return short
    return names().get(name.lower())


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Return every name of every language, in lower case, with its code."""
    return {
        name.lower(): language.code
        for language in LANGUAGES
        for name in (language.en, language.zh, *language.other)
    }


def speakers() -> dict[str, str]:
    """Return names of people (``germans``) with the code of what they speak."""
    return {name.lower(): code for code, group in _PLURALS.items() for name in group.split("|")}
