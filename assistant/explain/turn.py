"""A turn's own record, told in words: why this route, why this strategy, what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assistant.classification import ranked, unsure
from assistant.router.router import Reasons
from assistant.types import Route, Turn

_DECIDERS = {
    "model": "decided by a classifier on the model's own hidden state",
    "light": "decided by character n-grams (no model, or none trained for it, was there)",
    "forced": "chosen by you",
    "asked": "you said so when asked",
}
_SHOWN_PARTS = 8
_LEAST_EFFECT = 0.1
_LONGEST_PART = 60


def explain_turn(turn: Turn, reasons: Reasons | None = None) -> str:
    """Return Markdown that explains ``turn``: from what was stored with it, and ``reasons`` found now."""
    return "\n".join(_lines(turn, reasons))


def unsure_note(chances: Mapping[str, float]) -> str:
    """Return what to say of labels that are not sure: the two likeliest, with their chances."""
    best = (f"{' '.join(label.split())} {chance:.0%}" for label, chance in ranked(chances)[:2])
    return f"Not sure: {', '.join(best)}."


def _lines(turn: Turn, reasons: Reasons | None) -> Iterator[str]:
    if turn.route is None:
        yield "This turn was stopped before it was routed."
        return
    yield from _route(turn.route)
    if reasons is not None:
        yield from _reasons(turn.route, reasons)
    if turn.choice is not None:
        yield f"**Strategy: {turn.choice.strategy.replace('_', '-')}** because {turn.choice.reason}."
        yield ""
        if turn.choice.personal:
            numbers = ", ".join(map(str, turn.choice.personal))
            yield f"Your own answers stood in front as examples (feedback {numbers}):"
            yield ""
            for request, answer in _personal_shots(turn):
                yield f"- “{_shown(request)}” → “{_shown(answer)}”"
            yield ""
    if turn.probabilities:
        yield from _labels(turn.probabilities, turn.choice.model_labels if turn.choice else None)
        if unsure(turn.probabilities):
            yield unsure_note(turn.probabilities)
            yield ""
    shots = sum(message.role == "user" for message in turn.sent) - 1
    yield (
        f"Sent: {turn.usage.prompt_tokens} tokens in {len(turn.sent)} messages "
        f"({max(0, shots)} earlier exchanges or examples in front), prompt {turn.prompt_version}, "
        f"model {turn.model}."
    )
    if turn.left_out_turns:
        yield f"{turn.left_out_turns} earlier turns did not fit the window and were left out."


def _labels(chances: Mapping[str, float], alone: Mapping[str, float] | None) -> Iterator[str]:
    """Tell the labels' probabilities, beside those of the model alone where the user's word is in them."""
    yield "| label | probability |" + (" the model alone |" if alone else "")
    yield "|---|---|" + ("---|" if alone else "")
    for label, chance in ranked(chances):
        before = f" {alone.get(label, 0.0):.1%} |" if alone else ""
        yield f"| {_shown(label)} | {chance:.1%} |{before}"
    yield ""


def _personal_shots(turn: Turn) -> Iterator[tuple[str, str]]:
    """Yield request and answer of the examples that were the user's own."""
    if turn.choice is None:
        return
    at = turn.choice.personal_at
    own = turn.sent[at : at + 2 * len(turn.choice.personal)]
    yield from ((one.content, two.content) for one, two in zip(own[::2], own[1::2], strict=False))


def _route(route: Route) -> Iterator[str]:
    yield f"**Task: {route.task}** ({route.confidence:.0%}), {_DECIDERS[route.source]}."
    yield ""
    yield "| task | probability |"
    yield "|---|---|"
    for task, score in sorted(route.scores.items(), key=lambda item: -item[1]):
        yield f"| {task} | {score:.1%} |"
    yield ""


def _reasons(route: Route, reasons: Reasons) -> Iterator[str]:
    """Tell which parts of the turn spoke for and against its task, and what was learned before."""
    now = reasons.route
    if now.task != route.task and route.source != "asked":
        yield f"Read again now, it would be **{now.task}** ({now.confidence:.0%}): the router has learned."
        yield ""
    task = now.task
    told = [part for part in reasons.parts if abs(part.for_task(task)) >= _LEAST_EFFECT]
    if told:
        yield f"What each part does for **{task}** (log-odds with it, less those without it):"
        yield ""
        yield "| part | effect | and for |"
        yield "|---|---:|---|"
        for part in told[:_SHOWN_PARTS]:
            yield f"| {_shown(part.text)} | {part.for_task(task):+.1f} | {_gainer(part.effects, task)} |"
        yield ""
    for lesson, share in reasons.lessons[:3]:
        yield f"{share:.0%} of the decision is what you taught for {lesson.task}: “{_shown(lesson.text)}”"
        yield ""


def _gainer(effects: dict[str, float], task: str) -> str:
    """Return which other task the part speaks for the most, if any."""
    others = {name: effect for name, effect in effects.items() if name != task}
    if not others:
        return ""
    best = max(others, key=lambda name: others[name])
    return f"{best} {others[best]:+.1f}" if others[best] >= _LEAST_EFFECT else ""


def _shown(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= _LONGEST_PART else f"{line[: _LONGEST_PART - 1]}…"
