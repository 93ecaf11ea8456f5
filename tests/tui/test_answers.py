"""How answers are drawn: never blank, never fighting the reader, the same however they are cut."""

from __future__ import annotations

import pytest
from tui_driver import opened
from tui_fakes import FakeSession

from assistant.tui.widgets.answer import code_in, drawable


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ("```python\nprint(1)", "print(1)"),
        ("Look:\n\n```\n", "Look:"),
        ("```", "```"),
        ("```python\n```", "```python"),
        ("[name]: https://example.org", "https://example.org"),
        ("<div>hello</div>", "<div>hello</div>"),
        ("a <b>bold</b> word", "a <b>bold</b> word"),
        ("<|im_end|>", "<|im_end|>"),
        ("- one\n- two\n\n1. three", "three"),
        ("| a | b |\n|---|---|\n| 1 | cell |", "cell"),
        ("```no such language!\nx = 1\n```", "x = 1"),
        ("[link](javascript:alert(1))", "link"),
        ("    indented code", "indented code"),
        ("![picture](http://x/y.png)", "picture"),
        ("中文也可以，没有问题。", "中文也可以，没有问题。"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
        ("line\u2028break", "break"),
    ],
)
async def test_is_never_blank(answer: str, seen: str) -> None:
    async with opened(FakeSession([answer])) as app:
        await app.ask("?")
        await app.sees(seen)


async def test_streaming_draws_as_it_comes() -> None:
    session = FakeSession(["Title first second\n\n```py\nx\n```\n\nlast"])
    session.gate.clear()
    async with opened(session) as app:
        await app.send("go")
        await app.sees("Title")
        session.gate.set()
        await app.idle()
        await app.sees("last")
        assert "```" not in app.text


async def test_follows_the_end_only_while_the_reader_is_there() -> None:
    lines = "\n\n".join(f"word{n}" for n in range(60))
    session = FakeSession([f"start {lines}", f"again {lines}"], delay_s=0.0)
    async with opened(session, size=(80, 24)) as app:
        await app.ask("one")
        await app.sees("word59")
        session.gate.clear()
        await app.send("two")
        await app.sees("again")
        await app.press("pageup", "pageup")
        await app.pilot.pause()
        place = app.chat.transcript.scroll_offset.y
        session.gate.set()
        await app.idle()
        await app.pilot.pause(0.2)
        assert app.chat.transcript.scroll_offset.y == place
        await app.press(*["pagedown"] * 12)
        await app.sees("word59")


async def test_short_chats_begin_at_the_top() -> None:
    async with opened(FakeSession(["short"])) as app:
        await app.ask("hi")
        assert "hi" in "\n".join(app.text.split("\n")[:4])


async def test_long_questions_unfold() -> None:
    async with opened(FakeSession(["ok"])) as app:
        await app.ask("\n".join(f"row {n}" for n in range(100)))
        await app.sees("100 lines")
        await app.press("ctrl+up", "space")
        await app.until(lambda: app.chat.transcript.virtual_size.height > 100)


def test_code_blocks_are_found() -> None:
    assert code_in("a\n```py\nx\n```\nb\n```\ny") == ["x", "y"]
    assert code_in("none") == []


def test_drawable_keeps_what_draws() -> None:
    assert drawable("# hi") == "# hi"
    assert drawable("") == ""
    assert drawable("````") == "`````text\n````\n`````"
