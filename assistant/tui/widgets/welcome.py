"""What an empty chat shows: a few words to begin with."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

_EXAMPLES = (
    ("ask", "Why is the sky blue?"),
    ("translate", "Translate to French: The train leaves at nine."),
    ("sum up", "Summarize: … and paste a long text"),
    ("sort", "Is this review positive or negative? …"),
    ("chat", "Good morning! What shall we cook today?"),
)


class Welcome(Static):
    """A greeting with one example for each task."""

    def on_mount(self) -> None:
        """Draw; the colours are those of the theme."""
        lines: list[Content] = [
            Content.styled("Assistant", "$primary bold"),
            Content.styled("Everything stays on this machine.", "$dim"),
            Content(""),
        ]
        for name, example in _EXAMPLES:
            lines.append(Content.assemble((f"{name:>10}  ", "$text-accent"), (example, "$dim")))
        lines += [Content(""), Content.styled("F1 help · / commands", "$dim")]
        self.update(Content("\n").join(lines))
