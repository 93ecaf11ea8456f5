"""What a refinement trains on and is measured on: the user's feedback on one task, parted for good.

Also decides which method fits it: answers as they should be are learned from as they stand (SFT), choices
between two answers by preferring (DPO), bare thumbs by their sign (KTO). What says most about an answer
counts first: one that was written or rated good says how it should be, a choice only that one is better
than another, a bad thumb only that it should be different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.errors import UsageError
from assistant.training.examples import Collected, Judged, PreferencePair, SftExample
from assistant.training.frozen import is_held_out

Method = Literal["sft", "dpo", "kto"]

LEAST_TRAINED = 8
LEAST_HELD_OUT = 5
"""Fewer held-out answers cannot prove a gain, whatever it is (``evaluation.gate``)."""

Example = SftExample | PreferencePair | Judged


@dataclass(frozen=True, slots=True)
class Material:
    """What there is of one task.

    Attributes:
        why: why this method, in a sentence.
        trained: what is trained on, in the form that the method needs.
        held_out: answers as they should be that are only measured on.
        flagged: pieces of feedback left out until the user has looked at them.
    """

    task: str
    method: Method
    why: str
    trained: tuple[Example, ...]
    held_out: tuple[SftExample, ...]
    flagged: int

    @property
    def feedback_ids(self) -> tuple[int, ...]:
        """The feedback that is trained on, in order."""
        return tuple(sorted({number for one in self.trained for number in one.feedback_ids}))

    @property
    def conversation_ids(self) -> tuple[str, ...]:
        """The conversations that it comes from."""
        return tuple(sorted({one.conversation_id for one in self.trained if one.conversation_id}))

    @property
    def measured_conversation_ids(self) -> tuple[str, ...]:
        """The conversations that what is held out comes from."""
        return tuple(sorted({one.conversation_id for one in self.held_out if one.conversation_id}))

    @property
    def lacks(self) -> str:
        """What is missing for a refinement; ``""`` where nothing is."""
        trained, held = len(self.trained), len(self.held_out)
        signs = {one.desirable for one in self.trained if isinstance(one, Judged)}
        if len(signs) == 1:
            kind, more = ("good", "bad") if signs == {True} else ("bad", "good")
            return f"all {trained} answers to train on were rated {kind}: some {more} ones are needed too"
        if trained >= LEAST_TRAINED and held >= LEAST_HELD_OUT:
            return ""
        return (
            f"{trained} answers to train on (at least {LEAST_TRAINED} are needed) and {held} held out to "
            f"measure on (at least {LEAST_HELD_OUT})"
        )


def material(task: str, collected: Collected, method: Method | None = None) -> Material:
    """Return what there is of a task; ``method`` overrides the choice.

    Raises:
        UsageError: the method asked for has nothing to learn from.
    """
    written = [one for one in collected.sft if one.task == task]
    pairs = [one for one in collected.pairs if one.task == task]
    judged = [one for one in collected.judged if one.task == task]
    chosen, why = _method(task, _trained(written), _trained(pairs), _trained(judged))
    if method is not None and method != chosen:
        chosen, why = method, f"{method}, as asked for"
    kinds: dict[Method, Sequence[Example]] = {"sft": written, "dpo": pairs, "kto": judged}
    if method is not None and not kinds[method]:
        raise UsageError(
            f"There is no feedback on {task} for {method}.",
            "Leave --method out: what fits is chosen.",
        )
    flagged = sum(one.task == task for one in collected.flagged)
    return Material(
        task, chosen, why, tuple(_trained(kinds[chosen])), _held_out(written, pairs), flagged
    )


def _held_out(
    written: Sequence[SftExample], pairs: Sequence[PreferencePair]
) -> tuple[SftExample, ...]:
    """Return what is measured on: answers as they should be, else the better ones of two."""
    found = {one.input: one for one in written if is_held_out(one.input)}
    for pair in pairs:
        if is_held_out(pair.input) and pair.input not in found:
            found[pair.input] = SftExample(
                id=pair.id,
                task=pair.task,
                input=pair.input,
                context=pair.context,
                labels=pair.labels,
                lang=pair.lang,
                feedback_ids=pair.feedback_ids,
                conversation_id=pair.conversation_id,
                target=pair.chosen,
            )
    return tuple(found.values())


def _method(
    task: str,
    written: Sequence[Example],
    pairs: Sequence[Example],
    judged: Sequence[Example],
) -> tuple[Method, str]:
    """Return the method that fits what there is to train on, and why.

    A correction and an answer rated good are in ``written``; a correction is in ``pairs`` and twice in
    ``judged`` too. So what is only a choice, or only a bad thumb, is counted apart.
    """
    known = {number for one in written for number in one.feedback_ids}
    choices = [one for one in pairs if known.isdisjoint(one.feedback_ids)]
    bad = [one for one in judged if known.isdisjoint(one.feedback_ids)]
    if task == "classification":
        return "sft", "sft: a label is either right or not, and the right one is known"
    if len(choices) > len(written) and len(pairs) >= LEAST_TRAINED:
        return "dpo", (
            f"dpo: {_answers(len(choices), 'chosen')} over another one, "
            f"more than were written or rated good ({len(written)})"
        )
    if len(written) < LEAST_TRAINED and len(bad) > len(written):
        return "kto", (
            f"kto: {_answers(len(bad), 'only rated')} bad, "
            f"and too few written or rated good to learn from them alone ({len(written)})"
        )
    return (
        "sft",
        f"sft: {_answers(len(written), 'written')} or rated good, which says how it should be",
    )


def _answers(count: int, done: str) -> str:
    return f"1 answer was {done}" if count == 1 else f"{count} answers were {done}"


def _trained(items: Sequence[Example]) -> list[Example]:
    return [one for one in items if not is_held_out(one.input)]
