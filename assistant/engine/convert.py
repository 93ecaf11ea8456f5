"""A GGUF file, converted once into weights and tokenizer that load in seconds.

transformers can read GGUF but takes half a minute and more for it. The result is kept in the
cache under the file's checksum and this recipe's version, so a changed file is never mistaken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.engine.base import Progress
from assistant.errors import ConversionError, DiskSpaceError

_RECIPE = "bf16-v1"
_DONE = "converted.json"


def converted_folder(cache: Path, sha256: str) -> Path:
    """Return where the conversion of the file with this checksum lies, there or not yet."""
    return cache / "converted" / f"{sha256[:16]}-{_RECIPE}"


def is_converted(cache: Path, sha256: str) -> bool:
    """Return whether the conversion is complete."""
    return (converted_folder(cache, sha256) / _DONE).is_file()


def convert(gguf: Path, sha256: str, cache: Path, progress: Progress) -> Path:
    """Return the folder with the converted model, making it first if need be.

    It is written beside its final place and renamed, so that an interruption leaves nothing half.

    Raises:
        ConversionError: the file is no model that transformers can read.
        DiskSpaceError: the disk is too full.
    """
    target = converted_folder(cache, sha256)
    if (target / _DONE).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(gguf, target.parent)
    staging = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        _write(gguf, staging, progress)
        (staging / _DONE).write_text(f'{{"sha256": "{sha256}", "recipe": "{_RECIPE}"}}\n')
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    except (OSError, ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        if (target / _DONE).is_file():  # another process was faster
            return target
        raise ConversionError(
            f"{gguf.name} cannot be read as a model: {error}",
            "Check the file with `assistant models verify`, or choose another model.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _write(gguf: Path, folder: Path, progress: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    name = gguf.name
    progress(f"Reading the tokenizer of {name}", None)
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
