"""``assistant history``: look at, search, rename, delete, export and import conversations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.cli.common import json_option, note, open_store, print_json
from assistant.errors import UsageError
from assistant.sanitize import clean

if TYPE_CHECKING:
    from assistant.types import Conversation, Turn

_SHORT_ID = 8


@click.group(name="history", short_help="Conversations: list, show, search, export and more.")
def command() -> None:
    """Look at, search, rename, delete, export and import conversations.

    ID is the id of a conversation, its first characters (at least six), or "last".
    """


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, help="At most so many.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many first.")
@json_option
def list_(limit: int, offset: int, as_json: bool) -> None:
    """List conversations, the latest first."""
    with open_store() as store:
        found = store.conversations(limit=limit, offset=offset)
    if as_json:
        print_json([asdict(conversation) for conversation in found])
        return
    for conversation in found:
        click.echo(_line(conversation))
    if not found:
        note("No conversations." if offset else "No conversations yet.")


@command.command()
@click.argument("conversation_id", metavar="[ID]", default="last")
@click.option("-a", "--all", "hidden", is_flag=True, help="Show undone and replaced turns too.")
@json_option
def show(conversation_id: str, hidden: bool, as_json: bool) -> None:
    """Show one conversation (the last one unless ID is given)."""
    with open_store() as store:
        conversation = store.conversation(conversation_id)
        turns = store.turns(conversation.id, include_hidden=hidden)
    if as_json:
        turn_values = [asdict(turn) for turn in turns]
        print_json({"conversation": asdict(conversation), "turns": turn_values})
        return
    click.echo(_line(conversation))
    if conversation.system:
        click.echo(f"System: {clean(conversation.system)}")
    for turn in turns:
        click.echo(_shown(turn))


@command.command()
@click.argument("query", nargs=-1, required=True)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, help="At most so many.")
@json_option
def search(query: Sequence[str], limit: int, as_json: bool) -> None:
    """Find the messages and titles in which all words of QUERY occur, newest first.

    Words may be parts of words, in any language; every character counts as it is.
    """
    with open_store() as store:
        hits = store.search(" ".join(query), limit=limit)
    if as_json:
        print_json([asdict(hit) for hit in hits])
        return
    for hit in hits:
        place = hit.conversation_id[:_SHORT_ID]
        click.echo(f"{place}  {_day(hit.created_at)}  {clean(_flat(hit.title))}")
        if hit.role != "title":
            click.echo(f"    {hit.role}: {clean(hit.snippet)}")
    if not hits:
        note("Nothing found.")


@command.command()
@click.argument("conversation_id", metavar="ID")
@click.argument("title", nargs=-1, required=True)
def rename(conversation_id: str, title: Sequence[str]) -> None:
    """Give the conversation ID another TITLE."""
    with open_store() as store:
        conversation = store.conversation(conversation_id)
        store.rename(conversation.id, " ".join(title))
        click.echo(_line(store.conversation(conversation.id)))


@command.command()
@click.argument("conversation_ids", metavar="ID...", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(conversation_ids: Sequence[str], yes: bool) -> None:
    """Delete conversations for good, with the feedback on them.

    To leave no trace in the files either: assistant privacy ID --erase.
    """
    with open_store() as store:
        found = {item.id: item for item in map(store.conversation, conversation_ids)}
        if not yes and not _confirmed(list(found.values())):
            note("Nothing was deleted.")
            return
        for conversation in found.values():
            store.delete(conversation.id)
            click.echo(f"Deleted {conversation.id}  {clean(_flat(conversation.title))}")


@command.command()
@click.argument("conversation_id", metavar="[ID]", default="last")
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(["md", "json"]),
    default="md",
    show_default=True,
    help="Markdown for people, or JSON with every field, which import reads.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write to this file, not to stdout."
)
def export(conversation_id: str, kind: str, output: Path | None) -> None:
    """Export one conversation (the last one unless ID is given)."""
    from assistant.store.formats import json_text, markdown

    with open_store() as store:
        if kind == "json":
            text = json_text(store.export_conversation(conversation_id))
        else:
            conversation = store.conversation(conversation_id)
            text = markdown(conversation, store.turns(conversation.id))
    deliver(text, output)


@command.command("import")
@click.argument("file", metavar="FILE")
def import_(file: str) -> None:
    """Import a conversation from a JSON FILE that export wrote ("-" is stdin)."""
    from assistant.store.codec import fields_of
    from assistant.store.files import read_json

    data = fields_of(read_json(file), "file")
    with open_store() as store:
        click.echo(_line(store.import_conversation(data)))


@command.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write a copy of the whole database to FILE, which must not exist yet."""
    with open_store() as store:
        store.backup(file)
    click.echo(f"Backup written: {clean(str(file))}")


@command.command()
def path() -> None:
    """Print where the database is."""
    from assistant.paths import user_paths

    click.echo(str(user_paths().database))


def deliver(text: str, output: Path | None) -> None:
    """Write an export to its file or to stdout; only at a terminal is it cleaned."""
    if output is not None:
        from assistant.store.files import write_text

        write_text(output, text)
        note(f"Written: {clean(str(output))}")
        return
    click.echo(clean(text) if sys.stdout.isatty() else text, nl=False)


def _confirmed(doomed: Sequence[Conversation]) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "Deleting needs a yes, and there is no terminal to ask at.", "Add --yes to delete."
        )
    for conversation in doomed:
        click.echo(_line(conversation), err=True)
    what = "this conversation" if len(doomed) == 1 else f"these {len(doomed)} conversations"
    return click.confirm(f"Delete {what} and the feedback on it for good?", err=True)


def _line(conversation: Conversation) -> str:
    count = conversation.turn_count
    turns = f"{count} turn" + ("" if count == 1 else "s")
    title = clean(_flat(conversation.title))
    return f"{conversation.id[:_SHORT_ID]}  {_day(conversation.updated_at)}  {turns:>9}  {title}"


def _shown(turn: Turn) -> str:
    facts = [
        turn.id[:_SHORT_ID],
        turn.route.task if turn.route else "",
        "" if turn.state == "done" else turn.state,
        f"rated {turn.rating}" if turn.rating else "",
        "hidden" if turn.hidden else "",
    ]
    lines = [
        f"\n[{' · '.join(filter(None, facts))}]",
        f"You: {clean(turn.user_text)}",
        f"Assistant: {clean(turn.answer)}",
    ]
    if turn.correction:
        lines.append(f"Corrected: {clean(turn.correction)}")
    if turn.error:
        lines.append(f"Error: {clean(turn.error)}")
    return "\n".join(lines)


def _day(time: str) -> str:
    return time[:16].replace("T", " ")


def _flat(text: str) -> str:
    return " ".join(text.split())
