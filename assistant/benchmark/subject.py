"""What is measured: one model with the user's settings, and how its engines are opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from assistant.config import Settings
    from assistant.engine.base import Engine
    from assistant.engine.chat_format import ChatFormat
    from assistant.models.resolve import ModelFiles
    from assistant.paths import Paths

Precision = Literal["auto", "accurate", "fast"]
PRECISIONS: tuple[Precision, ...] = ("auto", "accurate", "fast")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure. ``runs`` is how often; ``first`` also measures a first start."""

    settings: Settings
    paths: Paths
    runs: int
    note: Callable[[str], None]
    first: bool = False
    files: ModelFiles | None = field(default=None)

    @property
    def model(self) -> ModelFiles:
        """The files of the model; only suites that need a model may ask for it."""
        assert self.files is not None
        return self.files

    @property
    def name(self) -> str:
        """The model's name as it stands in the results; a path gives its last part."""
        return Path(self.model.name).name if self.model.entry is None else self.model.name

    @property
    def threads(self) -> int:
        """How many threads every engine gets, the baselines too."""
        from assistant.engine.threads import default_threads

        return self.settings.threads or default_threads()

    def open(self, precision: Precision, *, cache: Path | None = None) -> Engine:
        """Return the program's own engine, as a session would open it."""
        from assistant.engine.opening import EngineOptions, open_engine

        return open_engine(
            self.model.path,
            self.model.kind,
            name=self.name,
            sha256=self.model.sha256,
            cache=cache or self.paths.cache,
            options=EngineOptions(
                self.settings.engine, precision, self.settings.device, self.threads
            ),
            progress=lambda message, share: None,
        )

    def transformers_folder(self) -> Path:
        """Return the model in transformers' format, converted from GGUF first if need be."""
        if self.model.kind == "folder":
            return self.model.path
        from assistant.engine.convert import convert, converted_folder

        if not converted_folder(self.paths.cache, self.model.sha256).is_dir():
            self.note("converting the model for the transformers baseline (only once) …")
        return convert(
            self.model.path, self.model.sha256, self.paths.cache, lambda message, share: None
        )

    def form(self) -> ChatFormat:
        """Return the model's tokenizer and chat template."""
        from assistant.engine.chat_format import ChatFormat
        from assistant.engine.convert import convert_tokenizer
        from assistant.engine.tokenizer import FolderTokenizer

        folder = self.model.path
        if self.model.kind == "gguf":
            cache = self.paths.cache
            folder = convert_tokenizer(
                folder, self.model.sha256, cache, lambda message, share: None
            )
        return ChatFormat(FolderTokenizer(folder))
