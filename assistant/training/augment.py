"""Training examples in new forms: other wordings, labels, disorder, planted lines; the answer stays.

``augment`` is pure and deterministic; it is called once an epoch with another seed. Each operation can
be switched off by name, so that what it is good for can be measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from assistant.errors import UsageError
from assistant.evaluation.examples import Example
from assistant.training import noise, planting, relabelling, shortening
from assistant.training.label_sets import recognize
from assistant.training.rewording import parted, reworded
from assistant.understand import labels_in, split_request, translation_direction

Change = Callable[[Example, random.Random], Example | None]

_CLASSIFICATION = frozenset({"classification"})
_WITH_PASSAGE = frozenset({"classification", "qa", "summarization"})
_ALL = _WITH_PASSAGE | {"translation"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: done to ``share`` of the examples of ``tasks``, where it is safe."""

    change: Change
    share: float
    tasks: frozenset[str]


def shortened(example: Example, rng: random.Random) -> Example | None:
    """Return the example with less around what its answer is in."""
    found = parted(example)
    if found is None:
        return None
    if example.task == "qa":
        new = shortening.around_answer(found.passage, example.target, rng)
    else:
        known = recognize(example.labels, found.request)
        if known is None or not known.kind.shorten:
            return None
        new = shortening.first_sentences(found.passage, rng)
    return _with_passage(example, new)


def disordered(example: Example, rng: random.Random) -> Example | None:
    """Return the example with small disorder in its passage."""
    found = parted(example)
    if found is None:
        return None
    keep = example.references if example.task == "qa" else ()
    return _with_passage(example, noise.disordered(found.passage, example.task, rng, keep))


def attacked(example: Example, rng: random.Random) -> Example | None:
    """Return the example with a line in its passage that tries to take over."""
    found = parted(example)
    if found is None or not _may_plant(example, found.request):
        return None
    wrong = [label for label in example.labels if label != example.target]
    line = planting.attack(example.task, found.passage, wrong, rng)
    return _with_line(example, found.around, found.passage, line, rng)


def with_harmless_line(example: Example, rng: random.Random) -> Example | None:
    """Return the example with a line in its passage that only looks like a request."""
    found = parted(example)
    if found is None or not _may_plant(example, found.request):
        return None
    line = planting.harmless(found.passage, rng)
    return _with_line(example, found.around, found.passage, line, rng)


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "rename_labels": Operation(relabelling.renamed, 0.35, _CLASSIFICATION),
        "add_labels": Operation(relabelling.with_strangers, 0.15, _CLASSIFICATION),
        "drop_labels": Operation(relabelling.with_fewer, 0.3, _CLASSIFICATION),
        "shuffle_labels": Operation(relabelling.shuffled, 0.8, _CLASSIFICATION),
        "shorten": Operation(shortened, 0.3, frozenset({"classification", "qa"})),
        "reword": Operation(reworded, 0.5, _ALL),
        "noise": Operation(disordered, 0.2, _ALL),
        "attack": Operation(attacked, 0.15, _WITH_PASSAGE),
        "harmless_line": Operation(with_harmless_line, 0.05, _WITH_PASSAGE),
    }
)
"""All operations, in the order in which they are done. Of a translation nothing is planted into the
text: a line in it would have to be translated too."""


def augment(
    examples: Sequence[Example], seed: int, operations: Sequence[str] = tuple(OPERATIONS)
) -> list[Example]:
    """Return as many examples with the same ids, changed by some of ``operations``.

    What happens to an example depends on the seed, its id and the operation alone: neither on the
    other examples nor on which other operations are switched on.

    Raises:
        UsageError: an operation is unknown.
    """
    unknown = [name for name in operations if name not in OPERATIONS]
    if unknown:
        raise UsageError(
            f"There is no augmentation called {unknown[0]!r}.",
            f"Choose from: {', '.join(OPERATIONS)}.",
        )
    chosen = [(name, OPERATIONS[name]) for name in OPERATIONS if name in operations]
    return [_changed(example, seed, chosen) for example in examples]


def _changed(example: Example, seed: int, chosen: Sequence[tuple[str, Operation]]) -> Example:
    for name, operation in chosen:
        if example.task not in operation.tasks:
            continue
        rng = random.Random(f"{seed}:{name}:{example.id}")
        if rng.random() < operation.share:
            example = operation.change(example, rng) or example
    return example


def _may_plant(example: Example, request: str) -> bool:
    known = recognize(example.labels, request) if example.labels else None
    return known is None or known.kind.plant


def _with_line(
    example: Example,
    around: Callable[[str], str],
    passage: str,
    line: str,
    rng: random.Random,
) -> Example | None:
    """Return the example with a line planted, unless the answer's own words would be cut or given."""
    new = planting.planted(passage, line, rng)
    if example.task == "qa":
        held = [answer for answer in example.references if answer in passage]
        if any(answer not in new for answer in held) or example.target.lower() in line.lower():
            return None
    if example.task == "classification" and not example.labels:
        return None  # the labels are read from the request: nothing may be mistaken for them
    return replace(example, input=around(new))


def _with_passage(example: Example, passage: str) -> Example | None:
    """Return the example about another passage, if it is still read in the same way."""
    found = parted(example)
    if found is None or not passage.strip() or passage == found.passage:
        return None
    text = found.around(passage)
    inner = split_request(text)[1]
    if inner is None or (inner != passage and inner not in passage):
        return None
    if 2 * len(inner) < len(passage):
        return None
    if example.task == "translation" and not _same_direction(example.input, text):
        return None
    if example.task == "classification" and labels_in(text) != labels_in(example.input):
        return None
    return replace(example, input=text)


def _same_direction(old: str, new: str) -> bool:
    return translation_direction(old) == translation_direction(new)
