"""What all commands share: JSON output, the store and the settings of the user."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from assistant.config import Settings
    from assistant.router.router import Reasons
    from assistant.store.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Add ``--json``, passed on as ``as_json``."""
    option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
    return option(function)


def print_json(value: object) -> None:
    """Print ``value`` as indented UTF-8 JSON to stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")


def print_json_line(value: object) -> None:
    """Print ``value`` as one line of JSON, flushed, for programs that read along."""
    text = json.dumps(value, ensure_ascii=False)
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stdout.flush()


def open_store() -> Store:
    """Open the user's database."""
    from assistant.paths import user_paths
    from assistant.store.store import Store

    return Store(user_paths().database)


def user_settings(**flags: Any) -> Settings:
    """Return the settings with ``flags`` (those not ``None``) on top."""
    from assistant import config

    return config.load(**flags)


def lean_in_use(settings: Settings) -> bool:
    """Whether models that the lean engine can run are run by it."""
    from assistant.engine.opening import why_plain
    from assistant.wiring import engine_options

    return why_plain(engine_options(settings)) is None


def read_stdin() -> str | None:
    """Return what is piped in, or ``None`` at a terminal or when there is nothing."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return None
    data = sys.stdin.buffer.read()
    return data.decode("utf-8", "replace") or None


def note(text: str) -> None:
    """Print progress or a warning to stderr."""
    click.echo(text, err=True)


@contextmanager
def stop_on_interrupt(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """Yield what the first Ctrl+C sets, so that the work ends in good order; a second one ends it at once.

    It is ``stop`` where there is one already.
    """
    stop = stop or threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def reasons_as_dict(reasons: Reasons) -> dict[str, list[dict[str, object]]]:
    """Return what spoke for and against a route, for JSON: parts of the turn, and lessons."""
    parts: list[dict[str, object]] = [
        {"text": part.text, "start": part.start, "end": part.end, "effects": part.effects}
        for part in reasons.parts
    ]
    lessons: list[dict[str, object]] = [
        {"text": lesson.text, "task": lesson.task, "share": share}
        for lesson, share in reasons.lessons
    ]
    return {"parts": parts, "lessons": lessons}
