"""Many prompts at once: offline work such as evaluation, several times faster than one by one.

Prompts are sorted by length and admitted as places become free; each step decodes one token of every
running answer in one pass. A row's result does not depend on the others', so answers are those that each
prompt gets alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.engine.chat_format import ChatFormat
from assistant.engine.decoding import Answer
from assistant.engine.lean.model import LeanModel, Rows, pieces
from assistant.engine.lean.program import BATCH_ROWS, Program
from assistant.engine.lean.sequences import Key, Sequences
from assistant.engine.lean.sequences import Sequence as Running
from assistant.engine.sampling import Sampler
from assistant.types import Decoding, Generation, Usage

PLACES = 16
"""Answers decoded side by side: one tile of the linear kernels."""


@dataclass(slots=True)
class _Job:
    index: int
    ids: list[int]
    sequence: Running
    cached: int
    answer: Answer
    sampler: Sampler
    text: str = ""


def complete_batch(
    model: LeanModel,
    sequences: Sequences,
    program: Program,
    key: Key,
    form: ChatFormat,
    prompts: Sequence[list[int]],
    decoding: Decoding,
    *,
    stop: threading.Event | None,
    progress: Callable[[int], None] | None,
    room: Callable[[Sequence[int]], int],
) -> list[Generation]:
    """Return one finished generation a prompt, in the order given."""
    waiting = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    results: list[Generation | None] = [None] * len(prompts)
    running: list[_Job] = []
    done = 0

    def finish(job: _Job) -> None:
        nonlocal done
        sequences.keep(job.sequence)
        usage = Usage(len(job.ids), job.cached, len(job.answer.tokens))
        results[job.index] = Generation(job.text + job.answer.rest(), job.answer.reason, usage)
        done += 1
        if progress is not None:
            progress(done)

    try:
        while waiting or running:
            if stop is not None and stop.is_set():
                break
            while waiting and len(running) < PLACES:
                index = waiting.pop(0)
                limit = min(decoding.max_tokens, room(prompts[index]))
                answer = Answer(form, decoding.stop, limit)
                job = _admit(
                    model, sequences, program, key, prompts[index], index, answer, decoding
                )
                (finish if job.answer.reason is not None else running.append)(job)
            if running:
                _advance(model, sequences, program, running)
            for job in [job for job in running if job.answer.reason is not None]:
                running.remove(job)
                finish(job)
    finally:
        for job in running:
            job.answer.reason = "cancelled"
            finish(job)
    empty = Generation("", "cancelled", Usage())
    return [result or empty for result in results]


def _admit(
    model: LeanModel,
    sequences: Sequences,
    program: Program,
    key: Key,
    ids: list[int],
    index: int,
    answer: Answer,
    decoding: Decoding,
) -> _Job:
    """Read a prompt and take the first token of its answer."""
    sequence = sequences.begin(ids[:-1], key)
    job = _Job(index, ids, sequence, len(sequence.ids), answer, Sampler(decoding))
    rest = ids[len(sequence.ids) :]
    for piece in pieces(rest, BATCH_ROWS):
        start = len(sequence.ids)
        sequences.extend(sequence, list(piece))
        model.read(program, [Rows(sequence, start, piece)])
    logits = model.logits(program, [(len(rest) - 1) % BATCH_ROWS])[0]
    if answer.reason is None:
        job.text += answer.add(job.sampler.next(logits, answer.tokens))
    return job


def _advance(
    model: LeanModel, sequences: Sequences, program: Program, running: Sequence[_Job]
) -> None:
    """Decode one token of every running answer."""
    parts = []
    for job in running:
        token = job.answer.tokens[-1]
        start = len(job.sequence.ids)
        sequences.extend(job.sequence, [token])
        parts.append(Rows(job.sequence, start, [token]))
    logits = model.next_logits(program, parts)
    for job, row in zip(running, logits, strict=True):
        job.text += job.answer.add(job.sampler.next(row, job.answer.tokens))
