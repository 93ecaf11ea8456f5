"""An adapter from a hub repository: only its four files are fetched, then it is imported like a folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from assistant.adapters.archive import Imported, Wanted, import_adapter
from assistant.adapters.registry import Registry
from assistant.adapters.verify import PARTS
from assistant.adapters.weights import MAX_WEIGHTS
from assistant.errors import AdapterError, ChecksumError, DownloadError
from assistant.models import hub
from assistant.models.checksums import file_sha256
from assistant.models.progress import Watch
from assistant.paths import Paths


def import_from_hub(repo: str, wanted: Wanted, registry: Registry, paths: Paths) -> Imported:
    """Fetch the adapter in a hub repository and import it.

    Raises:
        AdapterError: the hub is out of reach, the repository holds no adapter, or a bad one.
        ChecksumError: what came is not what the hub announced.
    """
    watch = Watch()
    try:
        found = hub.look(repo, watch)
        files = [each for each in found.files if each.name in PARTS]
        total = sum(each.size for each in files)
        if len(files) < 2 or total > MAX_WEIGHTS:
            raise AdapterError(f"{repo} holds no adapter in PEFT's format with safetensors.")
        with tempfile.TemporaryDirectory(prefix="adapter-") as place:
            folder = Path(place) / repo.partition("/")[2]
            folder.mkdir()
            for each in files:
                got = hub.download(found, each, Path(place), watch, before=0, total=total)
                if each.sha256 is not None and file_sha256(got) != each.sha256:
                    raise ChecksumError(f"{each.name} of {repo} arrived damaged.", "Try again.")
                got.replace(folder / each.name)
            return import_adapter(folder, wanted, registry, paths)
    except DownloadError as error:
        raise AdapterError(
            f"{repo} cannot be fetched from the hub: {error.message}.",
            "Fetch it elsewhere and import the folder or a zip of it.",
        ) from error
