"""Training data for other programs: rows in TRL's formats, and a folder that ``datasets`` loads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from assistant.errors import StoreError, UsageError
from assistant.store import trl
from assistant.store.files import write_text
from assistant.store.formats import json_lines
from assistant.training.example_types import Asked, Example, Judged, PreferencePair
from assistant.training.examples import Collected

Form = Literal["sft", "dpo", "kto"]
FORMS: tuple[Form, ...] = ("sft", "dpo", "kto")
Row = dict[str, object]

_ABOUT: dict[Form, str] = {
    "sft": "answers as they should be: `prompt`, `completion`",
    "dpo": "two answers, one of them better: `prompt`, `chosen`, `rejected`",
    "kto": "single answers, wanted or not: `prompt`, `completion`, `label`",
}


def trl_rows(collected: Collected, form: Form) -> list[Row]:
    """Return the examples for one way to train, in TRL's conversational format.

    Rows also say what they are about, which TRL passes over and an import here reads: ``task``, ``lang``,
    ``context``, ``label_names``.
    """
    return [_row(one) | _about(one) for one in _examples(collected, form)]


def datasets_folder(collected: Collected, folder: Path) -> dict[Form, int]:
    """Write a folder that Hugging Face ``datasets`` loads; return the number of rows of each part.

    One JSONL file for each way to train that there is anything for, and a README.md that names them as
    configurations.

    Raises:
        UsageError: there is nothing to write, or something else is in the folder.
        StoreError: it cannot be written.
    """
    files = {form: _examples(collected, form) for form in FORMS}
    files = {form: examples for form, examples in files.items() if examples}
    if not files:
        raise UsageError(
            "There is nothing to write.", "See what there is with: assistant feedback list"
        )
    _make(folder)
    for form in files:
        write_text(folder / f"{form}.jsonl", json_lines(trl_rows(collected, form)))
    counts = {form: len(examples) for form, examples in files.items()}
    write_text(folder / "README.md", _card(counts))
    return counts


def _examples(collected: Collected, form: Form) -> tuple[Example, ...]:
    if form == "sft":
        return collected.sft
    return collected.pairs if form == "dpo" else collected.judged


def _row(one: Example) -> Row:
    if isinstance(one, PreferencePair):
        return trl.dpo(one.messages, one.chosen, one.rejected)
    if isinstance(one, Judged):
        return trl.kto(one.messages, one.answer, one.desirable)
    return trl.sft(one.messages, one.target)


def _about(one: Asked) -> Row:
    """Return what a row is about. ``labels`` would be taken for token ids by TRL's collators."""
    return {
        "task": one.task,
        "lang": one.lang,
        "context": one.context or "",
        "label_names": list(one.labels),
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        names = {file.name for file in folder.iterdir()}
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be written ({error.strerror}).", "Choose another one."
        ) from error
    if names:
        raise UsageError(f"The folder {folder} is not empty.", "Choose a new one.")


def _card(counts: dict[Form, int]) -> str:
    """Return the README: the head is what ``datasets`` reads, the rest is for people."""
    lines = ["---", "configs:"]
    for place, form in enumerate(counts):
        lines += [f"- config_name: {form}", f"  data_files: {form}.jsonl"]
        lines += ["  default: true"] if place == 0 else []
    parts = [f"- `{form}`, {count} rows: {_ABOUT[form]}." for form, count in counts.items()]
    lines += [
        "---",
        "",
        "# Feedback",
        "",
        "Made from feedback that one person gave to an assistant. It holds what that person typed: think",
        "before you publish it.",
        "",
        *parts,
        "",
        "Prompts and answers are messages with `role` and `content`. `task`, `lang`, `context` (the turn",
        "before) and `label_names` (what a classification chose from) say what a row is about.",
        "",
    ]
    return "\n".join(lines)
