"""Loads the model with its new adapter, and finds out what the training will take."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assistant.config import Settings
from assistant.errors import UsageError
from assistant.training.batches import Group, Step
from assistant.training.estimate import Estimate
from assistant.training.job import Job
from assistant.training.techniques import Shape

if TYPE_CHECKING:
    from assistant.training.estimate import Memory
    from assistant.training.objective import Objective
    from assistant.training.packed import PackedModel
    from assistant.training.schedule import Schedule
    from assistant.training.sft import LowerStates, Plan

_CACHE_SHARE = 0.25
"""Of the free memory, for the states below the trained layers."""


def choose_device(user: Settings) -> str:
    """Return ``cuda`` where there is one and the settings do not say otherwise, else ``cpu``."""
    import torch

    if user.device in ("auto", "cuda") and torch.cuda.is_available():
        return "cuda"
    return "cpu"


def prepare(job: Job, schedule: Schedule, device: str) -> tuple[PackedModel, Estimate]:
    """Return the model with its adapter, and what the training takes.

    Raises:
        UsageError: the technique does not fit the model, or the parent's adapter does not.
        AdapterError: it does not fit the memory.
    """
    from transformers import AutoConfig

    from assistant.models.hardware import detect_hardware
    from assistant.training.estimate import choose_checkpointing
    from assistant.training.lowrank import speed_up
    from assistant.training.packed import PackedModel, load_base
    from assistant.training.techniques import peft_config

    steps = schedule.at(0)
    config = AutoConfig.from_pretrained(str(job.folder))
    shape = Shape.of(config)
    peft_config(job.settings, shape)  # says at once what is wrong with it
    need = _memory(job, config, shape, schedule, steps)
    free = detect_hardware().available_bytes
    again = device == "cpu" and choose_checkpointing(need, free)
    job.note(f"Loading {job.files.name}")
    base = load_base(job.folder, device)
    model = PackedModel(_with_adapter(base, job, shape), checkpointing=again)
    speed_up(model.peft)
    job.note("Measuring the speed")
    return model, _estimate(job, model, schedule, steps, need)


def make_objective(job: Job, model: PackedModel, groups: Sequence[Group] | None) -> Objective:
    """Return what the job's method makes smaller."""
    from assistant.training.objective import Answers

    settings, rows, dev = job.settings, job.encoded.rows, job.dev_rows
    fresh = job.request.parent is None
    if settings.method == "dpo":
        from assistant.training.dpo import Pairs

        return Pairs(model, rows, dev, settings, fresh=fresh)
    if settings.method == "kto":
        from assistant.training.kto import JudgedAnswers

        return JudgedAnswers(model, rows, groups or (), dev, settings, fresh=fresh)
    return Answers(model, dev, settings.pack_tokens)


def lower_states(
    model: PackedModel, job: Job, schedule: Schedule, plan: Plan
) -> LowerStates | None:
    """Return the states below the trained layers, where that saves time and fits the memory."""
    from assistant.models.hardware import detect_hardware
    from assistant.training.sft import LowerStates

    steps = len(schedule.at(0))
    if not model.lowest or job.settings.augment or plan.total <= steps:
        return None
    rows = job.encoded.rows
    needed = 2 * model.base.config.hidden_size * sum(row.length for row in rows)
    if model.device.type != "cpu" or needed > _CACHE_SHARE * detect_hardware().available_bytes:
        return None
    job.note(f"Computing the {model.lowest} lower layers, once for all epochs")
    return LowerStates(model, rows, job.settings.pack_tokens)


def _memory(
    job: Job, config: Any, shape: Shape, schedule: Schedule, steps: Sequence[Step]
) -> Memory:
    from assistant.training.estimate import memory

    most = max(pack.tokens(schedule.rows) for step in steps for pack in step.packs)
    # Parameters of LoRA on all linear layers; no other technique trains more of them.
    thin = (
        job.settings.rank * shape.layers * (10 * shape.hidden + 3 * int(config.intermediate_size))
    )
    return memory(config, shape, thin, most)


def _estimate(
    job: Job, model: PackedModel, schedule: Schedule, steps: Sequence[Step], need: Memory
) -> Estimate:
    from assistant.training.estimate import PASSES, measure_speed, seconds_of

    token_s = measure_speed(model, schedule.rows, steps)
    passes, total = PASSES[job.settings.method], schedule.total()
    one = seconds_of(steps, schedule.rows, 1, token_s)
    epoch = one * len(steps)
    if job.settings.max_minutes is not None:
        total = min(total, passes.steps_in(job.settings.max_minutes * 60, one, epoch))
    packed = sum(pack.tokens(schedule.rows) for step in steps for pack in step.packs)
    whole = sum(schedule.rows[at].length for s in steps for p in s.packs for at in p.rows)
    return Estimate(
        total,
        passes.seconds(total, one, epoch),
        need.peak_checkpointing if model.checkpointing else need.peak,
        whole / packed / token_s,
        model.checkpointing,
    )


def _with_adapter(base: Any, job: Job, shape: Shape) -> Any:
    from peft import (
        PeftModel,
        get_peft_model,
        load_peft_weights,
        set_peft_model_state_dict,
    )

    from assistant.training.techniques import peft_config

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT calls what transformers is about to rename
            if job.request.parent is None:
                return get_peft_model(base, peft_config(job.settings, shape))
            parent = str(job.request.parent)
            if job.settings.technique == "prefix":  # PEFT opens a stored prefix for use only
                fresh = get_peft_model(base, peft_config(job.settings, shape))
                set_peft_model_state_dict(fresh, load_peft_weights(parent, device="cpu"))
                return fresh
            return PeftModel.from_pretrained(base, parent, is_trainable=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UsageError(
            f"The adapter in {job.request.parent} cannot be trained on: {error}",
            "Give one that was made for this base model.",
        ) from error
