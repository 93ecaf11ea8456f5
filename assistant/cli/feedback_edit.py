"""``assistant feedback list``, ``show``, ``edit``, ``delete`` and ``undo``: looking after what was said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assistant.cli.common import json_option, note, open_store, print_json
from assistant.errors import UsageError
from assistant.sanitize import clean
from assistant.types import REASONS, Feedback

if TYPE_CHECKING:
    from assistant.store.judged import Kind
    from assistant.store.preferences import Preference
    from assistant.store.store import Store
    from assistant.store.undo import Undone

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("good", "bad", "corrected", "route", "preference")
_SHORT_ID = 8
_SHOWN = 60
_CHOICES = {
    "left": "1 is better",
    "right": "2 is better",
    "both_good": "both are good",
    "both_bad": "both are bad",
}


class ReasonType(click.ParamType[str]):
    """A reason by its name (``too_long``, ``too-long``) or by its number, as in the app."""

    name = "reason"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        said = str(value).strip().lower().replace("-", "_").replace(" ", "_")
        if said.isdecimal() and 1 <= int(said) <= len(REASONS):
            return REASONS[int(said) - 1]
        if said not in REASONS:
            known = ", ".join(f"{place} {name}" for place, name in enumerate(REASONS, start=1))
            self.fail(f"{value!r} is not one of: {known}.", param, ctx)
        return said


def reason_option(function: F) -> F:
    """Add ``--reason``."""
    names = ", ".join(REASONS)
    option = click.option(
        "--reason",
        type=ReasonType(),
        metavar="REASON",
        help=f"Why the answer was bad, by name or number from 1 on: {names}.",
    )
    return option(function)


@click.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--turn", "turn_id", metavar="TURN_ID", help="Only feedback on this turn.")
@click.option("-t", "--task", metavar="TASK", help="Only of this task, as routed or as corrected.")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option(
    "--search", metavar="WORDS", help="Only with these words in request, answer or comment."
)
@json_option
def list_(
    limit: int | None,
    turn_id: str | None,
    task: str | None,
    kind: Kind | None,
    search: str | None,
    as_json: bool,
) -> None:
    """List feedback and preferences between two answers, oldest first.

    A preference is called p and its number; 1 and 2 are the answers as "show" prints them.
    """
    from assistant.store.judged import Wanted

    wanted = Wanted(task or "", kind, search or "", turn_id or "")
    with open_store() as store:
        lines = store.judged(wanted, limit=limit)
        items = [store.judgement(line.name) for line in reversed(lines)]
    if as_json:
        print_json([as_record(item) for item in items])
        return
    for item in items:
        click.echo(line_of(item))
    if not items:
        looked = any((task, kind, search, turn_id))
        note("No such feedback." if looked else "No feedback yet.")


@click.command()
@click.argument("numbers", metavar="[N]...", nargs=-1)
@json_option
def show(numbers: Sequence[str], as_json: bool) -> None:
    """Show feedback whole: request, answer, what was changed in it, and why.

    N is a number, p and a number for a preference, or "last" (the default).
    """
    with open_store() as store:
        items = [store.judgement(name) for name in numbers or ("last",)]
    if as_json:
        records = [as_record(item) for item in items]
        print_json(records if len(numbers) > 1 else records[0])
        return
    click.echo("\n\n".join(map(_shown, items)), color=_colours())


@click.command()
@click.argument("number", metavar="N")
@click.option("--good", is_flag=True, help="The answer was good; of a preference: both were.")
@click.option("--bad", is_flag=True, help="The answer was bad; of a preference: both were.")
@click.option("--correction", metavar="TEXT", help="What the answer should have been.")
@click.option("--route", metavar="TASK", help="The task it should have been taken for.")
@reason_option
@click.option("--comment", metavar="TEXT", help="Anything else worth noting.")
@click.option("--better", type=click.Choice(("1", "2")), help="Which answer of a preference is.")
@click.option(
    "--clear",
    type=click.Choice(("rating", "correction", "route", "reason", "comment")),
    multiple=True,
    help="Take this out; may be given several times.",
)
def edit(
    number: str,
    good: bool,
    bad: bool,
    correction: str | None,
    route: str | None,
    reason: str | None,
    comment: str | None,
    better: str | None,
    clear: Sequence[str],
) -> None:
    """Say something of feedback N differently; "undo" takes that back."""
    if sum((good, bad, better is not None)) > 1:
        raise UsageError("Only one of these can be true.", "Give --good, --bad or --better.")
    if route is not None:
        check_task(route)
    rating = "good" if good else "bad" if bad or reason is not None else None
    said: dict[str, str | None] = dict.fromkeys(clear)
    given = {"correction": correction, "route": route, "reason": reason, "comment": comment}
    said |= {name: text for name, text in {"rating": rating, **given}.items() if text is not None}
    with open_store() as store:
        item = store.judgement(number)
        changed: Feedback | Preference = (
            _edited(store, item, said, better)
            if isinstance(item, Feedback)
            else _chosen(store, item, said, better)
        )
    click.echo(line_of(changed))


@click.command()
@click.argument("numbers", metavar="N...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--for-good", is_flag=True, help='Keep nothing that "undo" could bring back.')
def delete(numbers: Sequence[str], yes: bool, for_good: bool) -> None:
    """Delete feedback; "undo" brings it back, one at a time."""
    with open_store() as store:
        found = {name_of(item): item for item in map(store.judgement, numbers)}
        if not yes and not _confirmed(list(found.values())):
            note("Nothing deleted.")
            return
        for item in found.values():
            remove = (
                store.remove_feedback if isinstance(item, Feedback) else store.remove_preference
            )
            remove(item.id, for_good=for_good)
    click.echo(f"Deleted {len(found)}")


@click.command()
@click.option(
    "-n", "--times", type=click.IntRange(min=1), default=1, help="How many changes to take back."
)
@json_option
def undo(times: int, as_json: bool) -> None:
    """Take back what was done last: feedback that was added, edited or deleted.

    Called again it goes further back. Imports are not taken back, nor more than a hundred edits and
    deletions.
    """
    done: list[Undone] = []
    with open_store() as store:
        while len(done) < times and (undone := store.undo_feedback()) is not None:
            done.append(undone)
    if as_json:
        print_json([{"undone": one.what, **as_record(one.item)} for one in done])
        return
    words = {"added": "Taken back:", "edited": "As before: ", "removed": "Back again:"}
    for one in done:
        click.echo(f"{words[one.what]} {line_of(one.item)}")
    if not done:
        note("There is nothing to take back.")


COMMANDS: tuple[click.Command, ...] = (list_, show, edit, delete, undo)


# -- words -----------------------------------------------------------------------------------------


def name_of(item: Feedback | Preference) -> str:
    """Return what a judgement is called: its number, with a ``p`` for a preference."""
    return str(item.id) if isinstance(item, Feedback) else f"p{item.id}"


def as_record(item: Feedback | Preference) -> dict[str, object]:
    """Return a judgement for JSON: what it is called, and every field."""
    kind = "feedback" if isinstance(item, Feedback) else "preference"
    return {"kind": kind, "name": name_of(item), **asdict(item)}


def line_of(item: Feedback | Preference) -> str:
    """Return a judgement in one line."""
    what = clean(" · ".join(filter(None, _parts(item))))
    turn = (item.turn_id or "")[:_SHORT_ID]
    return f"{name_of(item):>4}  {clean(turn):<{_SHORT_ID}}  {_day(item.created_at)}  {what}"


def check_task(task: str) -> None:
    """Refuse a task that does not exist: the router would learn it and never find a prompt."""
    from assistant.paths import user_paths
    from assistant.tasks import TASKS

    own = user_paths().prompts
    names: Sequence[str] = [*TASKS]
    if own.is_dir():
        names = [*names, *(file.stem for file in own.iterdir() if file.suffix in (".yaml", ".yml"))]
    if task not in names:
        raise UsageError(f"There is no task {task!r}.", f"Choose one of: {', '.join(names)}")


def _edited(
    store: Store, item: Feedback, said: Mapping[str, str | None], better: str | None
) -> Feedback:
    from assistant.store.feedback import FIELDS

    if better is not None:
        raise UsageError(
            f"Feedback {item.id} is about one answer, not two.", "Say --good or --bad."
        )
    if not said:
        raise _says_nothing()
    return store.edit_feedback(item.id, {name: said[name] for name in FIELDS if name in said})


def _chosen(
    store: Store, item: Preference, said: Mapping[str, str | None], better: str | None
) -> Preference:
    from assistant.store.preferences import PreferenceField

    rating, rest = said.get("rating"), {key: said[key] for key in said if key != "rating"}
    wrong = sorted(set(rest) - {"comment"})
    if wrong or ("rating" in said and rating is None):
        raise UsageError(
            f"A preference has no {(wrong or ['rating'])[0]}.",
            "Say --better 1 or 2, --good or --bad (both), or --comment.",
        )
    choice = {"good": "both_good", "bad": "both_bad"}.get(rating or "")
    if better is not None:
        choice = "left" if better == "1" else "right"
    changes: dict[PreferenceField, str | None] = {}
    if choice is not None:
        changes["choice"] = choice
    if "comment" in rest:
        changes["comment"] = rest["comment"]
    if not changes:
        raise _says_nothing()
    return store.edit_preference(item.id, changes)


def _says_nothing() -> UsageError:
    return UsageError("That changes nothing.", "Give what should be said: see edit --help.")


def _confirmed(doomed: Sequence[Feedback | Preference]) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "Deleting needs a yes, and there is no terminal to ask at.", "Add --yes to delete."
        )
    for item in doomed:
        click.echo(line_of(item), err=True)
    what = "this" if len(doomed) == 1 else f"these {len(doomed)}"
    return click.confirm(f"Delete {what}?", err=True)


def _parts(item: Feedback | Preference) -> list[str]:
    """Return what was said, in pieces."""
    comment = f"comment: {_cut(item.comment)}" if item.comment else ""
    if not isinstance(item, Feedback):
        return [_CHOICES[item.choice], f"of: {_cut(item.text)}", comment]
    return [
        rated(item),
        f"route {item.route}" if item.route else "",
        f"correction: {_cut(item.correction)}" if item.correction else "",
        comment,
    ]


def rated(item: Feedback) -> str:
    """Return the rating with its reason: ``bad (too long)``."""
    reason = f" ({item.reason.replace('_', ' ')})" if item.reason else ""
    return f"{item.rating or ''}{reason}"


def _shown(item: Feedback | Preference) -> str:
    if isinstance(item, Feedback):
        return _shown_feedback(item)
    sides = [
        f"{place} · {_way(side.strategy, side.adapter, side.model)}\n{clean(side.answer)}"
        for place, side in enumerate((item.left, item.right), start=1)
    ]
    facts = [
        name_of(item),
        _CHOICES[item.choice],
        item.task,
        "blind" if item.blind else "",
        _day(item.created_at),
    ]
    comment = [f"Comment: {clean(item.comment)}"] if item.comment else []
    head = clean(" · ".join(filter(None, facts)))
    return "\n\n".join([head, f"Asked\n{clean(item.text)}", *sides, *comment])


def _shown_feedback(item: Feedback) -> str:
    past = {name: value for name, value in item.snapshot.items() if isinstance(value, str)}
    task = past.get("task", "")
    facts = [
        str(item.id),
        rated(item),
        "corrected" if item.correction is not None else "",
        f"{task} → {item.route}" if item.route and item.route != task else task,
        _day(item.created_at),
    ]
    way = _way(past.get("strategy", ""), past.get("adapter"), past.get("model", ""))
    answer = clean(past.get("answer", ""))
    said = f"Answer\n{answer}"
    if item.correction is not None:
        said = f"Corrected\n{marked(answer, clean(item.correction))}"
    head = clean(" · ".join(filter(None, facts))) + f"\nturn {clean(item.turn_id)} · {way}"
    comment = [f"Comment: {clean(item.comment)}"] if item.comment else []
    return "\n\n".join([head, f"Asked\n{clean(past.get('user_text', ''))}", said, *comment])


def marked(before: str, after: str) -> str:
    """Return what was changed: in colours at a terminal, else as wdiff does, ``[-old-]{+new+}``."""
    from assistant.text_diff import diff

    plain = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    parts = diff(before, after)
    if _colours() is False or not sys.stdout.isatty():
        return "".join(plain[part.change].format(part.text) for part in parts)
    styles: dict[str, dict[str, Any]] = {
        "same": {},
        "removed": {"fg": "red", "strikethrough": True},
        "added": {"fg": "green", "bold": True},
    }
    return "".join(
        click.style(part.text, **style) if (style := styles[part.change]) else part.text
        for part in parts
    )


def _colours() -> bool | None:
    """``False`` when NO_COLOR is set, else let click look at the terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _way(strategy: str, adapter: str | None, model: str) -> str:
    return clean(" · ".join(filter(None, [strategy, adapter or "", model])))


def _day(time: str) -> str:
    return clean(time[:16].replace("T", " "))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
