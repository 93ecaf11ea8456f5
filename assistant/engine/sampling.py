"""From logits to the next token."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from assistant.types import Decoding

_CANDIDATES = 1024


class Sampler:
    """Draws tokens as :class:`~assistant.types.Decoding` says; greedy at temperature 0.

    Top-p is nucleus sampling (Holtzman et al. 2020); the repetition penalty is CTRL's (Keskar et
    al. 2019), over the tokens answered so far.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._generator = torch.Generator(device="cpu")
        if decoding.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(decoding.seed)

    def next(self, logits: torch.Tensor, answered: Sequence[int]) -> int:
        """Return the next token id for ``logits`` of shape (vocabulary,)."""
        penalty = self._decoding.repetition_penalty
        if penalty != 1.0 and answered:
            logits = logits.float().clone()  # an inference tensor may not be written to
            seen = torch.tensor(sorted(set(answered)), device=logits.device)
            values = logits[seen]
            logits[seen] = torch.where(values > 0, values / penalty, values * penalty)
        if self._decoding.temperature <= 0:
            return int(torch.argmax(logits))
        return self._draw(torch.softmax(logits.float().cpu() / self._decoding.temperature, dim=-1))

    def _draw(self, chances: torch.Tensor) -> int:
        """Draw from ``chances`` (vocabulary,), cut to the smallest set that holds ``top_p``."""
        top_p = self._decoding.top_p
        if top_p >= 1.0:
            return int(torch.multinomial(chances, 1, generator=self._generator))
        values, indices = torch.topk(chances, min(_CANDIDATES, chances.numel()))
        if float(values.sum()) < top_p:
            values, indices = torch.sort(chances, descending=True)
        before = torch.cumsum(values, dim=-1) - values
        drawn = torch.multinomial(values * (before < top_p), 1, generator=self._generator)
        return int(indices[drawn])
