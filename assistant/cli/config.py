"""``assistant config``: show and change settings."""

from __future__ import annotations

import click

from assistant.cli.common import json_option, print_json


@click.group("config")
def command() -> None:
    """Show and change settings (flags > ASSISTANT_… variables > config file > defaults)."""


@command.command("show")
@json_option
def show(as_json: bool) -> None:
    """Print every setting as it is in force."""
    from assistant.cli.common import user_settings
    from assistant.config import Settings

    values = user_settings().model_dump()
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        shown = "-" if value is None else value
        click.echo(f"{name:<15} {shown!s:<32} {Settings.model_fields[name].description}")


@command.command("path")
def path() -> None:
    """Print where the settings file is (it need not exist)."""
    from assistant.paths import user_paths

    click.echo(user_paths().config_file)


@command.command("set")
@click.argument("key")
@click.argument("value")
def set_(key: str, value: str) -> None:
    """Write one setting; an empty VALUE goes back to the default. A key: keys.chat.new ctrl+t."""
    from assistant import config

    click.echo(f"{key} is set in {config.save_value(key, value)}", err=True)
