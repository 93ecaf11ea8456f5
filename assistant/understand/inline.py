"""Finds what is to be translated when all is in one sentence (``how do you say … in …``)."""

from __future__ import annotations

import re

from assistant.understand.cues import size
from assistant.understand.languages import names

_PRONOUNS = re.compile(
    r"^(?:this|that|it|these|those|the (?:following|above|below|previous|last|text|sentence)"
    r"|your|my|what|everything|them|into|to|for me|from|me|us|下面|以下|这|那|上面|刚才|它|把|请)\b",
    re.IGNORECASE,
)


def inline(turn: str) -> tuple[str, str] | None:
    """Return request and text of a turn that says all in one sentence, ``None`` if it does not."""
    for pattern in _INLINE:
        match = pattern.match(turn)
        if match and not _PRONOUNS.match(match["text"].strip()):
            text = match["text"]
            start, end = match.span("text")
            if size(text):
                return f"{turn[:start]} … {turn[end:]}", text
    return None


def _compile_inline() -> tuple[re.Pattern[str], ...]:
    language = "(?:" + "|".join(sorted(map(re.escape, names()), key=len, reverse=True)) + ")"
    text = r"(?P<text>\S.*?)"
    polite = r"(?:please |pls |can you |could you |would you |hey,? )*"
    forms = (
        rf"{polite}translate {text},? (?:in|into|to) (?:\w+ )?{language}(?: (?:please|for me))?[.?!]*$",
        rf"(?:and )?how (?:do|would|can|should) (?:you|i|we|one) (?:say|write|put) {text}"
        rf" in (?:\w+ )?{language}[ .?!]*$",
        rf"what(?:'s|’s|s| is| are) (?:the )?{language}(?: word| phrase| term)? for {text}[ .?!]*$",
        rf"what(?:'s|’s|s| is| are) {text} in {language}[ .?!]*$",
        rf"comment (?:dit-on|on dit|dire|dit on) {text} en {language}[ .?!]*$",
        rf"(?:traduis|traduire|traduisez)(?:-moi)? {text} en {language}[ .?!]*$",
        rf"wie (?:sagt man|sage ich|heißt) {text} auf {language}[ .?!]*$",
        rf"(?:übersetze?|übersetzen sie) {text} (?:ins|auf|nach) {language}[ .?!]*$",
        rf"¿?cómo se dice {text} en {language}[ .?!]*$",
        rf"(?:traduce|traducir|traduzca) {text} (?:al|en) {language}[ .?!]*$",
        rf"(?:请|请问)?(?:用)?{language}(?:里|中)?(?:怎么|如何)(?:说|讲|写|表达)[:：，, ]*{text}[。？?！!]*$",
        rf"(?:请问)?{text}(?:用|的){language}(?:怎么|如何|该怎么|是什么|是啥|叫什么)"
        r"(?:说|讲|写|表达)?[呢啊]?[。？?！!]*$",
        rf"(?:请|帮我|麻烦)*(?:把|将){text}(?:翻译|译|翻)(?:成|为|到){language}[吧。？?！!]*$",
        rf"{text}(?:は|って|を){language}で(?:何|なん|どう).*$",
    )
    return tuple(re.compile(form, re.IGNORECASE) for form in forms)


_INLINE = _compile_inline()
