"""Feedback as training data: what to answer, which answer is better, which one was wanted. No torch.

The last word on each turn counts (``judgements``). What may not be used as it is, is flagged (``flags``);
the rest becomes examples (``pairing``); those that say the same are merged, and no label of a
classification may drown the others (``thinning``). The same feedback always gives the same data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.store.preferences import Preference
from assistant.training.example_file import training_file
from assistant.training.example_types import (
    Counts,
    Example,
    Flagged,
    Judged,
    Merged,
    PreferencePair,
    SftExample,
)
from assistant.training.flags import flagged_pairs, flagged_words
from assistant.training.judgements import Word, last_words
from assistant.training.pairing import correction, judged, regenerations, side_by_side, target
from assistant.training.thinning import merged, within_balance
from assistant.types import Feedback

__all__ = [
    "Collected",
    "Counts",
    "Example",
    "Flagged",
    "Judged",
    "Merged",
    "PreferencePair",
    "SftExample",
    "collect",
    "training_file",
]


@dataclass(frozen=True, slots=True)
class Collected:
    """All training data that feedback gives, oldest first, and what was left out of it.

    Attributes:
        merged: what said the same as an example that is used.
        flagged: what waits for the user to look at it, by the number of the feedback.
        surplus: examples whose label has too many of them.
    """

    sft: tuple[SftExample, ...] = ()
    pairs: tuple[PreferencePair, ...] = ()
    judged: tuple[Judged, ...] = ()
    merged: tuple[Merged, ...] = ()
    flagged: tuple[Flagged, ...] = ()
    surplus: tuple[Example, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the tasks that there is anything for, by name."""
        every = (*self.sft, *self.pairs, *self.judged, *self.merged, *self.flagged, *self.surplus)
        return tuple(sorted({one.task for one in every}))

    def of(self, task: str) -> Collected:
        """Return what there is for one task."""
        return Collected(
            tuple(one for one in self.sft if one.task == task),
            tuple(one for one in self.pairs if one.task == task),
            tuple(one for one in self.judged if one.task == task),
            tuple(one for one in self.merged if one.task == task),
            tuple(one for one in self.flagged if one.task == task),
            tuple(one for one in self.surplus if one.task == task),
        )

    def counts(self) -> tuple[Counts, ...]:
        """Return how much there is, one row a task."""
        return tuple(_counts(task, self.of(task)) for task in self.tasks)


def collect(
    feedback: Iterable[Feedback],
    preferences: Iterable[Preference],
    *,
    task: str | None = None,
    include_flagged: bool = False,
) -> Collected:
    """Turn feedback and side-by-side choices into training data.

    Args:
        task: only the data for this task.
        include_flagged: let pass what holds something private (it is reported all the same). What
            contradicts itself or has no label to learn stays out: judge it again, or take it back.
    """
    items = list(feedback)
    words = [word for word in last_words(items) if task in (None, word.task)]
    chosen = [one for one in side_by_side(list(preferences), items) if task in (None, one.task)]
    flagged = [*flagged_words(words), *flagged_pairs(chosen)]
    barred = [flag for flag in flagged if not (include_flagged and flag.may_pass)]
    numbers = {flag.feedback_id for flag in barred}
    choices = {flag.preference_id for flag in barred}
    return _made(
        [word for word in words if word.number not in numbers],
        [one for one in chosen if one.preference_ids[0] not in choices],
        flagged,
    )


def _made(
    words: Sequence[Word], chosen: Sequence[PreferencePair], flagged: Sequence[Flagged]
) -> Collected:
    """Return the examples of what may be used."""
    corrected = [one for word in words for one in correction(word)]
    sft, same = merged([one for word in words for one in target(word)])
    pairs, same_pairs = merged([*corrected, *regenerations(words), *chosen])
    thumbs, same_thumbs = merged([one for word in words for one in judged(word)])
    sft, much = within_balance(sft)
    pairs, many_pairs = within_balance(pairs)
    thumbs, many_thumbs = within_balance(thumbs)
    return Collected(
        sft=tuple(sft),
        pairs=tuple(pairs),
        judged=tuple(thumbs),
        merged=(*same, *same_pairs, *same_thumbs),
        flagged=tuple(sorted(flagged, key=_place)),
        surplus=(*much, *many_pairs, *many_thumbs),
    )


def _place(flag: Flagged) -> tuple[int, int, str]:
    return flag.preference_id or 0, flag.feedback_id or 0, flag.kind


def _counts(task: str, found: Collected) -> Counts:
    kinds = Counter(flag.kind for flag in found.flagged)
    return Counts(
        task,
        sft=len(found.sft),
        pairs=len(found.pairs),
        desirable=sum(one.desirable for one in found.judged),
        undesirable=sum(not one.desirable for one in found.judged),
        merged=sum(len(one.dropped) for one in found.merged),
        surplus=len(found.surplus),
        secrets=kinds["secret"],
        contradictions=kinds["contradiction"],
        labels=kinds["labels"],
    )
