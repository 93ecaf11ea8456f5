"""How balanced the stored feedback is, by task and language, and what that means for training.

Counted are turns, as in the exports for TRL: of several judgements of one turn the last rating, the
last correction and the last task count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from assistant import understand
from assistant.tasks import TASKS
from assistant.types import Feedback, Rating

LEAST = 50
"""Usable turns of a task in a language from which on training on them is worth a try."""

ENOUGH_TO_JUDGE = 10
"""Turns below which nothing is said about a share."""

SKEWED = 0.2
"""Share of the rarer rating below which ratings count as skewed."""

ONE_LANGUAGE = 0.8
"""Share of a task's turns from which on one language is said to dominate."""

UNKNOWN = "unknown"
"""The task of a turn that has none in its snapshot."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Judged turns of one task in one language (``""``: in all).

    Attributes:
        usable: with a rating or a correction; the others have a comment or another task alone.
        rerouted: those that were taken for another task at first.
    """

    task: str
    lang: str
    turns: int = 0
    usable: int = 0
    good: int = 0
    bad: int = 0
    corrections: int = 0
    rerouted: int = 0

    @property
    def rated(self) -> int:
        """Return how many have a rating."""
        return self.good + self.bad

    @property
    def good_share(self) -> float | None:
        """Return the share of good ratings, 0 to 1; ``None`` without any."""
        return self.good / self.rated if self.rated else None

    def as_json(self) -> dict[str, object]:
        """Return the counts for JSON."""
        share = self.good_share
        names = ("task", "lang", "turns", "usable", "good", "bad", "corrections", "rerouted")
        return {name: getattr(self, name) for name in names} | {
            "good_share": None if share is None else round(share, 4)
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know before training.

    ``kind`` is ``none``, ``few``, ``one_sided``, ``skewed``, ``no_corrections`` or
    ``one_language``; ``lang`` is ``""`` where the whole task is meant.
    """

    kind: str
    task: str
    lang: str
    text: str


@dataclass(frozen=True, slots=True)
class Balance:
    """All counts: by task and language, and by task alone; ``least`` is what was asked for."""

    least: int
    groups: tuple[Counts, ...]
    tasks: tuple[Counts, ...]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, object]:
        """Return the balance for JSON."""
        return {
            "least": self.least,
            "turns": sum(one.turns for one in self.tasks),
            "groups": [one.as_json() for one in self.groups],
            "tasks": [one.as_json() for one in self.tasks],
            "findings": [
                {name: getattr(one, name) for name in ("kind", "task", "lang", "text")}
                for one in self.findings
            ],
        }


def balance(items: Iterable[Feedback], least: int = LEAST) -> Balance:
    """Count the feedback (oldest first) and say what stands out."""
    groups: dict[tuple[str, str], Counts] = {}
    for judged in _turns(items):
        key = (judged.task, judged.lang)
        groups[key] = _with(groups.get(key) or Counts(*key), judged)
    ordered = tuple(sorted(groups.values(), key=lambda one: (_place(one.task), -one.turns)))
    names = dict.fromkeys([*TASKS, *(one.task for one in ordered)])
    tasks = tuple(_total(name, [one for one in ordered if one.task == name]) for name in names)
    findings = [
        finding
        for task in tasks
        for finding in _findings(task, [one for one in ordered if one.task == task.task], least)
    ]
    return Balance(least, ordered, tasks, tuple(findings))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A turn with what counts of all that was said about it."""

    task: str
    lang: str
    rating: Rating | None = None
    corrected: bool = False
    rerouted: bool = False


def _turns(items: Iterable[Feedback]) -> list[_Judged]:
    found: dict[str, _Judged] = {}
    for item in items:
        before = found.get(item.turn_id)
        if before is None:
            text = item.snapshot.get("user_text")
            before = _Judged(
                str(item.snapshot.get("task") or UNKNOWN),
                understand.detect_language(text if isinstance(text, str) else ""),
            )
        moved = item.route is not None and item.route != before.task
        found[item.turn_id] = replace(
            before,
            task=item.route or before.task,
            rating=item.rating or before.rating,
            corrected=before.corrected or item.correction is not None,
            rerouted=before.rerouted or moved,
        )
    return list(found.values())


def _with(counts: Counts, judged: _Judged) -> Counts:
    return replace(
        counts,
        turns=counts.turns + 1,
        usable=counts.usable + (judged.rating is not None or judged.corrected),
        good=counts.good + (judged.rating == "good"),
        bad=counts.bad + (judged.rating == "bad"),
        corrections=counts.corrections + judged.corrected,
        rerouted=counts.rerouted + judged.rerouted,
    )


def _total(task: str, groups: Sequence[Counts]) -> Counts:
    names = ("turns", "usable", "good", "bad", "corrections", "rerouted")
    return Counts(task, "", **{name: sum(getattr(one, name) for one in groups) for name in names})


def _place(task: str) -> tuple[int, str]:
    return (TASKS.index(task) if task in TASKS else len(TASKS), task)


def _findings(task: Counts, groups: Sequence[Counts], least: int) -> list[Finding]:
    if not task.usable:
        text = "no rating and no correction: nothing to train on"
        return [Finding("none", task.task, "", text)]
    found = [
        Finding(
            "few",
            one.task,
            one.lang,
            f"{one.usable} of {least} turns: an adapter trained on so few mostly learns their wording",
        )
        for one in groups
        if one.usable < least
    ]
    return [*found, *_ratings(task), *_corrections(task), *_languages(task, groups)]


def _ratings(task: Counts) -> list[Finding]:
    share = task.good_share
    if share is None:
        return []
    if share in (0.0, 1.0):
        said, other = ("good", "bad") if share else ("bad", "good")
        text = f"all ratings are {said}: KTO needs {other} ones as well"
        return [Finding("one_sided", task.task, "", text)]
    if task.rated < ENOUGH_TO_JUDGE or min(share, 1 - share) >= SKEWED:
        return []
    rare, often = sorted((task.good, task.bad))
    said = "good" if task.good < task.bad else "bad"
    text = (
        f"only {rare} of {task.rated} ratings are {said}: in KTO each of them has to weigh about "
        f"{often / rare:.1f} times as much, and a few odd ones then decide"
    )
    return [Finding("skewed", task.task, "", text)]


def _corrections(task: Counts) -> list[Finding]:
    if task.corrections:
        return []
    text = "no correction: SFT and DPO have nothing to learn from, ratings alone are for KTO"
    return [Finding("no_corrections", task.task, "", text)]


def _languages(task: Counts, groups: Sequence[Counts]) -> list[Finding]:
    most = max(groups, key=lambda one: one.usable)
    share = most.usable / task.usable
    if task.usable < ENOUGH_TO_JUDGE or share < ONE_LANGUAGE:
        return []
    text = (
        f"{100 * share:.0f} % of the turns: an adapter would learn from this language, and answers in "
        "others may get worse unseen; measure them too before you promote it"
    )
    return [Finding("one_language", task.task, most.lang, text)]
