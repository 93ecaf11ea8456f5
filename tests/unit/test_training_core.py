"""Training from data to weights, with the tiny model: packs, techniques, determinism."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from training_help import job, request
from transformers import AutoModelForCausalLM

from assistant.engine.chat_format import ChatFormat
from assistant.engine.tokenizer import FolderTokenizer
from assistant.paths import user_paths
from assistant.training.batches import Pack, packs, steps
from assistant.training.dataset import Row
from assistant.training.install import write_adapter
from assistant.training.lowrank import speed_up
from assistant.training.packed import PackedModel, load_base, tensors_of
from assistant.training.runs import new_run
from assistant.training.settings import TECHNIQUES, Progress
from assistant.training.techniques import Shape, peft_config
from assistant.training.train import Outcome, train


def trained(folder: Path, **settings: Any) -> tuple[Outcome, list[Progress]]:
    """Train the tiny model; return the outcome and what was reported."""
    seen: list[Progress] = []
    outcome = train(
        job(request(folder, **settings)), new_run(user_paths(), "classification"), seen.append
    )
    assert outcome is not None
    return outcome, seen


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in outcome.peft.named_parameters() if p.requires_grad}


def random_rows(count: int, *, kinds: int = 1, seed: int = 0) -> list[Row]:
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 250, (length,), generator=generator).tolist())

    beginnings = [ids(7) for _ in range(kinds)]
    rows = []
    for number in range(count):
        begin = beginnings[number % kinds]
        rows.append(Row(begin + ids(4 + number % 9), ids(1 + number % 3), len(begin)))
    return rows


def packed_model(folder: Path, dtype: torch.dtype, **settings: Any) -> PackedModel:
    from peft import get_peft_model

    asked = request(folder, **settings)
    base = load_base(Path(asked.model), dtype=dtype)
    torch.manual_seed(3)
    peft = get_peft_model(base, peft_config(asked.settings, Shape.of(base.config)))
    for name, parameter in peft.named_parameters():
        if parameter.requires_grad and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return PackedModel(peft)


def plain_loss(peft: Any, rows: list[Row]) -> torch.Tensor:
    """Return the loss as transformers computes it, row by row, without any packing."""
    total = torch.zeros(())
    for row in rows:
        logits = peft(input_ids=torch.tensor([row.prompt + row.answer])).logits[0].float()
        found = logits[len(row.prompt) - 1 : -1]
        total = total + torch.nn.functional.cross_entropy(
            found, torch.tensor(row.answer), reduction="sum"
        )
    return total


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_pack_has_the_loss_and_gradient_of_its_rows(
    tmp_path: Path, technique: str, shared: bool
) -> None:
    rows = random_rows(7, kinds=1 if shared else 7)
    model = packed_model(tmp_path, torch.float32, technique=technique)
    pack = packs(rows, 10_000, None, 100)[0] if shared else Pack(tuple(range(7)), 0)
    assert bool(pack.shared) == shared
    assert sorted(pack.rows) == list(range(7))
    assert speed_up(model.peft) == (
        14 if technique == "lora" else 7 if technique == "layers" else 0
    )
    loss = model.loss(tensors_of(pack, rows))
    loss.backward()  # type: ignore[no-untyped-call]
    ours = {name: p.grad.clone() for name, p in model.trainable().items() if p.grad is not None}

    plain = packed_model(tmp_path, torch.float32, technique=technique)
    for (name, mine), (same, theirs) in zip(
        model.trainable().items(), plain.trainable().items(), strict=True
    ):
        assert name == same
        theirs.data.copy_(mine.data)
    plain.base.config._attn_implementation = "eager"
    expected = plain_loss(plain.peft, rows)
    expected.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert len(ours) == len(plain.trainable()) > 0
    for name, parameter in plain.trainable().items():
        assert parameter.grad is not None
        assert torch.allclose(ours[name], parameter.grad, rtol=1e-3, atol=1e-4), name


def test_checkpointing_changes_no_gradient(tmp_path: Path) -> None:
    rows = random_rows(5)
    pack = packs(rows, 10_000, None, 100)[0]
    grads = []
    for again in (False, True):
        model = packed_model(tmp_path, torch.float32)
        model.checkpointing = again
        model.loss(tensors_of(pack, rows)).backward()  # type: ignore[no-untyped-call]
        grads.append([p.grad for p in model.trainable().values()])
    for one, other in zip(*grads, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


def test_packs_hold_every_row_once_and_keep_to_the_budget() -> None:
    rows = random_rows(101, kinds=3)
    for seed in (None, 1):
        found = packs(rows, 80, seed, 16)
        assert sorted(at for pack in found for at in pack.rows) == list(range(101))
        assert all(pack.tokens(rows) <= 80 and len(pack.rows) <= 16 for pack in found)
    assert packs(rows, 80, 1, 16) == packs(rows, 80, 1, 16) != packs(rows, 80, 2, 16)


def test_what_a_pack_shares_is_the_same_in_all_its_rows_and_not_the_whole_prompt() -> None:
    rows = [Row((1, 2, 3), (9,), 2), Row((1, 2, 3, 4), (9, 8), 2), Row((1, 2, 3), (7,), 2)]
    (pack,) = packs(rows, 100, None, 10)
    assert pack.shared == 2  # the third id is where the answer of the shortest is told
    assert pack.tokens(rows) == 2 + 1 + 3 + 1


def test_steps_have_the_examples_asked_for() -> None:
    rows = random_rows(50)
    found = steps(rows, 60, 0, 8)
    assert all(step.examples >= 8 for step in found[:-1])
    assert sum(step.examples for step in found) == 50


def test_the_prompt_is_the_one_that_is_sent_and_the_answer_ends_the_turn(tmp_path: Path) -> None:
    made = job(request(tmp_path))
    form = ChatFormat(FolderTokenizer(made.folder))
    row = made.encoded.rows[0]
    end = form.backend.token_to_id("<|im_end|>")
    assert row.answer[-1] == end
    assert row.answer.count(end) == 1
    said = form.backend.decode(list(row.prompt), skip_special_tokens=False)
    assert "glad, sad" in said
    assert "Mood?" in said
    assert said.count("<|im_start|>user") == 1
    assert said.endswith("<|im_start|>assistant\n")


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    _, seen = trained(tmp_path, epochs=8, rate=1e-2)
    assert seen[-1].loss < 0.92 * seen[0].loss
    assert seen[-1].dev_loss is not None
    assert seen[-1].dev_loss < seen[0].loss


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_each_technique_trains_and_plain_peft_computes_the_same(
    tmp_path: Path, technique: str
) -> None:
    outcome, seen = trained(tmp_path, technique=technique, max_steps=3, rank=4)
    assert seen[-1].step == 3
    write_adapter(outcome.peft, tmp_path / "adapter", "tiny")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "tiny", dtype=torch.float32)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    alone = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    ids = torch.tensor([[5, 9, 30, 31, 77, 100]])
    ours = PackedModel(alone)
    row = Row(tuple(ids[0].tolist()), (1,), 0)
    with torch.no_grad():
        mine = ours.head(ours.states(tensors_of(Pack((0,), 0), [row])))[0]
        alone.base_model.config._attn_implementation = "eager"
        for module in alone.modules():
            if hasattr(getattr(module, "config", None), "_attn_implementation"):
                module.config._attn_implementation = "eager"
        theirs = alone(input_ids=ids).logits[0]
        without = base_logits(tmp_path / "tiny", ids)
    assert torch.allclose(mine, theirs, atol=1e-4)
    assert not torch.allclose(theirs, without, atol=1e-3)
    after = alone.get_base_model().state_dict()
    for name, value in before.items():
        held = (
            after[name]
            if name in after
            else after[
                name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias")
            ]
        )
        assert torch.equal(held, value)


def base_logits(folder: Path, ids: torch.Tensor) -> torch.Tensor:
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    logits: torch.Tensor = base(input_ids=ids).logits[0]
    return logits


def test_what_is_written_is_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: asked.append(where) or [])
    outcome, _ = trained(tmp_path, max_steps=2)
    for config in outcome.peft.peft_config.values():
        config.base_model_name_or_path = "organisation/not-here"
    write_adapter(outcome.peft, tmp_path / "adapter", "tiny")
    assert asked == []  # PEFT would look for the base model on the hub
    stored = load_file(str(tmp_path / "adapter" / "adapter_model.safetensors"))
    held = weights(outcome)
    assert len(stored) == len(held) == 28
    for name, value in held.items():
        written = stored[name.replace(".default.", ".")]
        assert written.dtype == torch.float16
        assert torch.equal(written, value.half())


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path) -> None:
    one, other, third = (weights(trained(tmp_path, max_steps=4, seed=s)[0]) for s in (5, 5, 6))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], third[name]) for name in one)


def test_lower_layers_kept_in_memory_give_the_same_training(tmp_path: Path) -> None:
    from assistant.training import prepare as module

    kept, _ = trained(tmp_path, technique="layers", first=2, last=2, epochs=2)
    share, module._CACHE_SHARE = module._CACHE_SHARE, 0.0
    try:
        anew, _ = trained(tmp_path, technique="layers", first=2, last=2, epochs=2)
    finally:
        module._CACHE_SHARE = share
    for name, value in weights(kept).items():
        assert torch.allclose(value, weights(anew)[name], atol=2e-2), name


def test_training_stops_when_the_development_rows_get_no_better(tmp_path: Path) -> None:
    outcome, seen = trained(tmp_path, epochs=40, rate=0.2, patience=1)
    assert seen[-1].step < seen[-1].total
    assert outcome.best_step <= seen[-1].step
    assert outcome.dev_loss == min(p.dev_loss for p in seen if p.dev_loss is not None)
