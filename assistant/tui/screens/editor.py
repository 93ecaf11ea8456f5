"""An editor for longer texts: an answer to be made into what it should have been, or a request."""

from __future__ import annotations

from textual import events
from textual.widget import Widget
from textual.widgets import TextArea

from assistant.sanitize import clean
from assistant.tui.keys import EDITOR_KEYS, bindings
from assistant.tui.screens.overlay import Overlay, words
from assistant.tui.wording import one_line


class CleanTextArea(TextArea):
    """A text area that cleans what is pasted: it would hand control characters on."""

    async def _on_paste(self, event: events.Paste) -> None:
        # Not prevented: the text area's own handler comes next and inserts it.
        event.text = clean(event.text.replace("\r\n", "\n").replace("\r", "\n"))


class EditorScreen(Overlay[str]):
    """Gives back the corrected text, or nothing. ``about`` stands above it in one line."""

    BINDINGS = bindings(EDITOR_KEYS)

    def __init__(
        self,
        about: str,
        text: str,
        title: str = "What should the answer have been?",
        hint: str = "Ctrl+S save · Esc back",
    ) -> None:
        super().__init__(title, hint)
        self._about = about
        self._area = CleanTextArea(
            clean(text), soft_wrap=True, show_line_numbers=False, tab_behavior="indent"
        )

    def content(self) -> list[Widget]:
        return [words(one_line(self._about)[:200], "muted one-line"), self._area]

    def on_mount(self) -> None:
        """Begin at the end of the answer."""
        self._area.focus()
        self._area.move_cursor(self._area.document.end)

    def action_save(self) -> None:
        """Give back what stands in the editor, once all that was typed is in it."""
        self._area.call_later(self._save)

    def _save(self) -> None:
        text = self._area.text.strip()
        self.dismiss(text or None)

    def action_cancel(self) -> None:
        """Leave without saving."""
        self.dismiss(None)
