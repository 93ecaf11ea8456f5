"""Feedback and preferences in the words and columns that stand on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from assistant.sanitize import clean
from assistant.text_diff import changed_words, diff
from assistant.tui.wording import one_line, way_of
from assistant.types import Feedback, Reason

if TYPE_CHECKING:
    from assistant.store.judged import Counts, Judged, Kind, Wanted
    from assistant.store.preferences import Candidate, Preference, Verdict
    from assistant.store.undo import Undone

GOOD, BAD, CORRECTED, ROUTE, COMMENT, PREFERRED = "▲", "▼", "✎", "→", "“", "⇄"
_MUTED = "$dim"
_LONG = 20_000
"""Characters of one text that are shown."""
_TASK, _DAY = 15, 7
"""Columns of the task and of the day."""

CHOICES: dict[Verdict, str] = {
    "left": "1 is better",
    "right": "2 is better",
    "both_good": "both are good",
    "both_bad": "both are bad",
}
KINDS: dict[Kind, str] = {
    "good": "good",
    "bad": "bad",
    "corrected": "corrected",
    "route": "task corrected",
    "preference": "preferences",
}


def reason_words(reason: Reason) -> str:
    """Return a reason as people say it."""
    return "harmful or biased" if reason == "harmful" else reason.replace("_", " ")


# -- the list --------------------------------------------------------------------------------------


def line_of(judged: Judged, width: int, now: datetime) -> Content:
    """Return one judgement on a line of at most ``width`` columns."""
    task = one_line(judged.route or judged.task)
    parts = Content.assemble(
        marks(judged),
        (f"{task:<{_TASK}}"[:_TASK] + " ", "$text-secondary"),
        (f"{day(judged.created_at, now):<{_DAY}} ", _MUTED),
        one_line(judged.text),
    )
    return parts.truncate(max(8, width), ellipsis=True)


def marks(judged: Judged) -> Content:
    """Return what was said, in five columns of signs."""
    comment = (COMMENT if judged.comment else " ", _MUTED)
    if judged.choice is not None:
        return Content.assemble((f"{PREFERRED}  ", "$text-accent"), comment, " ")
    rated = {"good": (GOOD, "$text-success"), "bad": (BAD, "$text-error"), None: (" ", "")}
    return Content.assemble(
        rated[judged.rating],
        (CORRECTED if judged.corrected else " ", "$text-accent"),
        (ROUTE if judged.route else " ", "$text-accent"),
        comment,
        " ",
    )


def day(stamp: str, now: datetime) -> str:
    """Return a time short: of today the hour, of this year the day, else the month."""
    try:
        when = datetime.fromisoformat(stamp).astimezone(now.tzinfo)
    except ValueError:
        return ""
    if when.date() == now.date():
        return when.strftime("%H:%M")
    return when.strftime("%d %b" if when.year == now.year else "%b %Y").removeprefix("0")


def summary(wanted: Wanted, counts: Counts) -> str:
    """Return what the list shows, in a few words."""
    shown = [
        one_line(wanted.task),
        KINDS[wanted.kind] if wanted.kind is not None else "",
        f"“{one_line(wanted.search)}”" if wanted.search else "",
    ]
    if wanted.kind is None:
        kinds = counts.kinds
        shown += [
            f"{GOOD} {kinds['good']}",
            f"{BAD} {kinds['bad']}",
            f"{CORRECTED} {kinds['corrected']}",
            f"{ROUTE} {kinds['route']}",
            f"{PREFERRED} {kinds['preference']}",
        ]
    return " · ".join(filter(None, [*shown, f"{counts.total:,} in all"]))


# -- one of them -----------------------------------------------------------------------------------


def details(item: Feedback | Preference, now: datetime) -> Content:
    """Return all that is known of one judgement."""
    if isinstance(item, Feedback):
        return _feedback(item, now)
    return _preference(item, now)


def _feedback(item: Feedback, now: datetime) -> Content:
    past = {name: value for name, value in item.snapshot.items() if isinstance(value, str)}
    head = [Content.styled(f"{item.id}", _MUTED), *said(item)]
    task = one_line(past.get("task", ""))
    facts = [
        task,
        way_of(past.get("strategy", ""), past.get("adapter")),
        one_line(past.get("model", "")),
        _moment(item.created_at, now),
    ]
    parts = [_row(head), Content.styled(" · ".join(filter(None, facts)), _MUTED)]
    parts += _section("Asked", Content(_cut(past.get("user_text", ""))))
    answer = past.get("answer", "")
    if item.correction is None:
        parts += _section("Answered", Content(_cut(answer) or "Nothing."))
    else:
        parts += _section(
            f"Answered, {changes_in_words(answer, item.correction)}",
            changes(answer, item.correction),
        )
    if item.comment:
        parts += _section("Comment", Content(_cut(item.comment)))
    return Content("\n").join(parts)


def _preference(item: Preference, now: datetime) -> Content:
    head = [Content.styled(f"p{item.id}", _MUTED), *said(item)]
    facts = [
        one_line(item.task),
        "chosen blind" if item.blind else "",
        _moment(item.created_at, now),
    ]
    parts = [_row(head), Content.styled(" · ".join(filter(None, facts)), _MUTED)]
    parts += _section("Asked", Content(_cut(item.text)))
    for place, side in enumerate((item.left, item.right), start=1):
        won = item.choice in ("both_good", "left" if place == 1 else "right")
        name = f"{place} · {_side_name(side)}{f'  {GOOD}' if won else ''}"
        parts += _section(name, Content(_cut(side.answer)))
    if item.comment:
        parts += _section("Comment", Content(_cut(item.comment)))
    return Content("\n").join(parts)


def said(item: Feedback | Preference) -> list[Content]:
    """Return what was said, in a few words each, with its sign and colour."""
    if not isinstance(item, Feedback):
        return [Content.styled(f"{PREFERRED} {CHOICES[item.choice]}", "$text-accent")]
    found = []
    if item.rating == "good":
        found.append(Content.styled(f"{GOOD} good", "$text-success"))
    elif item.rating == "bad":
        why = f": {reason_words(item.reason)}" if item.reason else ""
        found.append(Content.styled(f"{BAD} bad{why}", "$text-error"))
    if item.correction is not None:
        found.append(Content.styled(f"{CORRECTED} corrected", "$text-accent"))
    if item.route is not None:
        found.append(Content.styled(f"{ROUTE} {one_line(item.route)}", "$text-accent"))
    return found or [Content.styled("commented", "$text-accent")]


def changes(before: str, after: str) -> Content:
    """Return the text after a correction with what was changed in colours: struck out what went."""
    styles = {"same": "", "removed": "$text-error strike", "added": "$text-success bold"}
    parts = diff(clean(before[:_LONG]), clean(after[:_LONG]))
    return Content.assemble(*((part.text, styles[part.change]) for part in parts))


def changes_in_words(before: str, after: str) -> str:
    """Return how much was changed: ``1 word out, 4 in``."""
    out, new = changed_words(diff(clean(before[:_LONG]), clean(after[:_LONG])))
    if not out and not new:
        return "only spaces or signs changed"
    words = "word" if (out or new) == 1 else "words"
    return f"{out} {words} out, {new} in" if out else f"{new} {words} in"


def undone(found: Undone) -> str:
    """Return what was taken back, in one sentence."""
    item = found.item
    what = ", ".join(part.plain for part in said(item))
    text = item.snapshot.get("user_text") if isinstance(item, Feedback) else item.text
    about = f" on “{_short(str(text or ''))}”"
    verb = {"added": "Taken back", "edited": "As before", "removed": "Here again"}[found.what]
    return f"{verb}: {what}{about}."


def _short(text: str, most: int = 30) -> str:
    line = one_line(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _side_name(side: Candidate) -> str:
    return " · ".join(filter(None, [way_of(side.strategy, side.adapter), one_line(side.model)]))


def _row(parts: Sequence[Content]) -> Content:
    return Content.styled(" · ", _MUTED).join(parts)


def _section(title: str, text: Content) -> list[Content]:
    return [Content(""), Content.styled(one_line(title), "$primary bold"), text]


def _cut(text: str) -> str:
    shown = clean(text[:_LONG]).strip()
    return shown if len(text) <= _LONG else f"{shown}…"


def _moment(stamp: str, now: datetime) -> str:
    try:
        when = datetime.fromisoformat(stamp).astimezone(now.tzinfo)
    except ValueError:
        return ""
    return when.strftime("%d %b %Y %H:%M").removeprefix("0")
