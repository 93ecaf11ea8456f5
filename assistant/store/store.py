"""The store: everything the program remembers, in one SQLite file.

:class:`Store` is the door; behind it each neighbour module holds one idea (``turns``,
``conversations``, ``feedback``, ``search``, ``transfer``, ``records``). A store may be shared by
threads, and several processes may use the same file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from assistant.store import (
    conversations,
    erasing,
    evaluations,
    feedback,
    feedback_transfer,
    judged,
    labelled,
    migrations,
    preference_transfer,
    preferences,
    privacy,
    records,
    search,
    transfer,
    turns,
    undo,
)
from assistant.store.changes import Table
from assistant.store.connection import Connection
from assistant.store.evaluations import EvaluatedExample
from assistant.store.feedback import FeedbackField, RouteCorrection, WantedAnswer
from assistant.store.judged import Counts, Judged, Wanted
from assistant.store.labelled import LabelledText
from assistant.store.preferences import Preference, PreferenceField, Verdict
from assistant.store.privacy import Traces
from assistant.store.records import RunRecord
from assistant.store.search import SearchHit
from assistant.store.undo import Undone
from assistant.store.wanted import WantedAnswers
from assistant.types import Conversation, Feedback, Rating, Reason, Turn

__all__ = [
    "Counts",
    "EvaluatedExample",
    "Judged",
    "Preference",
    "RouteCorrection",
    "RunRecord",
    "SearchHit",
    "Store",
    "Undone",
    "Wanted",
    "WantedAnswer",
]


class Store:
    """The database of one user; opened, made or migrated when constructed.

    Ids may be given as their first characters (at least six) or as ``last``. Whatever goes wrong
    is a :class:`~assistant.errors.StoreError`; what does not exist is ``NotFound``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._db = Connection(self.path)
        self._wanted = WantedAnswers(self._db)
        try:
            self.migration_backup = migrations.migrate(self._db)
            self.recovered = self.recover_interrupted()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- turns -----------------------------------------------------------------------------------

    def begin_turn(
        self,
        text: str,
        *,
        conversation_id: str | None = None,
        system: str | None = None,
        model: str = "",
        replaces: str | None = None,
    ) -> Turn:
        """Store the user's message and return its running turn, in a new conversation if none.

        ``system`` becomes the system prompt of the conversation. ``replaces`` hides that turn and
        all later ones of the conversation; they are kept.
        """
        return turns.begin(
            self._db,
            text,
            conversation_id=conversation_id,
            system=system,
            model=model,
            replaces=replaces,
        )

    def save_turn(self, turn: Turn) -> None:
        """Update a turn that is under way, and its answer unless that is empty."""
        turns.save(self._db, turn)

    def save_partial(self, turn_id: str, answer: str) -> None:
        """Store the answer so far; ignored once the turn has ended. Needs the whole id."""
        turns.save_partial(self._db, turn_id, answer)

    def finish_turn(self, turn: Turn) -> None:
        """Store the final turn and its answer in one transaction."""
        turns.finish(self._db, turn)

    def turn(self, turn_id: str) -> Turn:
        """Return one turn; ``last`` is the newest one that is not hidden."""
        return turns.get(self._db, turn_id)

    def turns(self, conversation_id: str, *, include_hidden: bool = False) -> list[Turn]:
        """Return the turns of a conversation in order, with their latest rating and correction."""
        return turns.of_conversation(self._db, conversation_id, include_hidden=include_hidden)

    def hide_turn(self, turn_id: str) -> None:
        """Take a turn out of its conversation without deleting it (undo)."""
        turns.set_hidden(self._db, turn_id, True)

    def unhide_turn(self, turn_id: str) -> None:
        """Bring a hidden turn back (redo)."""
        turns.set_hidden(self._db, turn_id, False)

    def recover_interrupted(self) -> list[Turn]:
        """Mark running turns whose process has died as interrupted and return them."""
        return turns.recover(self._db)

    # -- conversations ---------------------------------------------------------------------------

    def conversation(self, conversation_id: str) -> Conversation:
        """Return one conversation; ``last`` is the most recently updated one."""
        return conversations.get(self._db, conversation_id)

    def conversations(self, limit: int = 50, offset: int = 0) -> list[Conversation]:
        """Return conversations, the most recently updated first."""
        return conversations.listed(self._db, limit, offset)

    def latest_conversation(self) -> Conversation | None:
        """Return the most recently updated conversation, if there is any."""
        found = conversations.listed(self._db, 1, 0)
        return found[0] if found else None

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        conversations.rename(self._db, conversation_id, title)

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation for good, with its turns, messages and feedback."""
        conversations.delete(self._db, conversation_id)

    def fork(self, conversation_id: str, up_to_turn_id: str | None = None) -> Conversation:
        """Copy a conversation, up to and including a turn, and return the copy."""
        return conversations.fork(self._db, conversation_id, up_to_turn_id)

    def search(self, query: str, *, limit: int = 50) -> list[SearchHit]:
        """Return the messages and titles in which all words of ``query`` occur, newest first."""
        return search.search(self._db, query, limit)

    # -- feedback --------------------------------------------------------------------------------

    def add_feedback(
        self,
        turn_id: str,
        *,
        rating: Rating | None = None,
        correction: str | None = None,
        route: str | None = None,
        comment: str | None = None,
        reason: Reason | None = None,
        source: str = "cli",
    ) -> Feedback:
        """Store what the user says about a turn, with a snapshot of it; at least one is given.

        ``reason`` says why an answer rated bad was bad.
        """
        return feedback.add(
            self._db,
            turn_id,
            rating=rating,
            correction=correction,
            route=route,
            comment=comment,
            source=source,
            reason=reason,
        )

    def feedback(self, *, turn_id: str | None = None, limit: int | None = None) -> list[Feedback]:
        """Return feedback, oldest first; with ``limit``, the newest that many."""
        return feedback.listed(self._db, turn_id, limit)

    def edit_feedback(self, feedback_id: int, said: Mapping[FeedbackField, str | None]) -> Feedback:
        """Say something of one piece of feedback differently; ``None`` takes it out."""
        return feedback.edit(self._db, feedback_id, said)

    def remove_feedback(self, feedback_id: int, *, for_good: bool = False) -> None:
        """Remove one piece of feedback; unless ``for_good``, undo brings it back."""
        feedback.remove(self._db, feedback_id, for_good=for_good)

    def undo_feedback(self, table: Table | None = None, number: int | None = None) -> Undone | None:
        """Take back what was done last with feedback and preferences (or with one of them).

        Called again it goes further back. ``None``: there is nothing left to take back.
        """
        return undo.undo(self._db, table, number)

    def judged(
        self, wanted: Wanted | None = None, *, limit: int | None = None, after: Judged | None = None
    ) -> list[Judged]:
        """Return feedback and preferences as lines, newest first, from behind ``after`` on."""
        return judged.listed(self._db, wanted or Wanted(), limit, after)

    def judged_counts(self, wanted: Wanted | None = None) -> Counts:
        """Return how many judgements there are, by kind and by task."""
        return judged.counted(self._db, wanted or Wanted())

    def judgement(self, name: str) -> Feedback | Preference:
        """Return one judgement whole: ``12``, ``p3`` for a preference, ``last`` for the newest."""
        return judged.get(self._db, name)

    def wanted_answers(self) -> list[WantedAnswer]:
        """Return the answers that the user rated good or corrected, one a turn, oldest first."""
        return self._wanted.all()

    def labelled_texts(self) -> list[LabelledText]:
        """Return the newest classified turns with the label that the user wants or let stand, oldest first."""
        return labelled.labelled(self._db)

    def route_corrections(self) -> list[RouteCorrection]:
        """Return what the router should have said, oldest first."""
        return feedback.route_corrections(self._db)

    # -- preferences -----------------------------------------------------------------------------

    def add_preference(
        self,
        left: Turn,
        right: Turn,
        choice: Verdict,
        *,
        blind: bool = False,
        turn_id: str | None = None,
    ) -> Preference:
        """Store which of two answers to the same request was better; the turns need not be stored.

        ``turn_id`` is the turn whose request it was, if any: what is deleted takes its preferences along.
        """
        return preferences.add(self._db, left, right, choice, blind=blind, turn_id=turn_id)

    def preferences(self, *, task: str | None = None) -> list[Preference]:
        """Return the preferences, oldest first."""
        return preferences.listed(self._db, task)

    def edit_preference(
        self, number: int, said: Mapping[PreferenceField, str | None]
    ) -> Preference:
        """Choose differently, or comment; ``None`` takes the comment out."""
        return preferences.edit(self._db, number, said)

    def remove_preference(self, number: int, *, for_good: bool = False) -> None:
        """Remove one preference; unless ``for_good``, undo brings it back."""
        preferences.remove(self._db, number, for_good=for_good)

    # -- training --------------------------------------------------------------------------------

    def record_run(self, run: RunRecord) -> None:
        """Store a training run, or what is new about one."""
        records.record_run(self._db, run)

    def runs(self) -> list[RunRecord]:
        """Return all training runs, oldest first."""
        return records.runs(self._db)

    # -- evaluations -----------------------------------------------------------------------------

    def begin_evaluation(
        self,
        *,
        task: str,
        strategy: str,
        model: str,
        adapter: str | None = None,
        setting: Mapping[str, object],
    ) -> int:
        """Return the number of a new evaluation, or of an unfinished one with the same setting."""
        return evaluations.begin(
            self._db, task=task, strategy=strategy, model=model, adapter=adapter, setting=setting
        )

    def add_evaluated(self, number: int, answers: Sequence[EvaluatedExample]) -> None:
        """Store answers of a running evaluation."""
        evaluations.add_answers(self._db, number, answers)

    def evaluated(self, number: int) -> list[EvaluatedExample]:
        """Return the answers of an evaluation."""
        return evaluations.answers(self._db, number)

    def finish_evaluation(self, number: int, report: Mapping[str, object]) -> None:
        """Store the scores of an evaluation: what ``assistant eval --json`` prints."""
        evaluations.finish(self._db, number, report)

    def record_evaluation(self, report: Mapping[str, object], *, run_id: str | None = None) -> int:
        """Store an evaluation report (what ``assistant eval --json`` prints)."""
        return evaluations.record(self._db, report, run_id)

    def evaluation(self, number: int | str) -> dict[str, Any]:
        """Return one finished evaluation; ``last`` is the newest."""
        return evaluations.get(self._db, number)

    def evaluations(self, *, task: str | None = None) -> list[dict[str, Any]]:
        """Return the finished evaluations, oldest first."""
        return evaluations.listed(self._db, task)

    def evaluations_stamp(self) -> str:
        """Return what is another when an evaluation was finished or deleted, at little cost."""
        return evaluations.stamp(self._db)

    def delete_evaluation(self, number: int) -> None:
        """Delete an evaluation with its answers."""
        evaluations.delete(self._db, number)

    # -- whole -----------------------------------------------------------------------------------

    def export_conversation(self, conversation_id: str) -> dict[str, object]:
        """Return a conversation as JSON-ready values: every field of every turn and feedback."""
        return transfer.export_conversation(self._db, conversation_id)

    def import_conversation(self, data: Mapping[str, object]) -> Conversation:
        """Store an exported conversation; ids are kept where they are free."""
        found = transfer.import_conversation(self._db, data)
        self._wanted.forget()
        return found

    def export_feedback(self) -> list[dict[str, object]]:
        """Return all feedback as JSON-ready values, then all choices between two answers, oldest first."""
        with self._db.transaction(write=False):
            return [
                *feedback_transfer.export(self._db, None),
                *preference_transfer.export(self._db),
            ]

    def import_feedback(self, records: Sequence[object]) -> list[Feedback | Preference]:
        """Store what was exported and is not here yet, all or none, and return what was added."""
        found = preference_transfer.import_records(self._db, records)
        self._wanted.forget()
        return found

    def whole_id(self, given: str, deleted: Collection[str] = ()) -> str:
        """Return the whole id of a conversation that is here, or is one of ``deleted``."""
        return privacy.whole_id(self._db, given, deleted)

    def traces(self, conversation_id: str) -> Traces:
        """Return all that the database holds of a conversation; a deleted one needs its whole id."""
        return privacy.traces(self._db, conversation_id)

    def erase(
        self, conversation_id: str, run_ids: Sequence[str] = (), measured: Sequence[Path] = ()
    ) -> tuple[Traces, bool]:
        """Delete all traces of a conversation, and what the database holds of runs; clean the file.

        ``measured`` are files of those runs. Returned is what was erased, and whether the file could be
        cleaned of what was deleted.
        """
        found = erasing.erase(self._db, conversation_id, run_ids, measured)
        self._wanted.forget()
        return found

    def copies_beside(self, conversation_id: str) -> list[Path]:
        """Return the copies of the database, made by migrations, in which the conversation is too."""
        return privacy.copies_beside(self._db, conversation_id)

    def backup(self, path: Path) -> None:
        """Write a compact copy of the whole database to a new file."""
        migrations.vacuum_into(self._db, Path(path))

    def stats(self) -> dict[str, object]:
        """Return counts and the size of the file."""
        return {"path": str(self.path), **records.counts(self._db)}
