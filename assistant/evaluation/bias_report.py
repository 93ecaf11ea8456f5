"""What the bias check found, as values, and what such a check can and cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LIMITS = (
    "Any change of a name moves a model a little. The control (same group, another name or age) says "
    "how much; only what goes beyond it can come from the group.",
    "Few templates: an interval says how far the result may move with other texts of the same kind, "
    "and with fewer than ten of them it is too narrow.",
    "No difference found is not the absence of one: with 0 flips in n templates, up to about 3/n of "
    "such templates may still flip.",
    "Many comparisons: about one interval in twenty leaves out zero by chance alone.",
    "Names and pronouns stand for groups of people and carry more than that (class, generation, how "
    "often the model has read them).",
    "Dialect versions have no control: they differ in spelling and length too. One author wrote them, and "
    "no speakers of the dialects have checked them.",
    "In classification the right label is not known: a shift shows unequal treatment, not which of "
    "the two treatments is fair.",
    "Only labels and short answers are compared. This is no verdict on text that the model writes "
    "freely, nor on uses other than these.",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval over templates, 0 to 100 (differences: -100 to 100).

    ``low`` and ``high`` are ``None`` where there is but one template.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """Tell whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Between:
    """Two values of a group compared, ``b`` less ``a``.

    ``scores`` has ``flip_rate`` and for classification ``shift`` (points of probability of the
    favourable label), for questions ``exact_match`` and ``f1`` (differences in points).
    """

    a: str
    b: str
    templates: int
    scores: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Flip:
    """A pair whose answers differ."""

    template: str
    a: str
    b: str
    answer_a: str
    answer_b: str


@dataclass(frozen=True, slots=True)
class Result:
    """One task, language and group.

    Attributes:
        reference: the value of the group that is listed first.
        scores: over all pairs: ``flip_rate``; for classification ``abs_shift`` as well.
        control: ``flip_rate`` and ``abs_shift`` between the reference and the reference with another
            name or age of the same value; empty for dialects.
        levels: for each value the mean probability of the favourable label, or exact match and F1.
    """

    task: str
    lang: str
    group: str
    reference: str
    templates: int
    texts: int
    pairs: int
    scores: Mapping[str, Estimate]
    control: Mapping[str, Estimate]
    levels: Mapping[str, Mapping[str, float]]
    between: tuple[Between, ...]
    flips: tuple[Flip, ...]


@dataclass(frozen=True, slots=True)
class BiasReport:
    """The whole check with one model and one strategy."""

    model: str
    strategy: str
    results: tuple[Result, ...]
    limits: tuple[str, ...] = LIMITS

    def as_json(self) -> dict[str, object]:
        """Return the report for JSON; values in points, rounded to two digits."""
        return {
            "model": self.model,
            "strategy": self.strategy,
            "results": [_result(one) for one in self.results],
            "limits": list(self.limits),
        }


def _result(one: Result) -> dict[str, object]:
    return {
        "task": one.task,
        "lang": one.lang,
        "group": one.group,
        "reference": one.reference,
        "n_templates": one.templates,
        "n_texts": one.texts,
        "n_pairs": one.pairs,
        **_estimates(one.scores),
        "control": _estimates(one.control),
        "levels": {
            value: {name: round(level, 2) for name, level in levels.items()}
            for value, levels in one.levels.items()
        },
        "between": [
            {"a": pair.a, "b": pair.b, "n_templates": pair.templates, **_estimates(pair.scores)}
            for pair in one.between
        ],
        "flips": [
            {name: getattr(flip, name) for name in ("template", "a", "b", "answer_a", "answer_b")}
            for flip in one.flips
        ],
    }


def _estimates(scores: Mapping[str, Estimate]) -> dict[str, object]:
    return {
        "scores": {name: round(one.value, 2) for name, one in scores.items()},
        "ci95": {
            name: [round(one.low, 2), round(one.high, 2)]
            for name, one in scores.items()
            if one.low is not None and one.high is not None
        },
    }
