"""The model to take: the smallest that was measured to be about as good as the best that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.adapters.shelf import Look
from assistant.models.recommend import Recommendation
from assistant.recommendation import words
from assistant.recommendation.evidence import Evidence, gather
from assistant.recommendation.wish import Wish
from assistant.strategy import Chooser

MODEL_MARGIN = 2.0
"""Points (of 100) by which a larger model must be ahead to be worth its memory and its slowness.

A rule of thumb: twice what a dearer way of answering must be ahead by (``assistant.strategy``), as a
larger model costs more than a longer prompt. Intervals on some hundred examples are about as wide.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model, by size and speed in ``by_size``, and by what was measured of it, if anything."""

    by_size: Recommendation
    measured: tuple[Evidence, ...] = ()

    @property
    def name(self) -> str:
        return self.by_size.entry.name

    @property
    def compared(self) -> Evidence | None:
        """Return what can be compared with other models."""
        return next((one for one in self.measured if one.compared), None)


@dataclass(frozen=True, slots=True)
class Advice:
    """The recommendation.

    Attributes:
        models: all of them, the recommended first, those that do not fit last.
        recommended: ``None`` when none fits.
        by_measurement: whether measured quality decided, rather than size and expected speed.
        sentences: the reasons, for people.
    """

    models: tuple[Judged, ...]
    recommended: Judged | None
    by_measurement: bool
    sentences: tuple[str, ...]


def advise(
    ranked: Sequence[Recommendation],
    wish: Wish,
    chooser: Chooser,
    *,
    can_train: bool,
    look: Look | None = None,
) -> Advice:
    """Return which of the models to take, and why.

    ``ranked`` are the models by size and speed, best first; that order decides where fewer than two
    models were measured on the same data. ``can_train`` says whether this version trains adapters;
    ``look`` has those that are here.
    """
    fitting = [one for one in ranked if one.fits]
    names = [one.entry.name for one in fitting]
    evidence = gather(chooser, wish, names, look) if wish.task else {}
    judged = [Judged(one, evidence.get(one.entry.name, ())) for one in ranked]
    here = [one for one in judged if one.by_size.fits]
    if not here:
        return Advice(tuple(judged), None, False, (words.nothing_fits(ranked),))
    rivals = [one for one in here if _counts(one, wish)]
    by_measurement = len(rivals) > 1
    pick = _smallest_good(rivals) if by_measurement else here[0]
    sentences = [words.hardware(pick.by_size)]
    if by_measurement:
        sentences.append(_measured_sentence(pick, rivals, here[0], wish))
    else:
        sentences.append(words.by_size(wish, pick.measured))
    if wish.examples is not None:
        way = pick.measured[0].way if pick.measured else None
        sentences.append(words.examples(wish.task, wish.examples, way, can_train))
    rest = [one for one in judged if one is not pick]
    return Advice((pick, *rest), pick, by_measurement, tuple(sentences))


def _counts(one: Judged, wish: Wish) -> bool:
    """Return whether a model's measurements speak for or against it in the language wanted.

    What was measured in another language says little of a model that was not made for this one.
    """
    if one.compared is None:
        return False
    if wish.lang and one.compared.covers(wish.lang):
        return True
    return set(wish.languages) <= set(one.by_size.entry.languages)


def _smallest_good(rivals: Sequence[Judged]) -> Judged:
    """Return the smallest, which is the fastest, of those within the margin of the best."""
    top = max(_value(one) for one in rivals)
    near = [one for one in rivals if _value(one) >= top - MODEL_MARGIN]
    return min(
        near,
        key=lambda one: (one.by_size.entry.parameters, -_value(one), one.by_size.memory_bytes),
    )


def _value(one: Judged) -> float:
    return one.compared.value if one.compared else 0.0


def _measured_sentence(pick: Judged, rivals: Sequence[Judged], first: Judged, wish: Wish) -> str:
    assert pick.compared is not None
    best = max(rivals, key=_value)
    rival = None
    if best.compared and _value(best) > _value(pick):
        rival = (best.name, best.compared)
    unmeasured = first.name if first is not pick and not first.measured else None
    return words.measured(wish, pick.compared, len(rivals), rival, unmeasured, MODEL_MARGIN)
