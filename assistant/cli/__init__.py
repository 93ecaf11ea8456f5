"""The command line: parse and wire, nothing else. Commands load only when they are called."""

from __future__ import annotations

from assistant.cli.main import main

__all__ = ["main"]
