"""``assistant chat``: the terminal app."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.session import Session

_LOG_BYTES = 1_000_000


@click.command("chat")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
def command(model: str | None) -> None:
    """Open the terminal app."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The app needs a terminal.", 'Without one: assistant ask "your question"')
    from assistant.tui.app import run_app

    # Called after the first paint: settings, store and prompts take longer to import than to draw.
    def session_factory() -> Session:
        from assistant.config import load
        from assistant.wiring import make_session

        _log_to_file()
        return make_session(load(model=model), download=True)

    run_app(session_factory)


def _log_to_file() -> None:
    """Send warnings and unexpected errors to the log file; the screen belongs to the app."""
    import logging
    from logging.handlers import RotatingFileHandler

    from assistant.paths import user_paths

    file = user_paths().log_file
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(file, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
