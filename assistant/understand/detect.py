"""Which language a text is in.

Scripts decide first: they are certain. Among Latin-script languages, frequent little words decide
where they are clear - they hold for texts of three words, where statistics on n-grams do not -
and py3langid, when installed, for the rest. What stays unclear is taken for English.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

_LONG_ENOUGH = 4000  # more text would not change the answer

_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("han", "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"),
    ("kana", "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d"),
    ("ko", "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"),
    ("cyrillic", "\u0400-\u04ff"),
    ("arabic", "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"),
    ("he", "\u0590-\u05ff"),
    ("el", "\u0370-\u03ff\u1f00-\u1fff"),
    ("th", "\u0e00-\u0e7f"),
    ("hi", "\u0900-\u097f"),
    ("bn", "\u0980-\u09ff"),
    ("ta", "\u0b80-\u0bff"),
)
_SCRIPT_PATTERNS = tuple((name, re.compile(f"[{chars}]")) for name, chars in _SCRIPTS)
_LATIN_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_NOISE = re.compile(r"https?://\S+|\S+@\S+\.\w+|`[^`]*`")

# Frequent words; those that greet or thank count like the others, since they often stand alone.
_WORDS: dict[str, str] = {
    "en": "the a an is are was were be been to of and in that it you he she we they this these "
    "those for not with on at by from have has had do does did i my your his her our their me "
    "him us them what which who where when why how can could will would should if or but as so "
    "there here please hello hi hey thanks thank good morning evening night bye goodbye sorry "
    "yes no i'm it's don't can't what's isn't about into than then just very tell give make "
    "let write explain translate summarize love like want need know see out up all some any",
    "fr": "le la les un une des du de et est sont était dans que qui quoi ne pas je tu il elle "
    "nous vous ils elles ce cette ces mon ma mes ton son sa ses leur au aux pour avec sur par "
    "mais ou où si plus très bien comment pourquoi quand quel quelle merci bonjour bonsoir "
    "salut oui non être avoir fait suis es ai as avons avez ont en se c'est j'ai s'il "
    "traduis traduire aussi tout tous rien demain aujourd'hui notre votre été",
    "de": "der die das den dem des ein eine einen einem einer und ist sind war waren nicht ich du "
    "er sie wir ihr es mein meine dein sein ihre unser mit auf für von zu zum zur im in am an "
    "bei aus nach über aber oder wenn dass wie was wer wo wann warum hallo guten morgen tag "
    "abend danke bitte ja nein haben habe hat hast bin bist wird werden kann können auch noch "
    "nur schon sehr heute gestern gut übersetze tschüss mir mich dir dich uns euch kein keine "
    "alles lebt geht gibt vom dieser diese dieses um immer muss wollen möchte",
    "es": "el la los las un una unos unas de del y es son era que quien no yo tú él ella nosotros "
    "ellos ellas mi mis tu su sus en con por para pero o si más muy como cómo qué dónde cuándo "
    "quién hola gracias buenos buenas días noches tardes sí está están estoy estamos ser hay "
    "ha he han me te se lo le al esto este esta ese eso traduce favor adiós también cuando "
    "todo nada hoy mañana ayer tengo tiene quiero puedo gusta usted nuestro bien",
    "it": "il lo la gli le un uno una di del della dei delle e è sono era che chi non io tu lui "
    "lei noi voi loro mio mia tuo suo in con per ma o se più molto come dove quando perché ciao "
    "grazie buongiorno buonasera sì ho hai ha abbiamo hanno questo questa quello nel nella al "
    "alla anche tutto niente oggi domani ieri traduci sto sta cosa bene mi ti si ci vorrei bella",
    "pt": "o a os as um uma de do da dos das e é são era que quem não eu tu você ele ela nós eles "
    "elas meu minha seu sua em no na nos nas com por para mas ou se mais muito como onde quando "
    "olá obrigado obrigada bom boa dia noite tarde sim está estão estou ser há isso este esta "
    "traduza também tudo nada hoje amanhã ontem tenho tem quero posso ao à foi",
    "nl": "de het een en is zijn was niet ik jij je hij zij wij we jullie mijn jouw van met op "
    "voor aan bij naar uit maar of als dat dit die deze wat wie waar wanneer waarom hoe hallo "
    "goedemorgen dank bedankt alsjeblieft ja nee heb heeft hebben kan kunnen ook nog zeer heel "
    "goed vandaag morgen gisteren geen wordt worden er om te",
    "sv": "och är jag du han hon vi ni de det den en ett inte som på av för med till om hur vad "
    "var hej tack kan har hade mycket idag från men också",
    "da": "og er jeg du han hun vi de det den en et ikke som på af for med til om hvordan hvad "
    "hvor hej tak kan har havde meget fra men også",
    "no": "og er jeg du han hun vi de det den en et ikke som på av for med til om hvordan hva "
    "hvor hei takk kan har hadde mye fra men også",
    "fi": "ja on ei se hän minä sinä me te he että mutta kun kuin missä mitä hei kiitos olen ovat "
    "oli tämä hyvää huomenta",
    "pl": "i w na z do nie jest są to się że jak co gdzie kiedy cześć dziękuję dzień dobry ja ty "
    "on ona my wy oni mam masz dla ale czy proszę",
    "cs": "a je v na se že to s z do ne jsem jsi jsou jak co kde kdy ahoj děkuji dobrý den já ty "
    "on ona my vy ale prosím",
    "ro": "și este sunt nu eu tu el ea noi voi ei de la în cu pe pentru dar ce cine unde când "
    "cum bună mulțumesc ziua o un",
    "hu": "a az és van nem én te ő mi ti ők hogy de mit hol mikor szia köszönöm jó reggelt napot "
    "egy ez",
    "tr": "ve bir bu ne için ile de da ben sen biz siz onlar değil var yok nasıl nerede merhaba "
    "teşekkürler evet hayır günaydın çok",
    "vi": "và là của không tôi bạn anh chị em chúng ta này đó có cho với trong được xin chào cảm "
    "ơn rất gì ở",
    "id": "dan yang di ke dari ini itu tidak saya anda kamu kami mereka apa siapa mana kapan "
    "terima kasih selamat pagi untuk dengan adalah akan bisa",
}
_WORD_LANGUAGES: dict[str, tuple[str, ...]] = {}
for _code, _words in _WORDS.items():
    for _word in set(_words.split()):
        _WORD_LANGUAGES[_word] = (*_WORD_LANGUAGES.get(_word, ()), _code)

# Letters that (nearly) only one or a few of these languages use.
_LETTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ß", ("de",)),
    ("äü", ("de",)),
    ("ñ¿¡", ("es",)),
    ("ãõ", ("pt",)),
    ("áíóú", ("es", "pt")),
    ("œêèùû", ("fr",)),
    ("ç", ("fr", "pt")),
    ("ł", ("pl",)),
    ("ąęśźż", ("pl",)),
    ("őű", ("hu",)),
    ("ğış", ("tr",)),
    ("řěůčž", ("cs",)),
    ("țșă", ("ro",)),
    ("æø", ("da", "no")),
    ("å", ("sv", "da", "no")),
    ("ơưđạảấầậẩắặếềệểịọộồớờợụủứừựỳ", ("vi",)),
)
_STATISTICS = tuple(_WORDS)
_MIN_PROBABILITY = 0.5


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of the language ``text`` is in; ``en`` when nothing tells."""
    text = _NOISE.sub(" ", text[:_LONG_ENOUGH])
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPT_PATTERNS}
    script = max(counts, key=lambda name: counts[name])
    east_asian = counts["han"] + counts["kana"] + counts["ko"]
    foreign = max(counts[script], east_asian)
    if foreign == 0:
        return _latin(text)
    if foreign < _latin_weight(text):
        return _latin(text)
    if east_asian >= counts[script]:
        return _east_asian(counts)
    if script == "cyrillic":
        return "uk" if re.search("[іїєґІЇЄҐ]", text) else "ru"
    if script == "arabic":
        return "ur" if re.search("[ٹڈڑے]", text) else "fa" if re.search("[پچژگ]", text) else "ar"
    return script


def _east_asian(counts: dict[str, int]) -> str:
    if counts["ko"] > counts["han"] + counts["kana"]:
        return "ko"
    # One の in a Chinese brand name does not make a text Japanese.
    kana = counts["kana"]
    return "ja" if kana and kana >= 0.12 * (kana + counts["han"]) else "zh"


def _latin_weight(text: str) -> float:
    """Weigh the Latin words of a mixed text in units of one Han character.

    Names and abbreviations (``iPhone``, ``Python``) are at home in any language and weigh little,
    function words much.
    """
    weight = 0.0
    for i, word in enumerate(_LATIN_WORD.findall(text)):
        if not word[0].isascii() and word[0].lower() == word[0].upper():
            continue  # not a Latin letter: \w matches every script
        if any(pattern.match(word) for _, pattern in _SCRIPT_PATTERNS):
            continue
        known = word.lower() in _WORD_LANGUAGES
        name = any(char.isupper() for char in (word if i else word[1:]))
        weight += 2.0 if known and len(word) > 1 else 0.5 if name or len(word) == 1 else 1.5
    return weight


def _latin(text: str) -> str:
    words = [word.lower().replace("’", "'") for word in _LATIN_WORD.findall(text)]
    if not words:
        return "en"
    scores = _word_scores(words, text.lower())
    ranked = [*scores.most_common(2), ("", 0.0), ("", 0.0)]
    (best, top), (_, second) = ranked[0], ranked[1]
    if top >= 1 and top >= 1.5 * second and top >= 0.15 * len(words):
        return best
    if top and top == scores["en"] and len(words) <= 3:
        return "en"
    return _by_statistics(text, scores) or (best if top > second else "en") or "en"


def _word_scores(words: list[str], text: str) -> Counter[str]:
    """Count function words; one that several languages share counts for each in part."""
    scores: Counter[str] = Counter()
    for word in words:
        forms = [word] if word in _WORD_LANGUAGES else word.split("'")
        for form in forms:
            languages = _WORD_LANGUAGES.get(form, ())
            for code in languages:
                scores[code] += 1 / len(languages) ** 0.5
        if "'" in word and word.split("'")[0] in ("l", "d", "j", "qu", "n", "s", "c", "m", "t"):
            scores["fr"] += 1
    for letters, languages in _LETTERS:
        found = sum(text.count(letter) for letter in letters)
        for code in languages if found else ():
            scores[code] += min(found, 3) / len(languages) ** 0.5
    return scores


def _by_statistics(text: str, scores: Counter[str]) -> str | None:
    identifier = _identifier()
    if identifier is None:
        return None
    ranking: list[tuple[str, float]] = identifier.rank(text)
    support = 0.25 / max(1, max(scores.values(), default=0))
    weighed = [(p + support * scores[code], p, code) for code, p in ranking]
    total, probability, code = max(weighed)
    if code == "en" or probability >= _MIN_PROBABILITY or (scores[code] and total >= 0.4):
        return code
    return None


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Load py3langid on first need (about a second), ``None`` where it is not installed."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_STATISTICS)
    return identifier
