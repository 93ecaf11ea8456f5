"""Classification: every label of a plan is scored, and the scores corrected by what was fitted.

The bare view shows the text alone and asks for its category, so that labels have no place in a list
that could be preferred. It costs a second, short prompt, and is scored only where a correction uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assistant import classification
from assistant.answering import Plan, Planner
from assistant.engine.base import CandidateScore, Engine
from assistant.types import Message

_BARE = {
    "zh": "文本：{text}\n\n用一个词说明这段文本的类别。",
    "en": "Text: {text}\n\nIn a word or two, what is the category of this text?",
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One probability a label, summing to 1; ``tokens`` is how many tokens of labels were scored."""

    chances: dict[str, float]
    tokens: int
    calibrated: bool

    @property
    def best(self) -> str:
        """The likeliest label."""
        return max(self.chances, key=lambda label: self.chances[label])


def classify(plan: Plan, planner: Planner, engine: Engine) -> Labelled:
    """Return the probabilities of the plan's labels, corrected where a correction fits."""
    labels = plan.request.labels
    scores = prompt_scores(plan, engine)
    calibration = planner.calibrations.find(
        engine.info.model, plan.choice.adapter, way_of(plan), labels
    )
    tokens = sum(score.tokens for score in scores)
    if calibration is None:
        return Labelled(classification.probabilities(labels, scores), tokens, False)
    views = [as_view(plan, scores)]
    if calibration.needs_bare:
        bare = bare_scores(plan, engine)
        views.append(as_view(plan, bare))
        tokens += sum(score.tokens for score in bare)
    return Labelled(calibration.corrected(views), tokens, True)


def prompt_scores(plan: Plan, engine: Engine) -> list[CandidateScore]:
    """Score the labels as the answer to the plan's prompt."""
    return engine.score(
        plan.messages, plan.request.labels, adapter=plan.choice.adapter, stable=plan.stable
    )


def bare_scores(plan: Plan, engine: Engine) -> list[CandidateScore]:
    """Score the labels as the category of the text, without listing them."""
    template = _BARE["zh" if plan.request.lang == "zh" else "en"]
    text = plan.request.passage or plan.request.text
    messages = [Message("user", template.replace("{text}", text))]
    return engine.score(messages, plan.request.labels, adapter=plan.choice.adapter)


def as_view(plan: Plan, scores: list[CandidateScore]) -> Mapping[str, float]:
    """Return the log-probability (nats) of each label."""
    return {label: score.logprob for label, score in zip(plan.request.labels, scores, strict=True)}


def way_of(plan: Plan) -> str:
    """Return what a correction depends on beside model, adapter and labels."""
    choice = plan.choice
    picked = "nearest" if choice.nearest else "fixed"
    return f"{choice.strategy}:{choice.shots}:{picked}@{plan.prompt_version}"
