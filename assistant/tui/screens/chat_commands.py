"""The part of the chat screen that reads what was typed and runs slash commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from assistant.errors import AssistantError
from assistant.sanitize import clean
from assistant.tui import commands
from assistant.tui.messages import CommandChosen, PromptSubmitted
from assistant.tui.screens.chat_feedback import FeedbackPart
from assistant.tui.screens.chat_library import LibraryPart
from assistant.tui.screens.chat_settings import SettingsPart
from assistant.tui.screens.chat_training import TrainingPart
from assistant.tui.wording import one_line

Run = Callable[[str], None]


class CommandsPart(FeedbackPart, SettingsPart, TrainingPart, LibraryPart):
    """From a typed line to what it does."""

    async def on_prompt_submitted(self, message: PromptSubmitted) -> None:
        """Run a command or send a turn."""
        line = commands.read(message.text)
        if line is not None:
            self.run_command(line, message.text)
            return
        replaces, _ = self.editing, self.stop_editing()
        await self.send(commands.unescaped(message.text), replaces=replaces)

    def on_command_chosen(self, message: CommandChosen) -> None:
        """Run a command picked in the palette."""
        line = commands.read(message.line)
        if line is not None:
            self.run_command(line, "")

    def run_command(self, line: commands.Line, typed: str) -> None:
        """Run one command; what it has to say about a wrong one is said, and nothing is lost."""
        if line.command is None:
            self.prompt.put(typed)
            guess = f"Did you mean /{line.suggestion}? " if line.suggestion else ""
            self.say(
                f"{guess}/help lists them; // at the start sends the line as it is.",
                f"There is no command /{one_line(line.name)}",
                "warning",
            )
            return
        try:
            self._table()[line.command.name](line.argument)
        except AssistantError as error:
            self.complain(error)

    def _table(self) -> dict[str, Run]:
        """Return what each command does, given its argument."""
        return {
            "help": lambda _: self._act("app.help"),
            "new": lambda _: self._act("new_chat"),
            "model": self.choose_model,
            "task": self.set_task,
            "route": lambda _: self.show_route(),
            "why": lambda _: self.action_why(),
            "good": lambda comment: self.rate("good", comment),
            "bad": lambda comment: self.rate("bad", comment),
            "fix": lambda _: self.action_fix(),
            "regenerate": lambda _: self._act("regenerate"),
            "edit": lambda _: self.action_edit_last(),
            "undo": self._undo_what,
            "redo": lambda _: self.redo(),
            "fork": lambda _: self.fork(),
            "rename": self._rename,
            "delete": lambda _: self._delete(),
            "export": self._export,
            "search": lambda words: self.background(self.search(words), "screen"),
            "feedback": lambda _: self.show_feedback(),
            "evaluations": lambda _: self.show_evaluations(),
            "adapters": lambda _: self.show_adapters(),
            "train": lambda _: self.show_training(),
            "refine": self.refine,
            "compare": self.compare,
            "summarize": self._summarize,
            "copy": self._copy,
            "tokens": lambda _: self.show_tokens(),
            "system": self.set_system,
            "labels": self.set_labels,
            "to": self.set_language,
            "strategy": self.set_strategy,
            "theme": self.set_theme,
            "sidebar": lambda _: self._act("toggle_sidebar"),
            "quit": lambda _: self.app.exit(),
        }

    def _act(self, action: str) -> None:
        self.background(self._run_action(action))

    async def _run_action(self, action: str) -> None:
        await self.run_action(action)

    def _undo_what(self, what: str) -> None:
        if what == "feedback":
            self.action_undo_feedback()
        else:
            self.undo()

    def _rename(self, title: str) -> None:
        conversation_id = self.needed_chat()
        if conversation_id is not None:
            self.background(self.rename(conversation_id, title), "screen")

    def _delete(self) -> None:
        conversation_id = self.needed_chat()
        if conversation_id is not None:
            self.background(self.delete(conversation_id), "screen")

    def _export(self, where: str) -> None:
        conversation_id = self.needed_chat()
        if conversation_id is not None:
            self.background(self.export(conversation_id, where), "work")

    def _copy(self, what: str) -> None:
        if what == "code":
            self.action_copy_code()
        else:
            self.action_copy_answer()

    def _summarize(self, text: str) -> None:
        """Sum up a given text, or the conversation so far."""
        self.background(self._send_summary(text))

    async def _send_summary(self, text: str) -> None:
        if not text:
            conversation_id = self.needed_chat()
            if conversation_id is None:
                return
            store = self.needed_session().store
            turns = await self.off_screen(store.turns, conversation_id)
            said = [f"A: {t.user_text}\nB: {t.correction or t.answer}" for t in turns]
            text = "Summarize this conversation:\n\n" + clean("\n".join(said))
        await self.send(text, options=replace(self.options, task="summarization"))
