"""What the user said of labels changes the next text at once, and little else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant import config
from assistant.answering import AskOptions
from assistant.own_labels import TRUST, OwnLabels, fit
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.session import Session
from assistant.store.labelled import LabelledText, Said
from assistant.store.store import Store
from assistant.testing import FakeEngine, FakeRouter, ready_loader
from assistant.types import Turn

EVEN = {"A": 0.5, "B": 0.5}
SURE_OF_A = {"A": 0.95, "B": 0.05}


def points_by_word(
    turns: Sequence[tuple[str, str | None]], _engine: object = None, most: int = 99
) -> list[Any]:
    """Each word is an axis of its own."""
    axes = ["cat", "dog", "car", "bus", "tree"]
    found = []
    for text, _ in turns:
        point = np.array([float(word in text) for word in axes], dtype=np.float32)
        found.append(point / max(1.0, float(np.linalg.norm(point))))
    return found


def texts(*rows: tuple[str, str, Said], model: dict[str, float] = EVEN) -> list[LabelledText]:
    return [LabelledText(text, label, model, said) for text, label, said in rows]


def learner(rows: list[LabelledText]) -> OwnLabels:
    return OwnLabels(lambda: rows, points_by_word)


def test_a_correction_moves_texts_like_it_and_leaves_others_alone() -> None:
    own = learner(texts(("a cat", "B", "corrected")))
    near = own.weigh("the cat", EVEN, None)
    assert near.chances["B"] > 0.55
    assert near.texts == 1
    assert own.weigh("the dog", EVEN, None).chances == pytest.approx(EVEN)
    assert sum(near.chances.values()) == pytest.approx(1.0)


def test_many_that_agree_outvote_a_sure_model_and_one_does_not() -> None:
    one = learner(texts(("a cat 1", "B", "corrected"), model=SURE_OF_A))
    assert one.weigh("the cat", SURE_OF_A, None).chances["A"] > 0.5
    rows = [(f"a cat {n}", "B", "corrected") for n in range(12)]
    many = learner(texts(*rows, model=SURE_OF_A))  # type: ignore[arg-type]
    assert many.weigh("the cat", SURE_OF_A, None).chances["B"] > 0.5


def test_what_was_seen_and_let_stand_holds_corrections_back() -> None:
    wrong = [("a cat 1", "B", "corrected"), ("a cat 2", "B", "corrected")]
    stood = [(f"a cat {n}", "A", "unsaid") for n in range(10, 20)]
    alone = learner(texts(*wrong, model=SURE_OF_A))  # type: ignore[arg-type]
    beside = learner(texts(*wrong, *stood, model=SURE_OF_A))  # type: ignore[arg-type]
    held, free = (one.weigh("the cat", SURE_OF_A, None) for one in (beside, alone))
    assert held.chances["B"] < free.chances["B"]
    assert held.texts == 2  # it says how many of the user's words are in it


def test_nothing_happens_before_anything_was_said() -> None:
    own = learner(texts(("a cat", "A", "unsaid"), ("a dog", "B", "unsaid")))
    assert own.weigh("the cat", SURE_OF_A, None).chances == SURE_OF_A
    assert own.weigh("the cat", SURE_OF_A, None).texts == 0
    assert learner([]).weigh("the cat", SURE_OF_A, None).texts == 0


def test_this_very_text_gets_the_label_it_was_given_unless_answers_are_measured() -> None:
    own = learner(texts(("a cat", "B", "corrected"), model=SURE_OF_A))
    again = own.weigh(" A  cat", SURE_OF_A, None)
    assert again.chances["B"] >= 0.95
    assert sum(again.chances.values()) == pytest.approx(1.0)
    assert own.weigh("a cat", SURE_OF_A, None, same=False).texts == 0
    twice = learner(texts(("a cat", "B", "corrected"), ("a cat", "A", "corrected")))
    assert twice.weigh("a cat", EVEN, None).chances["A"] >= 0.95  # the last word counts


def test_labels_are_compared_as_people_write_them_and_sets_as_a_whole() -> None:
    rows = texts(("a cat 1", " b ", "corrected"), ("a cat 2", "none of these", "corrected"))
    weighed = learner(rows).weigh("the cat", {"B": 0.5, "a": 0.5}, None)
    assert weighed.texts == 1
    assert weighed.chances["B"] > 0.5
    assert learner(rows).weigh("the cat", {"A": 0.5, "B": 0.3, "C": 0.2}, None).texts == 0


def test_texts_that_were_not_read_yet_are_left_for_later() -> None:
    read: list[int] = []

    def some(turns: Sequence[tuple[str, str | None]], _engine: object, most: int) -> list[Any]:
        read.append(most)
        return [*points_by_word(turns[:2]), *(None for _ in turns[2:])]

    rows = texts(("a cat 1", "B", "corrected"), ("a cat 2", "B", "corrected"))
    weighed = OwnLabels(lambda: rows, some).weigh("the cat", EVEN, None)
    assert (weighed.texts, read) == (1, [24])
    nothing = OwnLabels(lambda: rows, lambda turns, _e, _m: [None] * len(turns))
    assert nothing.weigh("the cat", EVEN, None).chances == EVEN


def test_the_fit_is_a_minimum_of_the_penalized_loss() -> None:
    rows = texts(("a cat 1", "B", "corrected"), ("a dog 1", "A", "good"), ("car", "B", "unsaid"))
    points = np.array(points_by_word([(row.text, None) for row in rows]), dtype=np.float64)
    kernel = points @ points.T
    found = fit(["A", "B"], rows, kernel)

    def loss(weights: Any) -> float:
        logits = np.log(0.5) + kernel @ weights
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        right = chances[[0, 1, 2], [1, 0, 1]]
        return float(-TRUST * np.log(right).sum() + 0.5 * (weights * (kernel @ weights)).sum())

    rng = np.random.default_rng(0)
    for _ in range(20):
        assert loss(found) <= loss(found + 0.01 * rng.standard_normal(found.shape)) + 1e-9


# -- in a session ----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "a.db") as opened:
        yield opened


def session_on(store: Store) -> Session:
    return Session(
        store,
        ready_loader(FakeEngine()),
        FakeRouter({"": "classification"}),
        Prompts.load(shipped("prompts")),
        config.load(),
        own_labels=OwnLabels(store.labelled_texts, points_by_word),
    )


def ask(session: Session, text: str, **options: Any) -> Turn:
    given = AskOptions(task="classification", labels=("A", "B"), **options)
    *_, last = session.ask(text, options=given)
    return last.turn  # type: ignore[union-attr]


def test_a_correction_counts_from_the_next_text_on_and_goes_when_it_is_undone(store: Store) -> None:
    session = session_on(store)
    first = ask(session, "one cat")
    assert first.choice is not None
    assert first.choice.model_labels is None
    other = next(label for label in ("A", "B") if label != first.answer)
    number = session.correct(first.id, other).id
    turn = ask(session, "one cat")
    assert turn.answer == other
    assert turn.choice is not None
    assert "weighed with a label of yours" in turn.choice.reason
    assert turn.choice.model_labels == pytest.approx(first.probabilities)
    assert turn.choice.personal == ()
    again = store.turn(turn.id)
    assert again.choice == turn.choice
    measured = ask(session, "one cat", personal=True)
    assert measured.answer == first.answer
    assert ask(session, "one cat", personal=False).answer == first.answer
    store.remove_feedback(number)
    assert ask(session, "one cat").answer == first.answer


def test_what_the_store_knows_of_labels(store: Store) -> None:
    session = session_on(store)
    turns = [ask(session, f"text {n}") for n in range(4)]
    other = "A" if turns[0].answer == "B" else "B"
    session.correct(turns[0].id, other)
    session.rate(turns[1].id, "good")
    session.rate(turns[2].id, "bad")
    found = {row.text: (row.label, row.said) for row in store.labelled_texts()}
    assert found == {
        "text 0": (other, "corrected"),
        "text 1": (turns[1].answer, "good"),
        "text 3": (turns[3].answer, "unsaid"),
    }
    weighed = ask(session, "text 0")
    row = store.labelled_texts()[-1]
    assert row.model == pytest.approx(turns[0].probabilities)  # the model's, not the weighed
    assert weighed.probabilities != pytest.approx(turns[0].probabilities)
