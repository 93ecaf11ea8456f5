"""Finds in a text what should not end up in an adapter or a file: keys, passwords, cards, addresses.

Keys and tokens are found by the patterns of ``detect-secrets``, line by line and in memory; what it
could ask a service about a key is never asked. Its detectors for random-looking text and for network
addresses stay off: in 3,500 lines of ordinary text the former found 41 quoted words, all the others
nothing. The rest (e-mail addresses, card and phone numbers, passwords in a sentence) is found by
patterns of our own, which know the separators that people write and check what can be checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_DETECTORS = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("cloudant", "CloudantDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("ibm_cloud_iam", "IbmCloudIamDetector"),
    ("ibm_cos_hmac", "IbmCosHmacDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("softlayer", "SoftlayerDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
"""Modules and classes of detect-secrets that are used."""

# Every form of a key has a digit among ten characters without a space, or is in an address.
_KEY_LIKE = re.compile(r"(?<![!-~])(?=[!-~]*\d)[!-~]{10}|://")
_PIECE, _OVERLAP = 4000, 300
"""Characters of a line that are looked at in one go, and how many of them the next piece sees again."""

# Forms of keys that detect-secrets 1.5.0 does not know.
_MORE_KEYS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{30,}|AIza[\w-]{35}|sk-(?:ant|proj|or)-[\w-]{20,}|sk-[A-Za-z0-9]{40,}"
    r"|github_pat_\w{40,})"
)
_KEY_BLOCK = re.compile(r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY")
_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,24}(?![\w@-])",
    re.ASCII,
)
# Names that stand for nobody (RFC 2606 and the ones that manuals use).
_NOBODY = re.compile(r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|test|invalid|localhost)$")
_SAID = re.compile(
    r"(?:(?<![^\W_])(?:passwor[dt]|passwd|pwd|passphrase|passcode|kennwort|mot de passe|contraseña|senha|"
    r"api[ _-]?key|secret(?:[ _-]?key)?|access[ _-]?token|auth[ _-]?token)(?:_\w+)?\b|密码|口令|密钥|パスワード)"
    r"['\"`]?\s*(?:(?:is|was|ist|lautet|est|es|é|是|为|は|:=|=>|=|:)\s*){1,2}['\"`]?(?P<value>[!-~]{6,})",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-]|[.,]\d)")
_CARDS = (
    # First digits and lengths by network: Visa, Mastercard, American Express, Discover, UnionPay,
    # JCB, Diners Club.
    re.compile(r"4(?:\d{12}|\d{15}|\d{18})"),
    re.compile(r"(?:5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12})"),
    re.compile(r"3[47]\d{13}"),
    re.compile(r"6(?:011|4[4-9]\d|5\d\d)\d{12}"),
    re.compile(r"62\d{14,17}"),
    re.compile(r"35(?:2[89]|[3-8]\d)\d{12}"),
    re.compile(r"3(?:0[0-5]|[68]\d)\d{11}"),
)
_PHONE = re.compile(
    r"(?<![\w+.,/=-])(?<!\d:)(?:"
    # With the country: +49 30 1234567, 0044 20 7946 0018. Digits are counted below.
    r"(?:\+\s?|00)[1-9](?:[ .()/-]{0,2}\d){7,14}"
    # North America, with its separators: (212) 555-0187, 212-555-0187.
    r"|(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[ .-]\d{4}"
    # Mobile numbers in China: 138 0013 8000.
    r"|1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
    # With the national 0 and a place: 030 12345678, 010-62781234, 0151/23456789.
    r"|0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,5}"
    # The same in one piece, as mobile and service numbers in Europe are written.
    r"|0[1-9]\d{8,9}"
    r")(?![\w=/-]|[.,:]\d)",
    re.ASCII,  # a Chinese character may stand right beside a number
)
_PHONE_DIGITS = range(8, 16)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should stay private.

    Attributes:
        kind: what it is, with its article: ``an e-mail address``, ``a key (GitHub Token)``.
        shown: its first characters, enough to find it and too few to use it.
    """

    kind: str
    shown: str


@lru_cache(maxsize=16384)
def findings(text: str) -> tuple[Finding, ...]:
    """Return what was found in a text, each thing once, in the order in which it stands there by line."""
    found: dict[Finding, None] = {}
    # Full-width digits and signs, as Chinese keyboards write them, are read as the usual ones.
    for line in unicodedata.normalize("NFKC", text).splitlines():
        for piece in _pieces(line):
            found |= dict.fromkeys(Finding(kind, _masked(what)) for kind, what in _in(piece))
    return tuple(found)


def _pieces(line: str) -> Iterator[str]:
    for start in range(0, max(1, len(line) - _OVERLAP), _PIECE - _OVERLAP):
        yield line[start : start + _PIECE]


def _in(line: str) -> Iterator[tuple[str, str]]:
    """Yield kind and wording of everything found in a line."""
    if _KEY_BLOCK.search(line):
        yield "a private key", "BEGIN PRIVATE KEY"
        return
    if not re.search(r"[\d@]|://", line):
        return  # nothing below does without: most lines end here
    if _KEY_LIKE.search(line):
        yield from _keys(line)
    for match in _SAID.finditer(line):
        value = match["value"].rstrip(".,;:!?)'\"`")
        # A word alone is more likely to be spoken about than to be the password itself.
        if len(value) >= 6 and re.search(r"\d", value) and re.search(r"[^\W\d]", value):
            yield "a password", value
    for match in _EMAIL.finditer(line):
        if not _NOBODY.search(match[0].lower()):
            yield "an e-mail address", match[0]
    cards = [match[0] for match in _CARD.finditer(line) if _is_card(match[0])]
    yield from (("a card number", one) for one in cards)
    for match in _PHONE.finditer(line):
        digits = _digits(match[0])
        if len(digits) in _PHONE_DIGITS and not any(digits in _digits(card) for card in cards):
            yield "a phone number", match[0]


def _keys(line: str) -> Iterator[tuple[str, str]]:
    known = ""
    for detector in _detectors():
        for part in detector.analyze_string(line):
            # Some detectors return a part of the key alone; what stands around it belongs to it.
            around = re.search(rf"[!-~]*{re.escape(part)}[!-~]*", line)
            secret = around[0] if around else part
            # Words in capitals have the form of some keys, but no digits.
            if re.search(r"\d", secret) or "://" in secret:
                known += secret
                yield f"a key ({detector.secret_type})", secret
    for match in _MORE_KEYS.finditer(line):
        if match[0] not in known:
            yield "a key", match[0]


@lru_cache(maxsize=1)
def _detectors() -> tuple[Any, ...]:
    """Return the detectors of detect-secrets, imported on first use (a tenth of a second)."""
    from importlib import import_module

    return tuple(
        getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        for module, name in _DETECTORS
    )


def _is_card(text: str) -> bool:
    digits = _digits(text)
    return any(one.fullmatch(digits) for one in _CARDS) and _luhn(digits)


def _luhn(digits: str) -> bool:
    """Return whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _masked(text: str) -> str:
    """Return the first characters, at most four and at most a third of it."""
    return f"{text[: min(4, len(text) // 3)]}…"
