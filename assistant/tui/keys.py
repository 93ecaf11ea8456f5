"""All keys of the app in one table. Each has an id, so settings (``keys``) can remap it.

Chosen to work in every terminal and under tmux: no Ctrl+I, M, H or [ (they are Tab, Enter,
Backspace and Escape), no Ctrl+B (tmux), no Alt (Escape plus a letter in many terminals).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id, default keys, the action, and what the help says."""

    id: str
    keys: str
    action: str
    help: str
    priority: bool = False


APP_KEYS = (
    Key("app.help", "f1", "help", "Help", True),
    Key("app.palette", "ctrl+p", "command_palette", "All commands", True),
    Key("app.quit", "ctrl+q", "quit", "Quit", True),
)

CHAT_KEYS = (
    Key("chat.new", "ctrl+n", "new_chat", "New chat", True),
    Key("chat.search", "ctrl+f", "search", "Search all chats", True),
    Key("chat.sidebar", "f2,ctrl+l", "toggle_sidebar", "Show or hide the list of chats", True),
    Key("chat.cancel", "escape", "cancel", "Stop the answer; what came is kept"),
    Key("answer.good", "f3", "good", "Good answer", True),
    Key("answer.bad", "f4", "bad", "Bad answer", True),
    Key("answer.again", "f5,ctrl+r", "regenerate", "Answer again", True),
    Key("answer.fix", "f6", "fix", "Write the answer it should have been", True),
    Key("answer.task", "f7,ctrl+t", "correct_task", "Say which task it was", True),
    Key(
        "answer.undo", "f10,ctrl+underscore", "undo_feedback", "Take back what you said last", True
    ),
    Key("answer.copy", "f8,ctrl+o", "copy_answer", "Copy the answer", True),
    Key("answer.copy_code", "ctrl+g", "copy_code", "Copy the code in the answer", True),
    Key("chat.edit", "f9", "edit_last", "Edit what you asked", True),
)

INPUT_KEYS = (
    Key("input.send", "enter", "send", "Send"),
    Key("input.newline", "shift+enter,ctrl+j", "newline", "New line"),
    Key("input.complete", "tab", "complete", "Complete a command"),
    Key("input.page_up", "pageup", "page(-1)", "Scroll up"),
    Key("input.page_down", "pagedown", "page(1)", "Scroll down"),
    Key("input.to_answers", "ctrl+up", "screen.step(-1)", "Walk through the answers"),
)

TURN_KEYS = (
    Key("turn.previous", "up,k", "screen.step(-1)", "Turn before"),
    Key("turn.next", "down,j", "screen.step(1)", "Turn after"),
    Key("turn.back", "escape,enter,i", "screen.to_prompt", "Back to the prompt"),
    Key("turn.good", "g", "screen.good", "Good"),
    Key("turn.bad", "b", "screen.bad", "Bad"),
    Key("turn.fix", "f", "screen.fix", "Correct"),
    Key("turn.task", "t", "screen.correct_task", "Task"),
    Key("turn.undo", "u", "screen.undo_feedback", "Take back"),
    Key("turn.changes", "d", "screen.show_changes", "What you changed"),
    Key("turn.again", "r", "screen.regenerate", "Again"),
    Key("turn.copy", "c", "screen.copy_answer", "Copy"),
    Key("turn.copy_code", "x", "screen.copy_code", "Copy code"),
    Key("turn.why", "w", "screen.why", "Why"),
    Key("turn.expand", "space", "expand", "Show all of a long question"),
)

LIST_KEYS = (
    Key("list.rename", "r", "rename", "Rename"),
    Key("list.delete", "d,delete", "delete", "Delete"),
    Key("list.back", "escape", "back", "Back to the prompt"),
)

EDITOR_KEYS = (
    Key("editor.save", "ctrl+s", "save", "Save", True),
    Key("editor.cancel", "escape", "cancel", "Leave without saving", True),
)

OVERLAY_KEYS = (Key("overlay.leave", "escape", "leave", "Back"),)
CONFIRM_KEYS = (
    Key("confirm.yes", "enter,y", "yes", "Yes"),
    Key("confirm.no", "n", "leave", "No"),
)
EVALUATION_KEYS = (
    Key("evaluations.ways", "1", "show('ways')", "Ways of answering, measured"),
    Key("evaluations.trend", "2", "show('trend')", "How it went over time"),
    Key("evaluations.calibration", "3", "show('calibration')", "How sure, how often right"),
    Key("evaluations.worst", "4", "show('worst')", "Worst answers"),
    Key("evaluations.before", "left", "step(-1)", "View before"),
    Key("evaluations.after", "right", "step(1)", "View after"),
    Key("evaluations.task", "t", "next('task')", "Next task"),
    Key("evaluations.data", "d", "next('data')", "Next data"),
    Key("evaluations.read", "r", "read", "Read again"),
    Key("evaluations.close", "escape,q", "leave", "Back to the chat"),
)
ADAPTER_KEYS = (
    Key("adapters.promote", "p", "promote", "Put to use, after a full check"),
    Key("adapters.off", "o", "off", "Use none for this task"),
    Key("adapters.rollback", "b", "rollback", "Back to what was in use before"),
    Key("adapters.verify", "v", "verify", "Check it in full"),
    Key("adapters.compare", "c", "compare", "Compare with the model alone"),
    Key("adapters.delete", "d,delete", "delete", "Delete one of your own"),
    Key("adapters.train", "t", "train", "Trainings: see them, start one"),
    Key("adapters.read", "r", "read", "Read again"),
    Key("adapters.close", "escape,q", "leave", "Back to the chat"),
)
TRAINING_KEYS = (
    Key("training.new", "n", "new", "Start a training"),
    Key("training.stop", "s", "stop", "Stop it; its state is saved"),
    Key("training.resume", "r", "resume", "Go on with one that ended early"),
    Key("training.use", "u", "use", "Its adapter among the adapters"),
    Key("training.delete", "d,delete", "delete", "Delete what is kept of it"),
    Key("training.close", "escape,q", "leave", "Back to the chat"),
)
TRAINING_FORM_KEYS = (Key("training_form.start", "ctrl+s", "start", "Start the training", True),)
# Left and right would else scroll the answer in focus.
COMPARE_KEYS = (
    Key("compare.left", "1,left", "choose('left')", "The first answer is better", True),
    Key("compare.right", "2,right", "choose('right')", "The second answer is better", True),
    Key("compare.both_good", "3,g", "choose('both_good')", "Both are good"),
    Key("compare.both_bad", "4,b", "choose('both_bad')", "Both are bad"),
    Key("compare.undo", "u,f10", "undo", "Take the choice back"),
    Key("compare.again", "r", "again", "Answer both again"),
    Key("compare.blind", "x", "blind", "Hide which is which until you chose"),
    Key("compare.adapter", "a", "adapter", "Next adapter"),
    Key("compare.edit", "e", "edit", "Write another request"),
    Key("compare.stop", "escape,q", "leave", "Stop both answers, then back"),
)
FEEDBACK_KEYS = (
    Key("feedback.open", "enter,o", "open", "To the conversation"),
    Key("feedback.correct", "f,e", "correct", "Write the answer it should have been"),
    Key("feedback.good", "g", "rate('good')", "Good (of two answers: both)"),
    Key("feedback.bad", "b", "rate('bad')", "Bad (of two answers: both)"),
    Key("feedback.comment", "c", "comment", "Comment"),
    Key("feedback.delete", "d,delete", "delete", "Delete"),
    Key("feedback.undo", "u,f10,ctrl+underscore", "undo", "Take back what you did last"),
    Key("feedback.task", "t", "task", "Only the next task"),
    Key("feedback.kind", "k", "kind", "Only the next kind"),
    Key("feedback.search", "slash", "search", "Search"),
    Key("feedback.read", "r", "read", "Read again"),
    Key("feedback.close", "escape,q", "leave", "Back to the chat"),
)
PICK_KEYS = (
    Key("pick.left", "1,left", "choose('left')", "The earlier answer is better", True),
    Key("pick.right", "2,right", "choose('right')", "The new answer is better", True),
    Key("pick.both_good", "3,g", "choose('both_good')", "Both are good"),
    Key("pick.both_bad", "4,b", "choose('both_bad')", "Both are bad"),
    Key("pick.close", "escape,q", "leave", "Back without choosing"),
)
FIRST_RUN_KEYS = (Key("first_run.go", "enter", "go", "Fetch the model, or try again"),)

GROUPS = (
    ("Anywhere", APP_KEYS),
    ("Chat", CHAT_KEYS),
    ("Prompt", INPUT_KEYS),
    ("An answer in focus (Ctrl+Up)", TURN_KEYS),
    ("List of chats in focus", LIST_KEYS),
    ("Correction editor", EDITOR_KEYS),
    ("Evaluations", EVALUATION_KEYS),
    ("Adapters", ADAPTER_KEYS),
    ("Trainings", TRAINING_KEYS),
    ("A training to start", TRAINING_FORM_KEYS),
    ("Side by side", COMPARE_KEYS),
    ("An answer and the one before", PICK_KEYS),
    ("Feedback", FEEDBACK_KEYS),
    ("Boxes over the chat", OVERLAY_KEYS + CONFIRM_KEYS + FIRST_RUN_KEYS),
)

ALL_IDS = frozenset(key.id for _, keys in GROUPS for key in keys)

_NAMES = {
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
    "delete": "Del",
    "underscore": "_",
    "slash": "/",
}


def bindings(keys: tuple[Key, ...]) -> list[BindingType]:
    """Return the table's rows as Textual bindings."""
    return [
        Binding(key.keys, key.action, key.help, id=key.id, priority=key.priority, show=False)
        for key in keys
    ]


def digits(action: str) -> list[BindingType]:
    """Return bindings of the digits 1 to 9, which ``action`` gets. They stand for themselves: no ids."""
    return [Binding(str(digit), f"{action}({digit})", show=False) for digit in range(1, 10)]


def shown(keys: str) -> str:
    """Return ``"f5,ctrl+r"`` as people write it: ``F5 · Ctrl+R``."""
    return " · ".join(
        "+".join(_NAMES.get(part, part.capitalize()) for part in key.strip().split("+"))
        for key in keys.split(",")
    )


def shown_key(key_id: str, remapped: Mapping[str, str]) -> str:
    """Return the first key that ``key_id`` has now, as people write it."""
    default = next(key.keys for _, keys in GROUPS for key in keys if key.id == key_id)
    return shown(remapped.get(key_id, default).split(",")[0])


def hint_of(keys: tuple[Key, ...], remapped: Mapping[str, str]) -> str:
    """Return one line that names the keys which are single letters, and how to get back."""
    words = []
    for key in keys:
        now = remapped.get(key.id, key.keys).split(",")[0]
        if len(now) == 1:
            words.append(f"{now} {key.help.lower()}")
    return " · ".join([*words, "Esc back"]) if words else ""
