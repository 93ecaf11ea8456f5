"""A turn's own record, told in words: why this route, why this strategy, what was sent."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.types import Turn

_DECIDERS = {
    "model": "a classifier on the model's own hidden state",
    "light": "character n-grams (no model, or none trained for it, was there)",
    "forced": "you: the task was chosen by hand",
}


def explain_turn(turn: Turn) -> str:
    """Return Markdown that explains ``turn`` from what was stored with it."""
    return "\n".join(_lines(turn))


def _lines(turn: Turn) -> Iterator[str]:
    if turn.route is None:
        yield "This turn was stopped before it was routed."
        return
    yield f"**Task: {turn.route.task}** ({turn.route.confidence:.0%}), decided by "
    yield f"{_DECIDERS[turn.route.source]}."
    yield ""
    yield "| task | probability |"
    yield "|---|---|"
    for task, score in sorted(turn.route.scores.items(), key=lambda item: -item[1]):
        yield f"| {task} | {score:.1%} |"
    yield ""
    if turn.choice is not None:
        yield f"**Strategy: {turn.choice.strategy.replace('_', '-')}** because {turn.choice.reason}."
        yield ""
    if turn.probabilities:
        yield "| label | probability |"
        yield "|---|---|"
        for label, chance in sorted(turn.probabilities.items(), key=lambda item: -item[1]):
            yield f"| {label} | {chance:.1%} |"
        yield ""
    shots = sum(message.role == "user" for message in turn.sent) - 1
    yield (
        f"Sent: {turn.usage.prompt_tokens} tokens in {len(turn.sent)} messages "
        f"({max(0, shots)} earlier exchanges or examples in front), prompt {turn.prompt_version}, "
        f"model {turn.model}."
    )
    if turn.left_out_turns:
        yield f"{turn.left_out_turns} earlier turns did not fit the window and were left out."
