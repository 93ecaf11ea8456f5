"""Augmentation: what it may change, what it must not, and that every wording is read as meant."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from assistant import understand
from assistant.errors import UsageError
from assistant.evaluation.examples import Example
from assistant.evaluation.injection_cases import read_cases, shipped_cases
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.request import read_request
from assistant.training import noise, planting, relabelling
from assistant.training.augment import OPERATIONS, augment
from assistant.training.label_lists import exchanged
from assistant.training.label_sets import kinds, recognize
from assistant.training.rewording import parted, reworded
from assistant.training.shortening import REFUSALS, around_answer, sentences
from assistant.training.wordings import (
    Wording,
    all_wordings,
    language_name,
    plain_list,
    with_or,
)

PROMPTS = Prompts.load(shipped("prompts"))

PASSAGES = {
    "en": "The kitchen was slow on Friday. Two tables left before the soup arrived.",
    "zh": "周五晚上厨房太慢了，有两桌客人没等到汤就走了。老板道了歉。",
    "de": "Die Küche war am Freitag langsam. Zwei Tische gingen, bevor die Suppe kam.",
    "fr": "La cuisine était lente vendredi. Deux tables sont parties avant la soupe.",
    "es": "La cocina fue lenta el viernes. Dos mesas se fueron antes de la sopa.",
    "ja": "金曜日の厨房はとても遅かったです。二組のお客さんが帰ってしまいました。",
}
LABELS = {
    "en": ("billing", "delivery", "returns"),
    "zh": ("账单", "物流", "退货"),
    "de": ("Rechnung", "Lieferung", "Rückgabe"),
    "fr": ("facture", "livraison", "retour"),
    "es": ("factura", "entrega", "devolución"),
    "ja": ("請求", "配送", "返品"),
}
QUESTIONS = {
    "en": "How many tables left?",
    "zh": "走了几桌客人？",
    "de": "Wie viele Tische gingen?",
    "fr": "Combien de tables sont parties ?",
    "es": "¿Cuántas mesas se fueron?",
}
# From which language to which a request in this language is tried: never its own to its own.
DIRECTIONS = {
    "en": ("de", "zh"),
    "zh": ("en", "fr"),
    "de": ("en", "fr"),
    "fr": ("es", "de"),
    "es": ("en", "zh"),
    "ja": ("en", "zh"),
}


def sentiment(**changes: object) -> Example:
    return replace(
        Example(
            "s1",
            "classification",
            "Is this review positive or negative?\n\nThe soup was cold, and nobody smiled. We left early.",
            "negative",
            ("negative",),
            labels=("positive", "negative"),
            lang="en",
        ),
        **changes,  # type: ignore[arg-type]
    )


def question(target: str = "in March 1932") -> Example:
    passage = (
        "The town lies on a hill. Its bridge was planned for years. It was opened in March 1932. "
        "Many people came. A band played. The mayor spoke for an hour. Then it rained."
    )
    text = f"Passage: {passage}\n\nQuestion: When was the bridge opened?"
    return Example("q1", "qa", text, target, (target,), lang="en")


def translation() -> Example:
    text = "Translate to French: The library closes at nine tonight."
    target = "La bibliothèque ferme à neuf heures ce soir."
    return Example("t1", "translation", text, target, (target,), lang="en-fr")


def summary() -> Example:
    text = (
        "Summarize in one sentence:\n\nThe council met on Monday. It closed Mill Street to cars from "
        "May. Shop owners had feared fewer customers, but a trial brought more people."
    )
    target = "The council closes Mill Street to cars from May."
    return Example("z1", "summarization", text, target, (target,), lang="en")


EXAMPLES = (sentiment(), question(), translation(), summary())


def _asked(wording: Wording) -> tuple[str, str, str]:
    """Return the request, its passage, and the pair if it is a translation."""
    lang = wording.lang
    if wording.task == "translation":
        source, target = DIRECTIONS[lang]
        to, origin = language_name(target, lang), language_name(source, lang)
        assert to is not None
        assert origin is not None
        passage = PASSAGES[source]
        return wording.filled(passage, to=to, **{"from": origin}), passage, f"{source}-{target}"
    passage = PASSAGES[lang]
    if wording.task == "classification":
        labels = LABELS[lang]
        slots = {"labels": plain_list(labels, lang), "or": with_or(labels, lang)}
        return wording.filled(passage, **slots), passage, ""
    return wording.filled(passage, question=QUESTIONS.get(lang, ""), most="20"), passage, ""


@pytest.mark.parametrize("wording", all_wordings(), ids=lambda one: f"{one.task}-{one.text[:24]}")
def test_every_wording_is_read_as_meant(wording: Wording) -> None:
    text, passage, pair = _asked(wording)
    request = read_request(text, task=wording.task, prompt=PROMPTS.get(wording.task))
    if wording.task == "classification":
        # Where the text begins may stay open behind a list of labels, but nothing may be misread.
        assert request.passage in (passage, None)
        assert understand.labels_in(text) == (LABELS[wording.lang] if wording.names_labels else ())
    else:
        assert request.passage == passage
    if pair:
        assert request.pair == pair
    if wording.task == "qa":
        assert "passage" in request.tags


@pytest.mark.parametrize("task", ["classification", "qa", "translation", "summarization"])
def test_there_are_many_wordings_in_several_languages(task: str) -> None:
    some = [one for one in all_wordings() if one.task == task]
    assert len({(one.lang, one.kind, one.text) for one in some}) == len(some)
    assert len({one.text for one in some}) >= 40
    assert {"en", "zh", "de", "fr", "es"} <= {one.lang for one in some}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_keeps_ids_tasks_and_right_answers(name: str) -> None:
    changed = 0
    for seed in range(40):
        for old, new in zip(EXAMPLES, augment(EXAMPLES, seed, (name,)), strict=True):
            assert (new.id, new.task, new.context) == (old.id, old.task, old.context)
            if new.labels:
                assert new.target in new.labels
                assert len(set(new.labels)) == len(new.labels) >= 2
            if name != "rename_labels":
                assert new.target == old.target
            if old.task not in OPERATIONS[name].tasks:
                assert new == old
            changed += new != old
    # Two labels cannot be fewer; one short review has no sentence to spare.
    assert changed > 0 or name == "drop_labels"


def test_it_is_deterministic_and_each_seed_gives_something_else() -> None:
    assert augment(EXAMPLES, 3) == augment(EXAMPLES, 3)
    assert len({tuple(augment(EXAMPLES, seed)) for seed in range(8)}) > 4


def test_what_happens_to_an_example_depends_on_no_other() -> None:
    for seed in range(5):
        together = augment(EXAMPLES, seed)
        assert augment(EXAMPLES[::-1], seed) == together[::-1]
        assert [augment([one], seed)[0] for one in EXAMPLES] == together


def test_without_operations_nothing_changes_and_a_wrong_name_is_refused() -> None:
    assert augment(EXAMPLES, 1, ()) == list(EXAMPLES)
    with pytest.raises(UsageError, match="no augmentation called 'reworm'"):
        augment(EXAMPLES, 1, ("reworm",))


def test_a_reworded_request_is_about_the_same_text_and_direction() -> None:
    for example in EXAMPLES:
        found = [reworded(example, random.Random(seed)) for seed in range(12)]
        texts = {one.input for one in found if one}
        assert len(texts) > 3, example.task
        before = parted(example)
        assert before is not None
        for text in texts:
            assert before.passage in text
            if example.task == "translation":
                assert understand.translation_direction(text) == ("en", "fr")
            if example.task == "qa":
                assert "When was the bridge opened?" in text


@pytest.mark.parametrize(
    "text",
    [
        "Summarize in three bullet points for my boss:\n\nThe council met on Monday. It closed the street.",
        "Translate into French, but keep it formal:\n\nThe library closes at nine tonight.",
        "Summarize with decisions and next steps:\n\nKim calls Joe. Joe writes the report by May.",
    ],
)
def test_a_particular_request_keeps_its_words(text: str) -> None:
    task = "translation" if "French" in text else "summarization"
    example = Example("x", task, text, "y", ("y",))
    assert reworded(example, random.Random(1)) is None


def test_a_length_that_was_asked_for_is_asked_for_again() -> None:
    text = "Summarize in at most 12 words:\n\nThe council met on Monday. It closed Mill Street to cars."
    example = Example("x", "summarization", text, "y", ("y",), lang="en")
    found = [reworded(example, random.Random(seed)) for seed in range(10)]
    assert any(found)
    assert all("12" in one.input for one in found if one)


def test_labels_without_a_meaning_of_their_own_keep_their_request() -> None:
    text = "Is the customer over forty? Answer A or B.\n\nI was born in 1950, long before the war."
    example = Example("x", "classification", text, "A", ("A",), labels=("A", "B"))
    assert reworded(example, random.Random(1)) is None
    assert relabelling.renamed(example, random.Random(1)) is None


def test_good_and_bad_are_a_sentiment_only_where_the_request_says_so() -> None:
    assert recognize(("good", "bad"), "Is the apple good or bad?") is None
    known = recognize(("good", "bad"), "Is this review good or bad?")
    assert known is not None
    assert known.kind.name == "sentiment"


def test_renamed_labels_and_target_go_together() -> None:
    names = {
        naming.labels for kind in kinds() if kind.name == "sentiment" for naming in kind.namings
    }
    seen = set()
    for seed in range(60):
        new = relabelling.renamed(sentiment(), random.Random(seed))
        if new is None:
            continue
        assert new.labels in names
        assert new.target == new.labels[1]
        assert new.references == (new.target,)
        listed = set(understand.labels_in(new.input))
        assert not listed or listed == set(new.labels)
        assert "negative" not in parted_request(new) or "negative" in new.labels
        seen.add(new.labels)
    assert len(seen) > 12


def parted_request(example: Example) -> str:
    found = parted(example)
    return found.request if found else example.input


def test_every_naming_has_a_label_a_class_and_no_stranger_among_them() -> None:
    for kind in kinds():
        sizes = {len(naming.labels) for naming in kind.namings}
        assert len(sizes) == 1, kind.name
        for naming in kind.namings:
            assert len(set(naming.labels)) == len(naming.labels), naming
            assert not set(naming.labels) & kind.all_strangers


def test_the_list_in_the_request_is_the_list_of_the_labels() -> None:
    labels = ("world", "sports", "business", "technology")
    text = "Topic? Choose one: world, sports, business, technology.\n\nThe striker scored twice. They won."
    example = Example("x", "classification", text, "sports", ("sports",), labels=labels)
    for change in (relabelling.shuffled, relabelling.with_fewer, relabelling.with_strangers):
        for seed in range(10):
            new = change(example, random.Random(seed))
            if new is not None:
                assert understand.labels_in(new.input) in (new.labels, ())
                assert "sports" in new.labels
                assert new.input.endswith("The striker scored twice. They won.")


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("good or bad?", ["good", "bad"], ["bad", "good"], "bad or good?"),
        ("good or bad?", ["good", "bad"], ["a", "b", "c"], "a, b or c?"),
        ("（甲、乙、丙）", ["甲", "乙", "丙"], ["丙", "甲"], "（丙、甲）"),
        ("甲还是乙？", ["甲", "乙"], ["丙", "甲", "乙"], "丙、甲还是乙？"),
        ("is it goodish?", ["good", "bad"], ["x", "y"], None),
        ("- a\n- b\n- c", ["a", "b", "c"], ["c", "a"], "- c\n- a"),
    ],
)
def test_a_list_is_exchanged_in_place(
    text: str, old: list[str], new: list[str], expected: str | None
) -> None:
    assert exchanged(text, old, new) == expected


def test_disorder_keeps_the_answer_of_a_question() -> None:
    for seed in range(60):
        (new,) = augment([question()], seed, ("noise", "shorten", "attack", "harmless_line"))
        assert "in March 1932" in new.input
        assert "When was the bridge opened?" in new.input


def test_typos_leave_numbers_names_and_the_first_letters_alone() -> None:
    text = "On 24 March the Wellington orchestra played yesterday evening's symphony."
    for seed in range(20):
        changed = noise.typos(text, random.Random(seed))
        assert changed != ""
        assert "24 March" in changed
        assert "Wellington" in changed
        assert abs(len(changed) - len(text)) <= 3


def test_a_passage_without_the_answer_stays_without_it() -> None:
    passage = "One. Two is here. Three follows. Four is next. Five comes last. Six ends it."
    for seed in range(10):
        short = around_answer(passage, REFUSALS[0], random.Random(seed))
        assert short in passage
        assert len(sentences(short)) >= 3


def test_sentences_joined_are_the_text() -> None:
    text = "He paid 3.50 euros. “Why?” she asked. 好的。走吧！\nEnd"
    assert "".join(sentences(text)) == text


def test_the_shipped_refusals_are_those_of_the_prompt() -> None:
    shown = {one.target for one in PROMPTS.get("qa").examples if "no_answer" in one.tags}
    assert shown == set(REFUSALS)


def test_a_planted_line_stands_whole_in_the_whole_passage() -> None:
    passage = "One is here. Two is there. Three is gone."
    for seed in range(30):
        rng = random.Random(seed)
        line = planting.attack("classification", passage, ["wrong"], rng)
        text = planting.planted(passage, line, rng)
        assert line in text
        assert "{" not in line.replace('{"', "")
        for sentence in ("One is here.", "Two is there.", "Three is gone."):
            assert sentence in text


def test_nothing_is_planted_into_texts_that_are_requests_themselves() -> None:
    text = "Which task is asked for in the message (qa, translation, chat)?\n\nTranslate hello to Thai."
    example = Example(
        "x",
        "classification",
        text,
        "translation",
        ("translation",),
        labels=("qa", "translation", "chat"),
    )
    for seed in range(20):
        assert augment([example], seed, ("attack", "harmless_line")) == [example]


def test_no_planted_line_is_one_of_the_injection_check() -> None:
    cases = " ".join(case.injected.lower() for case in read_cases(shipped_cases()))
    lines = planting._lines()
    every = [
        line for langs in lines["attacks"].values() for some in langs.values() for line in some
    ]
    every += [line for some in lines["harmless"].values() for line in some]
    assert len(every) > 100
    for line in every:
        bare = line.replace("{wrong}", "").lower().strip()
        assert len(bare) < 12 or bare not in cases
