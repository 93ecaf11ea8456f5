"""A conversation erased wherever it is: adapters that learned from it, runs, stored prefixes, the database.

The database comes last: it says what to look for, so that what was interrupted can be done again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant.adapters.card import Card
from assistant.adapters.registry import Registry
from assistant.errors import AssistantError, UsageError
from assistant.paths import Paths
from assistant.store.files import write_text
from assistant.store.privacy import Traces
from assistant.store.store import Store
from assistant.training.derived import Derived, Linked, UsedRun, derived, json_rows
from assistant.training.gating import OWN_FILE


@dataclass(frozen=True, slots=True)
class Switched:
    """What answers a task after the adapter in use was deleted; ``now`` is ``None`` for none."""

    before: Card
    now: Card | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased.

    Attributes:
        traces: what the database held.
        runs: refinements whose folder was deleted.
        rows: rows taken out of the files of other refinements.
        cleaned: whether the database file was cleaned of what was deleted; it is not while another
            program reads it.
    """

    traces: Traces
    runs: tuple[str, ...]
    rows: int
    adapters: tuple[Card, ...]
    switched: tuple[Switched, ...]
    cleaned: bool


def check_idle(traces: Traces, made: Derived) -> None:
    """Check that nothing is at work that could write down again what is erased.

    Raises:
        UsageError: something is.
    """
    if traces.running:
        raise UsageError(
            "A turn of this conversation is being answered.", "Stop it first, or wait for it."
        )
    if made.at_work:
        raise UsageError(
            f"The run {made.at_work[0]} is under way and uses this conversation, or may.",
            "Stop it (Ctrl+C, or /train in the app), or wait for it.",
        )


def erase(store: Store, paths: Paths, conversation_id: str, *, adapters: bool) -> Erased:
    """Erase a conversation; ``adapters``: also the user's own ones that learned from it.

    Raises:
        UsageError: a turn or a run that uses it is under way.
        AssistantError: something could not be deleted.
    """
    traces = store.traces(conversation_id)
    made = derived(paths, traces)
    check_idle(traces, made)
    doomed = [one for one in made.adapters if one.removable] if adapters else []
    switched = _remove(Registry(paths), doomed)
    whole = [one for one in made.runs if one.role == "trained on it"]
    for one in whole:
        _remove_run(one)
    rows = sum(_take_rows_out(one) for one in made.runs if one not in whole)
    _forget_prefixes(paths)
    ids = [one.run.id for one in whole]
    found, cleaned = store.erase(
        traces.conversation_id, ids, [o.run.path / OWN_FILE for o in whole]
    )
    return Erased(
        found, tuple(ids), rows, tuple(one.card for one in doomed), tuple(switched), cleaned
    )


def _remove(registry: Registry, doomed: Sequence[Linked]) -> list[Switched]:
    """Delete adapters; what was in use before one that is in use is again, unless it is deleted too."""
    used = [one.card for one in doomed if one.in_use]
    for one in sorted(doomed, key=lambda one: one.in_use):  # so that what is fallen back to stays
        registry.remove(one.card, force=True)
    return [Switched(card, registry.in_use(card.base, card.task).card) for card in used]


def _remove_run(one: UsedRun) -> None:
    one.run.remove()
    if one.run.path.exists():
        raise AssistantError(
            f"{one.run.path} could not be deleted.", "Look at its rights, then try again."
        )


def _take_rows_out(one: UsedRun) -> int:
    """Write the files of a run anew without the rows that are of the conversation; return how many."""
    count = 0
    for name, rows in one.rows.items():
        if rows:
            path = one.run.path / name
            kept = [row for row in json_rows(path) if row not in rows]
            write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))
            count += len(rows)
    return count


def _forget_prefixes(paths: Paths) -> None:
    """Delete the stored beginnings of prompts: a system prompt of the conversation may be among them.

    They are made again when they are needed.
    """
    for path in Path(paths.cache / "prefixes").glob("*.safetensors"):
        with suppress(OSError):
            path.unlink()
