"""What is to be trained, before a weight is loaded: the request, and its data read, checked, encoded.

A run that was stopped makes the same job again from what its folder says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.answering import Planner
from assistant.config import Settings
from assistant.engine.chat_format import ChatFormat
from assistant.errors import UsageError
from assistant.models.resolve import ModelFiles, resolve
from assistant.paths import Paths, shipped
from assistant.prompts import Prompts
from assistant.strategy import Adapting
from assistant.training.batches import Group
from assistant.training.dataset import (
    Encoded,
    Encoder,
    Row,
    hold_out,
    read_sources,
    subset,
    with_right_answers,
)
from assistant.training.method_rows import JudgedExample
from assistant.training.partners import partners
from assistant.training.settings import METHODS, Note, TrainSettings

DEV_ROWS = 100
"""So many development rows at most are measured during a training; more would cost more than they tell."""
DEV_LEAST = 24
"""So many are measured however long they are."""
DEV_SHARE = 1 / 18
"""Of the tokens that are trained on, so many are in the development rows. They are measured some eight times, at
a third of what a trained token costs: about 15 % of the time."""


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
    """A training that was asked for, with its data read, checked and encoded.

    Attributes:
        train: what is trained on.
        dev: held out rows whose answers are right ones: what the adapter's answers are compared with.
        encoded: the rows that are trained on.
        steps: how many the training takes, once that is known.
    """

    steps: int | None = None

    def __init__(self, request: TrainRequest, user: Settings, paths: Paths, note: Note) -> None:
        """Read everything but the weights.

        Raises:
            UsageError: a flag or a line of the data is wrong; the message names file and line.
            AssistantError: the model is not here.
        """
        self.request, self.user, self.paths, self.note = request, user, paths, note
        self.settings = request.settings
        _check(self.settings)
        self.files: ModelFiles = resolve(request.model, paths)
        task, method, seed = self.settings.task, self.settings.method, self.settings.seed
        self.train = read_sources(request.data, task, request.limit_per_file, seed, method)
        self._held = read_sources(request.dev, task, method=method)
        if not self._held:
            self.train, self._held = hold_out(self.train, seed)
        self.dev = [with_right_answers(source) for source in self._held]
        self.folder = _transformers_folder(self.files, paths, note)
        self._encoder = self._make_encoder()
        for source in (*self.train, *self._held):
            self._encoder.check(source)
        self.encoded = self._encoder.encode([row for one in self.train for row in one.rows])
        self._dev = self._encoder.encode([row for one in self._held for row in one.rows])
        self._tell()
        if method == "kto":
            _check_both_kinds(self.encoded.rows)

    @property
    def dev_rows(self) -> list[Row]:
        """The development rows that are measured during the training."""
        found: list[Row] = subset(self._dev.rows, DEV_ROWS, self.settings.seed)
        if self.steps is None:
            return found
        rows = self.encoded.rows
        trained = self.steps * self.settings.batch * sum(len(row.ids) for row in rows) / len(rows)
        share = DEV_SHARE * trained / max(1, sum(len(row.ids) for row in found))
        most = max(DEV_LEAST, int(share * len(found)))
        return subset(found, most, self.settings.seed)

    @property
    def groups(self) -> list[Group] | None:
        """The rows that belong into one step, by their positions; ``None``: each may be in any."""
        if self.settings.method != "kto":
            return None
        return partners(self.encoded.rows, self.settings.seed)

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
        files = [one.file for one in (*self.train, *self._held)]
        return {str(Path(file.path).absolute()): file.sha256 for file in files}

    def _make_encoder(self) -> Encoder:
        from assistant.engine.tokenizer import FolderTokenizer

        form = ChatFormat(FolderTokenizer(self.folder))
        planner = Planner(
            Prompts.load(shipped("prompts"), self.paths.prompts), self.user, Adapting()
        )
        window = _window(self.folder)
        settings = self.settings
        return Encoder(
            form, planner, self.request.model, window, settings.max_length, settings.method
        )

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
        unread = sum(
            isinstance(row, JudgedExample) and bool(row.rejected)
            for one in self.train
            for row in one.rows
        )
        if unread and self.settings.method == "sft":
            self.note(
                f"{unread:,} rejected answers are not looked at: --method dpo learns from them"
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
    if settings.augment and settings.method != "sft":
        raise UsageError(
            f"Other wordings (--augment) do not go with --method {settings.method}: what was said of an "
            "answer need not hold for another request.",
            "Leave --augment out.",
        )
    if not settings.beta > 0:
        raise UsageError("--beta has to be more than 0.", "Like: --beta 0.1")


def _check_both_kinds(rows: Sequence[Row]) -> None:
    good = sum(row.good for row in rows)
    if 0 < good < len(rows):
        return
    raise UsageError(
        f"All {len(rows)} answers were judged {'good' if good else 'bad'}; kto learns from both kinds.",
        "Good answers alone are for --method sft." if good else "Add good answers.",
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
