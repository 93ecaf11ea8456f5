"""Searches all conversations while one types."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from assistant.tui.errors import as_shown
from assistant.tui.ports import SearchHitPort
from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.wording import one_line

_PAUSE_S = 0.12
_log = logging.getLogger(__name__)


class SearchScreen(Overlay[SearchHitPort]):
    """Gives back the place that was chosen. ``search`` blocks and is run in a thread."""

    def __init__(self, search: Callable[[str], Sequence[SearchHitPort]], typed: str = "") -> None:
        super().__init__("Search all chats", "↑ ↓ choose · Enter open · Esc back")
        self._search = search
        self._hits: list[SearchHitPort] = []
        self._input = Input(typed, placeholder="Words to look for", select_on_focus=False)
        self._found = OptionList(markup=False)
        self._note = words("", "muted")

    def content(self) -> list[Widget]:
        return [self._input, self._note, self._found]

    def on_mount(self) -> None:
        """Search at once for words that came with the command."""
        self._input.focus()
        self._look(self._input.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search again; an older search is dropped."""
        self._look(event.value)

    def _look(self, typed: str) -> None:
        self.run_worker(self._run(typed.strip()), exclusive=True, exit_on_error=False)

    async def _run(self, typed: str) -> None:
        await asyncio.sleep(_PAUSE_S)
        try:
            hits = list(await asyncio.to_thread(self._search, typed)) if typed else []
        except Exception as error:  # the boundary of the worker
            _log.info("A search failed", exc_info=True)
            self._hits = []
            self._found.clear_options()
            self._say(as_shown(error).message)
            return
        self._hits = hits
        self._found.set_options(Option(self._row(hit)) for hit in hits)
        self._found.highlighted = 0 if hits else None
        self._say("" if hits or not typed else "Nothing found.")

    def _say(self, text: str) -> None:
        self._note.update(Content(one_line(text)))
        self._note.display = bool(text)

    def _row(self, hit: SearchHitPort) -> Content:
        who = {"user": "you", "title": "title"}.get(hit.role, "answer")
        title = one_line(hit.title) or "Untitled"
        return Content.assemble(
            (title, "bold"),
            (f"  {who}\n", "$dim"),
            ("  " + one_line(hit.snippet), "$foreground 80%"),
        )

    def on_key(self, event: events.Key) -> None:
        """Move in the list while the cursor stays in the words."""
        moves: dict[str, Callable[[], None]] = {
            "down": self._found.action_cursor_down,
            "up": self._found.action_cursor_up,
            "pagedown": self._found.action_page_down,
            "pageup": self._found.action_page_up,
        }
        if event.key in moves and self._input.has_focus:
            event.stop()
            moves[event.key]()

    def on_input_submitted(self) -> None:
        """Open the highlighted place."""
        if self._found.highlighted is not None:
            self.dismiss(self._hits[self._found.highlighted])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the chosen place."""
        self.dismiss(self._hits[event.option_index])
