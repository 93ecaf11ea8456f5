"""The help: all keys as they are now, and all slash commands."""

from __future__ import annotations

from collections.abc import Mapping

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from assistant.tui.commands import COMMANDS
from assistant.tui.keys import GROUPS, shown
from assistant.tui.screens.overlay import Overlay, words

_MOUSE = "Drag with the mouse to select text, Ctrl+C copies it. Click “copy” below a code block."
_REMAP = (
    "The grey names are ids: assistant config set keys.answer.good f4 gives a key another place."
)


class HelpScreen(Overlay[None]):
    """Keys and commands, to scroll through."""

    def __init__(self, remapped: Mapping[str, str]) -> None:
        super().__init__("Help")
        self._remapped = remapped

    def content(self) -> list[Widget]:
        return [VerticalScroll(*self._keys(), *self._commands(), classes="reading")]

    def _keys(self) -> list[Widget]:
        parts: list[Widget] = []
        for title, keys in GROUPS:
            parts.append(words(title, "heading"))
            lines = [
                Content.assemble(
                    (f"{shown(self._remapped.get(key.id, key.keys)):<20} ", "$text-accent"),
                    (f"{key.help:<38} ", ""),
                    (key.id, "$dim"),
                )
                for key in keys
            ]
            rows = words("")
            rows.update(Content("\n").join(lines))
            parts.append(rows)
        return [*parts, words(_MOUSE, "muted gap"), words(_REMAP, "muted")]

    def _commands(self) -> list[Widget]:
        lines = [
            Content.assemble(
                (f"/{command.name} {command.argument}".ljust(26), "$text-accent"), command.help
            )
            for command in COMMANDS
        ]
        rows = words("")
        rows.update(Content("\n").join(lines))
        return [words("Commands", "heading"), rows]
