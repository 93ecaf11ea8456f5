"""Feedback that is listed, edited, removed and taken back, with preferences beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import NotFound, UsageError
from assistant.store import changes, migrations
from assistant.store.judged import KINDS, Wanted, line_from
from assistant.store.preferences import Preference
from assistant.store.store import Store
from assistant.types import REASONS, Choice, Feedback, Message, Route, Turn


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as made:
        yield made


def talk(store: Store, text: str = "What?", answer: str = "This.", task: str = "qa") -> Turn:
    turn = store.begin_turn(text, model="m")
    store.finish_turn(
        replace(
            turn,
            answer=answer,
            state="done",
            sent=(Message("user", text),),
            route=Route(task, 0.9, {task: 0.9}),
            choice=Choice("few_shot", "why"),
        )
    )
    return store.turn(turn.id)


def prefer(store: Store, turn: Turn, choice: Any = "left") -> Preference:
    other = replace(turn, answer="Another one.")
    return store.add_preference(turn, other, choice, turn_id=turn.id)


def undone(store: Store) -> tuple[str, str] | None:
    found = store.undo_feedback()
    return (found.what, line_from(found.item).name) if found is not None else None


# -- reasons ---------------------------------------------------------------------------------------


def test_a_reason_belongs_to_a_bad_answer(store: Store) -> None:
    turn = talk(store)
    for reason in REASONS:
        assert store.add_feedback(turn.id, rating="bad", reason=reason).reason == reason
    assert store.feedback()[-1].reason == REASONS[-1]
    for wrong in ({"rating": "good", "reason": "wrong"}, {"correction": "x", "reason": "wrong"}):
        with pytest.raises(UsageError, match="why an answer was bad"):
            store.add_feedback(turn.id, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'ugly' is not known"):
        store.add_feedback(turn.id, rating="bad", reason="ugly")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="says nothing"):
        store.add_feedback(turn.id, reason="wrong")
    assert len(store.feedback()) == len(REASONS)


# -- editing ---------------------------------------------------------------------------------------


def test_editing_changes_what_was_said_and_nothing_else(store: Store) -> None:
    turn = talk(store)
    old = store.add_feedback(turn.id, rating="bad", reason="too_long", comment="hm")
    new = store.edit_feedback(old.id, {"correction": "That.", "comment": None})
    assert new == replace(old, correction="That.", comment=None)
    assert store.feedback() == [new]
    assert store.turn(turn.id).correction == "That."
    # A good answer has no reason to be bad.
    assert store.edit_feedback(old.id, {"rating": "good"}).reason is None


def test_an_edit_that_says_nothing_new_is_no_change(store: Store) -> None:
    item = store.add_feedback(talk(store).id, rating="good")
    assert store.edit_feedback(item.id, {"rating": "good"}) == item
    assert undone(store) == ("added", "1")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"rating": None}, "says nothing"),
        ({"rating": "great"}, "'great' is not known"),
        ({"reason": "wrong"}, "why an answer was bad"),
        ({"comment": "  "}, "comment is empty"),
        ({"snapshot": "{}"}, "'snapshot' cannot be edited"),
    ],
)
def test_a_wrong_edit_changes_nothing(store: Store, said: Any, message: str) -> None:
    item = store.add_feedback(talk(store).id, rating="good")
    with pytest.raises(UsageError, match=message):
        store.edit_feedback(item.id, said)
    assert store.feedback() == [item]
    assert undone(store) == ("added", "1")
    with pytest.raises(NotFound):
        store.edit_feedback(item.id, {"rating": "bad"})


def test_the_router_unlearns_and_learns_with_an_edit(store: Store) -> None:
    first, second = talk(store, "one"), talk(store, "two")
    item = store.add_feedback(first.id, route="chat")
    store.add_feedback(second.id, route="qa")
    store.edit_feedback(item.id, {"route": "translation"})
    assert [one.to_task for one in store.route_corrections()] == ["translation", "qa"]
    store.edit_feedback(item.id, {"route": None, "comment": "never mind"})
    assert [one.to_task for one in store.route_corrections()] == ["qa"]
    store.edit_feedback(item.id, {"route": "chat"})
    (learned,) = [one for one in store.route_corrections() if one.text == "one"]
    assert (learned.to_task, learned.from_task) == ("chat", "qa")


def test_a_preference_can_be_chosen_differently(store: Store) -> None:
    item = prefer(store, talk(store))
    changed = store.edit_preference(item.id, {"choice": "right", "comment": "on second thought"})
    assert changed == replace(item, choice="right", comment="on second thought")
    for wrong in ({"choice": "up"}, {"choice": None}, {"text": "x"}):
        with pytest.raises(UsageError):
            store.edit_preference(item.id, wrong)  # type: ignore[arg-type]
    assert store.preferences() == [changed]


# -- taking back -----------------------------------------------------------------------------------


def test_undo_goes_back_one_change_at_a_time(store: Store) -> None:
    turn = talk(store)
    bad = store.add_feedback(turn.id, rating="bad")
    why = store.edit_feedback(bad.id, {"reason": "wrong"})
    chosen = prefer(store, turn)
    store.edit_preference(chosen.id, {"choice": "both_bad"})
    store.remove_feedback(bad.id)
    assert undone(store) == ("removed", "1")
    assert store.feedback() == [why]
    assert undone(store) == ("edited", "p1")
    assert store.preferences() == [chosen]
    assert undone(store) == ("added", "p1")
    assert undone(store) == ("edited", "1")
    assert store.feedback() == [bad]
    assert undone(store) == ("added", "1")
    assert undone(store) is None
    assert (store.feedback(), store.preferences()) == ([], [])


def test_undo_of_one_preference_leaves_the_rest(store: Store) -> None:
    turn = talk(store)
    first = prefer(store, turn)
    second = prefer(store, turn, "right")
    store.add_feedback(turn.id, rating="good")
    found = store.undo_feedback("preferences", first.id)
    assert found is not None
    assert found.item == first
    assert store.preferences() == [second]
    assert len(store.feedback()) == 1


def test_a_route_correction_comes_back_in_its_old_place(store: Store) -> None:
    turn = talk(store)
    earlier = store.add_feedback(turn.id, route="chat")
    store.add_feedback(turn.id, route="translation")
    before = store.route_corrections()
    store.remove_feedback(earlier.id)
    assert [one.to_task for one in store.route_corrections()] == ["translation"]
    store.undo_feedback()
    assert store.route_corrections() == before


def test_a_removed_one_whose_number_was_taken_comes_back_under_another(store: Store) -> None:
    turn = talk(store)
    mine = store.add_feedback(turn.id, rating="bad", route="chat")
    (record,) = store.export_feedback()
    store.remove_feedback(mine.id)
    store.import_feedback([{**record, "rating": "good", "created_at": "2026-01-01T00:00:00+00:00"}])
    assert undone(store) == ("removed", "2")
    assert [(item.id, item.rating) for item in store.feedback()] == [(1, "good"), (2, "bad")]
    assert len(store.route_corrections()) == 2
    assert undone(store) == ("added", "2")
    assert [item.rating for item in store.feedback()] == ["good"]


def test_for_good_means_for_good(store: Store) -> None:
    turn = talk(store)
    item, chosen = store.add_feedback(turn.id, comment="my secret"), prefer(store, turn)
    store.edit_feedback(item.id, {"comment": "hm"})
    store.remove_feedback(item.id, for_good=True)
    store.remove_preference(chosen.id, for_good=True)
    assert undone(store) is None
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT count(*) FROM feedback_changes").fetchone() == (0,)
    with pytest.raises(NotFound):
        store.remove_feedback(item.id)
    with pytest.raises(NotFound):
        store.remove_preference(chosen.id)


def test_a_deleted_conversation_leaves_no_copy_behind(store: Store) -> None:
    turn, other = talk(store), talk(store, "Another?")
    item = store.add_feedback(turn.id, comment="my secret")
    kept = store.add_feedback(other.id, rating="good")
    store.remove_feedback(item.id)
    store.delete(turn.conversation_id)
    with sqlite3.connect(store.path) as db:
        assert "my secret" not in "".join(db.iterdump())
    assert undone(store) == ("added", str(kept.id))
    assert undone(store) is None


def test_imports_are_not_taken_back(store: Store, tmp_path: Path) -> None:
    turn = talk(store)
    store.add_feedback(turn.id, rating="good")
    records = store.export_feedback()
    with Store(tmp_path / "other.db") as other:
        other.import_feedback(records)
        assert undone(other) is None
        assert len(other.feedback()) == 1


def test_only_so_many_edits_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT", 3)
    item = store.add_feedback(talk(store).id, comment="0")
    for number in range(1, 8):
        store.edit_feedback(item.id, {"comment": str(number)})
    seen = [undone(store) for _ in range(5)]
    assert seen == [("edited", "1")] * 3 + [("added", "1"), None]


def test_what_was_said_before_the_migration_can_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.db"
    now = migrations.STEPS
    before = now[: [name for name, _ in now].index("0008_reasons")]
    monkeypatch.setattr(migrations, "STEPS", before)
    with Store(path) as old:
        turn = talk(old)
    with sqlite3.connect(path) as db:
        for number, source in enumerate(("cli", "import", "app"), start=1):
            db.execute(
                "INSERT INTO feedback (turn_id, rating, source, created_at) "
                f"VALUES (?, 'good', ?, '2026-01-0{number}')",
                (turn.id, source),
            )
    monkeypatch.setattr(migrations, "STEPS", now)
    with Store(path) as store:
        assert [item.reason for item in store.feedback()] == [None] * 3
        assert [undone(store) for _ in range(3)] == [("added", "3"), ("added", "1"), None]


# -- the list --------------------------------------------------------------------------------------


def names(store: Store, **wanted: Any) -> list[str]:
    return [line.name for line in store.judged(Wanted(**wanted))]


@pytest.fixture
def filled(store: Store) -> Store:
    soup = talk(store, "Is the SOUP good?", "Yes, [very].")
    mail = talk(store, "Übersetze: Grüße", "Greetings", "translation")
    store.add_feedback(soup.id, rating="good")
    store.add_feedback(mail.id, rating="bad", reason="wrong", correction="Ärger")
    store.add_feedback(soup.id, route="chat")
    store.add_feedback(mail.id, comment="100% sure_ly")
    prefer(store, soup, "both_good")
    return store


def test_all_of_it_stands_newest_first(filled: Store) -> None:
    assert names(filled) == ["p1", "4", "3", "2", "1"]
    second = filled.judged()[3]
    assert (second.rating, second.reason, second.corrected) == ("bad", "wrong", True)
    for line in filled.judged():
        assert line_from(filled.judgement(line.name)) == line


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"kind": "good"}, ["1"]),
        ({"kind": "bad"}, ["2"]),
        ({"kind": "corrected"}, ["2"]),
        ({"kind": "route"}, ["3"]),
        ({"kind": "preference"}, ["p1"]),
        ({"task": "translation"}, ["4", "2"]),
        ({"task": "chat"}, ["3"]),
        ({"task": "qa", "kind": "good"}, ["1"]),
        ({"search": "soup"}, ["p1", "3", "1"]),
        ({"search": "GRÜSSE ärger"}, ["2"]),
        ({"search": "another one"}, ["p1"]),
        ({"search": "100%"}, ["4"]),
        ({"search": "sure_ly"}, ["4"]),
        ({"search": "sure.ly"}, []),
        ({"search": "'; DROP TABLE feedback; --"}, []),
        ({"search": "\udfff"}, []),
        ({"task": "qa' OR 1 --"}, []),
    ],
)
def test_filters(filled: Store, wanted: dict[str, Any], found: list[str]) -> None:
    assert names(filled, **wanted) == found
    assert filled.judged_counts(Wanted(**wanted)).total == len(found)


def test_one_turn_only(filled: Store) -> None:
    turn = filled.judgement("2").turn_id
    assert turn is not None
    assert names(filled, turn_id=turn[:10]) == ["4", "2"]
    with pytest.raises(NotFound):
        filled.judged(Wanted(turn_id="nowhere"))


def test_counts(filled: Store) -> None:
    counts = filled.judged_counts()
    assert counts.total == 5
    assert [counts.kinds[kind] for kind in KINDS] == [1, 1, 1, 1, 1]
    assert counts.tasks == {"qa": 3, "translation": 2}
    assert filled.judged_counts(Wanted(task="translation", kind="bad")).kinds["good"] == 0


def test_pages_join_without_a_gap_even_at_one_moment(store: Store) -> None:
    turn = talk(store)
    for number in range(40):
        store.add_feedback(turn.id, comment=str(number))
        prefer(store, turn)
    with sqlite3.connect(store.path) as db:
        for table in ("feedback", "preferences"):
            db.execute(f"UPDATE {table} SET created_at = '2026-01-01' WHERE id > 10")
    whole = store.judged()
    paged = store.judged(limit=7)
    while more := store.judged(limit=7, after=paged[-1]):
        paged += more
    assert paged == whole
    assert len({line.name for line in whole}) == 80


def test_judgements_are_called_by_name(filled: Store) -> None:
    assert isinstance(filled.judgement("p1"), Preference)
    assert isinstance(filled.judgement(" P1 "), Preference)
    assert isinstance(filled.judgement("2"), Feedback)
    assert filled.judgement("last") == filled.judgement("p1")
    for name in ("9", "p9", "x", "", "1.5", "-1", "9" * 30):
        with pytest.raises(NotFound):
            filled.judgement(name)


def test_nothing_yet(store: Store) -> None:
    assert store.judged() == []
    assert store.judged_counts().total == 0
    with pytest.raises(NotFound, match="no feedback yet"):
        store.judgement("last")
