"""The Hugging Face cache other programs fill: looked into, never written to."""

from __future__ import annotations

import os
from pathlib import Path

_WEIGHTS = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")


def cache_folder() -> Path:
    """Return the cache's folder, as ``HF_HUB_CACHE``, ``HF_HOME`` or the default say now."""
    if explicit := os.environ.get("HF_HUB_CACHE"):
        return Path(explicit).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def cached_repo(repo: str) -> Path | None:
    """Return the folder of a repository's cached files, or ``None``; nothing is downloaded."""
    cache = cache_folder()
    # Looking for the folder first spares the import where there is nothing to find.
    if not (cache / f"models--{repo.replace('/', '--')}").is_dir():
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            repo, cache_dir=cache, local_files_only=True, allow_patterns=list(_WEIGHTS)
        )
    except (LocalEntryNotFoundError, FileNotFoundError):
        return None
    return Path(found)


def cached_file(repo: str, name: str) -> Path | None:
    """Return the path of one cached file of a repository, or ``None``."""
    cache = cache_folder()
    if not (cache / f"models--{repo.replace('/', '--')}").is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, name, cache_dir=cache)
    return Path(found) if isinstance(found, str) else None
