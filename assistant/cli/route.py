"""``assistant route``: which task a turn is routed to, one turn or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import json_option, note, print_json, print_json_line, read_stdin
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.types import Route


@click.command("route")
@click.argument("text", nargs=-1)
@click.option("--context", help="The previous turn, as 'User: …' and 'Assistant: …' lines.")
@click.option("--batch", help="A JSONL file of {id, input, context?}, or - for stdin.")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("--light", is_flag=True, help="Use the small first stage alone, without a model.")
@click.option("--fit", is_flag=True, help="Train the router for this model (some minutes), once.")
@json_option
def command(
    text: tuple[str, ...],
    context: str | None,
    batch: str | None,
    model: str | None,
    light: bool,
    fit: bool,
    as_json: bool,
) -> None:
    """Show the task a turn is routed to, and the probability of each task."""
    if fit:
        _fit(model)
        return
    if batch is not None and text:
        raise UsageError("Give TEXT or --batch, not both.")
    rows = _rows(batch) if batch is not None else None
    words = "" if rows is not None else " ".join(text).strip() or (read_stdin() or "").strip()
    if rows is None and not words:
        raise UsageError("Nothing to route.", 'Try: assistant route "how do you say hi in Thai?"')
    router, engine = _router(model, light)
    if rows is not None:
        for row in rows:
            route = router.route(row["input"], row.get("context"), engine)
            print_json_line({"id": row["id"], **_as_dict(route)})
        return
    route = router.route(words, context, engine)
    if as_json:
        print_json({**_as_dict(route), "source": route.source})
        return
    for task, score in sorted(route.scores.items(), key=lambda item: -item[1]):
        click.echo(f"{task:<15} {score:6.1%}")


def _router(model: str | None, light: bool) -> tuple[Any, Any]:
    from assistant.paths import user_paths
    from assistant.router import Router

    paths = user_paths()
    router = Router(cache=paths.cache)
    if light:
        return router, None
    from assistant.cli.common import user_settings
    from assistant.wiring import make_loader

    return router, make_loader(user_settings(model=model), paths).get()


def _fit(model: str | None) -> None:
    """Train the classifier for a model that ships without one, and keep it in the cache."""
    from assistant.router.head import save_head
    from assistant.training.router_head import SHIPPED_TURNS, read_turns, train_head

    router, engine = _router(model, light=False)
    turns = read_turns([SHIPPED_TURNS])
    with click.progressbar(
        length=1000, label=f"Reading {len(turns)} turns", file=sys.stderr
    ) as bar:
        head = train_head(engine, turns, lambda share: bar.update(int(share * 1000) - bar.pos))
    file = router.save_file(engine.info.sha256)
    save_head(head, file)
    accuracy = head.about["cross_validated_accuracy"]
    note(f"Right on {accuracy:.1%} of turns it was not trained on (cross-validated). Saved.")


def _as_dict(route: Route) -> dict[str, object]:
    return {"task": route.task, "confidence": route.confidence, "scores": route.scores}


def _rows(source: str) -> list[dict[str, Any]]:
    """Read and check the whole batch before the model is loaded.

    Raises:
        UsageError: the file cannot be read or a line is wrong; the message names the line.
    """
    return list(_checked(_text(source)))


def _text(source: str) -> str:
    try:
        if source == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8 text.") from error
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from error


def _checked(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "too large or too deep")
            raise UsageError(f"Line {number} is not JSON: {reason}.") from error
        if not isinstance(row, dict) or not isinstance(row.get("input"), str) or "id" not in row:
            raise UsageError(f"Line {number} needs an 'id' and a text in 'input'.")
        if not isinstance(row.get("context", ""), str | None):
            raise UsageError(f"Line {number}: 'context' is the previous turn as text.")
        yield row
