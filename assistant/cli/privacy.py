"""``assistant privacy``: everything about one conversation shown, exported or erased."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, open_store, print_json
from assistant.errors import UsageError
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.cli.privacy_view import Found
    from assistant.paths import Paths
    from assistant.store.store import Store


@click.command("privacy")
@click.argument("conversation_id", metavar="CONVERSATION")
@click.option(
    "--export",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all of it to FILE, as JSON.",
)
@click.option("--force", is_flag=True, help="Replace the FILE.")
@click.option("--erase", is_flag=True, help="Delete all of it for good.")
@click.option(
    "--adapters", is_flag=True, help="With --erase: also your adapters that learned from it."
)
@click.option("-y", "--yes", is_flag=True, help="With --erase: do not ask.")
@json_option
def command(
    conversation_id: str,
    target: Path | None,
    force: bool,
    erase: bool,
    adapters: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show, export or erase everything about a CONVERSATION.

    That is what was said in it and of it, what undo keeps, answers in evaluations, refinements that used
    it, and which adapters were trained on it. CONVERSATION is an id, its first characters (at least six),
    "last", or the id of a conversation that was deleted before.
    """
    from assistant.cli.privacy_view import look_up, print_erased, print_found
    from assistant.paths import user_paths

    if (adapters or yes) and not erase:
        raise UsageError("--adapters and --yes go with --erase.", "Add --erase, or leave them out.")
    if target is not None and target.exists() and not force:
        raise UsageError(f"{target} exists already.", "Choose another file, or add --force.")
    paths = user_paths()
    with open_store() as store:
        found = look_up(store, paths, conversation_id)
        if target is not None:
            _export(store, found, target)
        if erase:
            done = _erased(store, paths, found, adapters=adapters, yes=yes)
            if done is None:
                note("Nothing was deleted.")
            elif as_json:
                print_json(done)
            else:
                print_erased(done)
            return
    if as_json:
        print_json(found.as_json())
    elif target is None:
        print_found(found)


def _export(store: Store, found: Found, target: Path) -> None:
    from assistant.cli.privacy_view import export
    from assistant.store.files import write_text
    from assistant.store.formats import json_text

    write_text(target, json_text(export(store, found)))
    note(f"Written: {clean(str(target))}")


def _erased(
    store: Store, paths: Paths, found: Found, *, adapters: bool, yes: bool
) -> dict[str, object] | None:
    """Erase and return what was done and what stays; ``None`` where the user said no."""
    from assistant.cli.privacy_view import doomed, erased_as_json, stays
    from assistant.training.forgetting import check_idle, erase

    check_idle(found.traces, found.made)
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                "Erasing needs a yes, and there is no terminal to ask at.", "Add --yes to erase."
            )
        for line in doomed(found, adapters=adapters):
            click.echo(clean(line), err=True)
        if not click.confirm("Erase all of this for good?", err=True):
            return None
    done = erase(store, paths, found.traces.conversation_id, adapters=adapters)
    left = stays(found, adapters=adapters, cleaned=done.cleaned)
    return erased_as_json(done, left)
