"""What the database holds of a conversation: found in every table, and erased to the last byte."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from privacy_help import files_with, quote, talk

from assistant.errors import NotFound, UsageError
from assistant.store.ids import new_id
from assistant.store.store import EvaluatedExample, Store

ASKED = "Mood, glad or sad? zanzibar by night"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data" / "assistant.db") as made:
        yield made


def dump(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every ordinary table, by table."""
    with closing(sqlite3.connect(store.path)) as db:
        names = db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%fts%' "
            "AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


def evaluated(store: Store, *rows: tuple[str, str], data: str = "moods.jsonl") -> int:
    number = store.begin_evaluation(
        task="classification", strategy="few_shot", model="m", setting={"data": data}
    )
    store.add_evaluated(
        number, [EvaluatedExample(name, text, ("glad",), f"To {text}") for name, text in rows]
    )
    return number


def rich(store: Store, word: str = "zanzibar") -> str:
    """Make a conversation whose word is in everything that can hold one; return its id."""
    turn = talk(
        store, ASKED.replace("zanzibar", word), f"sad as {word}", system=f"You are {word}, a poet."
    )
    given = store.add_feedback(turn.id, correction=f"glad as {word}", comment=f"I know {word}")
    store.edit_feedback(given.id, {"comment": f"I know {word} well"})
    store.add_feedback(turn.id, route="qa")
    gone = store.add_feedback(turn.id, rating="bad", comment=f"{word} again")
    store.remove_feedback(gone.id)
    other = replace(turn, answer=f"{word} is fine")
    chosen = store.add_preference(turn, other, "left", turn_id=turn.id)
    store.edit_preference(chosen.id, {"comment": f"because of {word}"})
    quote(store, given.id, turn.user_text, f"glad as {word}")
    evaluated(store, (f"f{given.id}", turn.user_text))
    store.rename(turn.conversation_id, f"{word} renamed")
    store.rename(turn.conversation_id, f"About {word}")
    return turn.conversation_id


def test_every_place_is_found(store: Store) -> None:
    found = store.traces(rich(store))
    assert found.counts() == {
        "turns": 1,
        "messages": 2,
        "feedback": 2,
        "kept for undo": 3,
        "route corrections": 1,
        "choices between answers": 1,
        "answered examples of evaluations": 1,
        "prompts elsewhere that show an answer": 1,
    }
    assert found.conversation is not None
    assert found.feedback_ids == {1, 2, 3}
    assert {"I know zanzibar well", "because of zanzibar", ASKED} <= found.words
    assert not found.running


def test_every_table_that_can_hold_words_is_known() -> None:
    """A table that is new has to be thought of: in ``traces``, in ``erase``, and here."""
    with Store(Path(":memory:")) as store:
        names = store._db.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%fts%'"
        )
        assert {str(row["name"]) for row in names} - {"sqlite_sequence", "_sqlite_migrations"} == {
            *("conversations", "turns", "messages", "feedback", "route_corrections"),
            *("preferences", "feedback_changes", "runs", "evaluations", "evaluation_examples"),
        }


def test_no_byte_of_it_stays(store: Store) -> None:
    folder = store.path.parent
    # What was deleted before left its words in pages that are free now (unless SQLite was built to be careful).
    store._db.rows("PRAGMA secure_delete = OFF")
    store.delete(talk(store, "mombasa by night " * 400).conversation_id)
    conversation_id = rich(store)
    # Three characters are what the text index keeps in one piece.
    talk(store, "鱻龘靐", conversation_id=conversation_id)
    assert all(files_with(word, folder) for word in ("zanzibar", "mombasa", "鱻龘靐"))
    _, cleaned = store.erase(conversation_id)
    assert cleaned
    assert files_with("zanzibar", folder) == []
    assert files_with("mombasa", folder) == []
    assert files_with("鱻龘靐", folder) == []
    assert store.search("zanzibar") == []
    assert store.search("lighthouse")
    store.close()
    assert files_with("zanzibar", folder) == []


def test_other_conversations_are_untouched(store: Store) -> None:
    other = talk(store, "Thanks!", "You are welcome.")
    item = store.add_feedback(other.id, rating="good", comment="fine")
    store.edit_feedback(item.id, {"comment": "very fine"})
    store.add_preference(other, replace(other, answer="No."), "right", turn_id=other.id)
    number = evaluated(store, (f"f{item.id}", "Thanks!"), ("another", "Quite another text, long"))
    before, record = dump(store), store.export_conversation(other.conversation_id)
    twin = talk(store, "Thanks!", "You are welcome.")
    store.add_feedback(twin.id, rating="bad")
    store.erase(twin.conversation_id)
    after = dump(store)
    assert after == before
    assert store.export_conversation(other.conversation_id) == record
    assert len(store.evaluated(number)) == 2
    assert store.undo_feedback() is not None
    assert store.feedback(turn_id=other.id)[0].comment == "very fine"


def test_undo_brings_nothing_of_it_back(store: Store) -> None:
    kept = talk(store, "What else?", "This.")
    store.add_feedback(kept.id, rating="good")
    conversation_id = rich(store)
    (removed,) = [one for one in store.traces(conversation_id).changes if one["what"] == "removed"]
    assert removed["before"]["row"]["comment"] == "zanzibar again"
    store.erase(conversation_id)
    undone = []
    while (one := store.undo_feedback()) is not None:
        undone.append(one.what)
    assert undone == ["added"]
    assert store.feedback() == []


def test_an_example_in_another_prompt_is_taken_out_and_nothing_else(store: Store) -> None:
    turn = talk(store, ASKED)
    given = store.add_feedback(turn.id, correction="glad")
    shown = quote(store, given.id, ASKED, "glad")
    store.erase(turn.conversation_id)
    left = store.turn(shown.id)
    contents = [message.content for message in left.sent]
    assert contents == ["Say the mood.", "Mood? rain", "sad", shown.user_text]
    assert left.choice is not None
    assert (left.choice.personal, left.choice.shots) == ((), 1)
    assert left.shareable == left.sent
    assert left.answer == shown.answer


def test_an_example_from_feedback_that_is_gone_for_good_is_known_by_its_words(store: Store) -> None:
    turn, other = talk(store, ASKED), talk(store, "Another text that is long, too")
    given = store.add_feedback(turn.id, correction="glad")
    theirs = store.add_feedback(other.id, correction="glad")
    shown = quote(store, given.id, ASKED, "glad")
    quote(store, theirs.id, other.user_text, "glad")
    store.remove_feedback(given.id, for_good=True)
    store.remove_feedback(theirs.id, for_good=True)
    assert list(store.traces(turn.conversation_id).quoting) == [shown.id]


def test_what_a_deleted_conversation_left_in_prompts_goes_too(store: Store) -> None:
    turn, alive = talk(store, ASKED), talk(store, "Another text that is long, too")
    given = store.add_feedback(turn.id, correction="glad")
    kept = store.add_feedback(alive.id, correction="glad")
    shown = quote(store, given.id, ASKED, "glad")
    quote(store, kept.id, alive.user_text, "glad")
    store.delete(turn.conversation_id)
    found = store.traces(turn.conversation_id)
    assert (found.conversation, list(found.quoting)) == (None, [shown.id])
    store.erase(turn.conversation_id)
    assert files_with("zanzibar", store.path.parent) == []


def test_a_short_text_is_its_own_only_by_the_number(store: Store) -> None:
    turn = talk(store, "Hi", "Hello.")
    item = store.add_feedback(turn.id, rating="good")
    evaluated(store, (f"f{item.id}-good", "Hi"), ("f99", "Hi"), ("p1", "Hi"))
    found = store.traces(turn.conversation_id)
    assert [row["example_id"] for row in found.evaluated] == [f"f{item.id}-good"]
    assert not found.owns("f1", "Ho")
    assert not found.owns(None, None)


def test_forks_and_choices_of_their_own_are_named_and_stay(store: Store) -> None:
    turn = talk(store, ASKED)
    fork = store.fork(turn.conversation_id)
    alone = store.add_preference(turn, replace(turn, answer="glad"), "right")
    found = store.traces(turn.conversation_id)
    assert (found.elsewhere, found.comparisons) == ((fork.id,), (alone.id,))
    store.erase(turn.conversation_id)
    assert [turn.user_text for turn in store.turns(fork.id)] == [ASKED]
    assert [one.id for one in store.preferences()] == [alone.id]


def test_answers_to_files_of_erased_runs_go_and_scores_stay(store: Store, tmp_path: Path) -> None:
    turn = talk(store, ASKED)
    mine = evaluated(store, ("a", "Not of it at all"), data=str(tmp_path / "run" / "held.jsonl"))
    report = {"task": "classification", "strategy": "s", "model": "m", "n": 1, "scores": {"f1": 1}}
    store.finish_evaluation(mine, report)
    other = evaluated(store, ("a", "Not of it at all"))
    store.erase(turn.conversation_id, ["run"], [tmp_path / "run" / "held.jsonl"])
    assert (store.evaluated(mine), len(store.evaluated(other))) == ([], 1)
    assert store.evaluation(mine)["scores"] == {"f1": 1}


def test_a_turn_that_is_being_answered_is_waited_for(store: Store) -> None:
    turn = store.begin_turn(ASKED, model="m")
    assert store.traces(turn.conversation_id).running
    with pytest.raises(UsageError, match="being answered"):
        store.erase(turn.conversation_id)
    assert store.turn(turn.id).user_text == ASKED


def test_the_file_is_not_clean_while_somebody_reads_it(store: Store) -> None:
    turn = talk(store, ASKED)
    with closing(sqlite3.connect(store.path)) as reader:
        store._db.rows("PRAGMA busy_timeout = 50")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        _, cleaned = store.erase(turn.conversation_id)
        assert not cleaned
    _, cleaned = store.erase(turn.conversation_id)
    assert cleaned
    assert files_with("zanzibar", store.path.parent) == []


def test_ids_are_found_by_their_beginning_also_those_of_deleted_ones(store: Store) -> None:
    first, gone, never = talk(store, "One").conversation_id, "abcdefghjkmnpqrs", new_id()
    assert store.whole_id(first[:10]) == store.whole_id("last") == first
    assert store.whole_id("ABCDEFG", {gone}) == gone
    assert store.whole_id(never) == never
    for wrong in ("abc", "abcdefg", "no such conversation, surely"):
        with pytest.raises(NotFound):
            store.whole_id(wrong)
    with pytest.raises(NotFound, match="several"):
        store.whole_id(first[:10], {first[:10] + "zzzzzz"})


def test_copies_beside_are_named_when_they_hold_it(store: Store) -> None:
    turn = talk(store, ASKED)
    with_it = store.path.with_name("assistant-before-schema-9-x.db")
    store.backup(with_it)
    later = talk(store, "Later").conversation_id
    broken = store.path.with_name("assistant-before-schema-9-y.db")
    broken.write_bytes(b"no database at all" * 100)
    assert store.copies_beside(turn.conversation_id) == [with_it, broken]
    assert store.copies_beside(later) == [broken]
