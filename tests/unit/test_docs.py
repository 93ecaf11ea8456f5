"""The documentation: what is made from the program is up to date, and nothing is invented."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from assistant.cli.main import COMMANDS as PROGRAM_COMMANDS
from assistant.tui.commands import COMMANDS as SLASH_COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md"), *ROOT.glob("*/README.md")])


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generator()


@pytest.mark.parametrize("name", sorted(generate.PARTS))
def test_generated_parts_are_up_to_date(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert generate.regenerated(name) == committed, "run: python docs/generate.py"


def test_a_missing_marker_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cli.md").write_text("no markers here\n", encoding="utf-8")
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    with pytest.raises(ValueError, match="markers"):
        generate.regenerated("cli.md")


def test_every_command_is_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    paths = [path for path, _, _ in generate.commands()]
    assert len(paths) == len(set(paths)) > len(PROGRAM_COMMANDS)
    missing = [path for path in paths if not re.search(rf"^#+ {path}$", text, re.MULTILINE)]
    assert not missing


def test_every_option_says_what_it_does() -> None:
    silent = [
        f"{path} {option.opts[0]}"
        for path, command, _ in generate.commands()
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", "")
    ]
    assert not silent


def test_examples_call_commands_that_exist() -> None:
    known = {path for path, _, _ in generate.commands()}
    groups = {path.split()[1] for path in known if len(path.split()) == 3}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for words in re.findall(r"(?:^|[`|] ?)assistant ([a-z]+(?: [a-z]+)?)\b", line):
                first, _, second = words.partition(" ")
                assert first in PROGRAM_COMMANDS, f"{page.name}: {line}"
                if first in groups and second:
                    assert f"assistant {words}" in known, f"{page.name}: {line}"


def test_the_readme_names_every_slash_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`/([a-z]+)`", text)
    assert sorted(named) == sorted(command.name for command in SLASH_COMMANDS)


def _tree() -> list[Path]:
    """Return the paths of the README's file tree, two spaces a level."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("## What is where")[1].split("```")[1]
    folders: list[str] = []
    paths = []
    for line in block.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        folders[depth:] = [name]
        paths.append(Path(*folders))
    return paths


def test_the_tree_of_the_readme_exists() -> None:
    tree = _tree()
    assert len(tree) > 30
    assert [str(path) for path in tree if not (ROOT / path).exists()] == []


def test_the_tree_of_the_readme_names_every_part_of_the_package() -> None:
    named = {path.parts[1] for path in _tree() if path.parts[0] == "assistant" and path.parts[1:]}
    parts = {
        path.name
        for path in (ROOT / "assistant").iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert parts <= named, f"not in the README's tree: {sorted(parts - named)}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            file, _, _anchor = target.partition("#")
            if file and "://" not in file:
                assert (page.parent / file).exists(), f"{page.name}: {target}"


def _tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "README.md", "docs", "adapters", "Makefile", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.split() if done.returncode == 0 else []
    return [ROOT / name for name in names] or PAGES  # an unpacked archive has no git


# Put together from pieces, so that this file does not contain them itself.
FORBIDDEN = [f"/{'work'}/", f"/{'root'}/", f"pypi.{'org'}", f"files.{'pythonhosted'}"]


def test_no_page_names_an_index_host_or_somebodys_folder() -> None:
    for page in {*PAGES, *_tracked()}:
        if page.is_file() and page.suffix not in (".png", ".jpg", ".safetensors"):
            text = page.read_text(encoding="utf-8")
            assert [word for word in FORBIDDEN if word in text] == [], page.name
