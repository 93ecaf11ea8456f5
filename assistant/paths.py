"""Where things live: config, data, cache and models (platformdirs), and what ships inside.

``ASSISTANT_HOME`` puts all four below one folder. Nothing is created at import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_APP = "assistant"
_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Paths:
    """The four folders of one user. ``models`` holds downloads, ``cache`` what can be made anew."""

    config: Path
    data: Path
    cache: Path
    models: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def database(self) -> Path:
        return self.data / "assistant.db"

    @property
    def prompts(self) -> Path:
        """The user's own prompt files; they override or add to the shipped ones."""
        return self.config / "prompts"

    @property
    def log_file(self) -> Path:
        return self.data / "assistant.log"


def user_paths() -> Paths:
    """Return the folders of this user, below ``ASSISTANT_HOME`` when it is set."""
    home = os.environ.get("ASSISTANT_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(root / "config", root / "data", root / "cache", root / "models")
    data = platformdirs.user_data_path(_APP, appauthor=False)
    return Paths(
        config=platformdirs.user_config_path(_APP, appauthor=False),
        data=data,
        cache=platformdirs.user_cache_path(_APP, appauthor=False),
        models=data / "models",
    )


def shipped(name: str) -> Path:
    """Return the folder ``prompts`` or ``adapters`` that ships with the program.

    In a wheel they lie inside the package; in a checkout beside it.
    """
    packaged = _PACKAGE / "_shipped" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
