"""The hint list above the prompt while a slash command is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from assistant.tui.commands import BY_NAME, COPIES, STRATEGIES, UNDOES, matching
from assistant.tui.wording import one_line

_ROWS = 8


@dataclass(frozen=True, slots=True)
class Hint:
    """One row: what the line becomes when it is taken, and what it means."""

    line: str
    shown: str
    help: str


class Completions(Widget):
    """Shows hints; the prompt moves the highlight and takes one."""

    hints: reactive[tuple[Hint, ...]] = reactive((), layout=True)
    at: reactive[int] = reactive(0)

    def watch_hints(self, hints: tuple[Hint, ...]) -> None:
        """Show the list only when it has something to say."""
        self.at = 0
        self.display = bool(hints)
        self.styles.height = min(len(hints), _ROWS)

    @property
    def chosen(self) -> Hint | None:
        """The highlighted hint."""
        return self.hints[self.at] if self.display and self.hints else None

    def move(self, by: int) -> None:
        """Move the highlight, round the ends."""
        self.at = (self.at + by) % len(self.hints)

    def render(self) -> Content:
        first = max(0, min(self.at - _ROWS // 2, len(self.hints) - _ROWS))
        rows = self.hints[first : first + _ROWS]
        width = max((len(hint.shown) for hint in rows), default=0)
        lines = []
        for number, hint in enumerate(rows, first):
            name = hint.shown.ljust(width + 2)
            if number == self.at:
                line = Content.assemble((f"› {name}", "$primary bold"), hint.help)
            else:
                line = Content.assemble((f"  {name}", "$foreground"), (hint.help, "$dim"))
            lines.append(line.truncate(max(10, self.size.width), ellipsis=True))
        return Content("\n").join(lines)


def hints_for(text: str, values: Callable[[str], Sequence[str]]) -> tuple[Hint, ...]:
    """Return the hints for what has been typed; ``values`` names what an argument can be."""
    if not text.startswith("/") or "\n" in text or text.startswith("//"):
        return ()
    name, space, argument = text[1:].partition(" ")
    if not space:
        return tuple(
            Hint(
                f"/{c.name} " if c.argument else f"/{c.name}",
                f"/{c.name} {c.argument}".rstrip(),
                c.help,
            )
            for c in matching(name)
        )
    command = BY_NAME.get(name.lower())
    if command is None or not command.takes:
        return ()
    fixed = {"strategies": STRATEGIES, "copies": COPIES, "undoes": UNDOES}
    known = fixed.get(command.takes) or values(command.takes)
    return tuple(
        Hint(f"/{name} {one_line(value)}", one_line(value), "")
        for value in known
        if value.startswith(argument) and value != argument
    )
