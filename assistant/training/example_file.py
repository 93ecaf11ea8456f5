"""Examples as rows of the files that ``assistant train`` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from assistant.store.files import write_text
from assistant.training.example_types import Example, PreferencePair, SftExample


def training_file(examples: Sequence[Example], path: Path) -> None:
    """Write one JSON object a line, readable by its owner only; a file of that name is replaced.

    Every row has ``id``, ``task``, ``input``, ``target``, ``context``, ``labels`` and ``lang``; ``context``
    is left out where there is none, ``labels`` where there are none. A pair has the chosen answer as its
    ``target`` and the other one as ``rejected``; a judged answer is the ``target`` and ``desirable`` says
    whether it was wanted.

    Raises:
        StoreError: the file cannot be written.
    """
    lines = (json.dumps(row(one), ensure_ascii=False) for one in examples)
    write_text(path, "".join(f"{line}\n" for line in lines))


def row(example: Example) -> dict[str, object]:
    """Return one row; see :func:`training_file`."""
    found: dict[str, object] = {
        "id": example.id,
        "task": example.task,
        "input": example.input,
        "target": _target(example),
    }
    if example.context:
        found["context"] = example.context
    if example.labels:
        found["labels"] = list(example.labels)
    found["lang"] = example.lang
    if isinstance(example, PreferencePair):
        found["rejected"] = example.rejected
    elif not isinstance(example, SftExample):
        found["desirable"] = example.desirable
    return found


def _target(example: Example) -> str:
    if isinstance(example, PreferencePair):
        return example.chosen
    return example.target if isinstance(example, SftExample) else example.answer
