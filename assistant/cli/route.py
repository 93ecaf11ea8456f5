"""``assistant route``: which task a turn is routed to, one turn or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import (
    json_option,
    note,
    open_store,
    print_json,
    print_json_line,
    read_stdin,
    reasons_as_dict,
)
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.engine.base import Engine
    from assistant.router import Router
    from assistant.router.head import Head
    from assistant.router.router import Reasons
    from assistant.store.store import Store
    from assistant.training.router_head import LabelledTurn
    from assistant.types import Route


@click.command("route")
@click.argument("text", nargs=-1)
@click.option("--context", help="The previous turn, as 'User: …' and 'Assistant: …' lines.")
@click.option("--batch", help="A JSONL file of {id, input, context?}, or - for stdin.")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("--light", is_flag=True, help="Use the small first stage alone, without a model.")
@click.option("--why", is_flag=True, help="Say which parts of the turn speak for and against.")
@click.option("--taught", is_flag=True, help="List what you taught, and how much each counts.")
@click.option("--fit", is_flag=True, help="Train the router for this model (some minutes), once.")
@click.option("--adapter", is_flag=True, help="With --fit: train an adapter too (an hour or more).")
@json_option
def command(
    text: tuple[str, ...],
    context: str | None,
    batch: str | None,
    model: str | None,
    light: bool,
    why: bool,
    taught: bool,
    fit: bool,
    adapter: bool,
    as_json: bool,
) -> None:
    """Show the task a turn is routed to, and the probability of each task."""
    if fit:
        _fit(model, adapter)
        return
    if batch is not None and text:
        raise UsageError("Give TEXT or --batch, not both.")
    if batch is not None and why:
        raise UsageError("--why explains one turn.", "Give it without --batch.")
    if taught:
        if text or batch is not None or why:
            raise UsageError("--taught lists; it routes nothing.", "Give it alone.")
        _list_taught(model, light, as_json)
        return
    if adapter and not fit:
        raise UsageError("--adapter goes with --fit.", "Like: assistant route --fit --adapter")
    rows = _rows(batch) if batch is not None else None
    words = "" if rows is not None else " ".join(text).strip() or (read_stdin() or "").strip()
    if rows is None and not words:
        raise UsageError("Nothing to route.", 'Try: assistant route "how do you say hi in Thai?"')
    with open_store() as store:
        router, engine = _router(model, light, store)
        if rows is not None:
            _route_batch(router, engine, rows)
            return
        reasons = router.explain(words, context, engine) if why else None
        route = reasons.route if reasons else router.route(words, context, engine)
    if as_json:
        value = {**_as_dict(route), "source": route.source, "unsure": list(route.unsure)}
        print_json({**value, **reasons_as_dict(reasons)} if reasons else value)
        return
    for task, score in sorted(route.scores.items(), key=lambda item: -item[1]):
        click.echo(f"{task:<16}{score:6.1%}")
    if reasons:
        click.echo("")
        _print_reasons(reasons, route.task)


def _list_taught(model: str | None, light: bool, as_json: bool) -> None:
    from assistant.sanitize import clean

    with open_store() as store:
        router, engine = _router(model, light, store)
        lessons = router.taught(engine)
    if as_json:
        rows = [
            {"input": one.text, "context": one.context, "task": one.task, "counts": one.strength}
            for one in lessons
        ]
        print_json(rows)
        return
    if not lessons:
        note("No route was corrected yet. How to: assistant feedback add --help")
        return
    for one in lessons:
        click.echo(f"{one.strength:6.0%}  {one.task:<16}{clean(' '.join(one.text.split()))[:70]}")
    note(
        "Below 100 %: more would take other turns along. The corrected turn itself always follows you.\n"
        "To take one back: assistant feedback list --kind route, then: assistant feedback delete N"
    )


_TOGETHER = 64


def _route_batch(router: Router, engine: Engine | None, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        turns = [(row["input"], row.get("context")) for row in some]
        for row, route in zip(some, router.route_all(turns, engine), strict=True):
            print_json_line({"id": row["id"], **_as_dict(route)})


def _print_reasons(reasons: Reasons, task: str) -> None:
    from assistant.sanitize import clean

    click.echo(f"Parts by what they do for {task} (log-odds with the part, less those without it):")
    for part in reasons.parts[:12]:
        click.echo(f"{part.for_task(task):+6.2f}  {clean(' '.join(part.text.split()))[:70]}")
    for lesson, share in reasons.lessons[:3]:
        said = clean(" ".join(lesson.text.split()))[:60]
        click.echo(f"{share:6.0%}  of the decision is what you taught for {lesson.task}: {said}")


def _router(model: str | None, light: bool, store: Store) -> tuple[Router, Engine | None]:
    from assistant.paths import shipped, user_paths
    from assistant.prompts import Prompts
    from assistant.wiring import make_router

    paths = user_paths()
    router = make_router(paths, store, Prompts.load(shipped("prompts"), paths.prompts))
    if light:
        return router, None
    from assistant.cli.common import user_settings
    from assistant.wiring import make_loader

    return router, make_loader(user_settings(model=model), paths).get()


def _fit(model: str | None, adapter: bool) -> None:
    """Train the classifier for a model that ships without one, and keep it in the cache."""
    from assistant.router.head import HEAD_FILE, save_head
    from assistant.training.router_head import (
        SHIPPED_TURNS,
        read_labelled,
        train_head,
        write_guard,
    )

    with open_store() as store:
        router, engine = _router(model, False, store)
    assert engine is not None
    turns = read_labelled([SHIPPED_TURNS])
    folder = router.save_folder(engine.info.sha256)
    if adapter:
        head = _fit_adapter(engine, model, turns, folder)
        accuracy = head.about["held_out_accuracy"]
    else:
        with _reading_bar(f"{len(turns)} turns") as advance:
            head = train_head(engine, turns, advance)
        accuracy = head.about["cross_validated_accuracy"]
    save_head(head, folder / HEAD_FILE)
    with _reading_bar("the check set") as advance:
        write_guard(engine, head, folder, advance)
    note(f"Right on {accuracy:.1%} of turns it was not trained on. Saved.")


@contextmanager
def _reading_bar(what: str) -> Iterator[Callable[[float], None]]:
    label = f"Reading {what}"
    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        yield lambda share: bar.update(int(share * 1000) - bar.pos)


def _fit_adapter(engine: Engine, name: str | None, turns: list[LabelledTurn], folder: Path) -> Head:
    """Train the adapter, load it into the engine, and return the classifier that goes with it."""
    from assistant.cli.common import user_settings
    from assistant.paths import user_paths
    from assistant.router.router import ADAPTER
    from assistant.training.router_adapter import AdapterSettings, train_adapter
    from assistant.training.router_head import head_with
    from assistant.wiring import plain_folder

    settings = AdapterSettings.for_depth(engine.info.layers)
    model = plain_folder(user_settings(model=name), user_paths())
    trained = train_adapter(model, turns, folder, settings, _report)
    sys.stderr.write("\n")
    engine.unload_adapter(ADAPTER)
    engine.load_adapter(ADAPTER, folder)
    with _reading_bar(f"{len(turns)} turns") as advance:
        return head_with(engine, turns, trained, settings, advance)


def _report(line: str) -> None:
    """Show one line of progress in place of the last."""
    sys.stderr.write(f"\r{line:<60}")
    sys.stderr.flush()


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
