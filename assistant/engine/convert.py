"""A GGUF file, converted once into weights and tokenizer that load in seconds.

transformers can read GGUF but takes half a minute and more for it. The result is kept in the
cache under the file's checksum and this recipe's version, so a changed file is never mistaken.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assistant.engine.base import Progress
from assistant.errors import ConversionError, DiskSpaceError

_RECIPE = "bf16-v1"
_TOKENIZER_RECIPE = "tokenizer-v1"
_FLOATS = ("F32", "F16", "BF16")
_DONE = "converted.json"


def converted_folder(cache: Path, sha256: str, recipe: str = _RECIPE) -> Path:
    """Return where the conversion of the file with this checksum lies, there or not yet."""
    return cache / "converted" / f"{sha256[:16]}-{recipe}"


def tokenizer_folder(cache: Path, sha256: str) -> Path:
    """Return where tokenizer and settings of the file with this checksum lie, there or not yet."""
    return converted_folder(cache, sha256, _TOKENIZER_RECIPE)


def is_converted(cache: Path, sha256: str) -> bool:
    """Return whether what the next start needs is there already."""
    folders = (converted_folder(cache, sha256, recipe) for recipe in (_RECIPE, _TOKENIZER_RECIPE))
    return any((folder / _DONE).is_file() for folder in folders)


def convert(gguf: Path, sha256: str, cache: Path, progress: Progress) -> Path:
    """Return the folder with the model in transformers' format, making it first if need be.

    Raises:
        ConversionError: the file is no model that transformers can read.
        DiskSpaceError: the disk is too full.
    """
    target = converted_folder(cache, sha256)
    if not (target / _DONE).is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_disk(gguf, target.parent)
        _make(
            gguf, target, {"sha256": sha256, "recipe": _RECIPE}, lambda f: _write(gguf, f, progress)
        )
    return target


def convert_tokenizer(gguf: Path, sha256: str, cache: Path, progress: Progress) -> Path:
    """Return a folder with tokenizer and ``config.json`` alone, making it first if need be.

    Its ``converted.json`` says whether all matrices of the file are quantized.

    Raises:
        ConversionError: the file is no model that transformers can read.
    """
    target = tokenizer_folder(cache, sha256)
    if not (target / _DONE).is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        facts: dict[str, object] = {"sha256": sha256, "recipe": _TOKENIZER_RECIPE}
        _make(gguf, target, facts, lambda f: facts.update(_write_tokenizer(gguf, f, progress)))
    return target


def _make(
    gguf: Path, target: Path, facts: dict[str, object], write: Callable[[Path], None]
) -> None:
    """Write a folder beside its final place and rename it, so that nothing half is ever met."""
    staging = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        write(staging)
        (staging / _DONE).write_text(json.dumps(facts) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    except (OSError, ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        if (target / _DONE).is_file():  # another process was faster
            return
        raise ConversionError(
            f"{gguf.name} cannot be read as a model: {error}",
            "Check the file with `assistant models verify`, or choose another model.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_tokenizer(gguf: Path, folder: Path, progress: Progress) -> dict[str, object]:
    from assistant.engine.gguf_file import quick_reading, read_gguf
    from assistant.engine.tokenizer import PLAIN, without_added_tokens

    progress(f"Reading the tokenizer of {gguf.name} (only once)", None)
    from transformers import AutoConfig, AutoTokenizer

    tensors = read_gguf(gguf).tensors
    with quick_reading():
        config = AutoConfig.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    plain = without_added_tokens(folder / "tokenizer.json")
    (folder / PLAIN).write_text(plain, encoding="utf-8")
    floats = [t.name for t in tensors if len(t.shape) == 2 and t.tensor_type.name in _FLOATS]
    return {"quantized": not floats}


def _write(gguf: Path, folder: Path, progress: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    from assistant.engine.gguf_file import quick_reading

    name = gguf.name
    progress(f"Reading the tokenizer of {name}", None)
    with quick_reading():
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=name)
    with _tensor_progress(lambda share: progress(f"Converting {name} (only once)", share)):
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=name, dtype=torch.bfloat16
        )
    progress("Saving the converted model", None)
    model.hf_quantizer = None  # save_pretrained refuses anything that came from GGUF otherwise
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _check_disk(gguf: Path, folder: Path) -> None:
    """bf16 takes about 2.6 times a 4-bit file; four times leaves room for other quantizations."""
    needed = 4 * gguf.stat().st_size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskSpaceError(
            f"Converting {gguf.name} needs {needed / 1e9:.1f} GB of disk; {free / 1e9:.1f} GB are free.",
            "Free some space, or set ASSISTANT_HOME to a folder on a larger disk.",
        )


@contextlib.contextmanager
def _tensor_progress(report: Any) -> Iterator[None]:
    """Report the share of tensors read; transformers only offers it to its own progress bar."""
    from transformers import modeling_gguf_pytorch_utils as reader

    original = getattr(reader, "tqdm", None)

    def counted(tensors: Any, **_: Any) -> Iterator[Any]:
        total = len(tensors)
        for position, tensor in enumerate(tensors):
            report(position / max(1, total))
            yield tensor

    if original is not None:
        reader.tqdm = counted
    try:
        yield
    finally:
        if original is not None:
            reader.tqdm = original
