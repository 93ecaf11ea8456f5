"""The engine on plain transformers and torch: any causal language model, CPU, CUDA or MPS.

One forward a token with an own loop rather than ``generate()``: it can be stopped within one
token, decodes text incrementally (no split characters) and keeps the key/value cache of the last
prompt, so that a conversation's next turn computes only what is new.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from assistant.engine.base import CandidateScore, EngineInfo, Reading
from assistant.engine.chat_format import ChatFormat
from assistant.engine.choices import branchings, log_chances
from assistant.engine.decoding import Answer, stream
from assistant.engine.sampling import Sampler
from assistant.engine.torch_adapters import TorchAdapter, adapted, read_torch_adapter
from assistant.errors import AdapterError, ContextOverflow, EngineError
from assistant.types import Decoding, Generation, Message, Usage

_PREFILL_CHUNK = 512
_SCORE_BATCH = 16


class _LayerReached(Exception):
    """Ends a forward pass early: the wanted layer's output is there."""


def choose_device(wanted: str = "auto") -> str:
    """Return ``cuda``, ``mps`` or ``cpu``, the first that is there, unless one is asked for.

    Raises:
        EngineError: the device asked for is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(name for name, present in there.items() if present)
    if not there.get(wanted):
        present = ", ".join(name for name, is_there in there.items() if is_there)
        raise EngineError(f"No device '{wanted}' here.", f"Set `device` to auto or: {present}.")
    return wanted


def choose_dtype(device: str) -> torch.dtype:
    """Return bfloat16 where the hardware multiplies it, else float32 (float16 on MPS)."""
    if device == "cuda":
        return torch.bfloat16
    if device == "mps":
        return torch.float16
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if supported else torch.float32


def quiet_transformers() -> None:
    """Keep transformers' bars and notices off the terminal: the app draws its own."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_torch_engine(
    folder: Path,
    *,
    name: str,
    sha256: str,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    threads: int | None = None,
    accurate: bool = False,
) -> TorchEngine:
    """Load a folder in transformers' format (safetensors only, no code of the model's own).

    Raises:
        EngineError: the folder cannot be loaded, or memory ran out.
    """
    if threads:
        torch.set_num_threads(threads)
    quiet_transformers()
    place = choose_device(device)
    if accurate and dtype is None:
        dtype = torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=dtype or choose_dtype(place),
            local_files_only=True,
            use_safetensors=True,
        )
        model = model.to(place).eval()
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise EngineError(
            f"The model {name} could not be loaded: {error}",
            "Run `assistant models verify`, or choose a smaller one with --model.",
        ) from error
    return TorchEngine(model, tokenizer, name=name, sha256=sha256)


class TorchEngine:
    """See :class:`assistant.engine.base.Engine` for what each method promises."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, sha256: str) -> None:
        self._model = model
        eos = model.generation_config.eos_token_id
        self._format = ChatFormat(tokenizer, eos if isinstance(eos, list) else [eos])
        self._lock = threading.Lock()
        self._adapters: dict[str, TorchAdapter] = {}
        self._reading_with: TorchAdapter | None = None
        self._cache = DynamicCache(config=model.config)
        self._cached_ids: list[int] = []
        config = model.config
        self._info = EngineInfo(
            model=name,
            sha256=sha256,
            context_length=int(config.max_position_embeddings),
            layers=int(config.num_hidden_layers),
            hidden_size=int(config.hidden_size),
            device=str(model.device.type),
            precision=str(model.dtype).removeprefix("torch."),
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._format.prompt_ids(messages))

    def count_text_tokens(self, text: str) -> int:
        return len(self._format.text_ids(text))

    def generate(
        self,
        messages: Sequence[Message],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        stable: int = 0,
    ) -> Iterator[Generation]:
        with_adapter = self._known(adapter)
        ids = self._format.prompt_ids(messages)
        room = self._info.context_length - len(ids)
        if room < 1:
            raise ContextOverflow(
                f"The prompt takes {len(ids):,} tokens; the model reads {self._info.context_length:,}.",
                "Send less text, or choose a model with a longer window.",
            )
        with self._lock, _readable_failures(), self._adapted(with_adapter):
            cached = self._keep_common(ids)
            yield from self._decode(ids, cached, min(decoding.max_tokens, room), decoding, stop)

    def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[CandidateScore]:
        with_adapter = self._known(adapter)
        ids = self._format.prompt_ids(messages)
        answers = [self._format.answer_ids(candidate) for candidate in candidates]
        with self._lock, _readable_failures(), self._adapted(with_adapter):
            self._keep_common(ids)
            last = self._prefill(ids, None)
            assert last is not None
            scores: list[CandidateScore] = []
            for start in range(0, len(answers), _SCORE_BATCH):
                scores += self._score_batch(last, answers[start : start + _SCORE_BATCH])
            return scores

    def choose(
        self,
        messages: Sequence[Message],
        candidates: Sequence[str],
        *,
        adapter: str | None = None,
        stable: int = 0,
    ) -> list[float]:
        with_adapter = self._known(adapter)
        ids = self._format.prompt_ids(messages)
        answers = [self._format.answer_ids(candidate) for candidate in candidates]
        places = branchings(answers)
        with self._lock, _readable_failures(), self._adapted(with_adapter):
            self._keep_common(ids)
            last = self._prefill(ids, None)
            assert last is not None
            known = {place.prefix: self._after(place.prefix) for place in places if place.prefix}
            known[()] = last
            return log_chances(
                answers, places, lambda place: known[place.prefix].float().cpu().numpy()
            )

    def complete(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        results = []
        for messages in prompts:
            pieces = list(self.generate(messages, decoding, adapter=adapter, stop=stop))
            results.append(replace(pieces[-1], text="".join(piece.text for piece in pieces)))
            if progress is not None:
                progress(len(results))
        return results

    @torch.inference_mode()
    def text_logprobs(self, text: str, *, adapter: str | None = None) -> list[float]:
        with_adapter = self._known(adapter)
        ids = self._format.text_ids(text)
        if len(ids) < 2:
            return []
        tokens = torch.tensor([ids], device=self._model.device)
        with self._lock, _readable_failures(), self._adapted(with_adapter):
            logits = self._model(input_ids=tokens, past_key_values=self._new_cache()).logits[0, :-1]
            logprobs = torch.log_softmax(logits.float(), dim=-1)
            found: list[float] = logprobs.gather(-1, tokens[0, 1:, None])[:, 0].tolist()
            return found

    def prepare(self, messages: Sequence[Message], *, adapter: str | None = None) -> None:
        """Keep what is computed for this one prompt: the plain path remembers only the last."""

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def load_adapter(self, name: str, folder: Path) -> None:
        self._adapters[name] = read_torch_adapter(folder, self._model)

    def unload_adapter(self, name: str) -> None:
        self._adapters.pop(name, None)

    def _known(self, adapter: str | None) -> TorchAdapter | None:
        if adapter is not None and adapter not in self._adapters:
            raise AdapterError(
                f"No adapter '{adapter}' is loaded.", "Load it first, or ask without it."
            )
        return self._adapters[adapter] if adapter is not None else None

    @contextlib.contextmanager
    def _adapted(self, adapter: TorchAdapter | None) -> Iterator[None]:
        """Compute with an adapter in the block. What another one made of a prompt is of no use to it."""
        if adapter is not self._reading_with:
            self._reading_with = adapter
            self._forget()
        with adapted(self._model, adapter):
            yield

    def _forget(self) -> None:
        self._cached_ids = []
        self._cache = self._new_cache()

    def _new_cache(self) -> DynamicCache:
        """Return an empty cache; with an adapter that has a prefix, one that begins with it."""
        cache = DynamicCache(config=self._model.config)
        prefix = self._reading_with.prefix if self._reading_with is not None else None
        for layer, (keys, values) in enumerate(prefix if prefix is not None else ()):
            cache.update(keys[None], values[None], layer)
        return cache

    def hidden_states(
        self,
        texts: Sequence[str],
        reading: Reading,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        adapter = self._known(reading.adapter)
        if adapter is not None and adapter.prefix is not None:
            raise AdapterError("A prefix does not change how a text is read.", "Use a LoRA.")
        width = self._info.hidden_size * (1 if reading.mean_layer is None else 2)
        found = np.zeros((len(texts), width), dtype=np.float32)
        for position, text in enumerate(texts):
            with self._lock, _readable_failures(), adapted(self._model, adapter):
                found[position] = self._hidden(text, reading)
            if progress is not None:
                progress(position + 1)
        return found

    @torch.inference_mode()
    def _hidden(self, text: str, reading: Reading) -> NDArray[np.float32]:
        """Return one text's vector; the pass ends at the layer that is read."""
        ids = self._format.cut_ids(text, reading.suffix, reading.max_tokens)
        decoder = self._model.get_decoder()
        caught: dict[int, torch.Tensor] = {}

        def catching(layer: int) -> Callable[[Any, Any, Any], None]:
            def catch(_module: Any, _inputs: Any, output: Any) -> None:
                caught[layer] = (output[0] if isinstance(output, tuple) else output)[0].float()
                if layer == reading.layer:
                    raise _LayerReached

            return catch

        wanted = {reading.layer, reading.mean_layer} - {None}
        handles = [
            decoder.layers[layer - 1].register_forward_hook(catching(layer))
            for layer in wanted
            if layer is not None
        ]
        try:
            with contextlib.suppress(_LayerReached):
                decoder(input_ids=torch.tensor([ids], device=self._model.device), use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        vector = caught[reading.layer][-1]
        if reading.mean_layer is not None:
            own = max(1, len(ids) - len(self._format.text_ids(reading.suffix)))
            vector = torch.cat([vector, caught[reading.mean_layer][:own].mean(0)])
        return vector.cpu().numpy()

    def close(self) -> None:
        with self._lock:
            self._model = None
            self._cache = None  # type: ignore[assignment]
            self._cached_ids = []
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # -- decoding; the lock is held --------------------------------------------------------------

    def _decode(
        self,
        ids: list[int],
        cached: int,
        max_tokens: int,
        decoding: Decoding,
        stop: threading.Event | None,
    ) -> Iterator[Generation]:
        answer = Answer(self._format, decoding.stop, max_tokens)
        sampler = Sampler(decoding)

        def following(answered: Sequence[int]) -> Sequence[int]:
            logits = self._step(answered[-1]) if answered else self._prefill(ids, stop)
            return [] if logits is None else [sampler.next(logits.float().cpu().numpy(), answered)]

        return stream(answer, following, lambda count: Usage(len(ids), cached, count), stop)

    def _keep_common(self, ids: list[int]) -> int:
        """Cut the cache back to what it shares with ``ids``; return how many tokens that is.

        At least the last token is computed anew, because its logits are needed.
        """
        common = 0
        for ours, theirs in zip(self._cached_ids, ids[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        surplus = len(self._cached_ids) - common
        if surplus and common:
            try:
                self._cache.crop(-surplus)
            except RuntimeError:  # a sliding window that has already forgotten its beginning
                common = 0
        if not common:
            self._cache = self._new_cache()
        self._cached_ids = self._cached_ids[:common]
        return common

    def _prefill(self, ids: list[int], stop: threading.Event | None) -> torch.Tensor | None:
        """Read what the cache lacks of ``ids``; return the last logits, ``None`` when stopped."""
        logits: torch.Tensor | None = None
        while len(self._cached_ids) < len(ids):
            if stop is not None and stop.is_set():
                return None
            start = len(self._cached_ids)
            logits = self._forward(ids[start : start + _PREFILL_CHUNK])
        return logits

    def _step(self, token: int) -> torch.Tensor:
        """Read one token. oneDNN repacks bf16 weights a call, which halves the speed at one row."""
        if self._model.device.type != "cpu":
            return self._forward([token])
        backend = torch.backends.mkldnn
        backend.enabled = False  # type: ignore[assignment]  # a property of the module
        try:
            return self._forward([token])
        finally:
            backend.enabled = True  # type: ignore[assignment]

    @torch.inference_mode()
    def _forward(self, ids: list[int]) -> torch.Tensor:
        tokens = torch.tensor([ids], device=self._model.device)
        try:
            output = self._model(
                input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1
            )
        except BaseException:
            # Some layers may have stored the new tokens and some not: nothing of it can be kept.
            self._forget()
            raise
        self._cached_ids += ids
        logits: torch.Tensor = output.logits[0, -1]
        return logits

    @torch.inference_mode()
    def _after(self, prefix: tuple[int, ...]) -> torch.Tensor:
        """Return the logits (vocabulary,) after tokens behind the cached prompt; the cache stays."""
        output = self._model(
            input_ids=torch.tensor([prefix], device=self._model.device),
            past_key_values=copy.deepcopy(self._cache),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[0, -1]
        return logits

    @torch.inference_mode()
    def _score_batch(self, last: torch.Tensor, answers: list[list[int]]) -> list[CandidateScore]:
        """Score answers after the cached prompt; ``last`` (vocabulary,) predicts their first token."""
        device = self._model.device
        longest = max(len(answer) for answer in answers)
        tokens = torch.tensor([a + [a[-1]] * (longest - len(a)) for a in answers], device=device)
        first = torch.log_softmax(last.float(), dim=-1)
        each = [[value] for value in first[tokens[:, 0]].tolist()]
        if longest > 1:
            cache = copy.deepcopy(self._cache)
            cache.batch_repeat_interleave(len(answers))
            output = self._model(input_ids=tokens[:, :-1], past_key_values=cache, use_cache=True)
            following = torch.log_softmax(output.logits.float(), dim=-1)
            picked = following.gather(-1, tokens[:, 1:, None])[..., 0]
            for row, answer in enumerate(answers):
                each[row] += picked[row, : len(answer) - 1].tolist()
        return [CandidateScore(sum(values), len(values), tuple(values)) for values in each]


@contextlib.contextmanager
def _readable_failures() -> Iterator[None]:
    """Turn torch's own failures into an error that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineError(
            "The model ran out of memory.", "Start a new chat or choose a smaller model."
        ) from error
    except RuntimeError as error:
        raise EngineError(f"The model failed: {error}") from error
