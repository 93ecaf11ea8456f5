"""Feedback becomes training data: the last word of a turn, once each, and nothing that says two things."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.evaluation.examples import read_examples
from assistant.store.store import Store
from assistant.training.examples import Collected, collect, training_file
from assistant.types import Choice, Feedback, Message, Rating, Route, Turn

MAIL = "Write to anna.b@posteo.de"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "assistant.db") as made:
        yield made


def asked(
    store: Store,
    text: str,
    answer: str,
    task: str = "qa",
    *,
    probabilities: Mapping[str, float] | None = None,
    replaces: Turn | None = None,
    conversation: str | None = None,
) -> Turn:
    begun = store.begin_turn(
        text, model="m", replaces=replaces.id if replaces else None, conversation_id=conversation
    )
    done = replace(
        begun,
        answer=answer,
        state="done",
        route=Route(task, 0.9, {task: 0.9}),
        choice=Choice("few_shot", "why"),
        sent=(Message("system", "Be brief."), Message("user", text)),
        probabilities=dict(probabilities) if probabilities else None,
    )
    store.finish_turn(done)
    return store.turn(begun.id)


def collected(store: Store, **options: object) -> Collected:
    return collect(store.feedback(), store.preferences(), **options)  # type: ignore[arg-type]


def targets(found: Collected) -> list[tuple[str, str]]:
    return [(one.input, one.target) for one in found.sft]


def pairs(found: Collected) -> list[tuple[str, str]]:
    return [(one.chosen, one.rejected) for one in found.pairs]


def thumbs(found: Collected) -> list[tuple[str, bool]]:
    return [(one.answer, one.desirable) for one in found.judged]


def kinds(found: Collected) -> list[tuple[str, str]]:
    return [(flag.name, flag.kind) for flag in found.flagged]


# -- one turn --------------------------------------------------------------------------------------


def test_nothing_gives_nothing(store: Store) -> None:
    assert collected(store) == Collected()
    assert Collected().counts() == ()


def test_a_correction_is_a_target_a_pair_and_two_judgements(store: Store) -> None:
    before = asked(store, "Hello", "Hi", "chat")
    turn = asked(store, "Capital?", "Sydney", conversation=before.conversation_id)
    store.add_feedback(turn.id, rating="bad")
    number = store.add_feedback(turn.id, correction="Canberra").id
    store.add_feedback(turn.id, rating="good")  # of the answer; what was written stays wanted
    found = collected(store)
    (one,) = found.sft
    assert (one.id, one.task, one.input, one.target) == (f"f{number}", "qa", "Capital?", "Canberra")
    assert (one.context, one.lang, one.labels) == ("User: Hello\nAssistant: Hi", "en", ())
    assert (one.feedback_ids, one.conversation_id) == ((number,), turn.conversation_id)
    assert one.messages[-1] == Message("user", "Capital?")
    assert one.created_at == store.feedback()[1].created_at
    assert pairs(found) == [("Canberra", "Sydney")]
    assert thumbs(found) == [("Sydney", False), ("Canberra", True)]
    assert len({one.id for one in found.judged}) == 2
    assert found.flagged == ()


def test_of_thumbs_the_last_counts(store: Store) -> None:
    up, down = asked(store, "One?", "1"), asked(store, "Two?", "22")
    store.add_feedback(up.id, rating="bad")
    store.add_feedback(up.id, rating="good")
    store.add_feedback(down.id, rating="good")
    store.add_feedback(down.id, rating="bad")
    found = collected(store)
    assert targets(found) == [("One?", "1")]
    assert thumbs(found) == [("1", True), ("22", False)]
    assert found.pairs == ()


def test_a_comment_or_a_correction_that_changes_nothing_is_no_pair(store: Store) -> None:
    store.add_feedback(asked(store, "One?", "1").id, comment="so so")
    store.add_feedback(asked(store, "Two?", "2").id, correction=" 2\n")
    found = collected(store)
    assert targets(found) == [("Two?", " 2\n")]
    assert found.pairs == ()
    assert thumbs(found) == [(" 2\n", True)]


def test_another_task_takes_along_what_was_written_for_it(store: Store) -> None:
    written = asked(store, "Say it in French: dog", "A dog is an animal.")
    store.add_feedback(written.id, correction="chien")
    route = store.add_feedback(written.id, route="translation").id
    rated = asked(store, "Say it in French: cat", "A cat is an animal.")
    store.add_feedback(rated.id, rating="good", route="translation")
    found = collected(store)
    (one,) = found.sft
    assert (one.task, one.lang, one.target) == ("translation", "en-fr", "chien")
    assert route in one.feedback_ids
    # The prompt of the wrong task is no prompt for the right one.
    assert one.messages == (Message("user", "Say it in French: dog"),)
    assert thumbs(found) == [("A dog is an animal.", False), ("chien", True)]
    assert found.tasks == ("translation",)
    assert collected(store, task="qa") == Collected()


def test_back_to_the_first_task_everything_counts(store: Store) -> None:
    turn = asked(store, "One?", "1")
    store.add_feedback(turn.id, rating="good", route="chat")
    store.add_feedback(turn.id, route="qa")
    assert [(one.task, one.target) for one in collected(store).sft] == [("qa", "1")]


def test_snapshots_of_any_kind_do_no_harm() -> None:
    odd: list[dict[str, object]] = [
        {},
        {"user_text": 3, "answer": None},
        {"user_text": "A?", "answer": "a", "messages": "no", "context": 7, "probabilities": 1},
        {"user_text": "B?", "answer": "b", "messages": [{"role": "tool"}, 3, {"role": "user"}]},
    ]
    items = [
        Feedback(number, f"t{number}", "2026-01-01", rating="good", snapshot=past)
        for number, past in enumerate(odd, start=1)
    ]
    assert targets(collect(items, [])) == [("A?", "a"), ("B?", "b")]


# -- regenerations and choices ---------------------------------------------------------------------


def test_answers_to_the_same_message_are_compared(store: Store) -> None:
    ratings: list[tuple[str, Rating]] = [("a", "bad"), ("b", "good"), ("c", "bad"), ("d", "good")]
    last = None
    for answer, rating in ratings:
        last = asked(store, "Tell me", answer, "chat", replaces=last)
        store.add_feedback(last.id, rating=rating)
    other = asked(store, "Tell me", "e", "chat")  # another conversation
    store.add_feedback(other.id, rating="bad")
    found = collected(store)
    assert sorted(pairs(found)) == [("b", "c"), ("d", "a"), ("d", "c")]
    assert all(len(one.feedback_ids) == 2 for one in found.pairs)
    assert all(one.conversation_id == last.conversation_id for one in found.pairs if last)
    assert found.flagged == ()  # several answers may be good


def test_the_same_words_later_in_a_conversation_are_another_message(store: Store) -> None:
    first = asked(store, "More", "a", "chat")
    store.add_feedback(first.id, rating="bad")
    later = asked(store, "More", "b", "chat", conversation=first.conversation_id)
    store.add_feedback(later.id, rating="good")
    assert collected(store).pairs == ()


def test_a_choice_between_two_answers_is_a_pair(store: Store) -> None:
    turn = asked(store, "Who?", "Ann")
    store.add_feedback(turn.id, comment="hm")
    made = store.add_preference(turn, replace(turn, answer="Bob"), "right", turn_id=turn.id)
    store.add_preference(turn, replace(turn, answer="Cid"), "both_good")
    found = collected(store)
    (one,) = found.pairs
    assert (one.id, one.chosen, one.rejected) == (f"p{made.id}", "Bob", "Ann")
    assert (one.task, one.preference_ids, one.feedback_ids) == ("qa", (made.id,), ())
    assert one.conversation_id == turn.conversation_id
    assert found.sft == found.judged == ()
    assert collected(store, task="chat").pairs == ()


def test_choices_that_say_the_opposite(store: Store) -> None:
    turn = asked(store, "Who?", "Ann")
    first = store.add_preference(turn, replace(turn, answer="Bob"), "left")
    store.add_preference(turn, replace(turn, answer="Bob"), "right")
    found = collected(store)
    assert pairs(found) == [("Bob", "Ann")]
    assert kinds(found) == [(f"p{first.id}", "contradiction")]
    assert "newer" in found.flagged[0].reason


# -- the same and the opposite ---------------------------------------------------------------------


def test_what_says_the_same_is_merged_into_the_newest(store: Store) -> None:
    numbers = []
    for text, answer in (("Capital  of X?", "Y"), ("capital of x?", "Y "), ("Ｃapital of X?", "Y")):
        turn = asked(store, text, answer)
        numbers.append(store.add_feedback(turn.id, rating="good").id)
    found = collected(store)
    (one,) = found.sft
    assert (one.id, one.feedback_ids) == (f"f{numbers[-1]}", tuple(numbers))
    assert len(found.judged) == 1
    assert found.merged[0].dropped == (f"f{numbers[0]}", f"f{numbers[1]}")
    (counts,) = found.counts()
    assert (counts.task, counts.sft, counts.desirable, counts.merged) == ("qa", 1, 1, 4)


def test_the_turn_before_counts_where_a_request_leans_on_it(store: Store) -> None:
    for before in ("Hello", "Good day"):
        first = asked(store, before, "Hi", "chat")
        for text, task in (("Yes", "chat"), ("Who wrote Faust?", "qa")):
            turn = asked(store, text, "So.", task, conversation=first.conversation_id)
            store.add_feedback(turn.id, rating="good")
            store.hide_turn(turn.id)
    assert targets(collected(store)) == [
        ("Yes", "So."),
        ("Yes", "So."),
        ("Who wrote Faust?", "So."),
    ]


def test_a_change_of_mind_uses_the_newer(store: Store) -> None:
    old = store.add_feedback(asked(store, "Name?", "A").id, correction="B").id
    store.add_feedback(asked(store, "name?", "A").id, correction="C")
    found = collected(store)
    assert targets(found) == [("name?", "C")]
    assert pairs(found) == [("C", "A")]
    (flag,) = found.flagged
    assert (flag.feedback_id, flag.kind, flag.may_pass) == (old, "contradiction", False)
    assert "newer" in flag.reason
    assert collected(store, include_flagged=True) == found


def test_who_comes_back_to_what_was_wanted_first_contradicts_only_what_was_between(
    store: Store,
) -> None:
    numbers = [
        store.add_feedback(asked(store, "Name?", "A").id, correction=text).id
        for text in ("B", "C", "B")
    ]
    found = collected(store)
    assert [one.feedback_ids for one in found.sft] == [(numbers[0], numbers[2])]
    assert kinds(found) == [(str(numbers[1]), "contradiction")]


def test_without_a_clear_order_neither_is_used(store: Store) -> None:
    first, second = asked(store, "Name?", "A"), asked(store, "Name?", "A")
    late = store.add_feedback(second.id, correction="C").id
    early = store.add_feedback(first.id, correction="B").id  # judged last, about the earlier turn
    found = collected(store)
    assert found.sft == found.pairs == found.judged == ()
    assert kinds(found) == [(str(late), "contradiction"), (str(early), "contradiction")]
    assert "neither" in found.flagged[0].reason


def test_a_thumb_does_not_take_back_what_was_written(store: Store) -> None:
    store.add_feedback(asked(store, "Name?", "A").id, correction="B")
    thumb = store.add_feedback(asked(store, "Name?", "D").id, rating="good").id
    found = collected(store)
    assert targets(found) == [("Name?", "B")]
    assert kinds(found) == [(str(thumb), "contradiction")]
    assert "wrote" in found.flagged[0].reason


def test_an_answer_once_good_and_once_bad(store: Store) -> None:
    old = store.add_feedback(asked(store, "Name?", "A").id, rating="good").id
    store.add_feedback(asked(store, "Name?", "A").id, rating="bad")
    found = collected(store)
    assert found.sft == ()
    assert thumbs(found) == [("A", False)]
    assert kinds(found) == [(str(old), "contradiction")]


# -- classification --------------------------------------------------------------------------------

TWO = {"good": 0.9, "bad": 0.1}


def test_labels_come_from_what_was_scored_or_from_the_text(store: Store) -> None:
    scored = asked(store, "The soup.", "good", "classification", probabilities=TWO)
    store.add_feedback(scored.id, correction="Bad.")
    named = asked(store, "Is it happy, sad or angry: Oh!", "happy", "classification")
    store.add_feedback(named.id, rating="good")
    found = collected(store)
    assert [(one.target, one.labels) for one in found.sft] == [
        ("bad", ("good", "bad")),
        ("happy", ("happy", "sad", "angry")),
    ]
    assert pairs(found) == [("bad", "good")]


def test_without_a_label_to_learn_it_is_flagged(store: Store) -> None:
    other = asked(store, "The soup.", "good", "classification", probabilities=TWO)
    store.add_feedback(other.id, correction="lukewarm")
    unknown = asked(store, "The soup again.", "good", "classification")
    store.add_feedback(unknown.id, rating="good")
    found = collected(store, include_flagged=True)
    assert found.sft == found.pairs == found.judged == ()
    assert [flag.kind for flag in found.flagged] == ["labels", "labels"]
    assert "lukewarm" in found.flagged[0].reason


def test_two_labels_for_one_text_contradict_even_by_thumb(store: Store) -> None:
    for answer in ("good", "bad"):
        turn = asked(store, "The soup.", answer, "classification", probabilities=TWO)
        store.add_feedback(turn.id, rating="good")
    found = collected(store)
    assert [one.target for one in found.sft] == ["bad"]
    assert [flag.kind for flag in found.flagged] == ["contradiction"]


def test_no_label_drowns_the_others(store: Store) -> None:
    answers = ["good"] * 40 + ["bad"] * 5
    for place, answer in enumerate(answers):
        turn = asked(store, f"Text {place}", answer, "classification", probabilities=TWO)
        store.add_feedback(turn.id, rating="good")
    found = collected(store)
    kept = [one.target for one in found.sft]
    assert (kept.count("good"), kept.count("bad")) == (15, 5)
    assert found.sft[0].input == "Text 25"  # the newest are kept
    assert len(found.surplus) == 50  # of the targets and of the judged answers
    assert found.counts()[0].surplus == 50


# -- what is private -------------------------------------------------------------------------------


def test_what_is_private_waits_for_a_yes(store: Store) -> None:
    fine = asked(store, "One?", "1")
    store.add_feedback(fine.id, rating="good")
    texts = {
        "input": asked(store, MAIL, "Done."),
        "answer": asked(store, "Card?", "4111 1111 1111 1111"),
        "turn before": asked(
            store, "Next?", "2", conversation=asked(store, MAIL, "No.").conversation_id
        ),
    }
    numbers = {
        where: store.add_feedback(turn.id, rating="good").id for where, turn in texts.items()
    }
    store.add_preference(texts["input"], replace(fine, answer="2"), "left")
    found = collected(store)
    assert targets(found) == [("One?", "1")]
    assert found.pairs == ()
    flagged = {flag.feedback_id: flag for flag in found.flagged}
    assert set(flagged) == {*numbers.values(), None}
    for where, number in numbers.items():
        assert f"in the {where}" in flagged[number].reason
        assert "anna.b" not in flagged[number].reason
    passed = collected(store, include_flagged=True)
    assert len(passed.sft) == 4
    assert len(passed.pairs) == 1
    assert passed.flagged == found.flagged


# -- files -----------------------------------------------------------------------------------------


def test_rows_for_training_can_be_read(store: Store, tmp_path: Path) -> None:
    label = asked(store, "The soup.", "good", "classification", probabilities=TWO)
    store.add_feedback(label.id, correction="bad")
    found = collected(store)
    rows = {}
    for name, examples in (("sft", found.sft), ("dpo", found.pairs), ("kto", found.judged)):
        file = tmp_path / f"{name}.jsonl"
        training_file(examples, file)
        assert file.stat().st_mode & 0o077 == 0
        assert len(read_examples(file, "classification").rows) == len(examples)
        rows[name] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    (sft,), (dpo,) = rows["sft"], rows["dpo"]
    assert sft == {
        "id": sft["id"],
        "task": "classification",
        "input": "The soup.",
        "target": "bad",
        "labels": ["good", "bad"],
        "lang": "en",
    }
    assert dpo == {**sft, "rejected": "good"}
    assert [(row["target"], row["desirable"]) for row in rows["kto"]] == [
        ("good", False),
        ("bad", True),
    ]


def test_the_same_feedback_gives_the_same_data(store: Store) -> None:
    for place in range(6):
        turn = asked(store, f"Name {place % 3}?", f"A{place % 2}")
        store.add_feedback(turn.id, rating="good" if place % 2 else "bad")
    items = store.feedback()
    assert collect(items, []) == collect(items[::-1], [])
