"""A recommendation in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.models.recommend import Recommendation, free_licence
from assistant.recommendation.evidence import Evidence
from assistant.recommendation.wish import Wish

# How many labelled examples are good for what. Rules of thumb, not measured here. The first: a prompt
# shows four to eight examples, and with fewer than that there is nothing to choose from. The second:
# Le Scao and Rush (2021, "How Many Data Points is a Prompt Worth?") found a prompt to be worth up to
# some hundreds of training examples, so training begins to pay at about that number.
FEW_EXAMPLES = 8
MANY_EXAMPLES = 200


def nothing_fits(ranked: Sequence[Recommendation]) -> str:
    """Say that memory suffices for no model, and what the smallest needs."""
    if not ranked:
        return "There is no model to choose from."
    smallest = min(ranked, key=lambda one: one.memory_bytes)
    return (
        f"No model fits: the smallest, {smallest.entry.name}, {smallest.memory}. "
        "Close other programs, or see with --memory what more would allow."
    )


def hardware(one: Recommendation) -> str:
    """Say that a model fits, how fast it should be, and what binds its use."""
    terms = "" if free_licence(one.entry) else f"; its licence has terms: {one.entry.licence}"
    return (
        f"{one.entry.name} fits this machine ({one.memory}) and should write about "
        f"{one.tokens_per_s:.0f} tokens a second{terms}."
    )


def measured(
    wish: Wish,
    own: Evidence,
    compared: int,
    best: tuple[str, Evidence] | None,
    unmeasured: str | None,
    margin: float,
) -> str:
    """Say how good the recommended model was measured to be beside the others.

    Args:
        compared: how many models were measured on the same data.
        best: name and figures of the best one, ``None`` when it is the recommended one itself.
        unmeasured: a model that size and speed would put first, of which nothing was measured.
    """
    text = f"{_purpose(wish)} it reached {figures(own)}{_elsewhere(wish, own)}"
    if best is None:
        text += f", the best of the {compared} models measured that fit"
    else:
        name, other = best
        text += (
            f"; the best of the {compared} measured that fit, {name}, reached {other.value:.1f}, "
            f"and a lead of no more than {margin:g} points is not worth a larger model"
        )
    if unmeasured:
        text += f" ({unmeasured}, first by size and speed, was not measured)"
    return f"{text}."


def by_size(wish: Wish, alone: Sequence[Evidence]) -> str:
    """Say that size and speed decided, and why."""
    if wish.task is None:
        return "It was chosen by size and expected speed alone; name a --task to go by what was measured."
    text = (
        f"{_purpose(wish)} no two models that fit and suit it were measured on the same data, so size and "
        "expected speed decided, which is a rougher guide"
    )
    if alone:
        text += f"; by itself it reached {figures(alone[0])}{_elsewhere(wish, alone[0])}"
    return f"{text}."


def figures(one: Evidence) -> str:
    """Return a value with its interval, number of examples, way and data."""
    data = ", ".join(name for name in one.data if name) or "unnamed data"
    if one.own:
        data = f"your own data ({data})"
    return (
        f"{one.metric} {one.value:.1f} (95 % interval {one.low:.1f} to {one.high:.1f}, "
        f"n = {one.n}) with {one.way} on {data}"
    )


def examples(task: str | None, count: int, way: str | None, can_train: bool) -> str:
    """Say what so many labelled examples allow, as a rule of thumb.

    ``way`` is the best measured way of answering, ``None`` when there is none.
    """
    have = f"{count} example{'' if count == 1 else 's'} of your own"
    for_task = f"--task {task or 'T'}"
    if count < FEW_EXAMPLES:
        ships = f"{way}, the best measured" if way else "zero-shot or with the prompt that ships"
        return f"With {have} (fewer than {FEW_EXAMPLES}, a rule of thumb) use it as it is: {ships}."
    few_shot = (
        "answer few-shot: put some into a prompt file, the rest into a file to measure on "
        f"(assistant eval {for_task} --strategy few_shot --nearest --data FILE)"
    )
    if task == "chat":
        few_shot = "collect more, since chat is answered without examples in the prompt"
    if count < MANY_EXAMPLES:
        rule = f"training pays from about {MANY_EXAMPLES} on, as a rule of thumb"
        return f"With {have}, {few_shot}; {rule}."
    if can_train:
        return (
            f"With {have} (about {MANY_EXAMPLES} or more, a rule of thumb) train an adapter: "
            f"assistant train {for_task} --data FILE."
        )
    if task == "chat":
        few_shot = "keep them"
    return (
        f"With {have} (about {MANY_EXAMPLES} or more, a rule of thumb) an adapter could be trained, "
        f"but `assistant train` comes with a later version; until then, {few_shot}."
    )


def _purpose(wish: Wish) -> str:
    if wish.task == "translation" and "-" in wish.lang:
        return f"For translation {wish.lang}"
    spoken = wish.lang or ", ".join(wish.languages)
    return f"For {wish.task} in {spoken}" if spoken else f"For {wish.task}"


def _elsewhere(wish: Wish, one: Evidence) -> str:
    """Return a remark where another language was measured than the one asked for."""
    if not wish.lang or one.covers(wish.lang):
        return ""
    langs = ", ".join(lang or "a mixture of languages" for lang in one.langs)
    return f" (measured in {langs}, not in {wish.lang})"
