"""What all tests share: nothing of the user's own is read or written by a test."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _kernel_folder() -> Path:
    """Return a folder for compiled kernels, another one for each version of their code."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "assistant" / "engine" / "lean").glob("*.py")):
        digest.update(file.read_bytes())
    return ROOT / ".pytest_cache" / "kernels" / digest.hexdigest()[:16]


# Every test has a home of its own, and compiling the kernels for each takes ten seconds: so they are
# kept from run to run. Set here, processes that tests start have it too.
os.environ["NUMBA_CACHE_DIR"] = str(_kernel_folder())


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put config, data, cache and models below the test's folder, without settings from outside."""
    for name in [name for name in os.environ if name.startswith("ASSISTANT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
