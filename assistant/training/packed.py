"""A causal model computing packs: no padding, shared beginnings once, the output layer where it counts.

The layers run over the tokens of a pack as one flat sequence. Only attention has to know which token
belongs to which row. On a CPU it is computed as plain batched products: in bf16 torch's own
``scaled_dot_product_attention`` takes four times as long on rows of a hundred tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from assistant.errors import EngineError
from assistant.training.batches import Pack
from assistant.training.dataset import Row

_NAME = "assistant_packed"
_LOGITS_AT_ONCE = 256
"""Answer tokens whose logits are held at a time: a vocabulary of 150,000 takes 0.6 MB each."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which flat token is whose.

    Attributes:
        shared: the first so many tokens are what all rows begin with.
        to_rows: shape (rows * width): the flat position behind the shared ones of each row's tokens,
            filled up with 0.
        to_flat: for each flat token behind the shared ones its place in ``to_rows``.
        rows, width: how many rows, and the most tokens that one has of its own.
        hidden: where rows have two answers, shape (rows, width, width): which of a row's tokens (last)
            each of them (middle) does not see; ``None`` where each sees all those before it.
    """

    shared: int
    to_rows: torch.Tensor
    to_flat: torch.Tensor
    rows: int
    width: int
    hidden: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class PackTensors:
    """A pack for the model; ``predicts`` are the flat positions whose next token is in ``targets``.

    ``answers`` are how many of them belong to each answer; a row that has two has the other one second.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    layout: Layout
    predicts: torch.Tensor
    targets: torch.Tensor
    answers: tuple[int, ...]


def tensors_of(pack: Pack, rows: Sequence[Row], device: Any = "cpu") -> PackTensors:
    """Return a pack's ids, positions and answers."""
    shared = pack.shared
    ids = list(rows[pack.rows[0]].ids[:shared])
    positions = list(range(shared))
    predicts: list[int] = []
    targets: list[int] = []
    answers: list[int] = []
    spans: list[tuple[int, int]] = []
    for at in pack.rows:
        row = rows[at]
        start = len(ids)
        ids += row.ids[shared:]
        positions += row.positions[shared:]
        spans.append((start - shared, row.length - shared))
        first = start + len(row.prompt) - 1 - shared
        predicts += range(first, first + len(row.answer))
        targets += row.answer
        answers.append(len(row.answer))
        if row.other:
            behind = first + len(row.answer)
            predicts += [first, *range(behind, behind + len(row.other) - 1)]
            targets += row.other
            answers.append(len(row.other))

    def put(values: Sequence[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    return PackTensors(
        put(ids)[None],
        put(positions)[None],
        _layout(shared, spans, put, _apart([rows[at] for at in pack.rows], shared, device)),
        put(predicts),
        put(targets),
        tuple(answers),
    )


def _apart(rows: Sequence[Row], shared: int, device: Any) -> torch.Tensor | None:
    """Return what hides the first answer of each row from the second, see :class:`Layout`."""
    if not any(row.other for row in rows):
        return None
    width = max(row.length for row in rows) - shared
    hidden = torch.ones(width, width, dtype=torch.bool).triu(1).repeat(len(rows), 1, 1)
    for number, row in enumerate(rows):
        start = len(row.prompt) - shared
        middle = start + len(row.answer) - 1
        hidden[number, middle : row.length - shared, start:middle] = True
    return hidden.to(device)


def _layout(
    shared: int, spans: Sequence[tuple[int, int]], put: Any, hidden: torch.Tensor | None
) -> Layout:
    width = max(length for _, length in spans)
    to_rows: list[int] = []
    to_flat: list[int] = []
    for number, (start, length) in enumerate(spans):
        to_rows += [*range(start, start + length), *([0] * (width - length))]
        to_flat += range(number * width, number * width + length)
    return Layout(shared, put(to_rows), put(to_flat), len(spans), width, hidden)


class _Rearranged(torch.autograd.Function):
    """Rows of a matrix taken in another order; the gradient goes back by the inverse order.

    What fills up a row gets none: nothing that counts looks at it.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, order: torch.Tensor, back: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(back)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:  # type: ignore[override]
        (back,) = ctx.saved_tensors
        return grad.index_select(1, back), None, None


class _Flattened(torch.autograd.Function):
    """The inverse of :class:`_Rearranged`; filled up places get a gradient of zero."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: torch.Tensor, order: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(order)
        ctx.places = x.shape[1]
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:  # type: ignore[override]
        (order,) = ctx.saved_tensors
        whole = grad.new_zeros(grad.shape[0], ctx.places, grad.shape[2])
        return whole.index_copy_(1, order, grad), None


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: Layout | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within the rows of a pack, in the form that transformers calls.

    Query has shape (1, heads, tokens, size); keys may have more tokens in front (prefix tuning), which
    every row sees.
    """
    assert layout is not None
    q, k, v = query[0], key[0], value[0]
    scale = scaling if scaling is not None else q.shape[-1] ** -0.5
    begin = layout.shared + k.shape[1] - q.shape[1]
    parts = []
    if layout.shared:
        first = _attend(q[:, None, : layout.shared], k[:, None, :begin], v[:, None, :begin], scale)
        parts.append(first[:, 0])
    own_q, own_k, own_v = (
        _by_rows(x, start, layout) for x, start in ((q, layout.shared), (k, begin), (v, begin))
    )
    if begin:
        own_k = torch.cat([_for_all(k[:, :begin], layout.rows), own_k], dim=2)
        own_v = torch.cat([_for_all(v[:, :begin], layout.rows), own_v], dim=2)
    own = _attend(own_q, own_k, own_v, scale, layout.hidden)
    flat = _Flattened.apply(own.flatten(1, 2), layout.to_flat)  # type: ignore[no-untyped-call]
    parts.append(flat)
    out = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
    return out.transpose(0, 1)[None], None


def _by_rows(x: torch.Tensor, start: int, layout: Layout) -> torch.Tensor:
    """Return what is behind ``start`` as (heads, rows, width, size)."""
    own = _Rearranged.apply(x[:, start:], layout.to_rows, layout.to_flat)  # type: ignore[no-untyped-call]
    shaped: torch.Tensor = own.view(x.shape[0], layout.rows, layout.width, x.shape[-1])
    return shaped


def _for_all(x: torch.Tensor, rows: int) -> torch.Tensor:
    return x[:, None].expand(-1, rows, -1, -1)


def _attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    scale: float,
    apart: torch.Tensor | None = None,
) -> torch.Tensor:
    """Causal attention; shapes (heads, rows, tokens, size), with fewer heads of keys and values.

    Queries are the last of the tokens that there are keys for. ``apart``, of shape (rows, tokens,
    tokens), says in place of the order which of each other they do not see.
    """
    heads, rows, width, size = q.shape
    known, group = k.shape[2], heads // k.shape[0]
    hidden = torch.ones(width, known, dtype=torch.bool, device=q.device).triu(known - width + 1)
    if apart is not None:
        hidden = functional.pad(apart, (known - width, 0))[:, None]
    if q.device.type != "cpu":
        k, v = (x.repeat_interleave(group, 0).transpose(0, 1) for x in (k, v))
        done = functional.scaled_dot_product_attention(
            q.transpose(0, 1), k, v, attn_mask=~hidden, scale=scale
        )
        return done.transpose(0, 1)
    # Heads that share keys lie behind each other: one product for all of them.
    q = q.view(k.shape[0], group, rows, width, size).transpose(1, 2)
    q = q.reshape(k.shape[0] * rows, group * width, size)
    k, v = (x.reshape(-1, known, size) for x in (k, v))
    weights = _weights(q, k, scale, hidden, group)
    out = torch.bmm(weights, v).view(-1, rows, group, width, size)
    return out.transpose(1, 2).reshape(heads, rows, width, size)


def _weights(
    q: torch.Tensor, k: torch.Tensor, scale: float, hidden: torch.Tensor, group: int
) -> torch.Tensor:
    """Return the attention weights, shape (key heads * rows, group * tokens, known)."""
    scores = torch.bmm(q * scale, k.transpose(1, 2))
    rows = hidden.shape[0] if hidden.dim() > 2 else scores.shape[0]
    shaped = scores.view(-1, rows, group, *hidden.shape[-2:]).masked_fill(hidden, float("-inf"))
    return torch.softmax(shaped, -1).view_as(scores)


class PackedModel:
    """A transformers model with a PEFT adapter, ready to compute packs.

    Attributes:
        peft: the PEFT model; its trainable parameters are 32-bit.
        lowest: the lowest layer that is trained, counted from 0.
    """

    def __init__(self, peft: Any, *, checkpointing: bool = False) -> None:
        self.peft = peft
        base = peft.get_base_model()
        self.base: Any = base
        self.decoder: Any = base.get_decoder()
        self.head: Any = base.get_output_embeddings()
        self.checkpointing = checkpointing
        self.device = self.decoder.embed_tokens.weight.device
        self.virtual = _virtual_tokens(peft)
        self.lowest = 0 if self.virtual else _lowest_trained(self.decoder)
        _check_family(self)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name, always in the same order."""
        named = sorted(self.peft.named_parameters())
        return {name: value for name, value in named if value.requires_grad}

    def loss(self, rows: PackTensors, lower: torch.Tensor | None = None) -> torch.Tensor:
        """Return the loss of the answers' tokens, summed (nats).

        ``lower``: what :meth:`lower` gave for the pack, where it is known.
        """
        return torch.stack(list(self._losses(rows, lower, "sum"))).sum()

    def answers(self, rows: PackTensors, lower: torch.Tensor | None = None) -> torch.Tensor:
        """Return the log-probability of each answer (nats, summed over its tokens), shape (answers,)."""
        tokens = -torch.cat(list(self._losses(rows, lower, "none")))
        return torch.stack([one.sum() for one in torch.split(tokens, list(rows.answers))])

    def _losses(
        self, rows: PackTensors, lower: torch.Tensor | None, reduction: str
    ) -> Iterator[torch.Tensor]:
        """Yield the losses of the answers' tokens, some at a time."""
        states = self.states(rows, lower)
        chosen = states[0].index_select(0, rows.predicts)
        for at in range(0, len(chosen), _LOGITS_AT_ONCE):
            logits = self.head(chosen[at : at + _LOGITS_AT_ONCE]).float()
            targets = rows.targets[at : at + _LOGITS_AT_ONCE]
            yield functional.cross_entropy(logits, targets, reduction=reduction)

    def states(self, rows: PackTensors, lower: torch.Tensor | None = None) -> torch.Tensor:
        """Return the last states, normalized, shape (1, tokens, hidden)."""
        if lower is None:
            lower = self.lower(rows)
        layers = range(self.lowest, len(self.decoder.layers))
        return self.decoder.norm(self._run(layers, lower, rows))  # type: ignore[no-any-return]

    def lower(self, rows: PackTensors) -> torch.Tensor:
        """Return the states below the lowest trained layer; no gradient goes through them."""
        with torch.no_grad():
            embedded = self.decoder.embed_tokens(rows.ids)
            return self._run(range(self.lowest), embedded, rows)

    def _run(self, layers: range, states: torch.Tensor, rows: PackTensors) -> torch.Tensor:
        positions = rows.positions + self.virtual
        angles = self.decoder.rotary_emb(states, positions)
        past = self.peft.get_prompt(1) if self.virtual else None

        def run(layer: Any, states: torch.Tensor) -> torch.Tensor:
            out = layer(
                states,
                attention_mask=None,
                position_ids=positions,
                position_embeddings=angles,
                past_key_values=past,
                layout=rows.layout,
            )
            return out[0] if isinstance(out, tuple) else out  # type: ignore[no-any-return]

        again = self.checkpointing and torch.is_grad_enabled() and past is None
        for at in layers:
            layer = self.decoder.layers[at]
            if again:
                states = checkpoint(run, layer, states, use_reentrant=False)  # type: ignore[no-untyped-call]
            else:
                states = run(layer, states)
        return states


def load_base(folder: Path, device: str = "cpu", dtype: torch.dtype | None = None) -> Any:
    """Load a model in transformers' format, frozen, with packed attention; bf16 unless told otherwise.

    Raises:
        EngineError: it cannot be loaded.
    """
    from transformers import AttentionInterface, AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    AttentionInterface.register(_NAME, packed_attention)
    try:
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype or torch.bfloat16)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(
            f"The model in {folder} cannot be loaded for training: {error}",
            "Check it with `assistant models verify`, or choose another one.",
        ) from error
    model.config.use_cache = False
    model.requires_grad_(False)
    return model.to(device).eval()


def use_packed_attention(base: Any) -> None:
    """Let the model's attention see packs; its own ``forward`` does not work from then on."""
    base.config._attn_implementation = _NAME
    for module in base.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            config._attn_implementation = _NAME


def _virtual_tokens(peft: Any) -> int:
    config = peft.peft_config["default"]
    return int(config.num_virtual_tokens) if config.is_prompt_learning else 0


def _lowest_trained(decoder: Any) -> int:
    for at, layer in enumerate(decoder.layers):
        if any(parameter.requires_grad for parameter in layer.parameters()):
            return at
    return len(decoder.layers)


_HINT = "Models of the Llama, Mistral, Qwen2 and Qwen3 families can be trained."


def _check_family(model: PackedModel) -> None:
    """Compute a few tokens both ways: a family whose layers want something else is found at once."""
    base = model.base
    own = base.config._attn_implementation
    row = Row(tuple(range(5, 12)), (3,), 0)
    tensors = tensors_of(Pack((0,), 0), [row], model.device)
    try:
        with torch.no_grad(), model.peft.disable_adapter():
            base.config._attn_implementation = "eager"
            right = model.decoder(input_ids=tensors.ids).last_hidden_state
            use_packed_attention(base)
            virtual, model.virtual = model.virtual, 0
            ours = model.states(tensors)
            model.virtual = virtual
    except (AttributeError, TypeError, KeyError, AssertionError) as error:
        raise EngineError("This family of models cannot be trained here.", _HINT) from error
    finally:
        if base.config._attn_implementation == "eager":
            base.config._attn_implementation = own
    apart = (ours.float() - right.float()).norm() / right.float().norm()
    if not float(apart) < 0.1:
        raise EngineError("This family of models cannot be trained here.", _HINT)
