"""The slash commands: their names, what they take, and how a typed line is read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One slash command. ``argument`` shows what may follow, ``takes`` what it is completed with.

    ``palette`` is its title in the command palette; commands without one need an argument.
    """

    name: str
    help: str
    argument: str = ""
    takes: str = ""
    palette: str = ""


COMMANDS = (
    Command("help", "keys and commands", palette="Help"),
    Command("new", "start a new chat", palette="New chat"),
    Command("model", "choose the model", "[NAME]", "models", "Choose the model"),
    Command("task", "force a task, or auto", "NAME", "tasks", "Force a task"),
    Command("route", "how the last turn was routed", palette="Show the routing scores"),
    Command("why", "why this task, strategy and answer", palette="Why this answer?"),
    Command("good", "good answer", "[COMMENT]", palette="Good answer"),
    Command("bad", "bad answer", "[COMMENT]", palette="Bad answer"),
    Command("fix", "write the answer it should have been", palette="Correct the answer"),
    Command("regenerate", "answer again", palette="Answer again"),
    Command("edit", "edit what you asked last", palette="Edit the last question"),
    Command(
        "undo",
        "take the last turn back, or what you said last",
        "[feedback]",
        "undoes",
        "Undo the last turn",
    ),
    Command("redo", "bring back what /undo took", palette="Redo"),
    Command("fork", "a new chat that starts as a copy", palette="Fork this chat"),
    Command("rename", "rename this chat", "[TITLE]", palette="Rename this chat"),
    Command("delete", "delete this chat", palette="Delete this chat"),
    Command("export", "write this chat to a file", "[FILE.md|.json]", palette="Export this chat"),
    Command("search", "search all chats", "[WORDS]", palette="Search all chats"),
    Command("feedback", "all you judged, to look through and change", palette="Feedback"),
    Command("evaluations", "what was measured", palette="Evaluations"),
    Command("adapters", "trained adapters: scores, which is in use", palette="Adapters"),
    Command("train", "trainings under way, and new ones", palette="Train an adapter"),
    Command(
        "refine",
        "make adapters better by your feedback",
        "[TASK]",
        "tasks",
        palette="Refine by feedback",
    ),
    Command("compare", "answer twice, with and without adapter", "[TEXT]", palette="Side by side"),
    Command("summarize", "sum up a text, or this chat", "[TEXT]", palette="Summarize this chat"),
    Command("copy", "copy the answer, or its code", "[code]", "copies", "Copy the answer"),
    Command("tokens", "tokens used, and the limit", palette="Token usage"),
    Command("system", "set the system prompt (off ends it)", "[TEXT]"),
    Command("labels", "labels for classification", "[A,B,…]"),
    Command("to", "language to translate to", "[LANG]"),
    Command("strategy", "force a strategy, or auto", "NAME", "strategies"),
    Command("theme", "change the colours", "[NAME]", "themes", "Change the theme"),
    Command("sidebar", "show or hide the list of chats", palette="Show or hide the list of chats"),
    Command("quit", "leave", palette="Quit"),
)

BY_NAME = {command.name: command for command in COMMANDS}
_ALSO = {"exit": "quit", "q": "quit", "clear": "new", "retry": "regenerate", "?": "help"}

STRATEGIES = ("auto", "zero_shot", "few_shot", "adapter")
COPIES = ("answer", "code")
UNDOES = ("feedback",)


@dataclass(frozen=True, slots=True)
class Line:
    """A typed line that is a command: ``command`` is ``None`` when its name means nothing."""

    name: str
    argument: str
    command: Command | None

    @property
    def suggestion(self) -> str | None:
        """Return the command that was probably meant."""
        close = difflib.get_close_matches(self.name, BY_NAME, 1)
        return close[0] if close else None


def read(text: str) -> Line | None:
    """Return ``text`` as a command line, or ``None`` when it is something to ask.

    A text that starts with ``//`` is something to ask that starts with one slash, and so is a
    path like ``/etc/hosts`` or a text of several lines whose first word is no command.
    """
    if not text.startswith("/") or text.startswith("//"):
        return None
    name, _, argument = text[1:].partition(" ") if "\n" not in text else _first_word(text[1:])
    name = name.strip().lower()
    command = BY_NAME.get(_ALSO.get(name, name))
    if command is None and ("/" in name or "\n" in text or not name):
        return None
    return Line(name, argument.strip(), command)


def _first_word(text: str) -> tuple[str, str, str]:
    words = text.split(maxsplit=1)
    return (words[0], " ", words[1] if len(words) > 1 else "") if words else ("", "", "")


def unescaped(text: str) -> str:
    """Return what is asked: a leading ``//`` stands for one slash."""
    return text[1:] if text.startswith("//") else text


def matching(prefix: str) -> list[Command]:
    """Return the commands whose name starts with ``prefix``."""
    return [command for command in COMMANDS if command.name.startswith(prefix.lower())]
