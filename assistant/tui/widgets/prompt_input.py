"""Where one types: several lines, history at the edges, pastes that never send themselves."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.actions import SkipAction
from textual.binding import BindingsMap
from textual.widgets import TextArea

from assistant.sanitize import clean
from assistant.tui.keys import INPUT_KEYS, bindings
from assistant.tui.messages import PromptSubmitted
from assistant.tui.widgets.completions import Completions, hints_for
from assistant.tui.widgets.quiet_line import QuietLine

_DIGITS = frozenset("123456789")


class PromptInput(TextArea):
    """A text area that sends on Enter. The hints above it belong to it, and the question by digits."""

    BINDINGS = bindings(INPUT_KEYS)

    def __init__(self, completions: Completions, quiet: QuietLine) -> None:
        super().__init__(
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask anything.  / for commands",
            id="prompt",
        )
        self._completions = completions
        self._quiet = quiet
        self._history: list[str] = []
        self._place: int | None = None
        self._draft = ""
        self._hinted = ""
        self._keys_of: tuple[object, BindingsMap] | None = None
        self.values: dict[str, Sequence[str]] = {}

    # -- what others ask of it -------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Replace what is typed and put the cursor behind it."""
        self.load_text(clean(text))
        self.move_cursor(self.document.end)

    def give_back(self, text: str) -> None:
        """Put a text back that could not be sent, before what has been typed since."""
        typed = self.text
        self.put(f"{clean(text)}\n{typed}" if typed.strip() else text)

    def remember(self, texts: Sequence[str]) -> None:
        """Take over the history of a conversation."""
        self._history = list(texts)
        self._place = None

    # -- keys ------------------------------------------------------------------------------------

    def action_send(self) -> None:
        """Send what is typed (or take the highlighted hint, when it is not complete)."""
        chosen = self._completions.chosen
        if chosen is not None and chosen.line.rstrip() != self.text.rstrip():
            if not self.text.partition(" ")[1] and chosen.line.endswith(" "):
                self.put(chosen.line)
                return
            self.put(chosen.line)
        text = self.text
        if not text.strip():
            return
        if not self._history or self._history[-1] != text:
            self._history.append(text)
        self._place = None
        self.clear()
        self.post_message(PromptSubmitted(text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_complete(self) -> None:
        """Take the highlighted hint."""
        chosen = self._completions.chosen
        if chosen is None:
            raise SkipAction
        self.put(chosen.line)

    def action_page(self, by: int) -> None:
        """Scroll the conversation; the prompt itself is short."""
        transcript = self.screen.query_one("#transcript")
        if by < 0:
            transcript.scroll_page_up(animate=False)
        else:
            transcript.scroll_page_down(animate=False)

    def action_cursor_up(self, select: bool = False) -> None:
        """Go up: in the hints, in the text, or from its first line into the history."""
        if not select and self._completions.chosen is not None:
            self._completions.move(-1)
        elif not select and self.cursor_at_first_line and self._history:
            self._recall(-1)
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Go down: in the hints, in the text, or from its last line back to newer texts."""
        if not select and self._completions.chosen is not None:
            self._completions.move(1)
        elif not select and self.cursor_at_last_line and self._place is not None:
            self._recall(1)
        else:
            super().action_cursor_down(select)

    def close_hints(self) -> bool:
        """Close the hint list; return whether it was open."""
        was_open = self._completions.chosen is not None
        self._completions.hints = ()
        return was_open

    # -- inside ----------------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        # The keys of this widget act here, in the order they came. Left to Textual, a binding
        # would act before letters that arrived in the same burst are in the text.
        self._refresh_hints()
        if event.key in _DIGITS and self._quiet.can_pick(int(event.key)):
            self._quiet.pick(int(event.key))
            event.stop()
            event.prevent_default()
            return
        for binding in self._keys_now().key_to_bindings.get(event.key, ()):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return
        # Not prevented: the text area's own handler comes next and inserts what is printable.

    def _keys_now(self) -> BindingsMap:
        """Return this widget's bindings as the settings have remapped them."""
        keymap = getattr(self.app, "remapped", {})
        if self._keys_of is None or self._keys_of[0] is not keymap:
            found = self._bindings.copy()
            found.apply_keymap(self.app._normalize_keymap(keymap))
            self._keys_of = (keymap, found)
        return self._keys_of[1]

    async def _on_paste(self, event: events.Paste) -> None:
        # Cleaned here already: the text area would hand control characters to the terminal.
        # Some terminals send the newlines of a paste as carriage returns.
        event.stop()
        event.prevent_default()
        text = clean(event.text.replace("\r\n", "\n").replace("\r", "\n"))
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
            self.focus()

    def on_text_area_changed(self) -> None:
        """Keep the hints in step with the text."""
        self._refresh_hints()

    def _refresh_hints(self) -> None:
        if self.text == self._hinted:
            return
        self._hinted = self.text
        self._completions.hints = hints_for(self.text, lambda kind: self.values.get(kind, ()))

    def _recall(self, by: int) -> None:
        if self._place is None:
            self._draft = self.text
            self._place = len(self._history)
        place = self._place + by
        if place < 0:
            return
        if place >= len(self._history):
            self._place = None
            self.put(self._draft)
            return
        self._place = place
        self.put(self._history[place])
        self._hinted = self.text
        self.close_hints()
