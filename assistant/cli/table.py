"""``assistant ask --column``: one instruction, a table of texts, and an answer in every row."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.ask import (
    check_task,
    loading_notes,
    stop_on_interrupt,
    temporary_store,
    turn_options,
)
from assistant.cli.common import note, open_store, user_settings
from assistant.errors import Cancelled, ContextOverflow, UsageError

if TYPE_CHECKING:
    from assistant.answering import AskOptions, Planner
    from assistant.engine.base import Engine
    from assistant.evaluation.metric import Prediction
    from assistant.session import Session
    from assistant.tables import Lines, Table

_WRITTEN = 16
"""Rows answered side by side and then written: as many as an engine decodes at once."""

_SCORED = 4
"""The same for labels, which are scored row by row; fewer, so that less is lost by Ctrl+C."""

# What is said where the user says nothing, in the language of the text: the examples in the prompts
# come with an instruction too, and a bare text is easily taken for a message to be answered.
_NEUTRAL = {
    "classification": {
        "en": "Classify this text:",
        "zh": "给这段文本分类：",
        "fr": "Classe ce texte :",
        "de": "Klassifiziere diesen Text:",
        "es": "Clasifica este texto:",
        "ja": "このテキストを分類して：",
    },
    "translation": {
        "en": "Translate this text:",
        "zh": "翻译这段文本：",
        "fr": "Traduis ce texte :",
        "de": "Übersetze diesen Text:",
        "es": "Traduce este texto:",
        "ja": "このテキストを翻訳して：",
    },
    "summarization": {
        "en": "Summarize this text:",
        "zh": "概括这段文本：",
        "fr": "Résume ce texte :",
        "de": "Fasse diesen Text zusammen:",
        "es": "Resume este texto:",
        "ja": "このテキストを要約して：",
    },
}

Add = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done: ``texts`` has one text a row of ``table``, ``words`` the instruction."""

    table: Table
    texts: tuple[str, ...]
    words: str
    options: AskOptions

    @property
    def labels(self) -> tuple[str, ...]:
        return self.options.labels if self.options.task == "classification" else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the answers, none of them named like one of the table."""
        from assistant.tables import free_names

        names = ("label", "confidence", *(f"p_{label}" for label in self.labels))
        return free_names(self.table.columns, names if self.labels else ("answer",))

    def cells(self, answer: Prediction | None) -> tuple[object, ...]:
        """Return the cells of an answer; without one they are empty."""
        if not self.labels:
            return (answer.text if answer else "",)
        if answer is None or answer.probabilities is None:
            return ("", *(None for _ in self.columns[1:]))
        chances = [round(answer.probabilities[label], 6) for label in self.labels]
        return (answer.text, max(chances), *chances)


def answer_table(words: str, given: dict[str, Any]) -> None:
    """Answer the column ``given["column"]`` of the table in ``given["file"]``, row by row.

    Nothing goes into the history of conversations.

    Raises:
        UsageError: the options do not go together, or the table or the place for the answers is
            not as it has to be.
        ContextOverflow: some texts are too long; all other rows are written.
        Cancelled: Ctrl+C; the rows before are written.
    """
    _check(given)
    from assistant.tables import read_table
    from assistant.wiring import make_session

    options = turn_options(given)
    table = read_table(given["file"], given["column"])
    texts = tuple(table.texts(given["column"]))
    settings = user_settings(
        model=given["model"], strategy=given["strategy"], system=given["system"]
    )
    stop = threading.Event()
    with (
        temporary_store(given) if given["no_log"] else open_store() as store,
        stop_on_interrupt(stop),
    ):
        session = make_session(settings, store=store)
        with loading_notes(session):
            check_task(session, options.task)
            if options.task == "auto":
                options = replace(options, task=_routed(session, texts, words, stop))
            job = _job(session, table, texts, words, options)
            engine = session.loader.get(stop, session.prompts.warm)
        too_long = _run(job, session.planner, engine, given, stop)
    if too_long:
        rows = ", ".join(map(str, too_long[:10])) + (", …" if len(too_long) > 10 else "")
        raise ContextOverflow(
            f"Too long for the model's window, and without an answer: row {rows}.",
            "Cut these texts, or choose a model with a longer window (`assistant models list`).",
        )


def _check(given: dict[str, Any]) -> None:
    """Find what is wrong with the options, before anything is read or loaded."""
    from assistant.tables import check_free, format_of

    if given["file"] is None:
        raise UsageError("--column needs --file.", "Like: --file reviews.csv --column text")
    if given["go_on"] or given["conversation"]:
        raise UsageError("The rows of a table are no conversation.", "Leave out --continue.")
    output: Path | None = given["output"]
    if output is None:
        if given["force"]:
            raise UsageError("--force goes with --output.")
        return
    if given["as_json"]:
        raise UsageError("--json prints the rows.", "For a file: --output answers.jsonl")
    format_of(output)
    check_free(output, force=given["force"])


def _job(
    session: Session, table: Table, texts: tuple[str, ...], words: str, options: AskOptions
) -> _Job:
    """Settle, once for all rows, the instruction and the labels.

    Raises:
        UsageError: nothing says which labels there are.
    """
    if options.task == "classification" and not options.labels:
        options = replace(options, labels=_labels_named(session, words))
    if options.task == "qa" and words[-1:].isalnum():
        words += "？" if words[-1] > "\u2e80" else "?"  # so that it is told from the text below
    return _Job(table, texts, words, options)


def _routed(session: Session, texts: Sequence[str], words: str, stop: threading.Event) -> str:
    """Return the task that the words ask for, as the router takes them with the first text.

    Raises:
        UsageError: there are no words.
    """
    if not words:
        raise UsageError(
            "Nothing says what to do with the texts.", "Like: -t summarization, or in words."
        )
    first = next((text for text in texts if text.strip()), "")
    session.loader.get(stop, session.prompts.warm)
    task = session.route(f"{words}\n\n{first}").task
    note(f"Taken for {task}. Another task: -t.")
    return task


def _labels_named(session: Session, words: str) -> tuple[str, ...]:
    """Return the labels that the words give or mean; a label in some row's text is none."""
    from assistant.understand import detect_language, labels_in

    prompt = session.prompts.get("classification")
    found = labels_in(words) or (prompt.labels_for(words, detect_language(words)) if words else ())
    if not found:
        raise UsageError("A classification needs labels.", "Like: --labels good,bad")
    return tuple(found)


def _turn(job: _Job, text: str) -> str:
    """Return what a user would type to ask this of one text."""
    words = job.words
    neutral = _NEUTRAL.get(job.options.task)
    if not words and neutral:
        from assistant.understand import detect_language

        words = neutral.get(detect_language(text), neutral["en"])
    return f"{words}\n\n{text}" if words else text


def _run(
    job: _Job, planner: Planner, engine: Engine, given: dict[str, Any], stop: threading.Event
) -> list[int]:
    """Answer and write all rows, and return the numbers of those that were too long."""
    from assistant.tables import Lines, format_of

    output: Path | None = given["output"]
    kind = format_of(output) if output else "jsonl" if given["as_json"] else "csv"
    lines = Lines(kind, (*job.table.columns, *job.columns), len(job.columns))
    total, size = len(job.texts), _SCORED if job.labels else _WRITTEN
    too_long: list[int] = []
    done = 0
    try:
        with _sink(output, given["force"]) as add, _bar(total, output) as advance:
            if not total:
                add(lines.header())
            while done < total:
                numbers = range(done, min(done + size, total))
                answers = _answers(job, numbers, planner, engine, stop)
                too_long += [i + 1 for i in numbers if i not in answers and job.texts[i].strip()]
                add(_text(job, lines, numbers, answers))
                done = numbers.stop
                advance(len(numbers))
    except BaseException as error:
        where = f"are in {output}" if output and done else "are written"
        kept = f"{done} of {total} rows {where}."
        if isinstance(error, Cancelled):
            raise Cancelled(f"Stopped; {kept}") from error
        note(kept)
        raise
    return too_long


def _text(job: _Job, lines: Lines, numbers: range, answers: dict[int, Prediction]) -> str:
    """Return the lines of some rows, in front of the first the header."""
    made = [lines.line((*job.table.rows[i], *job.cells(answers.get(i)))) for i in numbers]
    return "".join([lines.header() if numbers.start == 0 else "", *made])


def _answers(
    job: _Job, numbers: range, planner: Planner, engine: Engine, stop: threading.Event
) -> dict[int, Prediction]:
    """Return the answers to some rows by number; an empty text has none, nor has one too long.

    Raises:
        Cancelled: ``stop`` was set.
    """
    from assistant.evaluation.examples import Example
    from assistant.evaluation.predict import plan_for, predict

    if stop.is_set():
        raise Cancelled("Stopped.")
    examples = [
        Example(str(i), job.options.task, _turn(job, job.texts[i]), "", ("",))
        for i in numbers
        if job.texts[i].strip()
    ]
    try:
        found = predict(examples, planner, engine, job.options, stop=stop)
    except ContextOverflow:  # said by the plans, before anything was computed
        fitting = []
        for example in examples:
            try:
                plan_for(example, planner, engine, job.options)
            except ContextOverflow:
                continue
            fitting.append(example)
        if len(fitting) == len(examples):
            raise
        found = predict(fitting, planner, engine, job.options, stop=stop)
    return {int(answer.id): answer for answer in found}


@contextmanager
def _sink(output: Path | None, force: bool) -> Iterator[Add]:
    """Yield what takes the text of the table: to a new file, or to stdout."""
    if output is not None:
        from assistant.tables import new_file

        with new_file(output, force=force) as add:
            yield add
        return
    yield _print


def _print(text: str) -> None:
    if sys.stdout.isatty():
        from assistant.sanitize import clean

        text = clean(text)
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8"))
    sys.stdout.flush()


@contextmanager
def _bar(total: int, output: Path | None) -> Iterator[Callable[[int], None]]:
    """Show progress at a terminal, unless the rows themselves are shown there."""
    if not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield lambda _more: None
        return
    with click.progressbar(length=total, label="Answering", show_pos=True, file=sys.stderr) as bar:
        yield bar.update
