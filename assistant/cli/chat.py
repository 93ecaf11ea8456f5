"""``assistant chat``: the terminal app."""

from __future__ import annotations

import sys

import click

from assistant.errors import UsageError


@click.command("chat")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
def command(model: str | None) -> None:
    """Open the terminal app."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The app needs a terminal.", 'Without one: assistant ask "your question"')
    from assistant.tui.app import run_app

    def session_factory() -> object:
        from assistant.config import load
        from assistant.wiring import make_session

        return make_session(load(model=model), download=True)

    run_app(session_factory)  # type: ignore[arg-type]
