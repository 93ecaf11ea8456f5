"""From the flags of ``assistant train`` to what is to be trained."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.common import note, user_settings
from assistant.cli.train_parent import Parent, read_parent
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.paths import Paths
    from assistant.training.job import TrainRequest
    from assistant.training.settings import TrainSettings

_TRAIN, _DEV = ".train.jsonl", ".dev.jsonl"
_EPOCHS = 2.0
_NO_END = 1e6
"""Epochs of a training that --max-steps alone ends."""


def read_flags(given: Mapping[str, Any], said: Collection[str], paths: Paths) -> TrainRequest:
    """Return what the flags ask for; ``said`` names those that the user gave.

    Raises:
        UsageError: something is missing, wrong, or does not go with the adapter to start from.
        AdapterError: there is no such adapter.
    """
    from assistant.training.job import TrainRequest

    if not given["task"] or not given["data"]:
        raise UsageError(
            "Say what to train, and on what.",
            "Like: assistant train --task classification --data my-examples.jsonl",
        )
    model = user_settings(model=given["model"]).model
    parent = read_parent(given, model, paths)
    dev = given["dev"] or found_beside(given["data"])
    if dev and not given["dev"]:
        note(f"Measuring on {', '.join(file.name for file in dev)}, found beside the data.")
    return TrainRequest(
        _settings(given, said, parent),
        model,
        given["data"],
        dev,
        given["limit_per_file"],
        parent.folder if parent else None,
        parent.name if parent else None,
    )


def found_beside(data: Sequence[Path]) -> tuple[Path, ...]:
    """Return ``X.dev.jsonl`` for each ``X.train.jsonl`` that has it beside it and is not trained on."""
    used = {file.resolve() for file in data}
    beside = [
        file.with_name(file.name.removesuffix(_TRAIN) + _DEV)
        for file in data
        if file.name.endswith(_TRAIN)
    ]
    return tuple(file for file in beside if file.is_file() and file.resolve() not in used)


def _settings(
    given: Mapping[str, Any], said: Collection[str], parent: Parent | None
) -> TrainSettings:
    from assistant.training.settings import TrainSettings

    first, last = _layers(given["layers"])
    epochs = given["epochs"] or (_NO_END if given["max_steps"] else _EPOCHS)
    if "beta" in said and given["method"] == "sft":
        raise UsageError("--beta goes with --method dpo or kto only.", "Leave --beta out.")
    same = ("task", "method", "technique", "rank", "max_steps", "max_minutes", "rate", "batch")
    values: dict[str, Any] = {
        **{name: given[name] for name in (*same, "seed", "max_length", "augment", "beta")},
        "alpha": given["alpha"] or 2 * given["rank"],
        "first": first,
        "last": last,
        "epochs": epochs,
    }
    if parent is not None:
        parent.check(values, said)
        note(f"It goes on as {parent.name} was made: {parent.in_words()}.")
        values |= parent.shape
    return TrainSettings(**values)


def _layers(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d{1,4})-(\d{1,4})", text.strip(), re.ASCII)
    if found is None or int(found[1]) > int(found[2]) or int(found[1]) < 1:
        raise UsageError(f"'{text}' is no range of layers.", "Like: --layers 13-24")
    return int(found[1]), int(found[2])
