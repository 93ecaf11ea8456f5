"""What should stay private is found as people write it, and ordinary numbers are left alone."""

from __future__ import annotations

import socket
import sys

import pytest

from assistant.training import secrets
from assistant.training.secrets import findings


def kinds(text: str) -> list[str]:
    return [one.kind for one in findings(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("the token is ghp_" + "a1B2" * 9, "a key (GitHub Token)"),
        ("aws AKIAIOSFODNN7EXAMPLQ", "a key (AWS Access Key)"),
        ("密钥AKIAIOSFODNN7EXAMPLQ。", "a key (AWS Access Key)"),
        ("sk-" + "a1" * 10 + "T3BlbkFJ" + "b2" * 10, "a key (OpenAI Token)"),
        ("hf_" + "aB3" * 12, "a key"),
        ("psql postgres://anna:geheim@host/db", "a key (Basic Auth Credentials)"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r", "a private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
        ("DB_PASSWORD=abc123xyz", "a password"),
        ('api_key_prod: "zyx987abc"', "a password"),
        ("My password is hunter22.", "a password"),
        ("密码是：abc12345", "a password"),
        ("write to anna.b+x@posteo.de, please", "an e-mail address"),
        ("请发到anna@qq.com。", "an e-mail address"),
        ("4111 1111 1111 1111", "a card number"),
        ("4111-1111-1111-1111", "a card number"),
        ("card:378282246310005", "a card number"),
        ("卡号６２２５８８０１３７７０６８６８", "a card number"),
        ("call +49 30 12345678", "a phone number"),
        ("(212) 555-0187", "a phone number"),
        ("手机13800138000。", "a phone number"),
        ("电话：010-62781234", "a phone number"),
        ("ring 08000930705 now", "a phone number"),
    ],
)
def test_found(text: str, kind: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The password is wrong, and the secret is out.",
        "password: must be long",
        "In 2004-2005 it was 1,234,567,890.",
        "from 1990-01-02 10:20:30 to 2024-12-31",
        "pi is 3.14159265358979323846",
        "ISBN 978-3-16-148410-0",
        "192.168.1.100 and 1.2.3.4",
        "4111 1111 1111 1112",  # its check digit is wrong
        "1234567890123452",  # the check digit is right, and no network's
        "APARTHEIDSTATE and AKCELERATION",
        '"snapshot" and "Orkoraptor" are words',
        "someone@example.com",
        "@somebody on a platform, a@b",
        "d41d8cd98f00b204e9800998ecf8427e",
        "均价30000元，2012年1月1日",
        "https://example.com:8080/path/12345678",
    ],
)
def test_left_alone(text: str) -> None:
    assert kinds(text) == []


def test_everything_is_named_once_and_shown_in_part() -> None:
    text = "anna.b@posteo.de\nanna.b@posteo.de 4111111111111111"
    assert [(one.kind, one.shown) for one in findings(text)] == [
        ("an e-mail address", "anna…"),
        ("a card number", "4111…"),
    ]
    (short,) = findings("pwd=ab12cd")
    assert short.shown == "ab…"


def test_a_key_in_the_middle_of_a_long_line_is_found() -> None:
    key = "ghp_" + "a1B2" * 9
    step = secrets._PIECE - secrets._OVERLAP
    for place in (10, step - 20, secrets._PIECE - 10, 3 * step):
        assert kinds("x " * (place // 2) + key + " y" * 5000) == ["a key (GitHub Token)"]


def test_a_long_line_without_spaces_takes_no_time() -> None:
    assert kinds("a" * 50_000) == []
    assert kinds("password" * 5_000) == []
    assert kinds("0" * 50_000) == []


def test_no_network_and_nothing_imported_before_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    findings.cache_clear()
    assert kinds("xoxb-123456789012-abcdef") == ["a key (Slack Token)"]
    import subprocess

    code = "import sys, assistant.training.examples; print('detect_secrets' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr
