"""Training the router's adapter: LoRA on the upper of the layers that are read (Hu et al. 2021).

The layers below keep their weights, so their output is computed once a turn and kept; only the adapted
layers run at each step. On two cores an epoch over six thousand turns takes about half an hour with the
default model.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.router.head import Floats
from assistant.router.reading import SUFFIX, token_limit, turn_text
from assistant.tasks import TASKS

if TYPE_CHECKING:
    import torch

    from assistant.training.router_head import LabelledTurn

_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_EPSILON = 1e-6
_BLOCK = 10
"""Turns that stand together share scenarios: they are held out together."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """How the adapter is trained. ``first`` and ``last``: the layers adapted, counted from 1."""

    first: int = 9
    last: int = 18
    rank: int = 8
    epochs: int = 2
    batch: int = 24
    rate: float = 3e-4
    head_rate: float = 3e-3
    smoothing: float = 0.05
    unrelated: float = 0.2
    held_out: float = 0.08
    seed: int = 0

    @classmethod
    def for_depth(cls, layers: int) -> AdapterSettings:
        """Return settings for a model of so many layers: from a third up to three quarters."""
        return cls(first=max(1, layers // 3 + 1), last=max(1, round(layers * 0.75)))


@dataclass(frozen=True, slots=True)
class Trained:
    """The classifier trained along with an adapter, and which turns it never saw.

    Attributes:
        weight: shape (tasks, hidden).
        bias: shape (tasks,).
        held_out: positions of turns.
    """

    weight: Floats
    bias: Floats
    held_out: tuple[int, ...]


def train_adapter(
    model: Path,
    turns: Sequence[LabelledTurn],
    folder: Path,
    settings: AdapterSettings | None = None,
    report: Report = lambda _: None,
) -> Trained:
    """Train the adapter for the model in folder ``model`` and write it to ``folder`` in PEFT's format.

    A share of the turns that stand alone is seen once more behind another turn's context, so that a
    previous turn which has nothing to do with the new one is learned to be passed over. Every so many
    turns a block is held out, for temperature and threshold.
    """
    import torch

    settings = settings or AdapterSettings()
    torch.manual_seed(settings.seed)
    trainer = _Trainer(model, settings, report)
    period = max(2, round(_BLOCK / settings.held_out))
    held_out = tuple(at for at in range(len(turns)) if at % period >= period - _BLOCK)
    seen = [turn for at, turn in enumerate(turns) if at not in set(held_out)]
    trainer.run([*seen, *_with_unrelated(seen, settings)])
    trainer.save(folder)
    return Trained(
        trainer.head.weight.detach().numpy(), trainer.head.bias.detach().numpy(), held_out
    )


def _with_unrelated(turns: Sequence[LabelledTurn], settings: AdapterSettings) -> list[LabelledTurn]:
    from assistant.training.router_head import LabelledTurn

    rng = random.Random(settings.seed)
    contexts = [turn.context for turn in turns if turn.context]
    alone = [turn for turn in turns if not turn.context and len(turn.text.encode()) > 30]
    if not contexts:
        return []
    return [
        LabelledTurn(turn.text, rng.choice(contexts), turn.task)
        for turn in rng.sample(alone, int(len(alone) * settings.unrelated))
    ]


class _Trainer:
    """The model cut to the layers that are read, the adapter on the upper ones, and a classifier."""

    def __init__(self, model: Path, settings: AdapterSettings, report: Report) -> None:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        from assistant.engine.chat_format import ChatFormat

        self.settings, self.report = settings, report
        config = AutoConfig.from_pretrained(str(model))
        config.num_hidden_layers = settings.last
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: settings.last]
        loaded = AutoModelForCausalLM.from_pretrained(
            str(model), config=config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )
        self.format = ChatFormat(AutoTokenizer.from_pretrained(str(model)), [])
        lora = LoraConfig(
            r=settings.rank,
            lora_alpha=2 * settings.rank,
            target_modules=_MODULES,
            layers_to_transform=list(range(settings.first - 1, settings.last)),
            task_type="CAUSAL_LM",
        )
        self.model: Any = get_peft_model(loaded, lora)
        self.decoder: Any = loaded.get_decoder()
        self.head = torch.nn.Linear(config.hidden_size, len(TASKS))
        torch.nn.init.zeros_(self.head.weight)

    def run(self, turns: Sequence[LabelledTurn]) -> None:
        """Train on ``turns``; the learning rate warms up, then falls as a cosine."""
        import torch

        s = self.settings
        states = self._lower([self._ids(turn) for turn in turns])
        labels = torch.tensor([TASKS.index(turn.task) for turn in turns])
        lora = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": lora, "lr": s.rate, "initial": s.rate},
            {"params": list(self.head.parameters()), "lr": s.head_rate, "initial": s.head_rate},
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.01)
        batches = [b for epoch in range(s.epochs) for b in self._batches(states, epoch)]
        begun, smooth = time.monotonic(), math.log(len(TASKS))
        for step, batch in enumerate(batches):
            share = min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / len(batches)))
            for group in optimizer.param_groups:
                group["lr"] = group["initial"] * share
            logits = self.head(self._upper([states[at] for at in batch]))
            loss = torch.nn.functional.cross_entropy(
                logits, labels[batch], label_smoothing=s.smoothing
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(lora, 1.0)
            optimizer.step()
            smooth += 0.03 * (float(loss) - smooth)
            left = (time.monotonic() - begun) / (step + 1) * (len(batches) - step - 1)
            self.report(f"step {step + 1} of {len(batches)}, loss {smooth:.3f}, {left:.0f} s left")

    def save(self, folder: Path) -> None:
        """Write the adapter in PEFT's format."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(str(folder), safe_serialization=True)

    def _ids(self, turn: LabelledTurn) -> list[int]:
        text = turn_text(turn.text, turn.context)
        return self.format.cut_ids(text, SUFFIX, token_limit(turn.context))

    def _layers(self, states: torch.Tensor, start: int, end: int) -> torch.Tensor:
        """Run layers over states of shape (turns, tokens, hidden).

        Turns are padded on the right, and attention looks back only, so that padding changes nothing.
        """
        import torch

        positions = torch.arange(states.shape[1])[None]
        angles = self.decoder.rotary_emb(states, positions)
        for layer in self.decoder.layers[start:end]:
            out = layer(
                states,
                attention_mask=None,
                position_ids=positions,
                position_embeddings=angles,
            )
            states = out[0] if isinstance(out, tuple) else out
        return states

    def _lower(self, sequences: Sequence[list[int]]) -> list[torch.Tensor]:
        """Return the states below the adapted layers, one tensor (tokens, hidden) a turn."""
        import torch

        found: list[torch.Tensor] = [torch.empty(0)] * len(sequences)
        order = sorted(range(len(sequences)), key=lambda at: len(sequences[at]))
        with torch.no_grad():
            for start in range(0, len(order), 32):
                batch = order[start : start + 32]
                width = max(len(sequences[at]) for at in batch)
                ids = torch.zeros(len(batch), width, dtype=torch.long)
                for row, at in enumerate(batch):
                    ids[row, : len(sequences[at])] = torch.tensor(sequences[at])
                states = self._layers(self.decoder.embed_tokens(ids), 0, self.settings.first - 1)
                for row, at in enumerate(batch):
                    found[at] = states[row, : len(sequences[at])].clone()
                self.report(f"read {start + len(batch)} of {len(order)} turns")
        return found

    def _upper(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the normalized last states of turns, shape (turns, hidden), with gradients."""
        import torch

        lengths = torch.tensor([len(one) for one in states])
        padded = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True)
        out = self._layers(padded, self.settings.first - 1, self.settings.last)
        last = out[torch.arange(len(states)), lengths - 1].float()
        return last * torch.rsqrt((last * last).mean(-1, keepdim=True) + _EPSILON)

    def _batches(self, states: Sequence[torch.Tensor], epoch: int) -> Iterator[list[int]]:
        """Yield one epoch's batches of turns of like length, in random order."""
        rng = random.Random(self.settings.seed * 1000 + epoch)
        size = self.settings.batch
        order = list(range(len(states)))
        rng.shuffle(order)
        batches = []
        for start in range(0, len(order), 20 * size):
            chunk = sorted(order[start : start + 20 * size], key=lambda at: len(states[at]))
            batches += [chunk[at : at + size] for at in range(0, len(chunk), size)]
        rng.shuffle(batches)
        yield from batches
