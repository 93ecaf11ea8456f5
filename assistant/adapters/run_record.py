"""``run.json``: how an adapter came about and what it is worth. Training writes it, all else reads it.

A folder that plain PEFT wrote has none; it can be used all the same, only less is known of it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import AdapterError

RUN = "run.json"
MAX_BYTES = 2_000_000
"""A larger run.json is not read: a real one has a few kilobytes."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model an adapter was trained on.

    ``sha256`` is that of ``models.resolve.ModelFiles``, and so of the engine that runs it; an empty one
    means that it is not known.
    """

    name: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of training data: its name (no folders), checksum, rows used, and where they are from."""

    file: str
    sha256: str = ""
    rows: int = 0
    sources: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What ways of answering reached on one data set that was not trained on, on the same examples.

    Attributes:
        metric: the task's headline metric (``tasks.headline``); all values are 0 to 100.
        n: examples.
        ci95: 95 % intervals by way (``zero_shot``, ``few_shot``, ``adapter``), those that are known.
        lang: as in ``measured.Measurement``: ``en``, ``en-zh``, or ``""`` for a mixture.
        shots: examples in the few-shot prompt; ``nearest`` says they were picked for each turn.
        seconds: time for one answer with the adapter; 0 where it is not known.
    """

    metric: str
    n: int
    adapter: float
    zero_shot: float | None = None
    few_shot: float | None = None
    ci95: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    lang: str = ""
    shots: int = 4
    nearest: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that is recorded of one adapter.

    Attributes:
        technique: ``lora``, ``dora``, ``ia3``, ``prefix`` or ``layers``.
        settings: everything else that the training was started with, and what can be told of it.
        created: when, ISO 8601 in UTC.
        program: the version of this program.
        parent: the adapter it was trained on from (``task/version``), if any.
        scores: by name of the data set.
        sha256, size: of ``adapter_model.safetensors``, in bytes.
    """

    task: str = ""
    base_model: BaseModel = field(default_factory=BaseModel)
    technique: str = ""
    rank: int = 0
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[DataFile, ...] = ()
    prompt_version: str = ""
    created: str = ""
    program: str = ""
    parent: str | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    sha256: str = ""
    size: int = 0


def write_run(folder: Path, record: RunRecord) -> None:
    """Write ``run.json`` into an adapter's folder, whole or not at all.

    Raises:
        AdapterError: it cannot be written.
    """
    text = json.dumps(asdict(record), ensure_ascii=False, indent=1)
    temporary = folder / f".{RUN}.{os.getpid()}"
    try:
        try:
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(folder / RUN)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise AdapterError(
            f"{folder / RUN} cannot be written: {error.strerror}.",
            "Free the place, or another one.",
        ) from error


def read_run(folder: Path) -> RunRecord | None:
    """Return what is recorded of the adapter in a folder; ``None`` where there is no ``run.json``.

    Fields that are missing get their defaults, those of newer versions are passed over.

    Raises:
        AdapterError: the file cannot be read, or a field holds something else than it should.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / RUN
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AdapterError(f"{path} is too large to be a record of a training.", _HINT)
        value = json.loads(
            path.read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AdapterError(f"{path} cannot be read: {error.strerror}.", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path} is not JSON: {error}.", _HINT) from error
    try:
        return TypeAdapter(RunRecord).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AdapterError(f"{path}, {where or 'as a whole'}: {first['msg']}.", _HINT) from error


_HINT = "Mend the file, or delete it: the adapter can be used without, only less is known of it."


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number to reckon with")
    return number
