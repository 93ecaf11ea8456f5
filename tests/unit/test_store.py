"""The store: turns, conversations, search, feedback, export and import, migrations."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import NotFound, StoreError, UsageError
from assistant.store import ids, migrations
from assistant.store.records import RunRecord
from assistant.store.store import Store
from assistant.types import Choice, Decoding, Message, Route, Timing, Turn, Usage

HERO = "翻译这个句子：你好，世界"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data" / "assistant.db") as opened:
        yield opened


def complete(turn: Turn, answer: str = "An answer.", **changes: Any) -> Turn:
    """Return ``turn`` with every field filled in, so that a lost one is noticed."""
    filled = replace(
        turn,
        answer=answer,
        state="done",
        route=Route("qa", 0.75, {"qa": 0.75, "chat": 0.25}, "light"),
        choice=Choice("adapter", "it scored higher", "qa-v1"),
        model="SmolLM2",
        model_sha256="ab" * 32,
        prompt_version="qa-3",
        decoding=Decoding(64, 0.5, 0.9, 1.1, 7, ("\n\n", "<end>")),
        sent=(Message("system", "Be brief."), Message("user", "What?")),
        probabilities={"good": 0.9, "bad": 0.1},
        usage=Usage(10, 4, 6),
        timing=Timing(0.1, 0.2, 1.5, 20.0),
        finish_reason="stop",
        left_out_turns=2,
        context_limit=2048,
    )
    return replace(filled, **changes)


def answered(store: Store, text: str, answer: str = "An answer.", **begin: Any) -> Turn:
    store.finish_turn(complete(store.begin_turn(text, **begin), answer))
    return store.turn("last")


def sql(store: Store, query: str, *values: object) -> list[Any]:
    with sqlite3.connect(store.path) as db:
        return db.execute(query, values).fetchall()


# -- turns -----------------------------------------------------------------------------------------


def test_the_users_message_is_stored_first(store: Store) -> None:
    turn = store.begin_turn("Hello\nthere", system="Be kind.", model="m")
    assert (turn.state, turn.position, turn.user_text) == ("running", 0, "Hello\nthere")
    assert sql(store, "SELECT role, content FROM messages") == [("user", "Hello\nthere")]
    conversation = store.conversation(turn.conversation_id)
    assert (conversation.title, conversation.system) == ("Hello", "Be kind.")
    assert conversation.turn_count == 1


def test_every_field_of_a_turn_survives(store: Store) -> None:
    expected = complete(store.begin_turn("Why?"), error="none really")
    store.finish_turn(expected)
    assert store.turn(expected.id) == expected


def test_save_turn_keeps_the_partial_answer_when_it_has_none(store: Store) -> None:
    turn = store.begin_turn("Why?")
    store.save_partial(turn.id, "Because")
    store.save_turn(replace(turn, route=Route("qa", 1.0, {"qa": 1.0})))
    saved = store.turn(turn.id)
    assert saved.answer == "Because"
    assert saved.route is not None
    store.finish_turn(replace(turn, state="cancelled", finish_reason="cancelled"))
    assert store.turn(turn.id).answer == "Because"


def test_a_late_partial_does_not_undo_the_end(store: Store) -> None:
    turn = answered(store, "Why?", "The whole answer.")
    store.save_partial(turn.id, "The wh")
    assert store.turn(turn.id).answer == "The whole answer."
    assert len(sql(store, "SELECT 1 FROM messages WHERE turn_id = ?", turn.id)) == 2


def test_writing_to_a_deleted_turn_says_so(store: Store) -> None:
    turn = store.begin_turn("Why?")
    store.delete(turn.conversation_id)
    with pytest.raises(NotFound):
        store.save_partial(turn.id, "x")
    with pytest.raises(NotFound):
        store.save_turn(complete(turn))
    with pytest.raises(NotFound):
        store.finish_turn(complete(turn))
    with pytest.raises(NotFound):
        store.begin_turn("More", conversation_id=turn.conversation_id)


def test_a_finished_turn_cannot_be_running(store: Store) -> None:
    turn = store.begin_turn("Why?")
    with pytest.raises(ValueError, match="final state"):
        store.finish_turn(turn)


def test_replacing_hides_the_turn_and_all_later_ones(store: Store) -> None:
    first = answered(store, "one")
    conversation = first.conversation_id
    second = answered(store, "two", conversation_id=conversation)
    third = answered(store, "three", conversation_id=conversation)
    new = store.begin_turn("two, better", replaces=second.id)
    assert new.conversation_id == conversation
    assert new.replaces == second.id
    assert [t.user_text for t in store.turns(conversation)] == ["one", "two, better"]
    everything = store.turns(conversation, include_hidden=True)
    assert [(t.id, t.hidden) for t in everything] == [
        (first.id, False),
        (second.id, True),
        (third.id, True),
        (new.id, False),
    ]
    with pytest.raises(NotFound):
        store.begin_turn(
            "x", conversation_id=answered(store, "other").conversation_id, replaces=second.id
        )


def test_undo_and_redo(store: Store) -> None:
    first = answered(store, "one")
    second = answered(store, "two", conversation_id=first.conversation_id)
    store.hide_turn(second.id)
    assert [t.id for t in store.turns(first.conversation_id)] == [first.id]
    assert store.turn("last").id == first.id
    assert store.conversation(first.conversation_id).turn_count == 1
    store.finish_turn(complete(second))  # a stale copy must not bring it back
    assert store.turn(second.id).hidden
    store.unhide_turn(second.id)
    assert store.turn("last").id == second.id


def test_strange_text_is_stored_raw_and_surrogates_are_replaced(store: Store) -> None:
    raw = "\x1b]0;x\x07 <|im_end|> a\0b \r\n e\u0301 \u202e"
    assert store.begin_turn(raw).user_text == raw
    turn = store.begin_turn("a\ud800b \ud83d\ude00", system="\udcff")
    assert turn.user_text == "a\ufffdb \U0001f600"
    store.save_partial(turn.id, "\udc80")
    store.finish_turn(complete(turn, "\ud800", sent=(Message("user", "\ud800"),)))
    assert store.turn(turn.id).sent[0].content == "\ufffd"
    store.add_feedback(turn.id, correction="\udfff")
    assert store.search("\ud800") != []


def test_failed_measurements_are_stored_as_nothing(store: Store) -> None:
    turn = store.begin_turn("x")
    nan = float("nan")
    store.finish_turn(
        complete(turn, probabilities={"a": nan}, timing=Timing(nan, 0.0, float("inf"), 0.0))
    )
    saved = store.turn(turn.id)
    assert saved.probabilities == {"a": 0.0}
    assert saved.timing == Timing()
    store.import_conversation(json.loads(json.dumps(store.export_conversation("last"))))


def test_ids_sort_by_time_and_differ_early() -> None:
    made = [ids.new_id() for _ in range(500)]
    assert made == sorted(made)
    assert len({one[:8] for one in made}) == 500
    assert all(ids.is_id(one) for one in made)


def test_prefixes(store: Store) -> None:
    turn = answered(store, "one")
    assert store.turn(turn.id[:8]).id == turn.id
    assert store.turn(turn.id[:8].upper().replace("1", "L").replace("0", "O")).id == turn.id
    with pytest.raises(NotFound, match="at least 6"):
        store.turn(turn.id[:5])
    with pytest.raises(NotFound, match="history list"):
        store.conversation("zzzzzzzz")
    with pytest.raises(NotFound):
        store.turn("%" * 8)


def test_an_ambiguous_prefix_names_the_candidates(store: Store) -> None:
    data: Any = store.export_conversation(answered(store, "one").conversation_id)
    for name in ("same00aa", "same00bb"):
        data["conversation"]["id"] = name
        store.import_conversation(data)
    with pytest.raises(NotFound, match="same00aa, same00bb"):
        store.conversation("same00")
    assert store.conversation("same00a").id == "same00aa"


def test_an_empty_store_has_no_last(store: Store) -> None:
    assert store.latest_conversation() is None
    assert store.conversations() == []
    for lookup in (store.turn, store.conversation):
        with pytest.raises(NotFound, match="There is no"):
            lookup("last")


# -- conversations ---------------------------------------------------------------------------------


def test_conversations_are_listed_by_last_use(store: Store) -> None:
    first = answered(store, "first").conversation_id
    second = answered(store, "second").conversation_id
    assert [c.id for c in store.conversations()] == [second, first]
    answered(store, "again", conversation_id=first)
    assert [c.id for c in store.conversations(limit=1)] == [first]
    assert [c.id for c in store.conversations(limit=5, offset=1)] == [second]
    assert store.conversation("last") == store.latest_conversation()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("\n\n  Hi  \nmore", "Hi"),
        ("", "New conversation"),
        ("x" * 200, "x" * 59 + "…"),
        (HERO, HERO),
    ],
)
def test_titles(store: Store, text: str, title: str) -> None:
    assert store.conversation(store.begin_turn(text).conversation_id).title == title


def test_rename(store: Store) -> None:
    conversation = answered(store, "first").conversation_id
    store.rename(conversation, " A\nnew  title ")
    assert store.conversation(conversation).title == "A new title"
    assert [hit.role for hit in store.search("new title")] == ["title"]
    assert store.search("first")[0].role == "user"
    with pytest.raises(UsageError):
        store.rename(conversation, " \n")


def test_delete_leaves_nothing_behind(store: Store) -> None:
    turn = answered(store, "secret words", "secret answer")
    store.add_feedback(turn.id, rating="bad", route="chat")
    kept = answered(store, "other")
    store.delete(turn.conversation_id)
    for table in ("turns", "messages", "feedback", "route_corrections", "conversations_fts"):
        column = "conversation_id" if table in ("turns", "messages", "conversations_fts") else "id"
        left = {row[0] for row in sql(store, f"SELECT {column} FROM {table}")}
        assert left <= {kept.conversation_id}
    assert store.search("secret") == []
    sql(store, "INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")
    with pytest.raises(NotFound):
        store.delete(turn.conversation_id)


def test_fork_copies_what_is_visible(store: Store) -> None:
    first = answered(store, "one", system="Be kind.")
    conversation = first.conversation_id
    hidden = answered(store, "two", conversation_id=conversation)
    second = answered(store, "two b", replaces=hidden.id)
    running = store.begin_turn("three", conversation_id=conversation)
    fork = store.fork(conversation)
    copies = store.turns(fork.id, include_hidden=True)
    assert [t.user_text for t in copies] == ["one", "two b", "three"]
    assert copies[2].state == "interrupted"
    assert not {t.id for t in copies} & {first.id, hidden.id, second.id, running.id}
    assert copies[0] == replace(first, id=copies[0].id, conversation_id=fork.id)
    assert store.conversation(fork.id) == fork
    assert fork.system == "Be kind."
    short = store.fork(conversation, first.id)
    assert [t.user_text for t in store.turns(short.id)] == ["one"]
    with pytest.raises(NotFound):
        store.fork(conversation, copies[0].id)


# -- search ----------------------------------------------------------------------------------------


def test_search_in_chinese_and_parts_of_words(store: Store) -> None:
    turn = answered(store, HERO, "Hello, wonderful world")
    store.rename(turn.conversation_id, "untitled")
    for query in ("你好，世界", "这个句子", "世界", "译"):
        assert [hit.turn_id for hit in store.search(query)] == [turn.id], query
    assert store.search("WONDER")[0].snippet == "Hello, wonderful world"
    assert store.search("wonder hello")[0].role == "assistant"
    assert store.search("wonder 世界") == []
    assert store.search("wonder wo") != []


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"abc',
        "a OR b",
        "AND",
        "NEAR(",
        "*",
        "abc*",
        "col:x",
        "(",
        "-abc",
        "%",
        "_",
        "\\",
        "'; DROP TABLE messages",
        "\0",
        "abc\0def",
        " ",
        "",
        "^abc",
        "{a b}",
        "x" * 10_000,
        " ".join(str(n) for n in range(5000)),
    ],
)
def test_what_is_typed_is_never_syntax(store: Store, query: str) -> None:
    answered(store, "nothing to see", "here")
    assert store.search(query) == []


def test_special_characters_are_found_as_they_are(store: Store) -> None:
    turn = answered(store, 'say "NEAR(" 100% a_b C:\\dir')
    for query in ('"NEAR("', "100%", "0%", "_", "\\d", "a_b"):
        assert turn.id in {hit.turn_id for hit in store.search(query)}, query


def test_search_follows_changes_and_leaves_hidden_turns_out(store: Store) -> None:
    turn = store.begin_turn("question")
    store.save_partial(turn.id, "the elephant")
    store.save_partial(turn.id, "the elephant walks")
    assert len(store.search("elephant")) == 1
    store.finish_turn(complete(turn, "a giraffe"))
    assert store.search("elephant") == []
    assert len(store.search("giraffe")) == 1
    store.hide_turn(turn.id)
    assert store.search("giraffe") == []
    sql(store, "INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")


def test_snippets_show_the_place(store: Store) -> None:
    answered(store, "q", "start " + "filler\n" * 100 + "needle " + "filler " * 100)
    snippet = store.search("needle")[0].snippet
    assert "needle" in snippet
    assert snippet.startswith("…")
    assert snippet.endswith("…")
    assert len(snippet) < 200
    assert len(store.search("filler", limit=1)) == 1


# -- feedback --------------------------------------------------------------------------------------


def test_feedback_keeps_the_turn_as_it_was(store: Store) -> None:
    before = answered(store, "before", "said")
    turn = answered(store, "What?", "Wrong.", conversation_id=before.conversation_id)
    item = store.add_feedback(turn.id[:10], rating="bad", correction="Right.", comment="hm")
    store.finish_turn(complete(turn, "Changed later."))
    (stored,) = store.feedback()
    assert stored == item
    assert stored.turn_id == turn.id
    snapshot = stored.snapshot
    assert snapshot["answer"] == "Wrong."
    assert snapshot["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?"},
    ]
    assert snapshot["context"] == "User: before\nAssistant: said"
    expected = {
        "model": "SmolLM2",
        "model_sha256": "ab" * 32,
        "adapter": "qa-v1",
        "prompt_version": "qa-3",
        "strategy": "adapter",
        "user_text": "What?",
    }
    assert expected.items() <= snapshot.items()
    assert snapshot["decoding"]["seed"] == 7  # type: ignore[index]
    assert snapshot["route"]["task"] == "qa"  # type: ignore[index]


def test_the_latest_feedback_shows_on_the_turn(store: Store) -> None:
    turn = answered(store, "What?")
    store.add_feedback(turn.id, rating="bad")
    store.add_feedback(turn.id, correction="Right.")
    latest = store.add_feedback(turn.id, rating="good")
    (shown,) = store.turns(turn.conversation_id)
    assert (shown.rating, shown.correction) == ("good", "Right.")
    assert [item.id for item in store.feedback(limit=2)] == [latest.id - 1, latest.id]
    store.remove_feedback(latest.id)
    assert store.turn(turn.id).rating == "bad"
    with pytest.raises(NotFound):
        store.remove_feedback(latest.id)


def test_a_route_correction_is_noted_for_the_router(store: Store) -> None:
    first = answered(store, "Summarize this", "Short.")
    turn = answered(store, "now in French", conversation_id=first.conversation_id)
    item = store.add_feedback(turn.id, route="translation")
    (noted,) = store.route_corrections()
    context = "User: Summarize this\nAssistant: Short."
    assert (noted.text, noted.context) == ("now in French", context)
    assert (noted.from_task, noted.to_task) == ("qa", "translation")
    store.remove_feedback(item.id)
    assert store.route_corrections() == []


def test_the_turn_before_a_corrected_one_is_told_as_it_is_seen(store: Store) -> None:
    """Without hidden turns, and with what its answer should have been."""
    first = answered(store, "One", "Wrong")
    store.add_feedback(first.id, correction="Right")
    hidden = answered(store, "Two", conversation_id=first.conversation_id)
    store.hide_turn(hidden.id)
    turn = answered(store, "Three", conversation_id=first.conversation_id)
    for one in (first, turn):
        store.add_feedback(one.id, route="chat")
    contexts = [noted.context for noted in store.route_corrections()]
    assert contexts == [None, "User: One\nAssistant: Right"]


@pytest.mark.parametrize(
    "given", [{}, {"correction": " "}, {"route": ""}, {"comment": ""}, {"rating": "great"}]
)
def test_feedback_that_says_nothing_is_refused(store: Store, given: dict[str, Any]) -> None:
    turn = answered(store, "What?")
    with pytest.raises(UsageError):
        store.add_feedback(turn.id, **given)
    assert store.feedback(turn_id=turn.id) == []


# -- export and import -----------------------------------------------------------------------------


def whole(store: Store) -> Turn:
    """Fill the store with a conversation that has everything in it."""
    first = answered(store, HERO, system="Be kind.")
    second = answered(store, "two", conversation_id=first.conversation_id)
    new = answered(store, "two b", replaces=second.id)
    store.add_feedback(new.id, rating="bad", correction="Better.", comment="c", source="app")
    store.add_feedback(new.id, route="chat")
    return new


def through_file(data: object) -> Any:
    return json.loads(json.dumps(data, ensure_ascii=False))


def test_round_trip_into_an_empty_store(store: Store, tmp_path: Path) -> None:
    conversation = whole(store).conversation_id
    data = store.export_conversation(conversation)
    assert through_file(data) == data
    with Store(tmp_path / "other.db") as other:
        imported = other.import_conversation(through_file(data))
        assert imported == store.conversation(conversation)
        assert other.export_conversation(conversation) == data
        assert other.turns(conversation) == store.turns(conversation)
        assert other.feedback() == store.feedback()
        assert other.route_corrections() == store.route_corrections()


def test_taken_ids_are_replaced(store: Store) -> None:
    new = whole(store)
    data = store.export_conversation(new.conversation_id)
    copy = store.import_conversation(through_file(data))
    assert copy.id != new.conversation_id
    ours = store.turns(new.conversation_id, include_hidden=True)
    theirs = store.turns(copy.id, include_hidden=True)
    assert [t.user_text for t in ours] == [t.user_text for t in theirs]
    assert not {t.id for t in ours} & {t.id for t in theirs}
    assert theirs[2].replaces == theirs[1].id
    assert len(store.feedback()) == 4


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("format",), "zip", "format"),
        (("version",), 99, "version"),
        (("turns",), {}, "turns: expected a list"),
        (("conversation",), None, "conversation: expected an object"),
        (("conversation", "title"), 3, "conversation.title: expected text"),
        (("conversation", "id"), "../x", "conversation.id"),
        (("conversation", "created_at"), "soon", "conversation.created_at"),
        (("turns", 1, "state"), "fine", r"turns\[1\]\.state: expected one of"),
        (("turns", 0, "decoding", "top_p"), "1", r"turns\[0\]\.decoding\.top_p: expected a number"),
        (("turns", 0, "decoding", "top_p"), float("nan"), "a finite number"),
        (("turns", 0, "usage", "prompt_tokens"), 1.5, "usage.prompt_tokens"),
        (("turns", 0, "usage", "prompt_tokens"), 2**70, "at most 64 bits"),
        (("turns", 0, "sent", 1, "role"), "tool", r"turns\[0\]\.sent\[1\]\.role"),
        (("turns", 0, "route", "scores", "qa"), None, r"turns\[0\]\.route\.scores\.qa"),
        (("turns", 0, "mood"), "good", r"turns\[0\]\.mood: this field is not known"),
        (("turns", 0, "hidden"), 1, r"turns\[0\]\.hidden: expected true or false"),
        (("turns", 1, "position"), 0, r"turns\[1\]\.position"),
        (("turns", 0, "id"), "last", r"turns\[0\]\.id"),
        (("turns", 0, "answered_at"), 5, r"turns\[0\]\.answered_at"),
        (("turns", 2, "feedback", 0, "rating"), "ok", r"turns\[2\]\.feedback\[0\]\.rating"),
        (("turns", 2, "feedback", 0, "snapshot"), [], r"turns\[2\]\.feedback\[0\]\.snapshot"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    store: Store, tmp_path: Path, place: tuple[Any, ...], value: object, named: str
) -> None:
    data = through_file(store.export_conversation(whole(store).conversation_id))
    target = data
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    with Store(tmp_path / "other.db") as other:
        with pytest.raises(StoreError, match=named):
            other.import_conversation(data)
        assert other.stats()["conversations"] == 0


def test_a_missing_field_is_named(store: Store) -> None:
    data = through_file(store.export_conversation(whole(store).conversation_id))
    del data["turns"][0]["user_text"]
    with pytest.raises(StoreError, match=r"turns\[0\]\.user_text: this field is missing"):
        store.import_conversation(data)


def test_feedback_moves_to_another_machine(store: Store, tmp_path: Path) -> None:
    turn = whole(store)
    records = through_file(store.export_feedback())
    assert store.import_feedback(records) == []
    with Store(tmp_path / "other.db") as other:
        assert other.import_feedback(records) == store.feedback()
        assert other.import_feedback(records) == []
        there = other.turn(turn.id)
        assert (there.user_text, there.answer, there.choice) == (
            turn.user_text,
            turn.answer,
            turn.choice,
        )
        assert (there.route, there.decoding, there.sent) == (turn.route, turn.decoding, turn.sent)
        assert other.route_corrections() == store.route_corrections()
        records[1]["id"] = "x"
        with pytest.raises(StoreError, match=r"line 2\.id"):
            other.import_feedback(records)


# -- the whole file --------------------------------------------------------------------------------


def test_backup(store: Store, tmp_path: Path) -> None:
    turn = whole(store)
    target = tmp_path / "copy.db"
    store.backup(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(StoreError, match="exists already"):
        store.backup(target)
    with pytest.raises(StoreError, match="cannot be written"):
        store.backup(tmp_path / "no" / "copy.db")
    with Store(target) as copy:
        assert copy.turns(turn.conversation_id) == store.turns(turn.conversation_id)
        assert len(copy.search("这个句子")) == len(store.search("这个句子")) == 2


def test_files_are_private(store: Store) -> None:
    answered(store, "x")
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    for file in store.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_stats(store: Store) -> None:
    whole(store)
    expected = {
        "conversations": 1,
        "turns": 3,
        "messages": 6,
        "hidden_turns": 1,
        "feedback": 2,
        "bad": 1,
        "good": 0,
        "corrections": 1,
        "route_corrections": 1,
        "tasks": {"qa": 3},
    }
    assert expected.items() <= store.stats().items()


def test_views_for_people(store: Store) -> None:
    whole(store)
    assert len(sql(store, "SELECT * FROM transcript")) == 6
    assert len(sql(store, "SELECT * FROM turn_overview")) == 3
    assert sql(store, "SELECT question, correction FROM feedback_overview")[1] == (
        "two b",
        "Better.",
    )


def test_settings_of_the_connection(store: Store) -> None:
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
    for name, value in pragmas.items():
        row = store._db.row(f"PRAGMA {name}")
        assert row is not None
        assert row[0] == value


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.conversations()


def test_many_threads(store: Store) -> None:
    errors: list[BaseException] = []

    def talk(name: str) -> None:
        try:
            for number in range(15):
                turn = store.begin_turn(f"{name} {number}")
                store.save_partial(turn.id, "part")
                store.finish_turn(complete(turn))
                store.turns(turn.conversation_id)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=talk, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.stats()["messages"] == 180


def test_running_turns_of_a_living_process_are_left_alone(store: Store) -> None:
    turn = store.begin_turn("x")
    with Store(store.path) as second:
        assert second.recovered == []
        assert second.turn(turn.id).state == "running"


@pytest.mark.parametrize(
    ("column", "value"),
    [("owner_started", 1.0), ("owner_pid", None), ("owner_pid", 1), ("owner_pid", 2**22 + 1)],
)
def test_a_reused_process_id_does_not_count(store: Store, column: str, value: object) -> None:
    turn = store.begin_turn("x")
    store.save_partial(turn.id, "part")
    sql(store, f"UPDATE turns SET {column} = ?", value)
    (recovered,) = store.recover_interrupted()
    assert (recovered.state, recovered.finish_reason) == ("interrupted", "interrupted")
    assert recovered.answer == "part"
    assert store.recover_interrupted() == []


def test_runs_and_evaluations(store: Store) -> None:
    store.record_run(RunRecord("run-1", "qa", "sft", "lora", "m", "running", details={"seed": 1}))
    store.record_run(RunRecord("run-1", "qa", "sft", "lora", "m", "done", path="p"))
    (run,) = store.runs()
    assert (run.state, run.path, run.details) == ("done", "p", {})
    report = {
        "task": "qa",
        "strategy": "adapter",
        "model": "m",
        "adapter": "a",
        "n": 3,
        "scores": {"f1": 50.0},
        "signature": {"f1": "v1"},
    }
    store.record_evaluation(report, run_id="run-1")
    (stored,) = store.evaluations(task="qa")
    assert report.items() <= stored.items()
    assert store.evaluations(task="chat") == []
    with pytest.raises(StoreError, match="scores"):
        store.record_evaluation({"task": "qa", "strategy": "a", "model": "m", "n": 1})


# -- migrations ------------------------------------------------------------------------------------


def test_an_older_file_is_backed_up_and_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "assistant.db"
    with Store(path) as store:
        assert store.migration_backup is None
        turn = whole(store)
    more = (*migrations.STEPS, ("9998_more", "CREATE TABLE more (id INTEGER PRIMARY KEY);"))
    monkeypatch.setattr(migrations, "STEPS", more)
    with Store(path) as store:
        backup = store.migration_backup
        assert backup is not None
        assert backup.parent == tmp_path
        assert sql(store, "SELECT * FROM more") == []
        assert store.turn(turn.id).answer == turn.answer
    with sqlite3.connect(backup) as db:
        assert db.execute("SELECT count(*) FROM turns").fetchone() == (3,)
    with Store(path) as store:
        assert store.migration_backup is None


def test_a_failing_step_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "assistant.db"
    with Store(path) as store:
        whole(store)
    original = migrations.STEPS
    bad = "CREATE TABLE half (id INTEGER); DELETE FROM turns; CREATE TABLE half (id INTEGER);"
    monkeypatch.setattr(migrations, "STEPS", (*original, ("9998_bad", bad)))
    with pytest.raises(StoreError, match="half"):
        Store(path)
    monkeypatch.setattr(migrations, "STEPS", original)
    with Store(path) as store:
        assert store.stats()["turns"] == 3
        assert sql(store, "SELECT name FROM sqlite_schema WHERE name = 'half'") == []


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "assistant.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(migrations.STEPS) + 1}")
    with pytest.raises(StoreError, match="newer version") as caught:
        Store(path)
    assert "Update the program" in caught.value.hint


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes (id INTEGER)")
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("notes",)]


def test_opening_an_up_to_date_file_imports_no_sqlite_utils(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "assistant.db"
    Store(path).close()
    code = (
        "import sys; from pathlib import Path; from assistant.store.store import Store; "
        f"Store(Path({str(path)!r})); print(sorted({{'sqlite_utils', 'numpy'}} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}
    )
    assert done.stdout.strip() == "[]", done.stderr
