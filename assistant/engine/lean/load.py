"""Opens a model on the lean path: packs its weights the first time, reads the packed ones after that."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from safetensors import SafetensorError

from assistant.engine.base import EngineInfo, Progress
from assistant.engine.chat_format import ChatFormat
from assistant.engine.lean.formats import Array, padded
from assistant.engine.lean.pack import Parts, Precision, from_gguf, from_tensors
from assistant.engine.lean.prefix_store import PrefixStore
from assistant.engine.lean.shape import Shape
from assistant.engine.lean.weights import read_weights, write_weights
from assistant.engine.threads import default_threads
from assistant.engine.tokenizer import FolderTokenizer
from assistant.errors import ConversionError, DiskSpaceError

if TYPE_CHECKING:
    from assistant.engine.lean.engine import LeanEngine

_KEYS_AND_VALUES_SHARE = 0.3
_LEAST_CONTEXT = 4096

RECIPE = "v1"
"""Changes with the layout of packed weights; older files are then made anew."""


def open_lean(
    source: Path,
    folder: Path,
    shape: Shape,
    *,
    name: str,
    sha256: str,
    cache: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    progress: Progress = lambda message, share: None,
) -> LeanEngine:
    """Return an engine for a model.

    Args:
        source: the GGUF file, or the folder with the safetensors.
        folder: the folder with ``config.json`` and the tokenizer.
        cache: the user's cache folder.

    Raises:
        ConversionError: the weights cannot be read.
        DiskSpaceError: there is no room for the packed weights.
        EngineError: the tokenizer cannot be read.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    file = packed_file(cache, sha256, precision, keeps_codes(folder))
    if not file.is_file():
        _pack(source, file, shape, config, precision, progress)
    progress(f"Loading {name}", None)
    with ThreadPoolExecutor(2) as pool:  # reading and parsing go on while the kernels are loaded
        weights = pool.submit(read_weights, file)
        form = pool.submit(_chat_format, folder, config)
        from assistant.engine.lean.engine import LeanEngine
        from assistant.engine.lean.model import LeanModel
    wide = precision == "accurate"
    shape = replace(shape, context=_context_that_fits(shape, wide=wide))
    model = LeanModel(
        weights.result(),
        shape,
        threads=threads or default_threads(),
        integer=not wide,
        wide=wide,
    )
    info = EngineInfo(
        model=name,
        sha256=sha256,
        context_length=shape.context,
        layers=shape.layers,
        hidden_size=shape.hidden,
        device="cpu",
        precision=precision,
        path="lean",
    )
    prefixes = PrefixStore(cache / "prefixes", f"{sha256} {precision} {RECIPE}")
    return LeanEngine(model, form.result(), info, prefixes=prefixes)


def _context_that_fits(shape: Shape, *, wide: bool) -> int:
    """Return the model's window, shortened where its keys and values would fill the memory."""
    a_token = shape.layers * 2 * shape.kv_heads * padded(shape.head_size, 16) * (4 if wide else 2)
    fitting = int(psutil.virtual_memory().total * _KEYS_AND_VALUES_SHARE) // a_token
    return min(shape.context, max(_LEAST_CONTEXT, fitting))


def _chat_format(folder: Path, config: dict[str, Any]) -> ChatFormat:
    eos = config.get("eos_token_id")
    ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
    return ChatFormat(FolderTokenizer(folder), ids)


def keeps_codes(folder: Path) -> bool:
    """Return whether a conversion says that all its weights are codes that packing keeps."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((folder / "converted.json").read_text()).get("quantized"))
    return False


def packed_file(cache: Path, sha256: str, precision: Precision, codes: bool) -> Path:
    """Return where packed weights lie. A file's own codes serve ``auto`` and ``accurate`` alike."""
    kind = "auto" if precision == "accurate" and codes else precision
    return cache / "packed" / f"{sha256[:16]}-{kind}-{RECIPE}.weights"


def _pack(
    source: Path,
    file: Path,
    shape: Shape,
    config: dict[str, Any],
    precision: Precision,
    progress: Progress,
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(source, file.parent)
    staging = file.with_name(f"{file.stem}.{os.getpid()}.partial")

    def report(share: float) -> None:
        progress(f"Packing {source.name} (only once)", share)

    try:
        if source.is_file():
            parts: Parts = from_gguf(source, shape, str(config["model_type"]), precision, report)
            write_weights(staging, parts)
        else:
            with _tensors(source) as get:
                write_weights(staging, from_tensors(get, shape, precision, report))
        staging.replace(file)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ConversionError(
            f"{source.name} cannot be packed: {error}",
            "Check it with `assistant models verify`, or run it with "
            "`assistant config set engine plain`.",
        ) from error
    finally:
        staging.unlink(missing_ok=True)
        staging.with_suffix(".body").unlink(missing_ok=True)


def _check_disk(source: Path, folder: Path) -> None:
    """Packed weights are about as large as their source; they are written twice over."""
    files = [source] if source.is_file() else list(source.glob("*.safetensors"))
    needed = 2 * sum(file.stat().st_size for file in files)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskSpaceError(
            f"Packing {source.name} needs {needed / 1e9:.1f} GB of disk; {free / 1e9:.1f} GB are free.",
            "Free some space, or set ASSISTANT_HOME to a folder on a larger disk.",
        )


@contextlib.contextmanager
def _tensors(folder: Path) -> Iterator[Callable[[str], tuple[Array, bool] | None]]:
    """Yield what returns a tensor of a safetensors folder by name (see ``from_tensors``)."""
    from safetensors import safe_open

    with contextlib.ExitStack() as stack:
        where: dict[str, Any] = {}
        for file in sorted(folder.glob("*.safetensors")):
            opened = stack.enter_context(safe_open(str(file), framework="pt"))
            where |= dict.fromkeys(opened.keys(), opened)

        def get(name: str) -> tuple[Array, bool] | None:
            if name not in where:
                return None
            short = where[name].get_slice(name).get_dtype() == "BF16"
            return np.asarray(where[name].get_tensor(name).float().numpy()), short

        yield get
