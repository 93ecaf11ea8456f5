"""Corrections of label probabilities: fitted, kept, found again, and used when texts are classified."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from assistant import calibration, config
from assistant.answering import AskOptions, Planner
from assistant.calibration import Calibration, Calibrations, fit
from assistant.engine.base import CandidateScore
from assistant.errors import UsageError
from assistant.evaluation.calibrate import calibrate
from assistant.evaluation.examples import Example
from assistant.label_scoring import classify, way_of
from assistant.paths import shipped
from assistant.prompts import Prompts
from assistant.strategy import Chooser
from assistant.testing import FakeEngine
from assistant.types import Choice, Message

LABELS = ("good", "bad")


def leaning(n: int = 200, seed: int = 1) -> tuple[list[list[dict[str, float]]], list[str]]:
    """Log-probabilities that always prefer "good" by 2 nats, and are too sure by a factor of 3."""
    rng = random.Random(seed)
    views, targets = [], []
    for _ in range(n):
        truth = rng.gauss(0, 1.5)
        targets.append("good" if rng.random() < 1 / (1 + math.exp(-truth)) else "bad")
        logit = 3 * truth + 2
        views.append([{"good": -math.log1p(math.exp(-logit)), "bad": -math.log1p(math.exp(logit))}])
    return views, targets


def fitted(views: list[list[dict[str, float]]], targets: list[str]) -> Calibration:
    return fit(views, targets, model="fake", adapter=None, way="w")


def test_a_preference_and_too_much_certainty_are_taken_out() -> None:
    views, targets = leaning()
    found = fitted(views, targets)
    assert found.weights[0] == pytest.approx(1 / 3, abs=0.1)
    assert found.bias["good"] - found.bias["bad"] == pytest.approx(-2 / 3, abs=0.35)
    assert found.accuracy[1] >= found.accuracy[0]
    assert found.ece[1] < found.ece[0] / 2
    assert (found.n, found.labels, found.needs_bare) == (200, ("bad", "good"), False)
    chances = found.corrected([{"good": math.log(0.9), "bad": math.log(0.1)}])
    assert sum(chances.values()) == pytest.approx(1)
    assert chances["good"] < 0.9


def test_the_bare_view_is_taken_where_it_knows_more() -> None:
    views, targets = leaning(300)
    rng = random.Random(3)
    for view, target in zip(views, targets, strict=True):
        right = 0.9 if rng.random() < 0.9 else 0.1
        chance = right if target == "good" else 1 - right
        view.append({"good": math.log(chance), "bad": math.log(1 - chance)})
    found = fitted(views, targets)
    assert found.needs_bare
    assert found.accuracy[1] > fitted([view[:1] for view in views], targets).accuracy[1]


def test_what_cannot_be_fitted_says_why() -> None:
    views, targets = leaning(20)
    with pytest.raises(ValueError, match="too few"):
        fitted(views, targets)
    views, targets = leaning(40)
    views[3] = [{"good": -1.0, "ugly": -1.0}]
    with pytest.raises(ValueError, match="different label sets"):
        fitted(views, targets)


def test_they_are_kept_and_found_again(tmp_path: Path) -> None:
    views, targets = leaning()
    found = fitted(views, targets)
    file = tmp_path / "below" / "calibrations.json"
    assert calibration.read(file) == []
    calibration.write(file, [found, found])
    assert calibration.read(file) == [found]
    rows = Calibrations(calibration.read(file))
    assert rows.find("fake", None, "w", ["Bad", "good"]) == found
    assert rows.find("fake", None, "other", LABELS) is None
    assert rows.find("fake", "mine", "w", LABELS) is None
    assert rows.find("another", None, "w", LABELS) is None
    assert rows.find("fake", None, "w", ["good", "bad", "neutral"]) is None


class Biased(FakeEngine):
    """Scores "good" higher than "bad" by two nats; the bare prompt knows better."""

    def score(self, messages, candidates, *, adapter=None, stable=0):  # type: ignore[no-untyped-def]
        self.calls.append(tuple(messages))
        bare = len(messages) == 1
        text = messages[-1].content
        lean = {"good": 0.0, "bad": -2.0}
        if bare or "awful" in text:
            lean = {"good": -3.0, "bad": -0.1} if "awful" in text else {"good": -0.1, "bad": -3.0}
        if not bare and "awful" in text:
            lean = {"good": 0.0, "bad": -1.0}
        return [CandidateScore(lean[name], 1, (lean[name],)) for name in candidates]


def planner(rows: list[Calibration] | None = None) -> Planner:
    return Planner(
        Prompts.load(shipped("prompts")),
        config.load(),
        Chooser(),
        calibrations=Calibrations(rows or []),
    )


def examples(n: int = 40) -> list[Example]:
    return [
        Example(
            str(i),
            "classification",
            f"Good or bad? Review {i}: {'awful' if i % 2 else 'lovely'}",
            LABELS[i % 2],
            (LABELS[i % 2],),
            labels=LABELS,
            lang="en",
        )
        for i in range(n)
    ]


def test_a_fit_changes_what_is_answered_from_then_on() -> None:
    engine, rows = Biased(), examples()
    before = planner()
    options = AskOptions(labels=LABELS)
    plan = before.plan(rows[1].input, "classification", options, engine)
    plain = classify(plan, before, engine)
    assert (plain.best, plain.calibrated) == ("good", False)
    found = calibrate(rows, before, engine, AskOptions())
    assert [one.way for one in found] == [way_of(plan)]
    assert found[0].accuracy == (50.0, 100.0)
    after = planner(found)
    corrected = classify(
        after.plan(rows[1].input, "classification", options, engine), after, engine
    )
    assert (corrected.best, corrected.calibrated) == ("bad", True)
    assert sum(corrected.chances.values()) == pytest.approx(1)


def test_the_bare_prompt_holds_the_text_and_no_label() -> None:
    engine, rows = Biased(), examples()
    calibrate(rows, planner(), engine, AskOptions())
    bare = [call for call in engine.calls if len(call) == 1]
    assert len(bare) == 2 * len(rows)  # to choose among the labels, and to score each
    assert all("Labels" not in call[0].content for call in bare)
    assert bare[2][0] == Message("user", bare[2][0].content)
    assert "awful" in bare[2][0].content


def test_too_few_examples_are_an_error_that_says_how_many_are_needed() -> None:
    with pytest.raises(UsageError, match="30 examples"):
        calibrate(examples(10), planner(), Biased(), AskOptions())


def test_one_target_alone_teaches_nothing() -> None:
    """A fit to it would prefer that label in every later turn."""
    rows = [one for one in examples(80) if one.target == "good"]
    assert len(rows) >= 30
    with pytest.raises(UsageError, match="two targets"):
        calibrate(rows, planner(), Biased(), AskOptions())


def test_a_correction_belongs_to_the_adapter_that_was_chosen() -> None:
    class Adapted(Chooser):
        def choose(self, task: str, **_: object) -> Choice:
            return Choice("adapter", "measured best", adapter="mood-1")

    made = Planner(Prompts.load(shipped("prompts")), config.load(), Adapted())
    (found,) = calibrate(examples(), made, Biased(), AskOptions())
    assert found.adapter == "mood-1"
    after = Planner(made.prompts, made.settings, Adapted(), calibrations=Calibrations([found]))
    plan = after.plan(
        examples()[1].input, "classification", AskOptions(labels=LABELS), engine := Biased()
    )
    assert classify(plan, after, engine).calibrated


def test_the_digest_of_corrections_changes_with_what_they_say_and_not_with_their_order() -> None:
    one = Calibration("m", None, "w", ("a", "b"), (1.0,), {"a": 0.0, "b": 0.1}, 40)
    other = replace(one, way="v")
    assert Calibrations([one, other]).digest == Calibrations([other, one]).digest
    changed = replace(one, bias={"a": 0.0, "b": 0.2})
    assert Calibrations([one]).digest != Calibrations([changed]).digest != Calibrations().digest
