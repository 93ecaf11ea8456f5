"""Rewrites the parts of the documentation that are made from the program itself.

Such a part stands between two markers, ``<!-- name -->`` and ``<!-- /name -->``. Run it as
``python docs/generate.py`` or ``make docs``; a test fails when what is committed is out of date.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click

if TYPE_CHECKING:
    from assistant.measured import Measurement

DOCS = Path(__file__).resolve().parent
_WIDTH = 92


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command with the words it is called by, the program itself first."""
    from assistant.cli.main import cli

    yield from _below("assistant", cli, None)


def _below(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    # The width is fixed: the terminal that happens to be there must not change the text.
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None, f"{each} is listed and does not exist"
            yield from _below(each, found, context)


def command_help() -> str:
    """Return the help of every command, each below a heading of its own."""
    parts = []
    for path, command, context in commands():
        level = "###" if len(path.split()) < 3 else "####"
        text = click.unstyle(command.get_help(context)).rstrip()
        parts.append(f"{level} {path}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def settings_table() -> str:
    """Return all settings as a Markdown table."""
    from assistant.config import Settings

    lines = [
        "| setting | variable | values | default | what it does |",
        "|---|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "–" if default in (None, {}) else f"`{default}`"
        description = (field.description or "").replace("|", "\\|")
        lines.append(
            f"| `{name}` | `ASSISTANT_{name.upper()}` | {_values(field.annotation)} | {shown} "
            f"| {description} |"
        )
    return "\n".join(lines)


def _values(annotation: Any) -> str:
    """Say in words what a setting can be."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return ", ".join(_values(each) for each in get_args(annotation) if each is not type(None))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is dict:
        return "table"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return words.get(annotation, str(annotation))


def key_tables() -> str:
    """Return the keys of the terminal app, one table for each place where they work."""
    from assistant.tui.keys import GROUPS, shown

    parts = []
    for title, keys in GROUPS:
        lines = [f"### {title}", "", "| keys | what | id |", "|---|---|---|"]
        lines += [f"| {shown(key.keys)} | {key.help} | `{key.id}` |" for key in keys]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def slash_table() -> str:
    """Return the slash commands of the terminal app as a Markdown table."""
    from assistant.tui.commands import COMMANDS

    lines = ["| command | what |", "|---|---|"]
    for command in COMMANDS:
        argument = command.argument.replace("|", "\\|")
        lines.append(f"| `/{command.name}{f' {argument}' if argument else ''}` | {command.help} |")
    return "\n".join(lines)


def _catalogue() -> str:
    from assistant.models.catalog import catalog_table

    return catalog_table()


def measured_tables() -> str:
    """Return the measurements that ship, one table a model: a line a data set, a column a way."""
    from assistant.measured import read_measurements
    from assistant.strategy import Chooser

    rows = read_measurements()
    parts = []
    for model in dict.fromkeys(row.model for row in rows):
        mine = [row for row in rows if row.model == model]
        chooser = Chooser(rows, {row.task: row.adapter for row in mine if row.adapter})
        ways = sorted({_way(row) for row in mine}, key=_WAYS.index)
        lines = [
            f"### {model}",
            "",
            "| task | data | language | metric | n | " + " | ".join(ways) + " | chosen |",
            "|---|---|---|---|---:|" + "---:|" * len(ways) + "---|",
        ]
        for task, data, lang in dict.fromkeys((row.task, row.data, row.lang) for row in mine):
            cells = {
                _way(row): row
                for row in mine
                if (row.task, row.data, row.lang) == (task, data, lang)
            }
            one = next(iter(cells.values()))
            chosen = chooser.choose(task, model=model, lang=lang)
            taken = [row.way for row in mine if row.key == _key(chosen)]
            shown = [_cell(cells.get(way)) for way in ways]
            lines.append(
                f"| {task} | {data} | {lang} | {one.metric} | {one.n} | "
                f"{' | '.join(shown)} | {taken[0] if taken else ''} |"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts) or "Nothing was measured yet."


_WAYS = ["zero-shot", "few-shot (4 fixed)", "few-shot (4 nearest)", "adapter"]


def _way(row: Measurement) -> str:
    return "adapter" if row.adapter else row.way


def _cell(row: Measurement | None) -> str:
    return f"{row.value:.1f} [{row.low:.1f}, {row.high:.1f}]" if row is not None else ""


def _key(choice: Any) -> tuple[object, ...]:
    return (choice.strategy, choice.shots, choice.nearest, choice.adapter)


def calibration_table() -> str:
    """Return the corrections of label probabilities that ship, with what they changed."""
    from assistant.calibration import read

    lines = [
        "| data | labels | way | n | accuracy before | after | ECE before | after | two prompts |",
        "|---|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in read():
        lines.append(
            f"| {row.data} | {len(row.labels)} | {row.way.split('@')[0]} | {row.n} | {row.accuracy[0]:.1f} | "
            f"{row.accuracy[1]:.1f} | {row.ece[0]:.3f} | {row.ece[1]:.3f} | {'yes' if row.needs_bare else ''} |"
        )
    return "\n".join(lines)


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "cli.md": {"commands": command_help, "settings": settings_table},
    "app.md": {"keys": key_tables, "slash-commands": slash_table},
    "models.md": {"catalogue": _catalogue},
    "evaluation.md": {"measured": measured_tables, "calibrations": calibration_table},
}


def regenerated(name: str) -> str:
    """Return the file ``name`` of this folder with its generated parts made anew.

    Raises:
        ValueError: a marker is missing.
    """
    text = (DOCS / name).read_text(encoding="utf-8")
    for part, make in PARTS[name].items():
        begin, end = f"<!-- {part} -->\n", f"<!-- /{part} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"docs/{name} needs the markers of {part!r}, once each")
        before, rest = text.split(begin)
        text = f"{before}{begin}{make()}\n{end}{rest.split(end)[1]}"
    return text


def main() -> None:
    """Rewrite what is out of date and name it."""
    for name in PARTS:
        file = DOCS / name
        new = regenerated(name)
        if file.read_text(encoding="utf-8") != new:
            file.write_text(new, encoding="utf-8")
            print(f"docs/{name} is rewritten")


if __name__ == "__main__":
    main()
