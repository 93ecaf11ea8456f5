"""Chooses what runs a model: the lean path where it can, plain transformers everywhere else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assistant.engine.base import Engine, Progress
from assistant.engine.convert import convert, convert_tokenizer

if TYPE_CHECKING:
    from assistant.engine.lean.shape import Shape

Precision = Literal["auto", "accurate", "fast"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine is wanted; the fields are those of the settings with the same names."""

    engine: Literal["auto", "plain"] = "auto"
    precision: Precision = "auto"
    device: str = "auto"
    threads: int | None = None


def open_engine(
    path: Path,
    kind: Literal["gguf", "folder"],
    *,
    name: str,
    sha256: str,
    cache: Path,
    options: EngineOptions,
    progress: Progress,
) -> Engine:
    """Return an engine for the model at ``path``, converting it first if need be.

    Raises:
        ConversionError: the file cannot be read as a model.
        EngineError: it cannot be loaded.
    """
    if why_plain(options) is None:
        folder = path if kind == "folder" else convert_tokenizer(path, sha256, cache, progress)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = lean_shape(config)
        if shape is not None:
            progress("Preparing the engine", None)
            from assistant.engine.lean.load import open_lean

            return open_lean(
                path,
                folder,
                shape,
                name=name,
                sha256=sha256,
                cache=cache,
                precision=options.precision,
                threads=options.threads,
                progress=progress,
            )
    return _open_plain(path, kind, name, sha256, cache, options, progress)


def why_plain(options: EngineOptions) -> str | None:
    """Return why the lean path is out of the question whatever the model, ``None`` if it is not."""
    if options.engine == "plain":
        return "the setting `engine` says plain"
    if options.device not in ("auto", "cpu"):
        return f"the setting `device` says {options.device}"
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed"
    if options.device == "auto" and (accelerator := _accelerator()):
        return f"there is an accelerator ({accelerator})"
    return None


def lean_shape(config: dict[str, Any]) -> Shape | None:
    """Return the shape of a model that the lean path can run, else ``None``."""
    from assistant.engine.lean.shape import read_shape

    try:
        return read_shape(config)
    except (KeyError, TypeError, ValueError):
        return None


def _accelerator() -> str:
    """Return the accelerator that torch would use; torch is only loaded where there may be one."""
    version = importlib.metadata.version("torch")
    mac = platform.system() == "Darwin" and platform.machine() == "arm64"
    if "+cpu" in version or not (
        mac
        or Path("/dev/nvidiactl").exists()
        or Path("/dev/kfd").exists()
        or platform.system() == "Windows"
    ):
        return ""
    from assistant.engine.torch_engine import choose_device

    device = choose_device("auto")
    return "" if device == "cpu" else device


def _open_plain(
    path: Path,
    kind: str,
    name: str,
    sha256: str,
    cache: Path,
    options: EngineOptions,
    progress: Progress,
) -> Engine:
    progress("Starting torch", None)
    from assistant.engine.torch_engine import load_torch_engine

    folder = convert(path, sha256, cache, progress) if kind == "gguf" else path
    progress(f"Loading {name}", None)
    return load_torch_engine(
        folder,
        name=name,
        sha256=sha256,
        device=options.device,
        threads=options.threads,
        accurate=options.precision == "accurate",
    )
