"""``assistant adapters``: list, show, check, switch, import, export and remove trained adapters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assistant.cli.adapters_view import as_dict, in_full, lineage, size, table
from assistant.cli.common import json_option, note, print_json, user_settings
from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from assistant.adapters.card import Card
    from assistant.adapters.registry import Registry
    from assistant.paths import Paths

F = TypeVar("F", bound=Callable[..., Any])


@click.group("adapters", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, check, switch, import and export trained adapters.

    A NAME is TASK/VERSION, a version alone, or the beginning of either where only one fits. Adapters
    belong to a base model: that of the settings, or the one given with -m.
    """


def _model_option(function: F) -> F:
    return click.option("-m", "--model", help="The base model; default: that of the settings.")(
        function
    )


def _say(text: str) -> None:
    """Print a line that may hold names and texts from the disk."""
    from assistant.sanitize import clean

    click.echo(clean(text))


def _note(text: str) -> None:
    """Print to stderr what may hold names from the disk."""
    from assistant.sanitize import clean

    note(clean(text))


def _paths() -> Paths:
    from assistant.paths import user_paths

    return user_paths()


def _registry() -> Registry:
    from assistant.adapters.registry import Registry

    return Registry(_paths())


def _model(name: str | None) -> str:
    """Return the name of the base model."""
    return name or user_settings().model


def _base(model: str | None) -> str:
    from assistant.adapters.names import base_folder

    return base_folder(_model(model))


def _find(registry: Registry, name: str, model: str | None) -> Card:
    return registry.find(name, _base(model))


@command.command("list")
@_model_option
@click.option("-t", "--task", help="Only those for this task.")
@json_option
def list_adapters(model: str | None, task: str | None, as_json: bool) -> None:
    """List the adapters of all base models, or of one (-m), with their scores.

    The scores are those of the record that came with an adapter: zero-shot, few-shot, adapter.
    """
    registry = _registry()
    rows = []
    for base in [_base(model)] if model else registry.bases():
        using = {name: found.card for name, found in registry.all_in_use(base).items()}
        for card in registry.cards(base, task):
            used = using[card.task]
            rows.append((card, used is not None and used.folder == card.folder))
    if as_json:
        print_json([as_dict(card, in_use=used) for card, used in rows])
        return
    if not rows:
        note("No adapter is here. Train one: assistant train, or assistant adapters import FILE")
        return
    for line in table(rows):
        _say(line)
    note("* in use. Put another to use with: assistant adapters promote NAME")


@command.command("show")
@click.argument("name")
@_model_option
@json_option
def show_adapter(name: str, model: str | None, as_json: bool) -> None:
    """Show what is known about one adapter: how it was trained, on what, and what it is worth."""
    from assistant.adapters.archive import readme_of

    registry = _registry()
    card = _find(registry, name, model)
    used = registry.in_use(card.base, card.task).card
    in_use = used is not None and used.folder == card.folder
    parents = lineage(card, registry)
    if as_json:
        print_json({**as_dict(card, in_use=in_use), "lineage": parents, "card": readme_of(card)})
        return
    for line in in_full(card, in_use, parents, _plain_note(card)):
        _say(line)
    if card_text := readme_of(card):
        _say("\n" + card_text)


def _plain_note(card: Card) -> str:
    """Return what to say of an adapter that the engine in use does not run, ``""`` for others."""
    from assistant.adapters.plain import NOTE, needs_plain
    from assistant.cli.common import lean_in_use

    return NOTE if needs_plain(card) and lean_in_use(user_settings()) else ""


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_model_option
@json_option
def verify_adapters(names: tuple[str, ...], model: str | None, as_json: bool) -> None:
    """Check files, checksums, base model, shapes and values (of all adapters without a NAME)."""
    registry = _registry()
    if names:
        cards = [_find(registry, name, model) for name in names]
    else:
        bases = [_base(model)] if model else registry.bases()
        cards = [card for base in bases for card in registry.cards(base)]
    results = [_verified(card, model) for card in cards]
    if as_json:
        print_json(results)
    for one in () if as_json else results:
        said = f"ok ({one['sha256'][:16]}…)" if one["ok"] else f"failed: {one['error']}"
        _say(f"{one['base_model']} {one['name']}: {said}")
        for more in (one["hint"], *one["notes"]):
            if more:
                _note(f"  {more}")
    if not results and not as_json:
        note("No adapter is here.")
    if not all(one["ok"] for one in results):
        click.get_current_context().exit(1)


def _verified(card: Card, model: str | None) -> dict[str, Any]:
    from assistant.adapters.verify import base_model_of, verify_with

    value: dict[str, Any] = {"name": card.name, "base_model": card.base, "ok": True}
    try:
        found = verify_with(card, base_model_of(card, _model(model), _paths()))
    except AssistantError as error:
        failed = {"ok": False, "error": error.message, "hint": error.hint}
        return {**value, **failed, "sha256": None, "notes": []}
    passed = {"error": None, "hint": ""}
    return {**value, **passed, "sha256": found.sha256, "notes": list(found.notes)}


@command.command("promote")
@click.argument("name")
@_model_option
@json_option
def promote_adapter(name: str, model: str | None, as_json: bool) -> None:
    """Put an adapter to use for its task, after it was checked in full.

    Turns are answered with it wherever its scores say that it is better; --strategy adapter uses it
    always.
    """
    from assistant.adapters.verify import base_model_of, verify_with

    registry = _registry()
    card = _find(registry, name, model)
    found = verify_with(card, base_model_of(card, _model(model), _paths()))
    before = registry.promote(card)
    for one in found.notes:
        _note(f"Note: {one}.")
    _tell_switch(card.base, card.task, card, before, as_json)
    if plain := _plain_note(card):
        note(plain)
    if not card.run.scores and not as_json:
        note(
            "It has no scores yet, so it answers only with --strategy adapter. To measure it: "
            f"assistant eval -t {card.task} --data FILE --adapter {card.name}"
        )


@command.command("off")
@click.argument("task")
@_model_option
@json_option
def switch_off(task: str, model: str | None, as_json: bool) -> None:
    """Use no adapter for a task; rollback takes that back."""
    base = _base(model)
    before = _registry().switch_off(base, task)
    _tell_switch(base, task, None, before, as_json)


@command.command("rollback")
@click.argument("task")
@_model_option
@json_option
def rollback_adapter(task: str, model: str | None, as_json: bool) -> None:
    """Go back to what was in use for a task before the last switch."""
    base, registry = _base(model), _registry()
    before = registry.in_use(base, task).card
    now = registry.rollback(base, task)
    _tell_switch(base, task, now, before, as_json)


def _tell_switch(
    base: str, task: str, now: Card | None, before: Card | None, as_json: bool
) -> None:
    if as_json:
        names = {"current": now.name if now else None, "before": before.name if before else None}
        print_json({"base_model": base, "task": task, **names})
        return
    was = before.name if before else "no adapter"
    said = f"{now.name} is in use now" if now else f"No adapter is in use for {task} now"
    _say(f"{said} (before: {was}).")


@command.command("import")
@click.argument("source", metavar="FILE|FOLDER|HUB_ID")
@click.option("-t", "--task", help="The task it is for, where it does not say so.")
@click.option("--version", "version", metavar="NAME", help="Its name here; default: the file's.")
@_model_option
@json_option
def import_adapter(
    source: str, task: str | None, version: str | None, model: str | None, as_json: bool
) -> None:
    """Take in an adapter in PEFT's format: a zip, a folder, or a hub id (organisation/name).

    It is checked in full first and never put to use by this: see promote.
    """
    from assistant.adapters.archive import Wanted
    from assistant.adapters.names import check_name

    if version is not None:
        check_name(version, "version")
    wanted = Wanted(task, version, model, user_settings().model)
    registry, place = _registry(), Path(source).expanduser()
    if place.exists() or not _is_hub_id(source):
        from assistant.adapters.archive import import_adapter as take_in

        done = take_in(place, wanted, registry, _paths())
    else:
        from assistant.adapters.hub import import_from_hub

        done = import_from_hub(source, wanted, registry, _paths())
    for one in done.verified.notes:
        _note(f"Note: {one}.")
    if as_json:
        print_json({**as_dict(done.card, in_use=False), "notes": list(done.verified.notes)})
        return
    _say(f"{done.card.name} for {done.card.base} is here: {done.card.folder}")
    note(f"To use it: assistant adapters promote {done.card.name}")


def _is_hub_id(source: str) -> bool:
    from assistant.models.resolve import is_hub_id

    return is_hub_id(source) and not source.lower().endswith(".zip")


@command.command("export")
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The zip; default: its own name."
)
@click.option("--force", is_flag=True, help="Replace the file.")
@_model_option
@json_option
def export_adapter(
    name: str, output: Path | None, force: bool, model: str | None, as_json: bool
) -> None:
    """Write an adapter as a zip of its PEFT folder, for import elsewhere."""
    from assistant.adapters.archive import export_adapter as write
    from assistant.adapters.verify import verify

    card = _find(_registry(), name, model)
    verify(card)
    target = output or Path(f"{card.base}--{card.task}--{card.version}.zip")
    written = write(card, target, force=force)
    if as_json:
        print_json({"name": card.name, "path": str(target), "bytes": written})
    else:
        _say(f"{target} ({size(written)})")


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also one in use; what was in use before is again.")
@_model_option
@json_option
def remove_adapters(
    names: Sequence[str], yes: bool, force: bool, model: str | None, as_json: bool
) -> None:
    """Delete adapters of your own."""
    registry = _registry()
    cards = [_find(registry, name, model) for name in names]
    if not yes:
        listed = ", ".join(card.name for card in cards)
        if not sys.stdin.isatty():
            raise UsageError(
                "Removing an adapter needs a yes.", f"assistant adapters remove {listed} --yes"
            )
        click.confirm(f"Delete {listed}?", abort=True, err=True)
    results = []
    for card in cards:
        freed = registry.remove(card, force=force)
        now = registry.in_use(card.base, card.task).card
        results.append(
            {"name": card.name, "bytes_freed": freed, "in_use": now.name if now else None}
        )
        if not as_json:
            _say(f"{card.name} is gone; {size(freed)} freed.")
    if as_json:
        print_json(results)
