"""``assistant doctor``: what is here, what is missing, what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from assistant.cli.common import json_option, print_json
from assistant.errors import AssistantError

_NEEDED = ("torch", "transformers", "peft", "textual", "langchain-core", "sqlite-utils")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``hint`` says what to do when ``status`` is not ``ok``."""

    name: str
    status: Literal["ok", "warning", "problem"]
    detail: str
    hint: str = ""


@click.command("doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the installation and say what is wrong. Exit code 1 when something is."""
    findings = list(examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.status:<8} {finding.name:<14} {finding.detail}")
            if finding.hint:
                click.echo(f"{'':<24}{finding.hint}")
    if any(finding.status == "problem" for finding in findings):
        ctx.exit(1)


def examine() -> Iterator[Finding]:
    """Yield the findings, quick ones first; nothing is loaded or changed."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    yield from _settings()
    yield from _folders()
    yield from _database()
    yield from _prompts()
    yield from _model()
    yield from _adapters()


def _packages() -> Iterator[Finding]:
    for name in _NEEDED:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "problem", "not installed", "Install the program again.")


def _settings() -> Iterator[Finding]:
    from assistant.cli.common import user_settings
    from assistant.paths import user_paths

    try:
        user_settings()
        file = user_paths().config_file
        yield Finding("settings", "ok", str(file) if file.exists() else "defaults")
    except AssistantError as error:
        yield Finding("settings", "problem", error.message, error.hint)


def _folders() -> Iterator[Finding]:
    from assistant.paths import user_paths

    paths = user_paths()
    for name in ("config", "data", "cache", "models"):
        folder = getattr(paths, name)
        size = _size(folder) if folder.exists() else 0
        yield Finding(name, "ok", f"{folder}  ({size / 1e6:,.0f} MB)")
    place = next(p for p in (paths.models, *paths.models.parents) if p.exists())
    free = shutil.disk_usage(place).free
    few = free < 3_000_000_000
    hint = "A model needs one to five GB while it is installed." if few else ""
    yield Finding("free disk", "warning" if few else "ok", f"{free / 1e9:.1f} GB", hint)


def _size(folder: object) -> int:
    return sum(f.stat().st_size for f in Path(str(folder)).rglob("*") if f.is_file())


def _database() -> Iterator[Finding]:
    from assistant.cli.common import open_store
    from assistant.paths import user_paths

    file = user_paths().database
    if not file.exists():
        yield Finding("database", "ok", f"{file} (made with the first turn)")
        return
    try:
        with open_store() as store:
            stats = store.stats()
        shown = ("conversations", "turns", "feedback")
        counts = ", ".join(f"{stats[name]} {name}" for name in shown if name in stats)
        yield Finding("database", "ok", f"{file}  ({counts})")
    except AssistantError as error:
        yield Finding("database", "problem", error.message, error.hint)


def _prompts() -> Iterator[Finding]:
    from assistant.paths import shipped, user_paths
    from assistant.prompts import Prompts

    try:
        prompts = Prompts.load(shipped("prompts"), user_paths().prompts)
        yield Finding("prompts", "ok", ", ".join(prompts.tasks()))
    except AssistantError as error:
        yield Finding("prompts", "problem", error.message, error.hint)


def _model() -> Iterator[Finding]:
    from assistant.cli.common import user_settings
    from assistant.engine.convert import is_converted
    from assistant.models.resolve import resolve
    from assistant.paths import user_paths
    from assistant.router import Router

    paths = user_paths()
    try:
        files = resolve(user_settings().model, paths)
    except AssistantError as error:
        yield Finding("model", "problem", error.message, error.hint)
        return
    yield Finding("model", "ok", f"{files.name}: {files.path}")
    if files.kind == "gguf" and not is_converted(paths.cache, files.sha256):
        yield Finding(
            "conversion", "ok", "not yet; the first start takes about half a minute longer"
        )
    yield from _engine(files.path, files.kind, files.sha256)
    if Router(cache=paths.cache).has_head(files.sha256):
        yield Finding("router", "ok", "trained on this model's hidden states")
    else:
        yield Finding(
            "router",
            "warning",
            "no router for this model yet: the light first stage routes",
            "Train one in a few minutes: assistant route --fit",
        )


def _adapters() -> Iterator[Finding]:
    """Say which trained adapters are in use for the settings' model, and check them."""
    from assistant.adapters.names import base_folder
    from assistant.adapters.registry import Registry
    from assistant.adapters.verify import base_model_of, verify_with
    from assistant.cli.common import user_settings
    from assistant.paths import user_paths
    from assistant.sanitize import clean

    paths = user_paths()
    try:
        model = user_settings().model
        found = Registry(paths).all_in_use(base_folder(model))
    except AssistantError:
        return  # what is wrong with settings or model was said before
    for task, one in found.items():
        if one.problem:
            hint = f"Choose anew: assistant adapters promote NAME, or: adapters off {task}"
            yield Finding("adapter", "warning", clean(one.problem), hint)
        if one.card is None:
            continue
        try:
            verify_with(one.card, base_model_of(one.card, model, paths))
            yield Finding(
                "adapter", "ok", f"{one.card.name} in use, its files are as they should be"
            )
        except AssistantError as error:
            detail = f"{one.card.name} in use, cannot be: {error.message}"
            yield Finding("adapter", "problem", clean(detail), clean(error.hint))
    if not any(one.card for one in found.values()):
        yield Finding("adapters", "ok", "none in use")


def _engine(path: Path, kind: str, sha256: str) -> Iterator[Finding]:
    """Say what would run the model, and what is kept for it."""
    from assistant.cli.common import user_settings
    from assistant.engine.convert import tokenizer_folder
    from assistant.engine.lean.prefix_store import LIMIT_BYTES, prefix_usage
    from assistant.engine.opening import lean_shape, why_plain
    from assistant.paths import user_paths
    from assistant.wiring import engine_options

    options, cache = engine_options(user_settings()), user_paths().cache
    folder = path if kind == "folder" else tokenizer_folder(cache, sha256)
    why = why_plain(options)
    if why is None and (folder / "config.json").is_file():
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if lean_shape(config) is None:
            why = f"the lean path does not know models like this ({config.get('model_type')})"
    if why is not None:
        yield Finding("engine", "ok", f"plain transformers: {why}")
        return
    from assistant.engine.lean.emit import instruction_set
    from assistant.engine.threads import default_threads

    threads = options.threads or default_threads()
    detail = f"lean, precision {options.precision}, {instruction_set()}, {threads} threads"
    yield Finding("engine", "ok", detail)
    count, size = prefix_usage(cache / "prefixes")
    limit = f"at most {LIMIT_BYTES / 1e6:,.0f} MB"
    yield Finding("prefixes", "ok", f"{count} stored prompts, {size / 1e6:,.1f} MB ({limit})")
