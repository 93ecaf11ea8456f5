"""What `assistant privacy` found, did and leaves, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.paths import Paths
    from assistant.store.privacy import Traces
    from assistant.store.store import Store
    from assistant.training.derived import Derived, Linked, UsedRun
    from assistant.training.forgetting import Erased

FORMAT, VERSION = "assistant-privacy", 1


@dataclass(frozen=True, slots=True)
class Stays:
    """Something that an erasure leaves, and why; ``hint`` says what can be done about it."""

    what: str
    why: str
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it for JSON."""
        return {"what": self.what, "why": self.why, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Found:
    """All there is about a conversation; ``copies`` and ``logs`` are files that hold words of it."""

    traces: Traces
    made: Derived
    copies: tuple[Path, ...]
    logs: tuple[Path, ...]

    @property
    def title(self) -> str:
        here = self.traces.conversation
        return " ".join(here.title.split()) if here else "deleted before"

    def as_json(self) -> dict[str, Any]:
        """Return what is shown, for JSON."""
        return {
            "conversation_id": self.traces.conversation_id,
            "title": self.title if self.traces.conversation else None,
            "counts": self.traces.counts(),
            "runs": [_run(one) for one in self.made.runs],
            "adapters": [_adapter(one) for one in self.made.adapters],
            "at_work": list(self.made.at_work),
            "stays": [one.as_json() for one in stays(self, adapters=False)],
        }


def look_up(store: Store, paths: Paths, given: str) -> Found:
    """Return all there is about the conversation that a user means.

    Raises:
        NotFound: there is none, or several fit.
    """
    from assistant.training.derived import derived, known_conversations, logs_with

    whole = store.whole_id(given, known_conversations(paths))
    traces = store.traces(whole)
    return Found(
        traces,
        derived(paths, traces),
        tuple(store.copies_beside(whole)),
        tuple(logs_with(paths, traces)),
    )


def export(store: Store, found: Found) -> dict[str, Any]:
    """Return everything for a file: the conversation as `history export` has it, and all the rest."""
    traces = found.traces
    whole = store.export_conversation(traces.conversation_id) if traces.conversation else None
    return {
        "format": FORMAT,
        "version": VERSION,
        **found.as_json(),
        "conversation": whole,
        "kept_for_undo": list(traces.changes),
        "choices": list(traces.preferences),
        "evaluated": list(traces.evaluated),
        "shown_in_prompts_of_turns": list(traces.quoting),
        "runs": [_run(one) | {"data": _data(one)} for one in found.made.runs],
    }


# -- what stays ------------------------------------------------------------------------------------


def stays(found: Found, *, adapters: bool, cleaned: bool = True) -> list[Stays]:
    """Return what an erasure leaves; ``adapters``: the user's own that learned from it go too."""
    return [*_adapters_stay(found, adapters), *_others_stay(found), *_copies_stay(found, cleaned)]


def _adapters_stay(found: Found, adapters: bool) -> Iterator[Stays]:
    for one in found.made.adapters:
        name = f"adapter {one.card.name} for {one.card.base}"
        if one.removable and not adapters:
            yield Stays(name, _link(one), "With --adapters it is deleted too.")
        elif not one.removable:
            own = "It ships with the program and is never changed."
            hint = f"assistant adapters remove {one.card.name}" if one.card.own else own
            yield Stays(name, _link(one), hint)
    for run in found.made.plain:
        yield Stays(str(run.file), f"your file; run {run.run.id} trained on it", "Look into it.")


def _others_stay(found: Found) -> Iterator[Stays]:
    for other in found.traces.elsewhere:
        yield Stays(
            f"conversation {other}",
            "some of the same texts stand there too",
            f"assistant privacy {other}",
        )
    for number in found.traces.comparisons:
        yield Stays(
            f"choice p{number}",
            "about the same text, in no conversation",
            f"assistant feedback delete p{number} --for-good",
        )
    if found.traces.conversation is None:
        yield Stays(
            "what was only measured on it",
            "it was deleted before, and nothing tells any more which rows were of it",
        )


def _copies_stay(found: Found, cleaned: bool) -> Iterator[Stays]:
    for path in found.copies:
        yield Stays(str(path), "a copy from before an update", "Delete it if all is well.")
    for path in found.logs:
        yield Stays(str(path), "a log in which a text of it stands", "Delete it.")
    if not cleaned:
        yield Stays(
            "traces in free space of the database",
            "another program has it open",
            "Close the app, then run the same again.",
        )
    yield Stays("backups and exports of yours", "they lie where you put them")


def _link(one: Linked) -> str:
    words = {
        "trained on it": "trained on it",
        "built on one": f"built on {one.via}, which was trained on it",
        "maybe trained on it": f"trained on {one.via}, in which a text of it stands",
    }[one.link]
    return words + (", in use" if one.in_use else "")


# -- in words --------------------------------------------------------------------------------------


def print_found(found: Found) -> None:
    """Print what there is, and what can be done."""
    lines = [f"{found.traces.conversation_id}  {found.title}", *_contents(found)]
    lines += ["", "Stays when it is erased:", *_table(stays(found, adapters=False))]
    for line in lines:
        click.echo(clean(line))
    name = found.traces.conversation_id
    note(f"\nKeep it:   assistant privacy {name} --export FILE")
    note(f"Erase it:  assistant privacy {name} --erase")


def doomed(found: Found, *, adapters: bool) -> Iterator[str]:
    """Yield the lines that say what is about to be erased."""
    yield f"{found.traces.conversation_id}  {found.title}"
    yield from _counts(found.traces.counts())
    for one in found.made.runs:
        if one.role == "trained on it":
            yield f"  run {one.run.id}, whole"
        else:
            yield f"  run {one.run.id}: {_rows(one)}"
    for linked in found.made.adapters:
        if adapters and linked.removable:
            yield f"  adapter {linked.card.name} for {linked.card.base}: {_link(linked)}"


def print_erased(done: Mapping[str, Any]) -> None:
    """Print what was erased and what stays (from :func:`erased_as_json`)."""
    lines = [f"Erased {done['conversation_id']}"]
    lines += _counts(done["counts"])
    lines += [f"  run {name}, whole" for name in done["runs"]]
    if done["rows"]:
        lines += _counts({"rows of other refinements": done["rows"]})
    lines += [f"  adapter {name}" for name in done["adapters"]]
    for switch in done["switched"]:
        now = f"{switch['now']} is in use" if switch["now"] else "No adapter is in use"
        lines.append(f"{now} for {switch['task']} of {switch['base_model']} now.")
    left = [Stays(**one) for one in done["stays"]]
    for line in [*lines, "", "Stays:", *_table(left)]:
        click.echo(clean(line))


def erased_as_json(done: Erased, left: list[Stays]) -> dict[str, Any]:
    """Return what was erased and what stays, for JSON."""
    return {
        "conversation_id": done.traces.conversation_id,
        "counts": done.traces.counts(),
        "runs": list(done.runs),
        "rows": done.rows,
        "adapters": [card.name for card in done.adapters],
        "switched": [
            {
                "task": one.before.task,
                "base_model": one.before.base,
                "before": one.before.name,
                "now": one.now.name if one.now else None,
            }
            for one in done.switched
        ],
        "cleaned": done.cleaned,
        "stays": [one.as_json() for one in left],
    }


def _contents(found: Found) -> Iterator[str]:
    counts = list(_counts(found.traces.counts()))
    yield from ("", "In the database:", *(counts or ["  nothing"]))
    if found.made.runs:
        yield from ("", "Refinements:")
    for one in found.made.runs:
        made = f" → {one.adapter}" if one.adapter else ""
        now = ", under way" if one.at_work else ""
        yield f"  {one.run.id}  {one.role} ({_rows(one)}){made}{now}"
    yield from ("", "Adapters that learned from it:")
    for linked in found.made.adapters:
        yield f"  {linked.card.name} for {linked.card.base}: {_link(linked)}"
    if not found.made.adapters:
        yield "  none"


def _counts(counts: Mapping[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        if count:
            yield f"  {name:<38}{count}"


def _table(left: list[Stays]) -> Iterator[str]:
    for one in left:
        yield f"  {one.what}: {one.why}"
        if one.hint:
            yield f"      {one.hint}"


def _rows(one: UsedRun) -> str:
    count = sum(map(len, one.rows.values()))
    return "1 row" if count == 1 else f"{count} rows"


# -- as JSON ---------------------------------------------------------------------------------------


def _run(one: UsedRun) -> dict[str, Any]:
    return {
        "id": one.run.id,
        "path": str(one.run.path),
        "role": one.role,
        "rows": {name: len(rows) for name, rows in one.rows.items() if rows},
        "base_model": one.base,
        "adapter": one.adapter or None,
        "under_way": one.at_work,
    }


def _data(one: UsedRun) -> dict[str, list[dict[str, Any]]]:
    return {name: list(rows) for name, rows in one.rows.items() if rows}


def _adapter(one: Linked) -> dict[str, Any]:
    return {
        "name": one.card.name,
        "base_model": one.card.base,
        "version": one.card.version,
        "link": one.link,
        "via": one.via or None,
        "in_use": one.in_use,
        "shipped": not one.card.own,
        "path": str(one.card.folder),
    }
