"""LoRA linear layers in few operations: bf16 products, 32-bit parameters, nothing saved twice.

PEFT computes the same with more passes over memory: casts of the input, a product of its own for the
scale, an addition. Its modules and its format stay; only their ``forward`` is another one meanwhile.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


class _LowRank(torch.autograd.Function):
    """``x W' + bias + (x A') B' scale``; ``A`` (rank, in) and ``B`` (out, rank) are 32-bit parameters."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        a, b = down.to(x.dtype), (up * scale).to(x.dtype)
        y = functional.linear(flat, weight, bias)
        low = functional.linear(flat, a)
        y.addmm_(low, b.t())
        ctx.save_for_backward(flat, low, weight, a, b)
        ctx.scale, ctx.shape = scale, x.shape
        return y.view(*x.shape[:-1], y.shape[-1])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:  # type: ignore[override]
        flat, low, weight, a, b = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1])
        back = grad @ b
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (grad @ weight).addmm_(back, a).view(ctx.shape)
        d_down = (back.t() @ flat).float()
        # The wide matrix on the right: many times faster than its transpose on the left.
        d_up = (low.t() @ grad).float().mul_(ctx.scale).t()
        return dx, None, None, d_down, d_up, None


def speed_up(model: Any) -> int:
    """Give plain LoRA layers of a PEFT model the quick forward; return how many there are."""
    from peft.tuners.lora.layer import Linear

    found = 0
    for module in model.modules():
        if isinstance(module, Linear) and _is_plain(module):
            module.forward = _forward_of(module)
            found += 1
    return found


def _is_plain(module: Any) -> bool:
    name = "default"
    return (
        name in module.lora_A
        and not module.fan_in_fan_out
        and not module.lora_variant
        and isinstance(module.lora_dropout[name], torch.nn.Identity)
        and module.lora_A[name].bias is None
        and module.lora_B[name].bias is None
    )


def _forward_of(module: Any) -> Any:
    base = module.base_layer
    down, up, scale = module.lora_A["default"], module.lora_B["default"], module.scaling["default"]

    def forward(x: torch.Tensor, *_: Any, **__: Any) -> Any:
        args = (x, base.weight, base.bias, down.weight, up.weight, scale)
        return _LowRank.apply(*args)  # type: ignore[no-untyped-call]

    return forward
