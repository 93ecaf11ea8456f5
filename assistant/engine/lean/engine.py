"""The engine on the lean path; see :class:`assistant.engine.base.Engine` for what methods promise."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.engine.base import CandidateScore, EngineInfo, Reading
from assistant.engine.chat_format import ChatFormat
from assistant.engine.choices import branchings, log_chances
from assistant.engine.decoding import Answer, stream
from assistant.engine.lean.adapter_file import AdapterFile, read_adapter
from assistant.engine.lean.batch import Batch
from assistant.engine.lean.formats import Array
from assistant.engine.lean.hidden import Input, read_hidden
from assistant.engine.lean.lookup import Lookup
from assistant.engine.lean.model import LeanModel, Rows, pieces
from assistant.engine.lean.pages import TOKENS
from assistant.engine.lean.prefix_store import PrefixStore
from assistant.engine.lean.program import BATCH_ROWS, OUT_ROWS, Program
from assistant.engine.lean.sequences import Key, Sequences
from assistant.engine.lean.sequences import Sequence as Running
from assistant.engine.sampling import Sampler, log_softmax
from assistant.errors import AdapterError, ContextOverflow, EngineError
from assistant.types import Decoding, Generation, Message, Usage

KEPT_TOKENS = 16_384
"""How many tokens of earlier prompts and answers stay in memory for later turns."""

_LEAST_STORED = 2 * TOKENS


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An adapter in memory: its program, and what its keys and values are known by."""

    file: AdapterFile
    program: Program
    key: Key


class LeanEngine:
    """Runs llama, Qwen2 and Qwen3 models on the CPU."""

    def __init__(
        self,
        model: LeanModel,
        form: ChatFormat,
        info: EngineInfo,
        *,
        prefixes: PrefixStore | None = None,
    ) -> None:
        self._model = model
        self._format = form
        self._info = info
        self._prefixes = prefixes
        self._lock = threading.Lock()
        self._sequences = Sequences(model.pages, kept_tokens=min(KEPT_TOKENS, info.context_length))
        self._adapters: dict[str, _Loaded] = {}
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        return self._info

    # -- counting ----------------------------------------------------------------------------------

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._format.prompt_ids(messages))

    def count_text_tokens(self, text: str) -> int:
        return len(self._format.text_ids(text))

    # -- adapters ----------------------------------------------------------------------------------

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def load_adapter(self, name: str, folder: Path) -> None:
        with self._lock, _full_as_error():
            self._check_open()
            file = read_adapter(folder, self._model.weights, exact=not self._model.integer)
            program = self._model.program_for(file.layers)
            self._adapters[name] = _Loaded(file, program, (name, file.sha256))

    def unload_adapter(self, name: str) -> None:
        with self._lock:
            self._adapters.pop(name, None)

    def _way(self, adapter: str | None) -> tuple[Program, Key]:
        if adapter is None:
            return self._model.base, ()
        loaded = self._adapters.get(adapter)
        if loaded is None:
            raise AdapterError(
                f"No adapter '{adapter}' is loaded.", "Load it first, or ask without it."
            )
        return loaded.program, loaded.key

    # -- answering ---------------------------------------------------------------------------------

    def generate(
        self,
        messages: Sequence[Message],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        stable: int = 0,
    ) -> Iterator[Generation]:
        with self._lock, _full_as_error():
            self._check_open()
            program, key = self._way(adapter)
            ids = self._format.prompt_ids(messages)
            room = self._room(ids)
            self._recall(ids, key)
            sequence = self._sequences.begin(ids[:-1], key)
            cached = len(sequence.ids)
            try:
                logits = self._read_rest(program, sequence, ids, stop)
                self._store_prefix(sequence, messages, stable, ids, key)
                answer = Answer(self._format, decoding.stop, min(decoding.max_tokens, room))
                following = self._following(program, sequence, logits, Sampler(decoding), ids)
                yield from stream(
                    answer, following, lambda count: Usage(len(ids), cached, count), stop
                )
            finally:
                self._sequences.keep(sequence)

    def complete(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        with self._lock, _full_as_error():
            self._check_open()
            program, key = self._way(adapter)
            ids = [self._format.prompt_ids(messages) for messages in prompts]
            for prompt in ids:
                self._room(prompt)
            batch = Batch(self._model, self._sequences, program, key, self._format)
            return batch.complete(ids, decoding, stop=stop, progress=progress)

    def prepare(self, messages: Sequence[Message], *, adapter: str | None = None) -> None:
        with self._lock, _full_as_error():
            self._check_open()
            program, key = self._way(adapter)
            ids = self._format.shared_ids(messages)
            if len(ids) < _LEAST_STORED:
                return
            self._room(ids)
            self._recall(ids, key)
            sequence = self._sequences.begin(ids, key)
            try:
                if len(sequence.ids) < len(ids):
                    self._read_rest(program, sequence, ids, None)
                self._save(sequence, ids, key)
            finally:
                self._sequences.keep(sequence)

    def _following(
        self,
        program: Program,
        sequence: Running,
        logits: Array | None,
        sampler: Sampler,
        prompt: Sequence[int],
    ) -> Callable[[Sequence[int]], Sequence[int]]:
        """Return the function that yields the next tokens of an answer, one or, when the text repeats
        something said before, several (see ``lookup``)."""
        first = logits
        lookup = Lookup(prompt) if sampler.greedy else None

        def following(answered: Sequence[int]) -> Sequence[int]:
            nonlocal first
            if not answered:
                return [] if first is None else [sampler.next(first, answered)]
            first = None
            draft: list[int] = []
            if lookup is not None:
                space = self._info.context_length - len(sequence.ids) - 1
                draft = lookup.draft(answered)[: max(0, space)]
            return self._step(program, sequence, [answered[-1], *draft], sampler, answered)

        return following

    def _step(
        self,
        program: Program,
        sequence: Running,
        tokens: list[int],
        sampler: Sampler,
        answered: Sequence[int],
    ) -> list[int]:
        """Read the last token and a draft of what may follow; return the tokens that do follow."""
        start = len(sequence.ids)
        self._sequences.extend(sequence, tokens)
        part = Rows(sequence, start, tokens)
        self._model.read(program, [part])
        logits = self._model.logits(program, range(len(tokens)))
        if len(tokens) == 1:
            return [sampler.next(logits[0], answered)]
        found: list[int] = []
        for row, expected in enumerate([*tokens[1:], None]):
            found.append(int(logits[row].argmax()))
            if found[-1] != expected:
                break
        self._sequences.cut(sequence, start + len(found))
        return found

    def _read_rest(
        self, program: Program, sequence: Running, ids: Sequence[int], stop: threading.Event | None
    ) -> Array | None:
        """Read what a sequence lacks of ``ids``; return the last logits, ``None`` when stopped."""
        rest = ids[len(sequence.ids) :]
        done = 0
        for piece in pieces(rest, BATCH_ROWS):
            if stop is not None and stop.is_set():
                return None
            start = len(sequence.ids)
            self._sequences.extend(sequence, list(piece))
            part = [Rows(sequence, start, piece)]
            done += len(piece)
            if done == len(rest):
                logits: Array = self._model.next_logits(program, part)[0]
                return logits
            self._model.read(program, part)
        return None

    # -- stored prefixes -----------------------------------------------------------------------------

    def _recall(self, ids: Sequence[int], key: Key) -> None:
        """Bring a stored prefix into memory when it knows more of a prompt than memory does."""
        if self._prefixes is None:
            return
        stored = self._prefixes.find(ids, key)
        if stored is None or len(stored.ids) <= self._sequences.known(ids, key):
            return
        pages = self._prefixes.load(stored, self._model.pages.page_bytes)
        if pages is None:
            return
        sequence = self._sequences.begin([], key)
        try:
            self._sequences.extend(sequence, stored.ids.tolist())
            for page, contents in zip(sequence.pages, pages, strict=True):
                self._model.pages.bytes_of(page)[:] = contents
        finally:
            self._sequences.keep(sequence)

    def _store_prefix(
        self,
        sequence: Running,
        messages: Sequence[Message],
        stable: int,
        ids: Sequence[int],
        key: Key,
    ) -> None:
        if stable and self._prefixes is not None:
            shared = self._format.shared_ids([*messages[:stable], Message("user", "")])
            if len(shared) >= _LEAST_STORED and list(ids[: len(shared)]) == shared:
                self._save(sequence, shared, key)

    def _save(self, sequence: Running, ids: Sequence[int], key: Key) -> None:
        """Store the full pages of a prefix, unless they are stored already."""
        if self._prefixes is None:
            return
        full = len(ids) // TOKENS * TOKENS
        stored = self._prefixes.find(ids, key)
        if full and (stored is None or len(stored.ids) < full) and len(sequence.ids) >= full:
            self._prefixes.save(ids[:full], key, self._model.pages_of(sequence, full))

    # -- scoring -----------------------------------------------------------------------------------

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        with self._scored(messages, candidates, adapter, stable) as (
            program,
            sequence,
            logits,
            answers,
        ):
            first = log_softmax(logits.copy())
            scores = []
            for group in _groups(answers):
                scores += self._score_group(program, sequence, first, group)
            return scores

    def choose(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[float]:
        with self._scored(messages, candidates, adapter, stable) as (
            program,
            sequence,
            logits,
            answers,
        ):
            places = branchings(answers)
            known: dict[tuple[int, ...], Array] = {(): logits.copy()}
            for group in _groups([[*place.prefix, 0] for place in places if place.prefix]):
                known |= self._after(program, sequence, [tuple(one[:-1]) for one in group])
            return log_chances(answers, places, lambda place: known[place.prefix])

    @contextlib.contextmanager
    def _scored(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        adapter: str | None,
        stable: int,
    ) -> Iterator[tuple[Program, Running, Array, list[list[int]]]]:
        """Read a prompt for candidates to be scored after it; its last logits are valid until a read."""
        with self._lock, _full_as_error():
            self._check_open()
            program, key = self._way(adapter)
            ids = self._format.prompt_ids(messages)
            answers = [self._format.answer_ids(candidate) for candidate in candidates]
            self._room([*ids, *max(answers, key=len, default=[])])
            self._recall(ids, key)
            sequence = self._sequences.begin(ids[:-1], key)
            try:
                logits = self._read_rest(program, sequence, ids, None)
                assert logits is not None
                self._store_prefix(sequence, messages, stable, ids, key)
                yield program, sequence, logits, answers
            finally:
                self._sequences.keep(sequence)

    def _after(
        self, program: Program, prompt: Running, prefixes: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Array]:
        """Return the logits (vocabulary,) after each of the texts that may follow a prompt, in one pass."""
        forks: list[Running] = []
        parts = []
        start = len(prompt.ids)
        try:
            for prefix in prefixes:
                fork = self._sequences.fork(prompt)
                forks.append(fork)
                self._sequences.extend(fork, list(prefix))
                parts.append(Rows(fork, start, prefix))
            found = self._model.next_logits(program, parts)
            return {prefix: row.copy() for prefix, row in zip(prefixes, found, strict=True)}
        finally:
            for fork in forks:
                self._sequences.drop(fork)

    def _score_group(
        self, program: Program, prompt: Running, first: Array, answers: Sequence[Sequence[int]]
    ) -> list[CandidateScore]:
        """Score answers that share a prompt, in one pass."""
        forks, parts = [], []
        start = len(prompt.ids)
        logprobs = [[float(first[answer[0]])] for answer in answers]
        try:
            for answer in answers:
                fork = self._sequences.fork(prompt)
                forks.append(fork)
                self._sequences.extend(fork, list(answer[:-1]))
                parts.append(Rows(fork, start, answer[:-1]))
            self._model.read(program, parts)
            wanted = [(i, token) for i, answer in enumerate(answers) for token in answer[1:]]
            for rows in pieces(range(len(wanted)), OUT_ROWS):
                found = log_softmax(self._model.logits(program, rows))
                for row, logits in zip(rows, found, strict=True):
                    answer_index, token = wanted[row]
                    logprobs[answer_index].append(float(logits[token]))
        finally:
            for fork in forks:
                self._sequences.drop(fork)
        return [CandidateScore(sum(p), len(p), tuple(p)) for p in logprobs]

    def text_logprobs(self, text: str, *, adapter: str | None = None) -> list[float]:
        with self._lock, _full_as_error():
            self._check_open()
            program, key = self._way(adapter)
            ids = self._format.text_ids(text)
            if len(ids) < 2:
                return []
            self._room(ids)
            sequence = self._sequences.begin([], key)
            found: list[float] = []
            try:
                for piece in pieces(ids, BATCH_ROWS):
                    start = len(sequence.ids)
                    self._sequences.extend(sequence, list(piece))
                    self._model.read(program, [Rows(sequence, start, piece)])
                    for rows in pieces(range(min(len(piece), len(ids) - 1 - start)), OUT_ROWS):
                        logits = log_softmax(self._model.logits(program, rows))
                        following = ids[start + rows[0] + 1 : start + rows[-1] + 2]
                        found += logits[np.arange(len(rows)), following].tolist()
                return found
            finally:
                self._sequences.drop(sequence)

    # -- routing -----------------------------------------------------------------------------------

    def hidden_states(
        self,
        texts: Sequence[str],
        reading: Reading,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Array:
        tail = len(self._format.text_ids(reading.suffix))
        inputs = [
            Input(self._format.cut_ids(text, reading.suffix, reading.max_tokens), tail)
            for text in texts
        ]
        with self._lock, _full_as_error():
            self._check_open()
            program, _ = self._way(reading.adapter)
            for one in inputs:
                self._room(one.ids)
            return read_hidden(self._model, self._sequences, program, inputs, reading, progress)

    # -- the rest ----------------------------------------------------------------------------------

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._model.close()
            del self._model, self._sequences

    def _room(self, ids: Sequence[int]) -> int:
        room = self._info.context_length - len(ids)
        if room < 1:
            raise ContextOverflow(
                f"The prompt takes {len(ids):,} tokens; the model reads "
                f"{self._info.context_length:,}.",
                "Send less text, or choose a model with a longer window.",
            )
        return room

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("The model was unloaded.", "Ask again: it loads anew.")


def _groups(answers: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Yield answers in groups that one pass can read."""
    group: list[Sequence[int]] = []
    for answer in answers:
        if len(answer) > BATCH_ROWS:
            raise EngineError(
                f"An answer to score has {len(answer)} tokens; at most {BATCH_ROWS} can be scored.",
                "Shorten the labels.",
            )
        tokens = sum(len(a) - 1 for a in group) + len(answer) - 1
        if group and (tokens > BATCH_ROWS or len(group) == OUT_ROWS):
            yield group
            group = []
        group.append(answer)
    if group:
        yield group


@contextlib.contextmanager
def _full_as_error() -> Iterator[None]:
    """Turn a full pool into an error that says what to do."""
    try:
        yield
    except MemoryError as error:
        raise EngineError(
            "The memory for conversations is full.", "Start a new chat or choose a smaller model."
        ) from error
