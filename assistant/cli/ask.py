"""``assistant ask``: one turn from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import note, print_json, read_stdin
from assistant.cli.common import stop_on_interrupt as stop_on_interrupt
from assistant.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from assistant.session import AskOptions, Session
    from assistant.store.store import Store
    from assistant.types import Route, Turn

_MAX_INPUT_BYTES = 10_000_000


@click.command("ask")
@click.argument("text", nargs=-1)
@click.option("-t", "--task", default="auto", help="auto, qa, translation, … or a task of yours.")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("-s", "--system", help="System prompt for the conversation.")
@click.option("-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation.")
@click.option("--conversation", help="Go on with this conversation (id or its beginning).")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Add this file's text.")
@click.option("--column", help="Answer each row of --file, a table, with this column as its text.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the table of answers here.")
@click.option("--force", is_flag=True, help="Let --output replace a file.")
@click.option("--labels", help="Labels for a classification, separated by commas.")
@click.option("--to", help="Target language of a translation.")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "zero_shot", "few_shot", "adapter"]),
    help="How the task is answered.",
)
@click.option("--adapter", help="Answer with this adapter: TASK/VERSION.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is greedy.")
@click.option("--seed", type=click.IntRange(min=0), help="Fixed seed for sampling.")
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@click.option("--no-log", is_flag=True, help="Leave nothing in the database.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole turn as JSON.")
def command(text: tuple[str, ...], **given: Any) -> None:
    """Answer one turn. Piped text and TEXT join: the words first, then what was piped.

    With --column, many turns: TEXT says what to do with the text in that column of each row of --file
    (.csv, .tsv or .jsonl), and the rows come back with their answers, as CSV or in --output.
    """
    if given["column"] is not None:
        from assistant.cli.table import answer_table

        answer_table(" ".join(text).strip(), given)
        return
    if given["output"] is not None or given["force"]:
        raise UsageError(
            "--output and --force go with --column.", "Like: --file r.csv --column review"
        )
    prompt = _prompt(text, given["file"])
    from assistant.cli.common import open_store, user_settings
    from assistant.wiring import make_session

    settings = user_settings(model=given["model"], strategy=given["strategy"])
    with open_store() if not given["no_log"] else temporary_store(given) as store:
        session = make_session(settings, store=store)
        turn = _hold_turn(session, prompt, given)
    if given["as_json"]:
        print_json(as_json(turn, logged=not given["no_log"]))
    if turn.left_out_turns:
        note(f"{turn.left_out_turns} earlier turns did not fit the model's window.")
    if turn.route is not None and turn.route.unsure:
        note(_unsure(turn.route))
    if turn.probabilities is not None:
        _note_unsure_label(turn.probabilities)
    if turn.state == "cancelled":
        raise Cancelled("Stopped; what was said so far is kept.")


def _unsure(route: Route) -> str:
    """Return the note that the router was not sure, with what else it might be."""
    first, *others = (f"{task} ({route.scores[task]:.0%})" for task in route.unsure)
    return (
        f"Taken for {first}, which is not sure: it may be {' or '.join(others)}. Say which with -t."
    )


def _note_unsure_label(chances: Mapping[str, float]) -> None:
    """Say so when the label is not sure, with the label that came second."""
    from assistant.classification import unsure
    from assistant.explain import unsure_note
    from assistant.sanitize import clean

    if unsure(chances):
        note(clean(unsure_note(chances)))


def _prompt(words: tuple[str, ...], file: Path | None) -> str:
    """Join the words, the file and what is piped in.

    Raises:
        UsageError: there is nothing to ask, or the file cannot be read as text.
    """
    parts = [" ".join(words).strip(), _file_text(file) if file else "", (read_stdin() or "")]
    prompt = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    if not prompt:
        raise UsageError(
            "Nothing to ask.", 'Try: assistant ask "what is a monad?"   or pipe a text in.'
        )
    return prompt


def _file_text(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_INPUT_BYTES:
            raise UsageError(f"{file} is larger than 10 MB.", "Send a part of it.")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text.", "Convert it to plain text first.") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error


def temporary_store(given: dict[str, Any]) -> Store:
    """Return a store that touches no disk, with a copy of the conversation that goes on."""
    from assistant.cli.common import open_store
    from assistant.store.connection import IN_MEMORY
    from assistant.store.store import Store

    temporary = Store(IN_MEMORY)
    if given["conversation"] or given["go_on"]:
        with open_store() as store:
            going_on = _conversation(store, given)
            if going_on is not None:
                temporary.import_conversation(store.export_conversation(going_on))
    return temporary


def _task(given: dict[str, Any], labels: tuple[str, ...]) -> str:
    """Return the task; labels, a target language or an adapter say it as plainly as ``--task``."""
    if given["task"] != "auto":
        return str(given["task"])
    if labels:
        return "classification"
    if given["to"]:
        return "translation"
    task, named, _ = (given["adapter"] or "").partition("/")
    return task if named else "auto"


def turn_options(given: dict[str, Any]) -> AskOptions:
    from assistant.session import AskOptions

    labels = tuple(label.strip() for label in (given["labels"] or "").split(",") if label.strip())
    if given["labels"] is not None and len(set(labels)) < 2:
        raise UsageError("--labels needs at least two different labels.", "Like: --labels yes,no")
    return AskOptions(
        task=_task(given, labels),
        system=given["system"],
        strategy=given["strategy"] or "auto",
        adapter=given["adapter"],
        labels=tuple(dict.fromkeys(labels)),
        to=given["to"],
        max_tokens=given["max_tokens"],
        temperature=given["temperature"],
        seed=given["seed"],
    )


def _hold_turn(session: Session, prompt: str, given: dict[str, Any]) -> Turn:
    from assistant.events import AnswerPiece, PartsRead, TurnFinished
    from assistant.sanitize import Cleaner

    check_task(session, given["task"])
    conversation_id = _conversation(session.store, given)
    cleaner = Cleaner() if sys.stdout.isatty() else None
    streaming = not (given["no_stream"] or given["as_json"])
    finished: Turn | None = None
    with stop_on_interrupt() as stop, loading_notes(session):
        for event in session.ask(
            prompt, conversation_id=conversation_id, options=turn_options(given), stop=stop
        ):
            if isinstance(event, AnswerPiece) and streaming:
                _write(cleaner.feed(event.text) if cleaner else event.text)
            elif isinstance(event, PartsRead) and sys.stderr.isatty():
                note(f"Read {event.done} of {event.total} parts.")
            elif isinstance(event, TurnFinished):
                finished = event.turn
    assert finished is not None
    if streaming:
        _write("\n")
    elif not given["as_json"]:
        _write((cleaner.feed(finished.answer) if cleaner else finished.answer) + "\n")
    return finished


def check_task(session: Session, task: str) -> None:
    names = ("auto", *session.tasks())
    if task not in names:
        raise UsageError(f"There is no task '{task}'.", f"One of: {', '.join(names)}.")


def _conversation(store: Store, given: dict[str, Any]) -> str | None:
    if given["conversation"]:
        return store.conversation(given["conversation"]).id
    if not given["go_on"]:
        return None
    latest = store.latest_conversation()
    return latest.id if latest else None


def _write(text: str) -> None:
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8"))
    sys.stdout.flush()


@contextmanager
def loading_notes(session: Session) -> Iterator[None]:
    """Tell on stderr when a first start takes long (conversion); quiet otherwise."""
    said: set[str] = set()

    def show(status: Any) -> None:
        if status.message.startswith("Converting") and status.message not in said:
            said.add(status.message)
            note(f"{status.message} …")

    unsubscribe = session.loader.subscribe(show)
    try:
        yield
    finally:
        unsubscribe()


def as_json(turn: Turn, *, logged: bool = True) -> dict[str, object]:
    """Return a turn in the form of the contract (docs/cli.md)."""
    from assistant.classification import unsure

    if turn.route is None or turn.choice is None:
        raise Cancelled("The turn was stopped before it was routed.")
    value: dict[str, object] = {
        "text": turn.answer,
        "task": turn.route.task,
        "route": {
            "task": turn.route.task,
            "confidence": turn.route.confidence,
            "scores": turn.route.scores,
            "source": turn.route.source,
        },
        "strategy": turn.choice.strategy,
        "strategy_reason": turn.choice.reason,
        "adapter": turn.choice.adapter,
        "model": turn.model,
        "usage": {
            "prompt_tokens": turn.usage.prompt_tokens,
            "cached_prompt_tokens": turn.usage.cached_prompt_tokens,
            "completion_tokens": turn.usage.completion_tokens,
        },
        "timing": {
            "route_s": round(turn.timing.route_s, 4),
            "first_token_s": round(turn.timing.first_token_s, 4),
            "total_s": round(turn.timing.total_s, 4),
            "tokens_per_s": round(turn.timing.tokens_per_s, 2),
        },
        "finish_reason": turn.finish_reason,
        "left_out_turns": turn.left_out_turns,
        "conversation_id": turn.conversation_id if logged else None,
        "turn_id": turn.id if logged else None,
    }
    if turn.probabilities is not None:
        value["probabilities"] = turn.probabilities
        value["unsure"] = unsure(turn.probabilities)
    return value
