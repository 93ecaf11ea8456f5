"""The first paint is quick: nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "langchain_core", "sqlite_utils", "pydantic", "markdown_it")

PROGRAM = """
import asyncio, sys, threading
from assistant.tui.app import AssistantApp

stop = threading.Event()

def never():
    stop.wait(10)
    raise RuntimeError

async def main():
    app = AssistantApp(never)
    async with app.run_test() as pilot:
        print(" ".join(sys.modules))
        stop.set()

asyncio.run(main())
"""


def loaded_by(program: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_importing_the_app_loads_nothing_heavy() -> None:
    loaded = loaded_by("import sys, assistant.tui.app; print(' '.join(sys.modules))")
    assert "textual" in loaded
    assert not loaded.intersection(HEAVY)


def test_painting_the_first_frame_loads_nothing_heavy() -> None:
    assert not loaded_by(PROGRAM).intersection(HEAVY)
