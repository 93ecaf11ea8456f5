"""Few-shot prefixes on disk: keys and values of the tokens that every turn of a task begins with.

A file is named by everything its contents depend on: the base weights, the recipe they were packed by,
the adapter and its version, and the token ids, which follow from tokenizer, chat template and prompt
file. So a changed prompt has another name and can never meet old keys and values.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from assistant.engine.lean.formats import Array, padded
from assistant.engine.lean.pages import TOKENS

LIMIT_BYTES = 256_000_000
"""What all stored prefixes together may take on disk."""

_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Stored:
    """A prefix on disk: its token ids (tokens,) and its file."""

    ids: Array
    file: Path


class PrefixStore:
    """The prefixes of one model in one folder, the least recently used deleted beyond a limit."""

    def __init__(self, folder: Path, identity: str, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._identity, self._limit = folder, identity, limit_bytes
        self._index: dict[str, list[Stored]] = {}

    def name(self, ids: Sequence[int], key: Sequence[str]) -> str:
        """Return the file name of a prefix."""
        digest = hashlib.sha256("\0".join([self._scope(key), ""]).encode())
        digest.update(np.asarray(ids, dtype=np.int32).tobytes())
        return f"{self._scope(key)}-{digest.hexdigest()[:24]}{_SUFFIX}"

    def find(self, ids: Sequence[int], key: Sequence[str]) -> Stored | None:
        """Return the longest stored prefix of ``ids``, or ``None``."""
        wanted = np.asarray(ids, dtype=np.int32)
        best: Stored | None = None
        for stored in self._stored(key):
            size = len(stored.ids)
            longer = best is None or size > len(best.ids)
            if longer and size <= len(wanted) and bool((stored.ids == wanted[:size]).all()):
                best = stored
        return best

    def load(self, stored: Stored, page_bytes: int) -> Array | None:
        """Return the pages (pages, page bytes) uint8 of a stored prefix; ``None`` if it is gone."""
        try:
            with safe_open(str(stored.file), framework="numpy") as file:
                pages: Array = file.get_tensor("pages")
        except (OSError, SafetensorError):
            return None
        with contextlib.suppress(OSError):  # a read-only folder: only its age is not renewed
            os.utime(stored.file)
        wanted = (padded(len(stored.ids), TOKENS) // TOKENS, page_bytes)
        return pages if pages.shape == wanted else None

    def save(self, ids: Sequence[int], key: Sequence[str], pages: Array) -> None:
        """Store a prefix; a full disk or a read-only folder only means that nothing is stored."""
        file = self._folder / self.name(ids, key)
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        tokens = np.asarray(ids, dtype=np.int32)
        with contextlib.suppress(OSError, SafetensorError):
            self._folder.mkdir(parents=True, exist_ok=True)
            save_file({"ids": tokens, "pages": pages}, str(partial))
            partial.replace(file)
            self._stored(key).append(Stored(tokens, file))
            self._trim()
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)

    def _scope(self, key: Sequence[str]) -> str:
        """Everything but the tokens, as part of the name: other scopes are not even opened."""
        return hashlib.sha256("\0".join([self._identity, *key]).encode()).hexdigest()[:16]

    def _stored(self, key: Sequence[str]) -> list[Stored]:
        scope = self._scope(key)
        if scope not in self._index:
            found = [_open(file) for file in sorted(self._folder.glob(f"{scope}-*{_SUFFIX}"))]
            self._index[scope] = [stored for stored in found if stored is not None]
        return self._index[scope]

    def _trim(self) -> None:
        files = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda f: f.stat().st_mtime)
        total = sum(file.stat().st_size for file in files)
        while files and total > self._limit:
            oldest = files.pop(0)
            total -= oldest.stat().st_size
            oldest.unlink(missing_ok=True)
            for stored in self._index.values():
                stored[:] = [s for s in stored if s.file != oldest]


def _open(file: Path) -> Stored | None:
    try:
        with safe_open(str(file), framework="numpy") as opened:
            return Stored(opened.get_tensor("ids"), file)
    except (OSError, SafetensorError):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)  # damaged: it is made again when it is needed
        return None


def prefix_usage(folder: Path) -> tuple[int, int]:
    """Return how many prefixes are stored below ``folder``, and their bytes."""
    files = list(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
    return len(files), sum(file.stat().st_size for file in files)
