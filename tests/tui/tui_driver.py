"""How the tests of the terminal app start it and wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from tui_fakes import FakeSession, now

from assistant.tui.app import AssistantApp
from assistant.tui.screens.chat import ChatScreen


class Driver:
    """A running app with a few words for what tests do all the time."""

    def __init__(self, pilot: Pilot[None], app: AssistantApp, session: FakeSession) -> None:
        self.pilot = pilot
        self.app = app
        self.session = session
        self.press = pilot.press

    @property
    def chat(self) -> ChatScreen:
        return self.app.chat

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait until ``true()``; fail after five seconds."""
        for _ in range(500):
            await self.pilot.pause()
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"waited in vain{': ' if what else ''}{what}\n{self.text}")

    async def send(self, text: str) -> None:
        """Type a text and send it; do not wait for the answer."""
        self.chat.prompt.insert(text)
        await self.press("enter")

    async def ask(self, text: str) -> None:
        """Send a text and wait until its answer has ended."""
        before = len(self.session.asked)
        await self.send(text)
        await self.until(lambda: len(self.session.asked) > before, "the turn begins")
        await self.idle()

    async def idle(self) -> None:
        """Wait until nothing is being answered."""
        await self.until(lambda: self.chat.desk.running is None, "the turn ends")
        await self.pilot.pause()

    async def command(self, line: str) -> None:
        """Run a slash command and let it work."""
        await self.send(line)
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """Everything on the screen, as plain lines."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def notes(self) -> str:
        """All notes shown so far."""
        return "\n".join(f"{n.title} | {n.message}" for n in self.app._notifications)

    async def sees(self, text: str) -> None:
        """Wait until ``text`` is on the screen."""
        await self.until(lambda: text in self.text, f"“{text}” on the screen")

    async def noted(self, text: str) -> None:
        """Wait until a note says ``text``."""
        await self.until(lambda: text in self.notes, f"a note with “{text}”, not {self.notes}")


@asynccontextmanager
async def opened(session: FakeSession, size: tuple[int, int] = (100, 40)) -> AsyncIterator[Driver]:
    """Run the app with ``session`` and wait until it has taken it."""
    app = AssistantApp(lambda: session, now=now)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(pilot, app, session)
        await driver.until(lambda: app.chat.session is not None, "the session")
        await pilot.pause()
        yield driver
