"""Which method a refinement learns by, why, and what is missing: decided by the amount and kind of feedback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.errors import UsageError
from assistant.training.examples import Collected, Judged, PreferencePair, SftExample
from assistant.training.frozen import is_held_out
from assistant.training.material import LEAST_HELD_OUT, LEAST_TRAINED, Material, material


def inputs(count: int, held: bool = False, start: str = "Q") -> Iterator[str]:
    """Yield requests that are all trained on, or all held out."""
    number = found = 0
    while found < count:
        text = f"{start} {number}"
        number += 1
        if is_held_out(text) == held:
            found += 1
            yield text


class Said:
    """Feedback of every kind on one task, numbered as it comes."""

    def __init__(self, task: str = "qa") -> None:
        self.task = task
        self._number = 0
        self._sft: list[SftExample] = []
        self._pairs: list[PreferencePair] = []
        self._judged: list[Judged] = []

    def corrected(self, count: int, held: bool = False) -> Said:
        for text in inputs(count, held, "corrected"):
            number = (self._next(),)
            self._sft.append(
                SftExample(id="s", task=self.task, input=text, target="b", feedback_ids=number)
            )
            self._pair(text, number)
            self._judge(text, number, "a", good=False)
            self._judge(text, number, "b", good=True)
        return self

    def chosen(self, count: int, held: bool = False) -> Said:
        for text in inputs(count, held, "chosen"):
            self._pair(text, ())
        return self

    def rated(self, count: int, *, good: bool) -> Said:
        for text in inputs(count, start="good" if good else "bad"):
            number = (self._next(),)
            if good:
                self._sft.append(
                    SftExample(id="s", task=self.task, input=text, target="b", feedback_ids=number)
                )
            self._judge(text, number, "b", good=good)
        return self

    def collected(self) -> Collected:
        return Collected(tuple(self._sft), tuple(self._pairs), tuple(self._judged))

    def material(self) -> Material:
        return material(self.task, self.collected())

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _pair(self, text: str, number: tuple[int, ...]) -> None:
        self._pairs.append(
            PreferencePair(
                id="p", task=self.task, input=text, chosen="b", rejected="a", feedback_ids=number
            )
        )

    def _judge(self, text: str, number: tuple[int, ...], answer: str, *, good: bool) -> None:
        self._judged.append(
            Judged(
                id="j",
                task=self.task,
                input=text,
                answer=answer,
                desirable=good,
                feedback_ids=number,
            )
        )


@pytest.mark.parametrize(
    ("said", "method", "trained", "why"),
    [
        (Said().corrected(20), "sft", 20, "20 answers were written"),
        (Said().corrected(1), "sft", 1, "1 answer was written"),
        (Said().rated(20, good=True), "sft", 20, "20 answers were written or rated good"),
        # A correction is a pair and two judgements too, and yet it says how the answer should be.
        (Said().corrected(5), "sft", 5, "5 answers were written"),
        (Said().corrected(9).rated(40, good=False), "sft", 9, "9 answers were written"),
        (Said().chosen(20), "dpo", 20, "20 answers were chosen over another one"),
        (Said().corrected(4).chosen(6), "dpo", 10, "more than were written or rated good (4)"),
        (Said().corrected(9).chosen(30), "dpo", 39, "30 answers were chosen"),
        (Said().corrected(9).chosen(9), "sft", 9, "9 answers were written"),
        (Said().chosen(3), "sft", 0, "0 answers were written"),
        (Said().rated(5, good=True).rated(9, good=False), "kto", 14, "9 answers were only rated"),
        (Said().corrected(2).rated(9, good=False), "kto", 13, "only rated bad"),
        (Said().rated(5, good=True).rated(5, good=False), "sft", 5, "5 answers were written"),
        (Said("classification").chosen(20).corrected(3), "sft", 3, "a label is either right"),
    ],
)
def test_the_method_fits_the_feedback(said: Said, method: str, trained: int, why: str) -> None:
    found = said.material()
    assert (found.method, len(found.trained)) == (method, trained)
    assert found.why.startswith(f"{method}: ")
    assert why in found.why


def test_enough_is_trained_on_and_held_out() -> None:
    assert Said().corrected(LEAST_TRAINED).material().lacks
    enough = Said().corrected(LEAST_TRAINED).corrected(LEAST_HELD_OUT, held=True)
    assert not enough.material().lacks
    assert "7 answers to train on (at least 8 are needed)" in Said().corrected(7).material().lacks


def test_choices_are_measured_on_the_better_answer() -> None:
    found = Said().chosen(20).chosen(LEAST_HELD_OUT, held=True).material()
    assert not found.lacks
    assert {one.target for one in found.held_out} == {"b"}


@pytest.mark.parametrize(("good", "word"), [(True, "good"), (False, "bad")])
def test_thumbs_of_one_kind_are_not_enough(good: bool, word: str) -> None:
    said = Said().rated(20, good=good)
    lacks = material("qa", said.collected(), "kto").lacks
    assert f"all 20 answers to train on were rated {word}" in lacks
    if not good:
        assert said.material().lacks == lacks


def test_a_method_may_be_asked_for() -> None:
    said = Said().corrected(10)
    found = material("qa", said.collected(), "dpo")
    assert (found.method, found.why) == ("dpo", "dpo, as asked for")
    assert all(isinstance(one, PreferencePair) for one in found.trained)
    assert material("qa", said.collected(), "sft").why.startswith("sft: 10 answers")
    with pytest.raises(UsageError, match="no feedback on qa for dpo"):
        material("qa", Said().rated(9, good=True).collected(), "dpo")
