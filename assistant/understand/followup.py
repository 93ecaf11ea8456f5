"""Does a turn bring no text of its own, so that it can only be about what was said before?"""

from __future__ import annotations

import re

from assistant.understand.languages import names

_WORDS = frozenset(
    """
    a about again also an and as back can could do does for from give how i in into is it its just
    language make me mean means meaning now of ok on once one or please put rendered same say says
    sentence show so summarize summary sum tell text that the then this to too translate translated
    translation up version want what whats with would you short shorter brief briefer briefly
    longer words word bullet bullets points point simpler turn pls plz
    et en au aux la le les du de des dans il elle ce cela texte phrase traduis traduisez traduire
    maintenant aussi encore plus court courte résume version s te plaît plait svp stp comment dit on vous tu peux
    und auf ins bitte noch mal jetzt das dies den die der satz text nochmal übersetze übersetzen
    heißt wie was kürzer fasse zusammen sag sagt man
    y al el lo los las un una ahora también por favor traduce traducir traduzca texto frase más
    corto corta resume eso esto cómo se dice
    """.split()
)
_CHINESE = re.compile(
    "翻译|翻|译|成|为|用|那|呢|怎么|说|讲|再|换|换成|也|它|这个|这句|这段|那句|上面|刚才|话|的|一下|"
    "请|帮我|把|给我|要|版本|版|语|文|呀|吧|吗|短|点|一点|简短|些|一句|总结|概括|现在|改|"
    "は|で|に|を|の|訳|して|ください|もっと|短く|お願い|します|も"
)


def refers_back(text: str) -> bool:
    """Return whether ``text`` holds nothing but a wish: "and in German?", "再翻成英文"."""
    low = text.casefold()
    for name in sorted(names(), key=len, reverse=True):
        low = (
            re.sub(rf"\b{re.escape(name.casefold())}\b", " ", low)
            if name.isascii()
            else (low.replace(name.casefold(), ""))
        )
    low = _CHINESE.sub("", low)
    left = [word for word in re.findall(r"[^\W\d_]+", low) if word not in _WORDS]
    return not left


def language_mentioned(text: str) -> str | None:
    """Return the code of the language a bare wish names ("那日语呢？"), ``None`` without one."""
    low = text.casefold()
    known = names()
    found = [name for name in known if _stands_in(name.casefold(), low)]
    return known[max(found, key=len)] if found else None


def _stands_in(name: str, text: str) -> bool:
    if name.isascii():
        return re.search(rf"\b{re.escape(name)}\b", text) is not None
    return name in text
