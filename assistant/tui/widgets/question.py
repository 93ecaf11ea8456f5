"""What the user said, as plain text; a very long text is folded."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from assistant.sanitize import clean

_LINES = 12
_CHARACTERS = 1200


class Question(Static):
    """The user's text. Nothing in it is markup."""

    def __init__(self, text: str) -> None:
        super().__init__(markup=False)
        self._text = clean(text).strip("\n")
        self._folded = self._is_long()
        self._draw()

    def toggle(self) -> None:
        """Show all of a long text, or fold it again."""
        if self._is_long():
            self._folded = not self._folded
            self._draw()

    def on_click(self) -> None:
        """Unfold a folded text."""
        if self._folded:
            self.toggle()

    def _is_long(self) -> bool:
        return self._text.count("\n") >= _LINES + 3 or len(self._text) > _CHARACTERS + 200

    def _draw(self) -> None:
        if not self._folded:
            self.update(Content(self._text))
            return
        head = "\n".join(self._text.split("\n")[:_LINES])[:_CHARACTERS].rstrip()
        lines = self._text.count("\n") + 1
        more = f"… {lines} lines, {len(self._text):,} characters. Click to show all."
        self.update(Content.assemble(head, "\n", (more, "$dim italic")))
