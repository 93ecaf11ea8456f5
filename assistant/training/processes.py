"""Several processes, one a GPU, as ``accelerate launch`` starts them; usually there is one.

Each computes its share of a step's packs, then the gradients are added up: the step is the same as that
of one process, to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from assistant.training.batches import Pack


class Processes:
    """The processes of a training; ``main`` is the one that writes files."""

    def __init__(self) -> None:
        self._state: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            self._state = PartialState(cpu=not torch.cuda.is_available())

    @property
    def main(self) -> bool:
        return self._state is None or bool(self._state.is_main_process)

    @property
    def device(self) -> str | None:
        """The device of this process, where there are several."""
        if self._state is None:
            return None
        return "cpu" if self._state.device.type == "cpu" else str(self._state.device)

    def share(self, packs: Sequence[Pack]) -> Sequence[Pack]:
        """Return the packs that this process computes."""
        if self._state is None:
            return packs
        return packs[self._state.process_index :: self._state.num_processes]

    def same(self, value: Any) -> Any:
        """Return the value that the main process has."""
        if self._state is None:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    def add_up(self, loss: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Add up loss and gradients over all processes, in place."""
        if self._state is None:
            return
        for parameter in parameters:
            if parameter.grad is None:  # no pack for this process
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([loss.reshape(1).float(), *(one.flatten() for one in gradients)])
        torch.distributed.all_reduce(flat)
        loss.copy_(flat[0])
        start = 1
        for one in gradients:
            one.copy_(flat[start : start + one.numel()].view_as(one))
            start += one.numel()
