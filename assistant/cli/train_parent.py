"""The adapter that a training starts from (``--from``, ``--init-from``): what it was made as stays."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.paths import Paths

_KINDS = {"LORA": "lora", "IA3": "ia3", "PREFIX_TUNING": "prefix"}


@dataclass(frozen=True, slots=True)
class Parent:
    """An adapter to start from.

    Attributes:
        shape: the settings that it fixes, by name: the technique, of LoRA and DoRA rank, alpha and
            layers, of a prefix the number of its tokens as rank.
    """

    folder: Path
    name: str
    shape: Mapping[str, Any]

    def check(self, values: Mapping[str, Any], said: Collection[str]) -> None:
        """Check the settings of the flags in ``said`` against the adapter.

        Raises:
            UsageError: one asks for something else than what is there.
        """
        for flag, own, wanted in (
            ("technique", self.shape["technique"], values["technique"]),
            ("rank", self.shape.get("rank"), values["rank"]),
            ("alpha", self.shape.get("alpha"), values["alpha"]),
            ("layers", self._layers, _layers_in_words(values)),
        ):
            if flag not in said or own == wanted or own is None:
                continue
            if flag == "technique" and (own, wanted) == ("layers", "lora"):
                continue  # the layers say the difference
            raise UsageError(
                f"--{flag} {wanted} does not go with {self.name}: it was made with {own}.",
                f"Leave --{flag} out, or start without the adapter.",
            )

    def in_words(self) -> str:
        """Return technique and size in a few words."""
        parts = [str(self.shape["technique"])]
        if "rank" in self.shape:
            prefix = self.shape["technique"] == "prefix"
            rank = self.shape["rank"]
            parts.append(f"{rank} virtual tokens" if prefix else f"rank {rank}")
        if "alpha" in self.shape:
            parts += [f"alpha {self.shape['alpha']}", f"layers {self._layers}"]
        return ", ".join(parts)

    @property
    def _layers(self) -> str:
        return _layers_in_words(self.shape)


def read_parent(given: Mapping[str, Any], model: str, paths: Paths) -> Parent | None:
    """Return the adapter that the flags name, ``None`` where they name none.

    Raises:
        UsageError: both flags were given, or the folder holds no adapter.
        AdapterError: there is no such adapter.
    """
    if given["start"] and given["init_from"]:
        raise UsageError("--from and --init-from exclude each other.", "Give one of them.")
    if given["init_from"]:
        folder: Path = given["init_from"]
        return Parent(folder, folder.absolute().name, _shape_of(folder))
    if not given["start"]:
        return None
    from assistant.adapters.names import base_folder
    from assistant.adapters.registry import Registry

    card = Registry(paths).find(given["start"], base_folder(model), given["task"])
    return Parent(card.folder, card.name, _shape_of(card.folder))


def parent_in_use(task: str, model: str, paths: Paths) -> tuple[Card, Parent] | None:
    """Return the adapter that a task is answered with, to be trained on; ``None`` where there is none."""
    from assistant.adapters.names import base_folder
    from assistant.adapters.registry import Registry

    card = Registry(paths).in_use(base_folder(model), task).card
    return None if card is None else (card, Parent(card.folder, card.name, _shape_of(card.folder)))


def _shape_of(folder: Path) -> dict[str, Any]:
    # Without the file PEFT would read a pickled one, or ask the hub.
    if not (folder / "adapter_model.safetensors").is_file():
        raise UsageError(
            f"{folder} holds no adapter to start from.",
            "Give a folder in PEFT's format, with its weights in adapter_model.safetensors.",
        )
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        technique = _KINDS[config["peft_type"]]
        if technique == "ia3":
            return {"technique": technique}
        if technique == "prefix":
            return {"technique": technique, "rank": int(config["num_virtual_tokens"])}
        first, last = _ends(config.get("layers_to_transform"))
        if config.get("use_dora"):
            technique = "dora"
        elif first is not None:
            technique = "layers"
        return {
            "technique": technique,
            "rank": int(config["r"]),
            "alpha": int(config["lora_alpha"]),
            "first": first,
            "last": last,
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no adapter to start from.", "Give a folder in PEFT's format."
        ) from error


def _ends(layers: int | list[int] | None) -> tuple[int | None, int | None]:
    """Return the first and the last of PEFT's layers, counted from 1."""
    if layers is None or layers == []:
        return None, None
    found = [layers] if isinstance(layers, int) else layers
    return min(found) + 1, max(found) + 1


def _layers_in_words(values: Mapping[str, Any]) -> str:
    first, last = values.get("first"), values.get("last")
    return "all" if first is None else f"{first}-{last}"
