"""Makes ``docs/images/app.png`` from a real session with the model of the settings.

Run ``python docs/screenshots.py``. Models and cache are those of the user (or of
``ASSISTANT_HOME``); conversations go to a temporary folder, so that no private talk can get into
the picture. Needs cairosvg and two installed fonts: DejaVu Sans Mono, and Noto Sans Mono CJK for
Chinese.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from assistant.tui.app import AssistantApp

PICTURE = Path(__file__).resolve().parent / "images" / "app.png"
SIZE = (110, 34)
CHATS = (
    ("Why do leaves turn yellow in autumn?",),
    ("一年有多少天？",),
    (
        "Translate to French: I would like a cup of coffee, please.",
        "Is this review positive or negative? The soup was cold and nobody smiled.",
        "把这句话翻译成英文：今天天气很好。",
    ),
)
_CELL = 12.2  # width of a column in Textual's SVG
_LATIN, _CHINESE = "DejaVu Sans Mono", "Noto Sans Mono CJK SC"
_SIZE = 20.5
_WIDE = "[\u2e80-\u9fff\uff00-\uffef]"
_WAIT_S = 300.0
_SCALE = 1.1


def borrowed_home(folder: Path) -> Path:
    """Return a new home in ``folder`` that shares the user's models and cache, nothing else."""
    from assistant.paths import user_paths

    paths = user_paths()
    for name in ("models", "cache"):
        (folder / name).symlink_to(getattr(paths, name), target_is_directory=True)
    return folder


def session_factory() -> Any:
    """Return a session as the ``chat`` command makes it, but one that never downloads."""
    from assistant.config import load
    from assistant.wiring import make_session

    return make_session(load())


async def until(pilot: Pilot[None], true: Callable[[], object], what: str) -> None:
    """Wait until ``true()``.

    Raises:
        TimeoutError: it took too long.
    """
    end = time.monotonic() + _WAIT_S
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain until {what}")
        await pilot.pause(0.1)


async def ask(app: AssistantApp, pilot: Pilot[None], text: str) -> None:
    """Type a turn, send it and wait for its answer."""
    chat = app.chat
    before = len(chat.transcript.views)
    chat.prompt.insert(text)
    await pilot.press("enter")
    await until(pilot, lambda: len(chat.transcript.views) > before, "the turn is on the screen")
    await until(pilot, lambda: chat.desk.running is None, "the answer has ended")


async def hold_session() -> str:
    """Hold the session in an app without a terminal; return its last screen as SVG."""
    from assistant.tui.app import AssistantApp

    app = AssistantApp(session_factory)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chat.status.load.state == "ready", "the model is ready")
        for number, turns in enumerate(CHATS):
            if number:
                await pilot.press("ctrl+n")
            for text in turns:
                await ask(app, pilot, text)
        await pilot.pause(1.0)
        return app.export_screenshot(title="Assistant")


def with_installed_fonts(svg: str) -> str:
    """Return ``svg`` with fonts of this machine in place of one from the web.

    Cairo takes one font a text and has no substitutes, so each run of Latin or Chinese characters
    becomes a text of its own, with a place for each character.
    """
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"<text([^>]*)>(.*?)</text>", _in_runs, svg, flags=re.DOTALL)


def _in_runs(found: re.Match[str]) -> str:
    attributes = re.sub(r' textLength="[^"]*"', "", found[1])
    place = re.search(r' x="([0-9.]+)"', attributes)
    if place is None or "text-anchor" in attributes or "-title" in attributes:
        return found[0].replace("<text", f'<text style="font-family: {_LATIN}"')
    x, texts = float(place[1]), []
    for run in re.findall(f"{_WIDE}+|[^{_WIDE[1:-1]}]+", html.unescape(found[2])):
        wide = re.match(_WIDE, run) is not None
        step = _CELL * (2 if wide else 1)
        places = " ".join(f"{x + number * step:.1f}" for number in range(len(run)))
        moved = attributes.replace(place[0], f' x="{places}"')
        style = f"font-family: {_CHINESE if wide else _LATIN}; font-size: {_SIZE}px"
        texts.append(f'<text style="{style}"{moved}>{html.escape(run)}</text>')
        x += len(run) * step
    return "".join(texts)


def main() -> None:
    """Make the picture and say where it is."""
    import cairosvg  # type: ignore[import-untyped,unused-ignore]

    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASSISTANT_HOME"] = str(borrowed_home(Path(folder)))
        svg = asyncio.run(hold_session())
    PICTURE.parent.mkdir(exist_ok=True)
    picture = with_installed_fonts(svg).encode()
    cairosvg.svg2png(bytestring=picture, write_to=str(PICTURE), scale=_SCALE)
    print(f"docs/images/{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
