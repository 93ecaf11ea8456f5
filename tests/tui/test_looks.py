"""Snapshots: what the screens look like. ``pytest --snapshot-update`` after looking at them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_fakes import FakeSession, now

from assistant.errors import EngineError
from assistant.tui.app import AssistantApp

ANSWER = """Two steps:

1. **Measure** first.
2. Keep the *smallest* version:
   - with `inline code`
   - 中文也可以

```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```

| word | meaning |
|---|---|
| bonjour | 你好 |
"""

Steps = Callable[[Pilot[None]], Awaitable[None]]


def made(theme: str = "auto") -> AssistantApp:
    session = FakeSession([ANSWER, EngineError("Out of memory.", "Try /model.")], task="qa")
    session.settings.theme = theme
    session.store.add("Sky and sea", ("Why?", "Because."), day=13)
    session.store.add("翻译：早上好，欢迎来到北京", ("早上好", "Good morning"), day=2)
    app = AssistantApp(lambda: session, now=now)
    app.animation_level = "none"
    return app


def after(*steps: str) -> Steps:
    """Return what brings the app to the state that is looked at; long words are typed at once."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, AssistantApp)
        app.chat.prompt.cursor_blink = False
        while app.chat.session is None or app.chat.status.load.state != "ready":
            await pilot.pause(0.01)
        for step in steps:
            if step.startswith("type:"):
                app.chat.prompt.insert(step.removeprefix("type:"))
            else:
                await pilot.press(step)
            while app.chat.desk.running is not None:
                await pilot.pause(0.01)
            await pilot.pause(0.15)

    return run


ASK = ("type:How do I keep a project small?", "enter")


@pytest.mark.parametrize(
    ("theme", "size", "steps"),
    [
        pytest.param("auto", (80, 24), after(), id="welcome"),
        pytest.param("auto", (120, 40), after(*ASK, "type:And then?", "enter"), id="wide"),
        pytest.param("light", (80, 24), after(*ASK), id="light"),
        pytest.param("auto", (60, 20), after(*ASK), id="narrow"),
        pytest.param("auto", (80, 24), after("type:/t"), id="hints"),
        pytest.param("auto", (80, 24), after(*ASK, "f7"), id="task_choice"),
        pytest.param("auto", (100, 40), after("f1"), id="help"),
    ],
)
def test_looks(snap_compare: Any, theme: str, size: tuple[int, int], steps: Steps) -> None:
    assert snap_compare(made(theme), terminal_size=size, run_before=steps)
