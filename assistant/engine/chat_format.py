"""From messages to token ids, through the model's own chat template.

What people (or earlier answers) wrote is encoded with every special token switched off: a typed
``<|im_end|>`` is text, not the end of a turn. To get there, the template is rendered with
placeholders instead of contents; template pieces and contents are then encoded apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from assistant.errors import EngineError
from assistant.types import Message

_PLACEHOLDER = "\ue000{}\ue001"
_PLACEHOLDER_PATTERN = re.compile("\ue000(\\d+)\ue001")
_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "</s>")


class ChatFormat:
    """Encodes messages for one model. ``tokenizer`` is a transformers fast tokenizer."""

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int] = ()) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None or not tokenizer.chat_template:
            raise EngineError(
                "This model has no chat template or no fast tokenizer.",
                "Choose an instruction-tuned model: `assistant models list`.",
            )
        self._tokenizer = tokenizer
        self.backend: Tokenizer = backend
        self._plain: Tokenizer = getattr(tokenizer, "plain_tokenizer", None) or _plain(backend)
        known = (backend.token_to_id(token) for token in _TURN_ENDS)
        self.end_ids = frozenset(
            [i for i in known if i is not None]
            + [i for i in (tokenizer.eos_token_id, *eos_ids) if i is not None]
        )

    def text_ids(self, text: str) -> list[int]:
        """Return the ids of text that is only text, whatever it contains."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids of a conversation, ending where the answer is to begin."""
        return self._encode(self._render(messages), messages)

    def shared_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids of a conversation up to where its last message's content begins."""
        before = self._render(messages).partition(_PLACEHOLDER.format(len(messages) - 1))[0]
        return self._encode(before, messages)

    def _encode(self, rendered: str, messages: Sequence[Message]) -> list[int]:
        """Encode template pieces and contents apart."""
        ids: list[int] = []
        for position, piece in enumerate(_PLACEHOLDER_PATTERN.split(rendered)):
            if position % 2:
                ids += self.text_ids(messages[int(piece)].content)
            elif piece:
                ids += self.backend.encode(piece, add_special_tokens=False).ids
        return ids

    def cut_ids(self, text: str, suffix: str, max_tokens: int) -> list[int]:
        """Return the ids of text and suffix, the text cut to head and tail if it is too long."""
        ids, tail = self.text_ids(text), self.text_ids(suffix)
        room = max_tokens - len(tail)
        if len(ids) > room:
            head = room // 2
            ids = ids[:head] + ids[-(room - head) :]
        return ids + tail

    def answer_ids(self, answer: str) -> list[int]:
        """Return the ids of a whole answer, the token that ends the turn included."""
        end = self.backend.token_to_id("<|im_end|>")
        ends = [end] if end in self.end_ids else sorted(self.end_ids)[:1]
        return [*self.text_ids(answer), *ends]

    def _render(self, messages: Sequence[Message]) -> str:
        shown = [
            {"role": message.role, "content": _PLACEHOLDER.format(position)}
            for position, message in enumerate(messages)
        ]
        try:
            return self._apply(shown)
        except Exception as error:  # jinja2 raises whatever the template's author chose
            if shown and shown[0]["role"] == "system" and len(shown) > 1:
                return self._apply(_system_in_first_message(shown))
            raise EngineError(f"The model's chat template failed: {error}") from error

    def _apply(self, shown: list[dict[str, str]]) -> str:
        text: str = self._tokenizer.apply_chat_template(
            shown, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return text


def _plain(backend: Tokenizer) -> Tokenizer:
    """Return a tokenizer to which everything is text."""
    plain = json.loads(backend.to_str())
    plain["added_tokens"], plain["post_processor"] = [], None
    return Tokenizer.from_str(json.dumps(plain))


def _system_in_first_message(shown: list[dict[str, str]]) -> list[dict[str, str]]:
    """Put the system text in front of the first message, for templates without that role."""
    first = {**shown[1], "content": f"{shown[0]['content']}\n\n{shown[1]['content']}"}
    return [first, *shown[2:]]
