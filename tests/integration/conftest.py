"""Homes with the real SmolLM2-135M in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_program import NAME, PULLED, Program


@pytest.fixture(scope="session")
def smollm2_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the pulled model in it; what is converted there is shared by all tests."""
    if not list(PULLED.glob("*.gguf")):
        pytest.fail(
            f"SmolLM2 is not in {PULLED}. Run `make test`, which fetches it first, or: "
            f"assistant models pull {NAME}",
            pytrace=False,
        )
    home = tmp_path_factory.mktemp("smollm2")
    folder = home / "models" / NAME
    folder.mkdir(parents=True)
    (home / "cache").mkdir()
    for file in PULLED.glob("*.gguf"):
        (folder / file.name).symlink_to(file)
    return home


@pytest.fixture(scope="session")
def shared(smollm2_home: Path) -> Program:
    """One program for the tests that only read what others have left, or do not mind it."""
    return Program(smollm2_home)


@pytest.fixture
def fresh(smollm2_home: Path, tmp_path: Path) -> Callable[..., Program]:
    """Return a function that makes a home without history, with the model and its conversion."""

    def make(**more: str) -> Program:
        home = tmp_path / "fresh"
        home.mkdir()
        for name in ("models", "cache"):
            (home / name).symlink_to(smollm2_home / name)
        return Program(home, more)

    return make
