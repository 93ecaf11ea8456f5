"""Rows of training files as each method needs them: answers as they should be, pairs, or judged answers.

They are the contract's examples with a field more, or rows in TRL's forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from assistant.errors import StoreError, UsageError
from assistant.evaluation.examples import Example, Examples, read_examples
from assistant.store.files import read_json_lines
from assistant.training.trl_rows import from_trl, is_trl


@dataclass(frozen=True, slots=True)
class JudgedExample(Example):
    """An example and what was said of answers to it.

    Attributes:
        rejected: an answer that is worse than ``target``, empty where none is known.
        desirable: whether ``target`` was judged good.
    """

    rejected: str = ""
    desirable: bool = True


_OWN = tuple(field.name for field in fields(Example))


def read_rows(path: Path, task: str, method: str) -> Examples:
    """Read a file of rows for one task that ``method`` is to learn from.

    - ``sft`` needs answers as they should be. A rejected one beside them is not looked at; an answer
      that was judged bad is refused.
    - ``dpo`` needs ``rejected`` beside ``target``: another, worse answer.
    - ``kto`` needs ``desirable``: whether ``target`` is a good answer.

    Raises:
        UsageError: the file cannot be read or a line is wrong; the message names the line.
    """
    lines = _lines(path)
    if lines and is_trl(next(iter(lines.values()))):
        return _of_trl(path, task, method, lines)
    plain = read_examples(path, task)
    judged = [
        _judged(example, row, f"{path}, line {number}", method)
        for example, (number, row) in zip(plain.rows, lines.items(), strict=True)
    ]
    return Examples(tuple(judged), plain.path, plain.sha256)


def _lines(path: Path) -> dict[int, dict[str, Any]]:
    """Return the objects of a file by their lines, none where a line is broken.

    What is wrong with it is then said by what reads the contract's rows.
    """
    try:
        found = read_json_lines(str(path))
    except StoreError:
        return {}
    text = path.read_text(encoding="utf-8-sig")
    numbers = [at for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    rows = {at: row for at, row in zip(numbers, found, strict=True) if isinstance(row, dict)}
    return rows if len(rows) == len(found) else {}


def _judged(example: Example, row: Mapping[str, Any], where: str, method: str) -> Example:
    rejected, desirable = row.get("rejected"), row.get("desirable")
    if rejected is None and desirable is None and method == "sft":
        return example
    if rejected is not None and (not isinstance(rejected, str) or not rejected.strip()):
        raise UsageError(f"{where}: 'rejected' is to be a text.")
    if desirable is not None and not isinstance(desirable, bool):
        raise UsageError(f"{where}: 'desirable' is to be true or false.")
    if method == "kto" and desirable is None:
        raise UsageError(
            f"{where} needs true or false in 'desirable'.",
            "It says whether the answer in 'target' is good. Pairs of answers are for --method dpo.",
        )
    if method == "dpo" and rejected is None and desirable is not None:
        raise UsageError(
            f"{where} needs a text in 'rejected': an answer that is worse than 'target'.",
            "Answers that were judged good or bad on their own are for --method kto.",
        )
    own = {name: getattr(example, name) for name in _OWN}
    made = JudgedExample(**own, rejected=rejected or "", desirable=desirable is not False)
    return _fitting(made, where, method)


def _fitting(row: JudgedExample, where: str, method: str) -> JudgedExample:
    """Return a row if the method can learn from it.

    Raises:
        UsageError: it cannot; the message begins with ``where``.
    """
    if method == "sft" and not row.desirable:
        raise UsageError(
            f"{where}: its answer was judged bad, and sft would learn to give it.",
            "Take the line out, or learn from good and bad answers with --method kto.",
        )
    if method == "dpo" and not row.rejected:
        raise UsageError(
            f"{where} needs a text in 'rejected': an answer that is worse than 'target'.",
            "Without worse answers, train with --method sft.",
        )
    if method == "dpo" and row.rejected.strip() == row.target.strip():
        raise UsageError(
            f"{where}: the rejected answer is the same as the chosen one.", "Take the line out."
        )
    return row


def _of_trl(path: Path, task: str, method: str, lines: Mapping[int, Mapping[str, Any]]) -> Examples:
    """Return the rows of a file in TRL's forms, called by the numbers of their lines."""
    made = []
    for number, row in lines.items():
        where = f"{path}, line {number}"
        said = from_trl(row, where, method)
        own = said.pop("task") or task
        if own != task:
            raise UsageError(
                f"{where} is for {own}, not {task}.",
                f"Use --task {own}, or give each task a file of its own.",
            )
        one = JudgedExample(id=str(number), task=task, references=(said["target"],), **said)
        made.append(_fitting(one, where, method))
    return Examples(tuple(made), str(path), hashlib.sha256(path.read_bytes()).hexdigest())
