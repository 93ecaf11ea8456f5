"""The shapes of a base model's linear layers, read from the headers of its files: no weights, no torch."""

from __future__ import annotations

from collections.abc import Mapping

from assistant.errors import ConversionError
from assistant.models.resolve import ModelFiles

Shapes = Mapping[str, tuple[int, int]]
"""(outputs, inputs) by the module's name in transformers, as in ``model.layers.0.mlp.up_proj``."""


def module_shapes(files: ModelFiles) -> Shapes:
    """Return the shapes of all matrices of a model.

    Raises:
        ConversionError: its files cannot be read.
    """
    try:
        found = _of_gguf(files) if files.kind == "gguf" else _of_folder(files)
    except Exception as error:  # the libraries raise many kinds; all mean the same here
        raise ConversionError(
            f"{files.path} cannot be read as a model: {error}", "Run: assistant models verify"
        ) from error
    return {name: (shape[0], shape[1]) for name, shape in found.items() if len(shape) == 2}


def _of_folder(files: ModelFiles) -> dict[str, tuple[int, ...]]:
    from safetensors import safe_open

    found = {}
    for path in sorted(files.path.glob("*.safetensors")):
        with safe_open(str(path), framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118  # no mapping, though it looks like one
                if name.endswith(".weight"):
                    shape = tuple(opened.get_slice(name).get_shape())
                    found[name.removesuffix(".weight")] = shape
    return found


def _of_gguf(files: ModelFiles) -> dict[str, tuple[int, ...]]:
    from assistant.adapters.gguf_header import tensor_shapes
    from assistant.engine.lean.pack import names_of

    theirs = tensor_shapes(files.path)
    layers = 1 + max(int(name.split(".")[1]) for name in theirs if name.startswith("blk."))
    return {
        plain: theirs[f"{gguf}.weight"]
        for plain, gguf in names_of(layers).values()
        if f"{gguf}.weight" in theirs
    }
