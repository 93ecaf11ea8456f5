"""The tiny model in the torch engine, and what its tests ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from assistant.engine.sampling import Logits
from assistant.engine.torch_engine import TorchEngine, load_torch_engine
from assistant.types import Decoding, Generation, Message

HELLO = (Message("system", "Be brief."), Message("user", "Hello there, how are you?"))


def new_engine(folder: Path) -> TorchEngine:
    return load_torch_engine(
        folder, name="tiny", sha256="0" * 64, device="cpu", dtype=torch.float32
    )


def said(pieces: Sequence[Generation]) -> str:
    return "".join(piece.text for piece in pieces)


def run(engine: TorchEngine, messages: Sequence[Message], **decoding: Any) -> list[Generation]:
    return list(engine.generate(messages, Decoding(**decoding)))


def template_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    shown = [{"role": m.role, "content": m.content} for m in messages]
    text = tokenizer.apply_chat_template(shown, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def by_hand(plain: tuple[Any, Any], messages: Sequence[Message], candidate: str) -> float:
    """The log-probability of a candidate and the end of the turn, one plain forward pass."""
    model, tokenizer = plain
    prompt = template_ids(tokenizer, messages)
    answer = tokenizer(candidate, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0].float()
    chances = torch.log_softmax(logits, dim=-1)
    places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
    return sum(float(chances[at, token]) for at, token in zip(places, answer, strict=True))


class Scripted:
    """A sampler that says given token ids, whatever the logits are."""

    ids: Sequence[int] = ()
    on_token: Callable[[int], None] = staticmethod(lambda position: None)

    def __init__(self, decoding: Decoding) -> None:
        self._left = list(type(self).ids)

    def next(self, logits: Logits, answered: Sequence[int]) -> int:
        type(self).on_token(len(answered))
        return self._left.pop(0)
