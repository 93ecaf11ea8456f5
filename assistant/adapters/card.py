"""One installed adapter, as far as it can be told without reading its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from assistant.adapters.run_record import RunRecord

CONFIG, WEIGHTS, README = "adapter_config.json", "adapter_model.safetensors", "README.md"


@dataclass(frozen=True, slots=True)
class Card:
    """An adapter that is here.

    Attributes:
        base: the folder of its base model (``names.base_folder``).
        own: the user's own; otherwise it ships with the program and is never changed.
        size: of its weights, in bytes; 0 when they are missing.
        run: what ``run.json`` records; empty values where there is none.
        problem: why ``run.json`` cannot be read, ``""`` when it can.
    """

    base: str
    task: str
    version: str
    folder: Path
    own: bool
    size: int = 0
    run: RunRecord = field(default_factory=RunRecord)
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the name users and engines know it by."""
        return f"{self.task}/{self.version}"
