"""The part of the chat screen that opens, renames, forks, searches and exports conversations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from assistant.tui.asking import Asking, Chat
from assistant.tui.export import write
from assistant.tui.messages import ConversationChosen
from assistant.tui.screens.chat_turns import TurnsPart
from assistant.tui.widgets.conversation_list import ConversationList
from assistant.types import Turn

_LISTED = 300


class LibraryPart(TurnsPart):
    """Everything about conversations as a whole."""

    def refresh_list(self) -> None:
        """Read and draw the list of conversations."""
        if self.session is not None:
            self.background(self._refresh_list(), "list")

    async def _refresh_list(self) -> None:
        listed = await self.off_screen(self.needed_session().store.conversations, _LISTED, 0)
        self.conversations.show(listed, self.chat.id, self.now())
        current = next((c for c in listed if c.id == self.chat.id), None)
        if current is not None:
            self.chat.title = current.title
            self.chat.system = self.chat.system or current.system
            self.draw_title()

    async def action_new_chat(self) -> None:
        """Begin a new conversation; a running answer goes on where it is."""
        self.chat = Chat()
        self.options = replace(self.options, system=None)
        await self._show([], None)

    def on_conversation_chosen(self, message: ConversationChosen) -> None:
        """Open the conversation."""
        self.background(self.open(message.conversation_id, message.turn_id), "open")

    async def open(self, conversation_id: str, turn_id: str | None = None) -> None:
        """Show a conversation; a turn of it that is still running goes on growing there."""
        store = self.needed_session().store
        turns = [t for t in await self.off_screen(store.turns, conversation_id) if not t.hidden]
        chat = self.desk.chat_with_id(conversation_id)
        if chat is None:
            found = await self.off_screen(store.conversation, conversation_id)
            chat = Chat(found.id, found.title, found.system)
        self.chat = chat
        await self._show(turns, turn_id)

    async def _show(self, turns: list[Turn], turn_id: str | None) -> None:
        busy = self.desk.busy_with(self.chat)
        ids = {asking.turn.id for asking in busy if asking.turn is not None}
        stored = [turn for turn in turns if turn.id not in ids]
        await self.transcript.show(stored, turn_id)
        for asking in busy:
            await self._show_busy(asking)
        self.undone.clear()
        self.quiet.drop_question()
        self.stop_editing()
        self.prompt.remember([turn.user_text for turn in stored])
        self.status.turn = stored[-1] if stored else None
        self.draw_title()
        self.refresh_list()
        if turn_id is None:
            self.prompt.focus()

    async def _show_busy(self, asking: Asking) -> None:
        from assistant.tui.widgets.turn_view import TurnView

        view = TurnView(asking.text, key=asking.key)
        view.turn = asking.turn
        await self.transcript.add(view)
        asking.take()
        if asking.answer:
            await view.grow(asking.answer)
        else:
            view.wait(self.waiting_for() if asking is self.desk.running else "queued")

    def reload(self) -> None:
        """Draw the open conversation anew."""
        if self.chat.id is not None:
            self.background(self.open(self.chat.id), "open")

    # -- taking back -----------------------------------------------------------------------------

    def undo(self) -> None:
        """Hide the latest turn and put its text back into the prompt."""
        view = self.transcript.latest
        if view is None or view.turn is None or view.turn.state == "running":
            self.say("There is nothing to undo.")
            return
        self.background(self._undo(view.turn), "undo")

    async def _undo(self, turn: Turn) -> None:
        await self.off_screen(self.needed_session().store.hide_turn, turn.id)
        await self.transcript.cut(turn.id)
        self.undone.append(turn)
        self.prompt.put(turn.user_text)
        self.say("/redo brings it back.", "Last turn taken back")

    def redo(self) -> None:
        """Bring back the turn that was undone last."""
        if not self.undone:
            self.say("There is nothing to bring back.")
            return
        self.background(self._redo(self.undone.pop()), "undo")

    async def _redo(self, turn: Turn) -> None:
        from assistant.tui.widgets.turn_view import TurnView

        await self.off_screen(self.needed_session().store.unhide_turn, turn.id)
        await self.transcript.add(TurnView(turn.user_text, turn))
        if self.prompt.text == turn.user_text:
            self.prompt.clear()

    # -- editing ---------------------------------------------------------------------------------

    def action_edit_last(self) -> None:
        """Put a question back into the prompt; sending it replaces the turn."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.editing = view.turn
            self.prompt.put(view.turn.user_text)
            self.prompt.border_title = "editing · Esc leaves it as it was"
            self.prompt.focus()

    def stop_editing(self) -> bool:
        """Leave editing; return whether there was any."""
        was_editing, self.editing = self.editing is not None, None
        self.prompt.border_title = None
        return was_editing

    # -- whole conversations ---------------------------------------------------------------------

    def needed_chat(self) -> str | None:
        """Return the id of the open conversation; say so when it is still empty."""
        if self.chat.id is None:
            self.say("This chat is still empty.")
        return self.chat.id

    def fork(self) -> None:
        """Copy the conversation up to the answer in focus and go on there."""
        view = self.meant()
        if view is not None and view.turn is not None:
            self.background(self._fork(view.turn), "open")

    async def _fork(self, turn: Turn) -> None:
        store = self.needed_session().store
        copy = await self.off_screen(store.fork, turn.conversation_id, turn.id)
        await self.open(copy.id)
        self.say("The old chat is as it was.", "This is a copy")

    def on_conversation_list_asked(self, message: ConversationList.Asked) -> None:
        """Rename or delete what is highlighted in the list."""
        if message.what == "rename":
            self.background(self.rename(message.conversation_id, ""), "screen")
        else:
            self.background(self.delete(message.conversation_id), "screen")

    async def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title; ask for it when none is given."""
        from assistant.tui.screens.line import LineScreen

        store = self.needed_session().store
        if not title:
            old = await self.off_screen(store.conversation, conversation_id)
            asked = await self.app.push_screen_wait(LineScreen("Rename this chat", old.title))
            if not asked:
                return
            title = asked
        await self.off_screen(store.rename, conversation_id, title)
        await self._refresh_list()

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation after asking."""
        from assistant.tui.screens.confirm import ConfirmScreen

        store = self.needed_session().store
        found = await self.off_screen(store.conversation, conversation_id)
        question = f"Delete “{found.title}”?"
        detail = "Its turns and what you said about them are gone for good."
        if not await self.app.push_screen_wait(ConfirmScreen(question, detail, "Delete")):
            return
        if self.desk.chat_with_id(conversation_id) is not None:
            self.say("It is being answered right now. Stop it first (Esc).")
            return
        await self.off_screen(store.delete, conversation_id)
        if self.chat.id == conversation_id:
            await self.action_new_chat()
        self.refresh_list()

    async def export(self, conversation_id: str, where: str) -> None:
        """Write the open conversation to a file and say where."""
        store = self.needed_session().store
        record = await self.off_screen(store.export_conversation, conversation_id)
        turns = [t for t in await self.off_screen(store.turns, conversation_id) if not t.hidden]
        title = self.chat.title or "Chat"
        path: Path = await self.off_screen(write, where, title, turns, record, self.now())
        self.say(str(path), "Exported")

    # -- search ----------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Search all conversations."""
        self.background(self.search(""), "screen")

    async def search(self, words: str) -> None:
        """Open the search, with ``words`` typed already."""
        from assistant.tui.screens.search import SearchScreen

        store = self.needed_session().store
        hit = await self.app.push_screen_wait(SearchScreen(store.search, words))
        if hit is not None:
            await self.open(hit.conversation_id, hit.turn_id)

    # -- what was measured -----------------------------------------------------------------------

    def show_evaluations(self) -> None:
        """Open the dashboard of evaluations."""
        from assistant.adapters.names import canonical
        from assistant.tui.screens.evaluations import EvaluationsScreen

        session = self.needed_session()
        planner = getattr(session, "planner", None)
        shelf = getattr(planner, "shelf", None)
        look = shelf.look if shelf is not None else None
        remapped = getattr(self.app, "remapped", {})
        model = canonical(str(getattr(session.settings, "model", "")))
        self.app.push_screen(EvaluationsScreen(session.store, look, remapped, model=model))
