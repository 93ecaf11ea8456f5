"""Suite ``adapter``: what a LoRA adapter on all linear layers costs, and what switching costs."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.benchmark.decode import PROMPT, TOKENS
from assistant.benchmark.results import Result, median_ratio, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import prose

if TYPE_CHECKING:
    from assistant.engine.base import Engine

_SUITE = "adapter"
RANK = 8
_BASE, _ONE, _TWO = "no adapter", f"rank {RANK}", f"two of rank {RANK} in turns"


def run(subject: Subject) -> list[Result]:
    """Decode without, with one and with two random adapters of rank 8, in interleaved rounds."""
    from assistant.benchmark.own import is_lean, switch_s

    engine = subject.open("auto")
    try:
        if not is_lean(engine):
            subject.note(f"{_SUITE}: left out, adapters run on the lean path only")
            return []
        loaded = _load_two(engine, subject.runs)
        measured = _decode(subject, engine)
        switched = [1000 * switch_s(engine, ("one", "two")) for _ in range(subject.runs)]
    finally:
        engine.close()
    name = subject.name
    compared = ((_ONE, _BASE), (_TWO, _ONE))
    return [
        result(_SUITE, (name, _BASE), measured[_BASE], "tokens/s"),
        *(
            result(
                _SUITE,
                (name, kind),
                measured[kind],
                "tokens/s",
                baseline=baseline,
                ratio=median_ratio(measured[kind], measured[baseline]),
            )
            for kind, baseline in compared
        ),
        result(_SUITE, (name, "switch"), switched, "ms"),
        result(_SUITE, (name, "load from disk"), loaded, "ms"),
    ]


def write_random_adapter(folder: Path, sizes: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Write a PEFT LoRA folder with small random weights for layers of (rows, columns)."""
    import numpy as np
    from safetensors.numpy import save_file

    generator = np.random.default_rng(seed)
    tensors = {}
    for module, (rows, columns) in sizes.items():
        for part, shape in (("A", (RANK, columns)), ("B", (rows, RANK))):
            values = generator.normal(0, 0.01, shape).astype(np.float32)
            tensors[f"base_model.model.{module}.lora_{part}.weight"] = values
    folder.mkdir(parents=True)
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "bias": "none",
        "target_modules": sorted({module.rpartition(".")[2] for module in sizes}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _load_two(engine: Engine, runs: int) -> list[float]:
    """Load two adapters several times; return the milliseconds each time."""
    from assistant.benchmark.own import layer_sizes

    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in enumerate(("one", "two")):
            write_random_adapter(Path(folder) / name, layer_sizes(engine), seed)
        engine.load_adapter("one", Path(folder) / "one")  # compiles what it needs
        for _ in range(runs):
            for name in ("one", "two"):
                start = time.perf_counter()
                engine.load_adapter(name, Path(folder) / name)
                taken.append(1000 * (time.perf_counter() - start))
    return taken


def _decode(subject: Subject, engine: Engine) -> dict[str, list[float]]:
    """Return tokens a second of each kind."""
    from assistant.benchmark.own import LeanRunner

    runner = LeanRunner(engine)
    ids = subject.form().text_ids(prose("en"))[:PROMPT]
    kinds: dict[str, tuple[str | None, ...]] = {
        _BASE: (None,),
        _ONE: ("one",),
        _TWO: ("one", "two"),
    }
    measured: dict[str, list[float]] = {kind: [] for kind in kinds}
    for adapters in kinds.values():
        runner.decode(ids, 4, adapters)
    for round_ in range(subject.runs):
        for kind, adapters in kinds.items():
            measured[kind].append(TOKENS / runner.decode(ids, TOKENS, adapters))
        subject.note(f"{_SUITE}: round {round_ + 1} of {subject.runs}")
    return measured
