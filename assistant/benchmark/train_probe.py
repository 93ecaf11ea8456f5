"""A process of its own that trains for a few steps and says how fast, and how much memory it took.

``python -m assistant.benchmark.train_probe FOLDER VARIANT THREADS DATA STEPS``; prints one JSON object.
Tokens are those of the rows, without any padding, in both variants; loading and the first step do not
count.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.benchmark.probe import _peak_mb
from assistant.benchmark.train import OURS
from assistant.training.dataset import Encoder, Row, read_sources
from assistant.training.settings import TrainSettings

_BATCH, _RANK, _SEED = 16, 8, 0


def main(folder: str, variant: str, threads: str, data: str, steps: str) -> None:
    """Measure one variant."""
    import torch

    torch.set_num_threads(int(threads))
    torch.manual_seed(_SEED)
    rows = _rows(Path(folder), Path(data))
    run = _ours if variant == OURS else _trainer
    print(json.dumps({"tokens_per_s": run(Path(folder), rows, int(steps)), "peak_mb": _peak_mb()}))


def _rows(folder: Path, data: Path) -> Sequence[Row]:
    from assistant import config
    from assistant.answering import Planner
    from assistant.engine.chat_format import ChatFormat
    from assistant.engine.tokenizer import FolderTokenizer
    from assistant.paths import shipped
    from assistant.prompts import Prompts
    from assistant.strategy import Chooser

    task = json.loads(data.read_text(encoding="utf-8").split("\n", 1)[0])["task"]
    (source,) = read_sources([data], task)
    planner = Planner(Prompts.load(shipped("prompts")), config.load(), Chooser())
    form = ChatFormat(FolderTokenizer(folder))
    return Encoder(form, planner, "", 32768, 1024).encode(source.rows).rows


def _ours(folder: Path, rows: Sequence[Row], steps: int) -> float:
    """Return tokens a second of the program's own training."""
    from peft import get_peft_model

    from assistant.training.lowrank import speed_up
    from assistant.training.packed import PackedModel, load_base
    from assistant.training.schedule import Schedule
    from assistant.training.sft import Plan, Trainer
    from assistant.training.techniques import Shape, peft_config

    settings = TrainSettings("", rank=_RANK, batch=_BATCH, seed=_SEED, checkpoint_s=1e9)
    base = load_base(folder)
    model = PackedModel(get_peft_model(base, peft_config(settings, Shape.of(base.config))))
    speed_up(model.peft)
    schedule = Schedule(lambda epoch: rows, settings, settings.pack_tokens)
    trainer = Trainer(model, settings, Plan(steps + 1, 1e-4, 10**9), schedule, ())
    marks: list[tuple[float, int]] = []
    trainer.run(
        lambda progress: marks.append((time.perf_counter(), trainer.position.tokens)),
        lambda position, tensors: None,
    )
    return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])


def _trainer(folder: Path, rows: Sequence[Row], steps: int) -> float:
    """Return tokens a second of transformers' Trainer with a PEFT model."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    lora = LoraConfig(
        r=_RANK, lora_alpha=2 * _RANK, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    base = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.bfloat16)
    model = get_peft_model(base, lora)
    marks: list[float] = []
    seen: list[int] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(time.perf_counter())

    class Counted(DataCollatorForSeq2Seq):  # type: ignore[misc]
        def __call__(self, features: Any, return_tensors: Any = None) -> Any:
            batch = super().__call__(features, return_tensors)
            seen.append(int(batch["attention_mask"].sum()))
            return batch

    with tempfile.TemporaryDirectory() as place:
        arguments = TrainingArguments(
            output_dir=place,
            per_device_train_batch_size=_BATCH,
            max_steps=steps + 1,
            learning_rate=1e-4,
            bf16=True,
            use_cpu=True,
            seed=_SEED,
            report_to=[],
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=[_features(row) for row in rows],
            data_collator=Counted(AutoTokenizer.from_pretrained(str(folder)), padding=True),
            callbacks=[Clock()],
        )
        trainer.train()
    return sum(seen[1 : steps + 1]) / (marks[-1] - marks[0])


def _features(row: Row) -> dict[str, list[int]]:
    ids = [*row.prompt, *row.answer]
    return {
        "input_ids": ids,
        "attention_mask": [1] * len(ids),
        "labels": [*([-100] * len(row.prompt)), *row.answer],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
