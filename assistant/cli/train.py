"""``assistant train``: an adapter from examples, in one command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from assistant.cli.common import json_option, note, print_json, user_settings
from assistant.cli.train_steps import begin, check_same, end_recorded, lower_priority, record
from assistant.errors import AssistantError, UsageError

if TYPE_CHECKING:
    from assistant.config import Settings
    from assistant.paths import Paths
    from assistant.training.job import Job, TrainRequest
    from assistant.training.runs import RunFolder
    from assistant.training.train import Outcome

_METHODS = ["sft", "dpo", "kto"]
_TECHNIQUES = ["lora", "dora", "ia3", "prefix", "layers"]
_FILE = click.Path(path_type=Path)


@click.command("train")
@click.option("-t", "--task", help="qa, translation, summarization, classification, chat.")
@click.option("--data", type=_FILE, multiple=True, help="JSONL of {input, target, …}; repeatable.")
@click.option("--dev", type=_FILE, multiple=True, help="JSONL to measure on; repeatable.")
@click.option(
    "--limit-per-file", type=click.IntRange(min=1), help="Draw so many rows of each file."
)
@click.option("-m", "--model", help="Base model; default: that of the settings.")
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    default="sft",
    show_default=True,
    help="What is learned from: sft is answers as they should be, dpo pairs of a better and a worse "
    "answer, kto answers judged good or bad.",
)
@click.option(
    "--technique",
    type=click.Choice(_TECHNIQUES),
    default="lora",
    show_default=True,
    help="What is trained; see docs/adapters.md.",
)
@click.option(
    "--rank",
    type=click.IntRange(1, 128),
    default=8,
    show_default=True,
    help="Size: rank of LoRA and DoRA, virtual tokens of a prefix.",
)
@click.option(
    "--beta",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    show_default=True,
    help="Of dpo and kto: how strongly the model is held to what it was before.",
)
@click.option("--alpha", type=click.IntRange(min=1), help="Default: twice the rank.")
@click.option("--layers", help="Adapt these layers only, as in 13-24.")
@click.option("--epochs", type=click.FloatRange(0, min_open=True), help="Default: 2.")
@click.option("--max-steps", type=click.IntRange(min=1), help="End after so many steps.")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Train about so long.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Peak learning rate.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Rows a step."
)
@click.option(
    "--max-length",
    type=click.IntRange(min=16),
    default=1024,
    show_default=True,
    help="Leave out rows of more tokens, prompt and answer.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every choice."
)
@click.option("--augment/--no-augment", default=False, help="Other wordings in each epoch.")
@click.option("--from", "start", metavar="ADAPTER", help="Start from an installed adapter.")
@click.option("--init-from", type=_FILE, help="Start from an adapter's folder.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was stopped, or `last`.")
@click.option("--no-eval", is_flag=True, help="Do not measure the adapter at the end.")
@click.option(
    "--eval-limit",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    help="Measure it on so many rows, in three ways.",
)
@click.option("--promote", is_flag=True, help="Put it to use if it beats few-shot (else exit 3).")
@click.option(
    "--priority",
    type=click.Choice(["low", "normal"]),
    default="low",
    show_default=True,
    help="Towards other programs on the machine.",
)
@click.option("--dry-run", is_flag=True, help="Say what it would take, and stop there.")
@click.option("--list", "listing", is_flag=True, help="List the runs.")
@json_option
def command(**given: Any) -> None:
    """Train an adapter on examples, on this machine.

    The base model is not changed. The rows are JSON lines with "input" and "target"; for --method dpo
    also "rejected", a worse answer, and for --method kto "desirable", true or false. It measures on the
    files of --dev, else on X.dev.jsonl beside X.train.jsonl, else on rows that it holds out. Ctrl+C saves
    the state; --resume goes on.
    """
    if given["listing"]:
        _list(given["as_json"])
        return
    with _stop_on_interrupt() as stop:
        _Command(given, _said(), stop).run()


def _said() -> frozenset[str]:
    """Return the flags that the user gave."""
    context = click.get_current_context()
    given = ParameterSource.COMMANDLINE
    return frozenset(n for n in context.params if context.get_parameter_source(n) is given)


@dataclass(frozen=True, slots=True)
class _Command:
    """One call of the command: its flags, those among them that the user gave, and what stops it."""

    given: dict[str, Any]
    said: frozenset[str]
    stop: threading.Event

    def run(self) -> None:
        from assistant.paths import user_paths
        from assistant.training.job import Job
        from assistant.training.runs import find_run

        paths = user_paths()
        if self.given["priority"] == "low":
            lower_priority()
        resumed = find_run(paths, self.given["resume"]) if self.given["resume"] else None
        if resumed is not None and "refine" in resumed.settings():
            raise UsageError(
                f"The run {resumed.id} is a refinement.",
                f"Go on with: assistant refine --resume {resumed.id}",
            )
        asked = self._request(paths, resumed)
        user = user_settings(model=asked.model)
        if resumed is not None and resumed.state().get("state") == "done":
            raise UsageError(
                f"The run {resumed.id} is done: {resumed.state().get('adapter', '')}",
                "Start from its adapter with --from.",
            )
        job = Job(asked, user, paths, note)
        if resumed is not None:
            check_same(resumed, job)
        run = resumed if resumed or self.given["dry_run"] else begin(job, paths)
        outcome = self._train(job, run)
        if run is not None and outcome is not None:
            self._finish(job, run, outcome, user)

    def _request(self, paths: Paths, resumed: RunFolder | None) -> TrainRequest:
        from assistant.cli.train_request import read_flags
        from assistant.training.job import TrainRequest

        if resumed is None:
            return read_flags(self.given, self.said, paths)
        return TrainRequest.from_json(resumed.settings()["request"])

    def _train(self, job: Job, run: RunFolder | None) -> Outcome | None:
        """Train; without a run only tell what it would take. Only one process returns an outcome."""
        from assistant.cli.train_view import shown
        from assistant.training.estimate import Estimate, in_words
        from assistant.training.train import train

        def begin(estimate: Estimate) -> None:
            note(f"{in_words(estimate)}" + (f"   (run {run.id})" if run else ""))
            if run is None and self.given["as_json"]:
                print_json(estimate.as_json())

        with end_recorded(run, job), shown() as report:
            return train(job, run, report, stop=self.stop, begin=begin)

    def _finish(self, job: Job, run: RunFolder, outcome: Outcome, user: Settings) -> None:
        from assistant.adapters.registry import Registry
        from assistant.cli.train_worth import Finish
        from assistant.training.install import install

        with end_recorded(run, job):
            card = install(job, outcome, Registry(job.paths))
        record(run, job, "done", adapter=card.name)
        try:
            Finish(self.given, job, user, self.stop).run(run, card, outcome)
        except AssistantError as error:  # the adapter is there, only not measured or not put to use
            with suppress(AssistantError):
                run.write_state(error=str(error))
            raise


def _list(as_json: bool) -> None:
    from assistant.cli.train_view import print_runs, run_as_dict
    from assistant.paths import user_paths
    from assistant.training.runs import all_runs

    rows = []
    for run in all_runs(user_paths()):
        try:
            rows.append(run_as_dict(run))
        except (AssistantError, KeyError, TypeError):
            note(f"The run {run.id} cannot be read.")
    if as_json:
        print_json(rows)
    else:
        print_runs(rows)


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl+C ends after the step under way; a second one at once."""
    stop = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        note("Stopping after this step; once more stops at once.")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
