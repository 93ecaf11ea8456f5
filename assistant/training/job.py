"""What is to be trained, before a weight is loaded: the request, and its data read, checked, encoded.

A run that was stopped makes the same job again from what its folder says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant import __version__
from assistant.answering import Planner
from assistant.config import Settings
from assistant.engine.chat_format import ChatFormat
from assistant.errors import AssistantError, UsageError
from assistant.models.resolve import ModelFiles, resolve
from assistant.paths import Paths, shipped
from assistant.prompts import Prompts
from assistant.strategy import Adapting
from assistant.training.dataset import Encoded, Encoder, Row, hold_out, read_sources, subset
from assistant.training.settings import METHODS, Note, TrainSettings

DEV_ROWS = 100
"""So many development rows are measured during a training; more would cost more than they tell."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to train on what.

    Attributes:
        model: name of the base model.
        limit_per_file: rows drawn from each file, at most.
        parent: folder of the adapter to start from; ``parent_name`` is what it is called.
    """

    settings: TrainSettings
    model: str
    data: tuple[Path, ...]
    dev: tuple[Path, ...] = ()
    limit_per_file: int | None = None
    parent: Path | None = None
    parent_name: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON; paths are absolute, so that a run goes on from any folder."""
        return {
            **asdict(self),
            "settings": self.settings.as_json(),
            "data": [str(path.absolute()) for path in self.data],
            "dev": [str(path.absolute()) for path in self.dev],
            "parent": str(self.parent.absolute()) if self.parent else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainRequest:
        """Return the request that :meth:`as_json` gave."""
        return cls(
            TrainSettings.from_json(value["settings"]),
            value["model"],
            tuple(Path(path) for path in value["data"]),
            tuple(Path(path) for path in value["dev"]),
            value["limit_per_file"],
            Path(value["parent"]) if value["parent"] else None,
            value["parent_name"],
        )


class Job:
    """A training that was asked for, with its data read, checked and encoded."""

    def __init__(self, request: TrainRequest, user: Settings, paths: Paths, note: Note) -> None:
        """Read everything but the weights.

        Raises:
            UsageError: a flag or a line of the data is wrong; the message names file and line.
            AssistantError: the model is not here, or the method is not part of this version.
        """
        self.request, self.user, self.paths, self.note = request, user, paths, note
        self.settings = request.settings
        _check(self.settings)
        self.files: ModelFiles = resolve(request.model, paths)
        sources = read_sources(
            request.data, self.settings.task, request.limit_per_file, self.settings.seed
        )
        self.train, self.dev = sources, read_sources(request.dev, self.settings.task)
        if not self.dev:
            self.train, self.dev = hold_out(sources, self.settings.seed)
        self.folder = _transformers_folder(self.files, paths, note)
        self._encoder = self._make_encoder()
        for source in (*self.train, *self.dev):
            self._encoder.check(source)
        self.encoded = self._encoder.encode([row for one in self.train for row in one.rows])
        self._dev = self._encoder.encode([row for one in self.dev for row in one.rows])
        self._tell()

    @property
    def dev_rows(self) -> list[Row]:
        """The development rows that are measured during the training."""
        found: list[Row] = subset(self._dev.rows, DEV_ROWS, self.settings.seed)
        return found

    def rows(self, epoch: int) -> Sequence[Row]:
        """Return the rows of an epoch; with augmentation each has other wordings."""
        if not self.settings.augment:
            return self.encoded.rows
        from assistant.training.augment import augment

        examples = [row for one in self.train for row in one.rows]
        found: Encoded = self._encoder.encode(augment(examples, self.settings.seed + epoch))
        return found.rows

    def hashes(self) -> dict[str, str]:
        """Return the checksum of each file that is read, by its path."""
        files = [one.file for one in (*self.train, *self.dev)]
        return {str(Path(file.path).absolute()): file.sha256 for file in files}

    def _make_encoder(self) -> Encoder:
        from assistant.engine.tokenizer import FolderTokenizer

        form = ChatFormat(FolderTokenizer(self.folder))
        planner = Planner(
            Prompts.load(shipped("prompts"), self.paths.prompts), self.user, Adapting()
        )
        window = _window(self.folder)
        return Encoder(form, planner, self.request.model, window, self.settings.max_length)

    def _tell(self) -> None:
        rows = self.encoded.rows
        if not rows:
            raise UsageError(
                f"None of the {self.encoded.too_long} rows is short enough "
                f"({self.settings.max_length} tokens).",
                "Raise --max-length.",
            )
        tokens = sum(row.length for row in rows)
        self.note(
            f"{len(rows):,} rows to train on ({tokens:,} tokens), {len(self._dev.rows):,} to measure on"
        )
        left_out = self.encoded.too_long + self._dev.too_long
        if left_out:
            self.note(
                f"{left_out:,} rows are longer than {self.settings.max_length} tokens and left out"
            )
        if not self._dev.rows:
            self.note(
                "Too few rows to hold some out: it trains to the end. Give a file with --dev."
            )


def _check(settings: TrainSettings) -> None:
    if settings.method not in METHODS:
        raise UsageError(
            f"There is no method '{settings.method}'.", f"One of: {', '.join(METHODS)}."
        )
    if settings.method != "sft":
        raise AssistantError(
            f"Training by {settings.method.upper()} is not part of version {__version__} yet.",
            "Train on examples with --method sft.",
        )


def _transformers_folder(files: ModelFiles, paths: Paths, note: Note) -> Path:
    if files.kind == "folder":
        return files.path
    from assistant.engine.convert import convert, converted_folder

    if not converted_folder(paths.cache, files.sha256).is_dir():
        note(f"Converting {files.name} for training (only once)")
    return convert(files.path, files.sha256, paths.cache, lambda _what, _share: None)


def _window(folder: Path) -> int:
    import json

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings", 2048))
