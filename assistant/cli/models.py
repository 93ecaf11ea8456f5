"""``assistant models``: list, fetch, show, check, remove and recommend models."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import json_option, note, print_json, user_settings
from assistant.errors import AssistantError, Cancelled, UsageError

if TYPE_CHECKING:
    from assistant.models.catalog import CatalogEntry
    from assistant.models.resolve import ModelFiles
    from assistant.paths import Paths
    from assistant.strategy import Chooser

_TASKS = ("qa", "translation", "summarization", "classification", "chat")


@click.group("models", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, fetch, check and recommend models."""


def _paths() -> Paths:
    from assistant.paths import user_paths

    return user_paths()


def _say(text: str) -> None:
    """Print a line that may hold names from the disk or the network."""
    from assistant.sanitize import clean

    click.echo(clean(text))


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _languages(codes: Sequence[str]) -> str:
    return " ".join(codes) if len(codes) <= 4 else f"{len(codes)} languages"


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = zip(row, widths, strict=True)
        _say("  ".join(cell.ljust(width) for cell, width in cells).rstrip())


def _as_dict(entry: CatalogEntry, place: object) -> dict[str, Any]:
    """Return an entry for ``--json``; ``place`` is its path, ``None`` when not installed."""
    return {
        "name": entry.name,
        "title": entry.title,
        "summary": entry.summary,
        "installed": place is not None,
        "path": None if place is None else str(place),
        "default": entry.default,
        "role": entry.role,
        "family": entry.family,
        "parameters": entry.parameters,
        "bytes": entry.bytes,
        "memory_bytes": entry.memory_bytes,
        "context_length": entry.context_length,
        "languages": list(entry.languages),
        "licence": entry.licence,
        "sha256": entry.sha256,
        "hub_repo": entry.hub_repo,
        "hub_file": entry.hub_file,
        "mirror": list(entry.mirror.wheels) if entry.mirror else [],
    }


def _files_dict(files: ModelFiles) -> dict[str, Any]:
    return {
        "name": files.name,
        "path": str(files.path),
        "kind": files.kind,
        "sha256": files.sha256,
    }


@command.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the models of the catalogue and those on this machine."""
    from assistant.models.catalog import load_catalog
    from assistant.models.installed import installed_names
    from assistant.models.resolve import locate

    paths = _paths()
    places = [(entry, locate(entry, paths)) for entry in load_catalog()]
    known = {entry.name for entry, _ in places}
    own = [name for name in installed_names(paths) if name not in known]
    if as_json:
        rows = [_as_dict(entry, place) for entry, place in places]
        print_json(rows + [{"name": name, "installed": True} for name in own])
        return
    table = [["", "NAME", "DOWNLOAD", "MEMORY", "LANGUAGES", "LICENCE"]]
    for entry, place in places:
        mark = "*" if place else ""
        name = f"{entry.name} (default)" if entry.default else entry.name
        sizes = [_size(entry.bytes), _size(entry.memory_bytes)]
        table.append([mark, name, *sizes, _languages(entry.languages), entry.licence])
    table += [["*", name, "", "", "", "your own"] for name in own]
    _table(table)
    note("* on this machine. Fetch one with: assistant models pull NAME")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl+C, so that no installer is left running."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@command.command("pull")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def pull_models(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch models: catalogue names or hub ids (organisation/name).

    Without a NAME, the model of the settings. An interrupted pull goes on where it stopped.
    """
    from assistant.cli.download import shown
    from assistant.models.pull import pull

    paths = _paths()
    fetched = []
    for name in names or (user_settings().model,):
        try:
            with _terminated_like_interrupted(), shown(name) as report:
                files = pull(name, paths, report)
        except KeyboardInterrupt:
            raise Cancelled(
                f"Fetching {name} was interrupted.",
                f"What arrived is kept; go on with: assistant models pull {name}",
            ) from None
        fetched.append(files)
        if not as_json:
            _say(f"{files.name}: {files.path}")
    if as_json:
        print_json([_files_dict(files) for files in fetched])


@command.command("show")
@click.argument("name")
@json_option
def show_model(name: str, as_json: bool) -> None:
    """Show what is known about one model."""
    from assistant.models.catalog import lookup
    from assistant.models.resolve import locate, resolve

    paths, entry = _paths(), lookup(name)
    if entry is None:
        values = {**_files_dict(resolve(name, paths)), "installed": True}
    else:
        values = _as_dict(entry, locate(entry, paths))
    if as_json:
        print_json(values)
        return
    for key, value in values.items():
        _say(f"{key.replace('_', ' '):<15} {_readable(key, value)}")


def _readable(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("bytes", "memory_bytes"):
        return _size(value)
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(value) or "-" if isinstance(value, list) else str(value)


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def verify_models(names: tuple[str, ...], as_json: bool) -> None:
    """Read models in full and compare their checksums (all installed ones without a NAME)."""
    from assistant.models.installed import installed_names, verify

    paths = _paths()
    results: list[dict[str, Any]] = []
    for name in names or tuple(installed_names(paths)):
        try:
            files = verify(name, paths)
            results.append({"name": files.name, "ok": True, "sha256": files.sha256})
        except AssistantError as error:
            results.append({"name": name, "ok": False, "error": error.message, "hint": error.hint})
        if not as_json:
            last = results[-1]
            said = f"ok ({last['sha256'][:16]}…)" if last["ok"] else f"failed: {last['error']}"
            _say(f"{last['name']}: {said}")
            if last.get("hint"):
                note(last["hint"])
    if as_json:
        print_json(results)
    elif not results:
        note("No model is on this machine. Fetch one with: assistant models pull")
    if not all(result["ok"] for result in results):
        click.get_current_context().exit(1)


@command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove_model(name: str, yes: bool, as_json: bool) -> None:
    """Delete a model that this program fetched."""
    from assistant.models.installed import remove

    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "Removing a model needs a yes.", f"assistant models remove {name} --yes"
            )
        click.confirm(f"Delete {name} from this machine?", abort=True, err=True)
    freed = remove(name, _paths())
    if as_json:
        print_json({"name": name, "bytes_freed": freed})
    else:
        _say(f"{name} is gone; {_size(freed)} freed.")


@command.command("recommend")
@click.option("--task", type=click.Choice(_TASKS), help="What it is for.")
@click.option(
    "--lang",
    "--language",
    "languages",
    multiple=True,
    metavar="L",
    help="Code, such as de, or a pair, such as en-zh (may be repeated).",
)
@click.option(
    "--examples", type=click.IntRange(min=0), metavar="N", help="Labelled examples at hand."
)
@click.option("--memory", type=click.FloatRange(min=0.1), metavar="GB", help="As if so much.")
@json_option
def recommend_models(
    task: str | None,
    languages: tuple[str, ...],
    examples: int | None,
    memory: float | None,
    as_json: bool,
) -> None:
    """Say which model suits this machine, a task and languages, by what was measured, and why.

    Where nothing was measured, size and expected speed decide.
    """
    import dataclasses

    from assistant.adapters.registry import Registry
    from assistant.adapters.shelf import Shelf
    from assistant.cli.main import COMMANDS
    from assistant.cli.recommend import as_dict, described
    from assistant.models.catalog import load_catalog
    from assistant.models.recommend import detect_hardware, recommend
    from assistant.models.resolve import locate
    from assistant.recommendation import advise, read_wish

    wish = read_wish(task, languages, examples)
    paths, entries = _paths(), load_catalog()
    hardware = detect_hardware()
    if memory is not None:
        size = int(memory * 1e9)
        hardware = dataclasses.replace(
            hardware, memory_bytes=size, available_bytes=size, gpu=None, gpu_memory_bytes=None
        )
    here = {entry.name for entry in entries if locate(entry, paths) is not None}
    ranked = recommend(
        hardware, languages=wish.languages, task=task, entries=entries, installed=here
    )
    look = Shelf(Registry(paths)).look
    advice = advise(ranked, wish, _measurements(paths), can_train="train" in COMMANDS, look=look)
    if as_json:
        print_json({"hardware": dataclasses.asdict(hardware), **as_dict(advice, wish)})
        return
    _say("\n".join(described(advice, wish, hardware)))


def _measurements(paths: Paths) -> Chooser:
    """Return what ships and what this user measured; a database is not made for that."""
    from assistant.cli.common import open_store
    from assistant.wiring import make_chooser

    if not paths.database.exists():
        return make_chooser(None)
    with open_store() as store:
        return make_chooser(store)
