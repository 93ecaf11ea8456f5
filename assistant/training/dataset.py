"""Examples as token ids: the very prompt that is sent when the adapter answers, and the answer.

Prompts come from the :class:`~assistant.answering.Planner`, as in a session: with an adapter that is
the prompt without examples. No weights are needed for it, only the tokenizer.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine, EngineInfo
from assistant.errors import AssistantError, ContextOverflow, UsageError
from assistant.evaluation.examples import Example, Examples, sample
from assistant.evaluation.predict import plan_for
from assistant.training.method_rows import JudgedExample, read_rows
from assistant.types import Message

if TYPE_CHECKING:
    from assistant.engine.chat_format import ChatFormat

LEAST_FOR_DEV = 40
"""With fewer rows none are held out: too few to measure on, and each is needed."""
_DEV_SHARE, _DEV_MOST = 0.05, 200


@dataclass(frozen=True, slots=True)
class Row:
    """One example as ids.

    Attributes:
        shared: how many ids any turn of its kind begins with.
        other: another answer to the same prompt, which the first one was preferred to; it is read as if
            the first one were not there.
        good: whether the answer was judged good.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    shared: int
    other: tuple[int, ...] = ()
    good: bool = True

    @property
    def ids(self) -> tuple[int, ...]:
        """What the model reads: all but the tokens that end the turn."""
        return (*self.prompt, *self.answer[:-1], *self.other[:-1])

    @property
    def positions(self) -> tuple[int, ...]:
        """Where in its turn each id stands: both answers begin behind the prompt."""
        whole = len(self.prompt) + len(self.answer) - 1
        if not self.other:
            return tuple(range(whole))
        return (*range(whole), *range(len(self.prompt), self.length - len(self.answer) + 1))

    @property
    def length(self) -> int:
        """Tokens read."""
        return len(self.prompt) + len(self.answer) - 1 + max(0, len(self.other) - 1)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of examples and those of its rows that are used."""

    file: Examples
    rows: tuple[Example, ...]

    @property
    def name(self) -> str:
        """The file's name without folders and endings."""
        return Path(self.file.path).name.removesuffix(".jsonl")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows ready for training; ``too_long`` were left out. ``prompt_version`` is that of the first."""

    rows: tuple[Row, ...]
    too_long: int
    prompt_version: str = ""


class Encoder:
    """Turns examples into ids with one user's prompts and settings, for one model."""

    def __init__(
        self,
        form: ChatFormat,
        planner: Planner,
        model: str,
        context_length: int,
        max_length: int,
        method: str = "sft",
    ) -> None:
        self._method = method
        self._form = form
        self._planner = planner
        self._engine = cast(Engine, _Counter(form, model, context_length))
        self._max_length = max_length

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """Return the rows of the examples, in order; those that are too long are left out.

        Raises:
            AssistantError: an example cannot be asked; the message says which.
        """
        rows: list[Row] = []
        version = ""
        for example in examples:
            row, version = self._row(example)
            if row is not None:
                rows.append(row)
        return Encoded(tuple(rows), len(examples) - len(rows), version)

    def check(self, source: Source) -> None:
        """Check that every row of a file can be trained on.

        Raises:
            UsageError: one cannot; the message names file and line.
        """
        for example in source.rows:
            what = self._wrong(example)
            if what:
                line = line_of(source.file, example)
                raise UsageError(
                    f"{source.file.path}, line {line}: {what}", "Mend the line, or take it out."
                )

    def _wrong(self, example: Example) -> str:
        if example.task != "classification":
            return ""
        try:
            labels = plan_for(example, self._planner, self._engine, _OPTIONS).request.labels
        except ContextOverflow:
            return ""
        except AssistantError as error:
            return error.message
        if len(labels) < 2:
            return "a classification needs 'labels', at least two."
        if example.target not in labels and not _judged_bad(example):
            return f"the target {example.target!r} is none of its labels."
        return ""

    def _row(self, example: Example) -> tuple[Row | None, str]:
        try:
            plan = plan_for(example, self._planner, self._engine, _OPTIONS)
        except ContextOverflow:
            return None, ""
        prompt = self._form.prompt_ids(plan.messages)
        answer = self._form.answer_ids(example.target)
        other: list[int] = []
        if self._method == "dpo" and isinstance(example, JudgedExample):
            other = self._form.answer_ids(example.rejected)
        if len(prompt) + max(len(answer), len(other)) > self._max_length:
            return None, plan.prompt_version
        shared = len(self._form.shared_ids(plan.messages))
        row = Row(tuple(prompt), tuple(answer), shared, tuple(other), not _judged_bad(example))
        return row, plan.prompt_version


def _judged_bad(example: Example) -> bool:
    return isinstance(example, JudgedExample) and not example.desirable


_OPTIONS = AskOptions(strategy="zero_shot", temperature=0.0, personal=False)


class _Counter:
    """What the planner asks of an engine, answered by the tokenizer alone."""

    def __init__(self, form: ChatFormat, model: str, context_length: int) -> None:
        self._form = form
        self.info = EngineInfo(model, "", context_length, 0, 0, "cpu", "none")

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._form.prompt_ids(messages))

    def count_text_tokens(self, text: str) -> int:
        return len(self._form.text_ids(text))


def read_sources(
    files: Sequence[Path],
    task: str,
    limit: int | None = None,
    seed: int = 0,
    method: str = "sft",
) -> list[Source]:
    """Read files of rows for one task and method; of each at most ``limit``, drawn with ``seed``.

    Raises:
        UsageError: a file or a line is wrong, or a file was given twice.
    """
    found = []
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            raise UsageError(f"{file} was given twice.", "Give each file once.")
        seen.add(file.resolve())
        examples = read_rows(file, task, method)
        found.append(Source(examples, sample(examples.rows, limit, seed)))
    return found


def with_right_answers(source: Source) -> Source:
    """Return a source without the rows whose answer was judged bad."""
    return Source(source.file, tuple(row for row in source.rows if not _judged_bad(row)))


def hold_out(sources: Sequence[Source], seed: int) -> tuple[list[Source], list[Source]]:
    """Part rows for measuring from those to train on: a twentieth of each file, at most 200 in all.

    Rows with the same input stay together. Of few rows none are held out.
    """
    total = sum(len(source.rows) for source in sources)
    if total < LEAST_FOR_DEV:
        return list(sources), []
    share = min(_DEV_SHARE, _DEV_MOST / total)
    train, dev = [], []
    for source in sources:
        inputs = sorted({row.input for row in source.rows}, key=lambda text: _order(text, seed))
        chosen = set(inputs[: max(1, round(share * len(inputs)))])
        inside = tuple(row for row in source.rows if row.input in chosen)
        outside = tuple(row for row in source.rows if row.input not in chosen)
        train.append(Source(source.file, outside))
        dev.append(Source(source.file, inside))
    return train, dev


def _order(text: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "replace")).digest()


def line_of(file: Examples, example: Example) -> int:
    """Return the line of an example in its file, counted from 1."""
    position = next(at for at, row in enumerate(file.rows) if row.id == example.id)
    text = Path(file.path).read_text(encoding="utf-8-sig", errors="replace")
    numbers = [at for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    return numbers[position] if position < len(numbers) else position + 1


def subset(rows: Sequence[Any], most: int, seed: int) -> list[Any]:
    """Return at most so many of the rows, drawn with ``seed``, in order."""
    if len(rows) <= most:
        return list(rows)
    chosen = sorted(random.Random(seed).sample(range(len(rows)), most))
    return [rows[at] for at in chosen]
