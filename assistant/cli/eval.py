"""``assistant eval``: measure a task on data, and compare what was measured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.common import json_option, note, open_store, print_json, stop_on_interrupt
from assistant.cli.eval_bias import bias_command
from assistant.cli.eval_calibrate import run as run_calibration
from assistant.cli.eval_injections import injections_command
from assistant.cli.eval_matrix import run as run_matrix
from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.evaluation.metric import Prediction
    from assistant.evaluation.run import Evaluation

_DIGITS = 18
"""No database counts further."""

_STRATEGIES = ["auto", "zero_shot", "few_shot", "adapter"]


@click.group("eval", invoke_without_command=True)
@click.option("-t", "--task", help="qa, translation, summarization, classification, …")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="JSONL of {id, input, target, …}; with --matrix a folder.",
)
@click.option("--strategy", type=click.Choice(_STRATEGIES), help="How the task is answered.")
@click.option("-m", "--model", help="Catalogue name, folder, GGUF file or hub id.")
@click.option("--adapter", help="Answer with this adapter.")
@click.option("--shots", type=click.IntRange(0, 32), help="Examples of a few-shot prompt.")
@click.option("--nearest", is_flag=True, help="Pick the examples most like each input.")
@click.option("--personal", is_flag=True, help="Let your own good answers be among the examples.")
@click.option("--labels", help="Labels for a classification, separated by commas.")
@click.option("--to", help="Target language of a translation.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--limit", type=click.IntRange(min=1), help="Draw so many examples.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw."
)
@click.option("--perplexity", is_flag=True, help="Measure the perplexity of the targets too.")
@click.option(
    "--save-predictions", type=click.Path(path_type=Path), help="Write the answers to this JSONL."
)
@click.option(
    "--calibrate", is_flag=True, help="Fit label probabilities to the data, for all later turns."
)
@click.option("--matrix", is_flag=True, help="Measure every way on every data set of a folder.")
@click.option(
    "--way", multiple=True, help="With --matrix: zero_shot, few_shot:4, few_shot:4:nearest."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="With --matrix or --calibrate: keep the rows in this file.",
)
@json_option
def command(**given: Any) -> None:
    """Measure how well a task is answered on a JSONL file of examples.

    Scores come with 95 % bootstrap intervals. The run is kept; when it is stopped, the same command
    goes on where it was.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    if given["matrix"]:
        with stop_on_interrupt() as stop:
            run_matrix(given, None, stop)
        return
    if given["data"] is None:
        raise UsageError(
            "Say what to evaluate on.", "Like: assistant eval --task qa --data my-questions.jsonl"
        )
    if given["calibrate"]:
        with stop_on_interrupt() as stop, _bar() as progress:
            run_calibration(given, _options(given), progress, stop)
        return
    evaluation = _evaluate(given)
    if given["save_predictions"] is not None:
        _save(evaluation, given["save_predictions"], given["strategy"] or "auto")
    if given["as_json"]:
        print_json(evaluation.report)
    else:
        _print_report({**evaluation.report, "id": evaluation.number})


command.add_command(bias_command)
command.add_command(injections_command)


@command.command("list")
@click.option("-t", "--task", help="Only those of this task.")
@json_option
def list_command(task: str | None, as_json: bool) -> None:
    """List what was measured, the newest last."""
    from assistant.tasks import headline

    with open_store() as store:
        found = store.evaluations(task=task)
    if as_json:
        print_json(found)
        return
    if not found:
        note("Nothing was measured yet: assistant eval --task T --data FILE")
    for one in found:
        name = one["setting"].get("headline") or headline(one["task"])
        value = one["scores"].get(name)
        score = f"{name} {value:6.2f}" if value is not None else ""
        low, high = one["ci95"].get(name, (None, None))
        interval = f"[{low:.1f}, {high:.1f}]" if low is not None else ""
        data = Path(str(one["setting"].get("data", ""))).name
        click.echo(
            f"{one['id']:>4}  {one['created_at'][:16]}  {one['task']:<14} {one['strategy']:<9} "
            f"n={one['n']:<5} {score:<18} {interval:<15} {one['model']}  {data}"
        )


@command.command("show")
@click.argument("number")
@click.option("--worst", type=click.IntRange(min=1), help="Show the worst answers, so many.")
@json_option
def show_command(number: str, worst: int | None, as_json: bool) -> None:
    """Show one evaluation (a number, or `last`)."""
    from assistant.evaluation.run import worst_answers
    from assistant.sanitize import clean

    with open_store() as store:
        found = store.evaluation(_number(number))
        bad = worst_answers(store, found["id"], worst) if worst else []
    if as_json:
        print_json({**found, "worst": [one.as_json() for one in bad]} if worst else found)
        return
    _print_report(found)
    for one in bad:
        click.echo(f"\n{one.score:6.2f}  {one.id}")
        for name, text in (("input", one.input), ("wanted", one.target), ("said", one.prediction)):
            click.echo(f"  {name:<7} {clean(' '.join(text.split()))[:300]}")


@command.command("compare")
@click.argument("a")
@click.argument("b")
@json_option
def compare_command(a: str, b: str, as_json: bool) -> None:
    """Compare two evaluations on the examples that both have: B less A, with a paired bootstrap."""
    from dataclasses import asdict

    from assistant.evaluation.run import compare_stored

    with open_store() as store:
        found = compare_stored(store, _number(a), _number(b))
    if as_json:
        print_json({name: asdict(one) for name, one in found.items()})
        return
    click.echo(f"{'':<13}{'B - A':>9}   95 % interval       p")
    for name, one in found.items():
        verdict = "better" if (one.difference > 0) == (name != "ece") else "worse"
        sure = verdict if one.p < 0.05 else "no clear difference"
        digits = 4 if name == "ece" else 2
        click.echo(
            f"{name:<13}{one.difference:>+9.{digits}f}   "
            f"[{one.low:+.{digits}f}, {one.high:+.{digits}f}]"
            f"{'':<3}{one.p:.3f}   {sure}"
        )


@command.command("delete")
@click.argument("number")
def delete_command(number: str) -> None:
    """Delete an evaluation with its answers."""
    with open_store() as store:
        store.delete_evaluation(store.evaluation(_number(number))["id"])


def _number(text: str) -> int | str:
    if text == "last":
        return text
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    raise UsageError(f"'{text}' is no number of an evaluation.", "List them: assistant eval list")


def _evaluate(given: dict[str, Any]) -> Evaluation:
    from assistant.cli.common import user_settings
    from assistant.evaluation.examples import read_examples
    from assistant.evaluation.run import EvalRequest, evaluate
    from assistant.wiring import make_session

    data = read_examples(given["data"], given["task"])
    if given["save_predictions"] is not None:
        _check_place(given["save_predictions"], given["save_predictions"].parent)
    settings = user_settings(model=given["model"], strategy=given["strategy"])
    request = EvalRequest(data, _options(given), given["limit"], given["seed"], given["perplexity"])
    with open_store() as store, stop_on_interrupt() as stop, _bar() as progress:
        session = make_session(settings, store=store)
        engine = session.loader.get(stop)
        return evaluate(request, session.planner, engine, store, progress=progress, stop=stop)


def _options(given: dict[str, Any]) -> Any:
    from assistant.answering import AskOptions

    labels = tuple(part.strip() for part in (given["labels"] or "").split(",") if part.strip())
    if given["labels"] is not None and len(set(labels)) < 2:
        raise UsageError("--labels needs at least two different labels.", "Like: --labels yes,no")
    return AskOptions(
        strategy=given["strategy"] or "auto",
        adapter=given["adapter"],
        labels=labels,
        to=given["to"],
        max_tokens=given["max_tokens"],
        shots=given["shots"],
        nearest=given["nearest"] or None,
        personal=given["personal"],
        temperature=0.0,
        seed=given["seed"],
    )


def check_rows_file(path: Path, read: Callable[[Path], object]) -> None:
    """Find out before the hours of computing whether rows can be put beside those in a file.

    Raises:
        ConfigError: what is there already cannot be read.
        UsageError: there is no place for a file.
    """
    read(path)
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    _check_place(path, folder)


def _check_place(path: Path, folder: Path) -> None:
    """Find out before the hours of computing whether a file can be written into ``folder``.

    Raises:
        UsageError: it is not there or not the user's to write to, or there is a folder of that name.
    """
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(
            f"{path} cannot be written.", "Say a file in a folder that is there and yours."
        )


def _save(evaluation: Evaluation, path: Path, strategy: str) -> None:
    task = evaluation.report["task"]
    lines = [
        json.dumps(_prediction_as_json(one, task, strategy), ensure_ascii=False)
        for one in evaluation.predictions
    ]
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.",
            "The scores are kept all the same: assistant eval show last",
        ) from error


def _prediction_as_json(one: Prediction, task: str, strategy: str) -> dict[str, object]:
    value: dict[str, object] = {"id": one.id, "prediction": one.text}
    if one.probabilities is not None:
        value["probabilities"] = dict(one.probabilities)
    return {**value, "task": task, "strategy": strategy}


def _print_report(report: dict[str, Any]) -> None:
    timing = report["timing"]
    click.echo(
        f"{report['task']}, {report['strategy']}, {report['model']}, n = {report['n']}"
        + (f"   (evaluation {report['id']})" if "id" in report else "")
    )
    width = max([12, *(len(name) + 1 for name in report["scores"])])
    for name, value in report["scores"].items():
        digits = 4 if name == "ece" else 2
        ends = [f"{end:.{digits}f}" for end in report["ci95"].get(name, ())]
        interval = f"   95 % [{', '.join(ends)}]" if ends else ""
        click.echo(f"  {name:<{width}}{value:>9.{digits}f}{interval}")
    for pair, scores in report.get("pairs", {}).items():
        each = "  ".join(f"{name} {value:.2f}" for name, value in scores.items())
        click.echo(f"  {pair:<12}{each}")
    for signature in report["signature"].values():
        click.echo(f"  {signature}", err=True)
    if timing.get("examples_per_s"):
        note(f"  {timing['total_s']:.1f} s, {timing['examples_per_s']:.2f} examples a second")


@contextmanager
def _bar() -> Iterator[Any]:
    """Show progress on stderr; quiet when it is no terminal."""
    bar: Any = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            quiet = not sys.stderr.isatty()
            bar = click.progressbar(length=total, label="Answering", file=sys.stderr, hidden=quiet)
            bar.__enter__()
        bar.update(done - bar.pos)

    try:
        yield show
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)
