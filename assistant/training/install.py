"""A finished adapter: written beside its place, then moved there whole, with record and card."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import __version__
from assistant.adapters.card import CONFIG, README, WEIGHTS, Card
from assistant.adapters.names import base_folder
from assistant.adapters.registry import Registry
from assistant.adapters.run_record import BaseModel, DataFile, RunRecord, Score, write_run
from assistant.errors import AdapterError
from assistant.training.card import card_text
from assistant.training.dataset import Source

if TYPE_CHECKING:
    from assistant.training.job import Job
    from assistant.training.train import Outcome

_THIN = re.compile(r"\.lora_[AB]\.")


def write_adapter(peft: Any, folder: Path, base_name: str) -> None:
    """Write a trained adapter in PEFT's format.

    The thin matrices of LoRA are rounded to float16: half the size, and finer than the bfloat16 that
    they are computed with. The configuration names the base model as users do, and no folder of this machine.
    """
    from safetensors.torch import load_file, save_file

    # Told to look whether the vocabulary grew, PEFT would ask the hub for the base model's settings.
    peft.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / README).unlink(missing_ok=True)
    tensors = {
        name: tensor.half() if _THIN.search(name) else tensor
        for name, tensor in load_file(str(folder / WEIGHTS)).items()
    }
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})
    path = folder / CONFIG
    value = json.loads(path.read_text(encoding="utf-8"))
    value["base_model_name_or_path"] = base_name
    for key in ("target_modules", "feedforward_modules"):
        if isinstance(value.get(key), list):  # PEFT keeps sets, whose order changes from run to run
            value[key] = sorted(value[key])
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def install(job: Job, outcome: Outcome, paths_registry: Registry) -> Card:
    """Put a trained adapter among the user's own; return it.

    Raises:
        AdapterError: there is no place for it.
    """
    base, task = base_folder(job.request.model), job.settings.task
    root = paths_registry.own_root
    staging = root / f".staging-{os.getpid()}"
    with paths_registry.changing():
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            write_adapter(outcome.peft, staging, _base_name(job))
            version = _next_version(paths_registry, base, task)
            record = _record(job, outcome, staging)
            write_run(staging, record)
            (staging / README).write_text(card_text(record, version), encoding="utf-8")
            target = root / base / task / version
            target.parent.mkdir(parents=True, exist_ok=True)
            staging.rename(target)
        except OSError as error:
            raise AdapterError(
                f"The adapter cannot be written below {root}: {error.strerror}.",
                "Free some space; the training is kept: assistant train --resume",
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return paths_registry.find(f"{task}/{version}", base)


def add_scores(card: Card, scores: Mapping[str, Score]) -> None:
    """Put scores into an adapter's record and card."""
    record = replace(card.run, scores=dict(scores))
    write_run(card.folder, record)
    (card.folder / README).write_text(card_text(record, card.version), encoding="utf-8")


def _base_name(job: Job) -> str:
    """Return what others know the base model by; of a path the last part, no folder of this machine."""
    place = Path(job.files.name).expanduser()
    return place.name if place.exists() else job.files.name


def _next_version(registry: Registry, base: str, task: str) -> str:
    numbers = [
        int(card.version[1:])
        for card in registry.cards(base, task)
        if re.fullmatch(r"v\d{1,9}", card.version)
    ]
    return f"v{max(numbers, default=0) + 1}"


def _record(job: Job, outcome: Outcome, folder: Path) -> RunRecord:
    weights = (folder / WEIGHTS).read_bytes()
    settings = job.settings
    return RunRecord(
        task=settings.task,
        base_model=BaseModel(_base_name(job), job.files.sha256),
        technique=settings.technique,
        rank=settings.rank,
        seed=settings.seed,
        settings={
            **settings.as_json(),
            "rate": outcome.rate,
            "steps": outcome.steps,
            "best_step": outcome.best_step,
            "dev_loss": outcome.dev_loss,
            "seconds": round(outcome.seconds, 1),
            "tokens": outcome.tokens,
            "limit_per_file": job.request.limit_per_file,
        },
        data=tuple(_data_file(source) for source in job.train),
        prompt_version=job.encoded.prompt_version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        program=__version__,
        parent=job.request.parent_name,
        sha256=hashlib.sha256(weights).hexdigest(),
        size=len(weights),
    )


def _data_file(source: Source) -> DataFile:
    wanted = {row.id for row in source.rows}
    return DataFile(
        file=Path(source.file.path).name,
        sha256=source.file.sha256,
        rows=len(wanted),
        sources=_values(source, "source"),
        licences=_values(source, "license"),
    )


def _values(source: Source, key: str) -> tuple[str, ...]:
    """Return what the rows of a file say under a key, each once, in order."""
    found: dict[str, None] = {}
    for line in Path(source.file.path).read_text(encoding="utf-8-sig").split("\n"):
        value = json.loads(line).get(key) if line.strip() else None
        if isinstance(value, str) and value.strip():
            found[value.strip()[:200]] = None
    return tuple(found)[:20]
