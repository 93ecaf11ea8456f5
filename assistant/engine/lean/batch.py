"""Many prompts at once: offline work such as evaluation, several times faster than one by one.

Prompts are sorted by length and admitted as places become free; each step decodes one token of every
running answer in one pass. A row's result does not depend on the others', so answers are those that each
prompt gets alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.engine.chat_format import ChatFormat
from assistant.engine.decoding import Answer
from assistant.engine.lean.formats import padded
from assistant.engine.lean.model import LeanModel, Rows, pieces
from assistant.engine.lean.pages import TOKENS
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
    pages: int
    text: str = ""

    @property
    def generation(self) -> Generation:
        usage = Usage(len(self.ids), self.cached, len(self.answer.tokens))
        return Generation(self.text + self.answer.rest(), self.answer.reason, usage)


class Batch:
    """Answers prompts side by side, on one program of one model."""

    def __init__(
        self, model: LeanModel, sequences: Sequences, program: Program, key: Key, form: ChatFormat
    ) -> None:
        self._model, self._sequences, self._program = model, sequences, program
        self._key, self._form = key, form
        self._running: list[_Job] = []

    def complete(
        self,
        prompts: Sequence[list[int]],
        decoding: Decoding,
        *,
        stop: threading.Event | None,
        progress: Callable[[int], None] | None,
    ) -> list[Generation]:
        """Return one generation a prompt, in the order given; each prompt fits the window.

        Raises:
            MemoryError: one prompt alone does not fit the pool.
        """
        waiting = deque(sorted(range(len(prompts)), key=lambda i: len(prompts[i])))
        results = [Generation("", "cancelled", Usage()) for _ in prompts]
        done = 0
        try:
            while waiting or self._running:
                if stop is not None and stop.is_set():
                    break
                while waiting and self._has_room(len(prompts[waiting[0]]), decoding):
                    index = waiting.popleft()
                    self._admit(index, prompts[index], decoding)
                self._advance()
                for job in [job for job in self._running if job.answer.reason is not None]:
                    results[job.index] = self._end(job)
                    done += 1
                    if progress is not None:
                        progress(done)
        finally:
            for job in list(self._running):
                job.answer.reason = "cancelled"
                results[job.index] = self._end(job)
        return results

    def _pages(self, prompt: int, decoding: Decoding) -> int:
        """Return how many pages a prompt of so many tokens can come to need."""
        longest = min(prompt + decoding.max_tokens, self._model.shape.context)
        return padded(longest, TOKENS) // TOKENS + 1

    def _has_room(self, prompt: int, decoding: Decoding) -> bool:
        if not self._running:
            return True
        held = {page for job in self._running for page in job.sequence.pages}
        growth = sum(job.pages - len(job.sequence.pages) for job in self._running)
        wanted = len(held) + growth + self._pages(prompt, decoding)
        return len(self._running) < PLACES and wanted <= self._model.pages.count

    def _admit(self, index: int, ids: list[int], decoding: Decoding) -> None:
        """Read a prompt and take the first token of its answer."""
        sequence = self._sequences.begin(ids[:-1], self._key)
        room = min(decoding.max_tokens, self._model.shape.context - len(ids))
        answer = Answer(self._form, decoding.stop, room)
        pages = self._pages(len(ids), decoding)
        job = _Job(index, ids, sequence, len(sequence.ids), answer, Sampler(decoding), pages)
        self._running.append(job)
        rest = ids[len(sequence.ids) :]
        for piece in pieces(rest, BATCH_ROWS):
            start = len(sequence.ids)
            self._sequences.extend(sequence, list(piece))
            self._model.read(self._program, [Rows(sequence, start, piece)])
        logits = self._model.logits(self._program, [(len(rest) - 1) % BATCH_ROWS])[0]
        if answer.reason is None:
            job.text += answer.add(job.sampler.next(logits, answer.tokens))

    def _advance(self) -> None:
        """Decode one token of every answer that has not ended."""
        going = [job for job in self._running if job.answer.reason is None]
        if not going:
            return
        parts = []
        for job in going:
            token, start = job.answer.tokens[-1], len(job.sequence.ids)
            self._sequences.extend(job.sequence, [token])
            parts.append(Rows(job.sequence, start, [token]))
        logits = self._model.next_logits(self._program, parts)
        for job, row in zip(going, logits, strict=True):
            job.text += job.answer.add(job.sampler.next(row, job.answer.tokens))

    def _end(self, job: _Job) -> Generation:
        self._running.remove(job)
        self._sequences.keep(job.sequence)
        return job.generation
