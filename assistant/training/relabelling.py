"""Changes of a classification's labels that keep the right answer right.

Order, number and names of labels say nothing about a text; a model that learnt them by heart would
fail on the next label set. Each function returns ``None`` where it has nothing to change.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from assistant.evaluation.examples import Example
from assistant.training.label_lists import exchanged
from assistant.training.label_sets import Known, Naming, recognize
from assistant.training.rewording import is_read_as, parted, request_of, worded
from assistant.understand import detect_language, labels_in

_FEWEST = 2


def shuffled(example: Example, rng: random.Random) -> Example | None:
    """Return the example with its labels in another order."""
    labels = list(example.labels)
    rng.shuffle(labels)
    return with_labels(example, labels, example.target, rng)


def with_fewer(example: Example, rng: random.Random) -> Example | None:
    """Return the example without some of its wrong labels; two labels stay at least."""
    wrong = [label for label in example.labels if label != example.target]
    if len(wrong) < _FEWEST:
        return None
    kept = set(rng.sample(wrong, rng.randint(1, len(wrong) - 1))) | {example.target}
    labels = [label for label in example.labels if label in kept]
    return with_labels(example, labels, example.target, rng)


def with_strangers(example: Example, rng: random.Random) -> Example | None:
    """Return the example with one or two more labels that fit no text of its kind."""
    known = recognize(example.labels, request_of(example))
    if known is None or known.strangers:
        return None
    new = _strangers(known, known.naming.lang, rng.randint(1, 2), rng)
    labels = list(example.labels)
    for label in new:
        labels.insert(rng.randint(0, len(labels)), label)
    return with_labels(example, labels, example.target, rng) if new else None


def renamed(example: Example, rng: random.Random) -> Example | None:
    """Return the example with other names for its labels, often in another language."""
    known = recognize(example.labels, request_of(example))
    if known is None or example.target not in known.naming.labels:
        return None
    others = [one for one in known.kind.namings if one != known.naming]
    own = detect_language(example.input)
    # Half the time the language stays; else any language may come.
    near = [one for one in others if one.lang in (own, "any")]
    naming = rng.choice(near if near and rng.random() < 0.5 else others)
    labels, target = _in_naming(example, known, naming, rng)
    return with_labels(example, labels, target, rng)


def with_labels(
    example: Example, labels: Sequence[str], target: str, rng: random.Random
) -> Example | None:
    """Return the example with other labels, in its request as well where that names them.

    Where the list in the request cannot be exchanged and the kind is known, the request is worded
    anew. ``None`` when nothing changes or no request is read as meant.
    """
    if tuple(labels) == example.labels:
        return None
    found = parted(example)
    new = replace(example, labels=tuple(labels), target=target, references=(target,))
    text = exchanged(example.input, example.labels, labels)
    if text is None and not set(labels_in(example.input)) & set(example.labels):
        return new
    if text and is_read_as(text, new, found.passage if found else None):
        return replace(new, input=text)
    known = recognize(example.labels, request_of(example))
    if found is None or known is None or not known.kind.reword:
        return None
    return worded(new, found.passage, {}, known.kind.wording_kinds, rng)


def _in_naming(
    example: Example, known: Known, naming: Naming, rng: random.Random
) -> tuple[list[str], str]:
    """Return labels and target as ``naming`` calls them; strangers get its language as well."""
    new = iter(_strangers(known, naming.lang, len(known.strangers), rng))
    labels = []
    for label in example.labels:
        if label in known.strangers:
            labels += [stranger for stranger in [next(new, None)] if stranger]
        else:
            labels.append(known.renamed(label, naming))
    return labels, known.renamed(example.target, naming)


def _strangers(known: Known, lang: str, count: int, rng: random.Random) -> list[str]:
    """Return strangers in a language; English ones where it has none of its own."""
    some = known.kind.strangers.get(lang) or known.kind.strangers.get("en") or ()
    return rng.sample(some, min(count, len(some)))
