"""The list of conversations on the left, by day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.tui.keys import LIST_KEYS, bindings
from assistant.tui.messages import ConversationChosen
from assistant.tui.wording import day, one_line
from assistant.types import Conversation


class ConversationList(OptionList):
    """Newest first. Enter opens; renaming and deleting are asked of the screen."""

    BINDINGS = bindings(LIST_KEYS)

    class Asked(Message):
        """The user wants something done with a conversation: ``rename`` or ``delete``."""

        def __init__(self, what: str, conversation_id: str) -> None:
            super().__init__()
            self.what = what
            self.conversation_id = conversation_id

    def __init__(self) -> None:
        super().__init__(id="conversations", markup=False)

    def show(
        self, conversations: Iterable[Conversation], current: str | None, now: datetime
    ) -> None:
        """Draw the list anew, with ``current`` highlighted."""
        options: list[Option] = []
        heading = ""
        for conversation in conversations:
            below = day(conversation.updated_at or conversation.created_at, now)
            if below != heading:
                heading = below
                options.append(Option(Content.styled(heading, "$dim"), disabled=True))
            title = one_line(conversation.title) or "Untitled"
            style = "$primary bold" if conversation.id == current else ""
            options.append(Option(Content.styled(f" {title}", style), id=conversation.id))
        self.set_options(options)
        if current is not None and any(option.id == current for option in options):
            self.highlighted = self.get_option_index(current)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the chosen conversation."""
        event.stop()
        if event.option_id is not None:
            self.post_message(ConversationChosen(event.option_id))

    def action_rename(self) -> None:
        """Rename the highlighted conversation."""
        self._ask("rename")

    def action_delete(self) -> None:
        """Delete the highlighted conversation."""
        self._ask("delete")

    def action_back(self) -> None:
        """Return to the prompt."""
        self.screen.query_one("#prompt").focus()

    def _ask(self, what: str) -> None:
        if self.highlighted is None:
            return
        chosen = self.get_option_at_index(self.highlighted).id
        if chosen is not None:
            self.post_message(self.Asked(what, chosen))
