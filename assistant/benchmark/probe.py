"""A process of its own that loads one engine, answers one turn, and says what that took.

``python -m assistant.benchmark.probe MODEL VARIANT``; prints one JSON object. A fresh process, because
imports, compiled kernels and memory are shared by everything in one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import EngineError

if TYPE_CHECKING:
    from assistant.benchmark.subject import Subject

OURS, TRANSFORMERS, LLAMA = "auto", "transformers bf16", "llama.cpp"
_TOKENS = 32


def variants(subject: Subject) -> list[str]:
    """Return what can be probed here; the conversion that a baseline needs is made before."""
    from assistant.benchmark import llama

    subject.transformers_folder()
    here = subject.model.kind == "gguf" and llama.is_installed()
    return [OURS, TRANSFORMERS, *([LLAMA] if here else [])]


def probe(subject: Subject, variant: str) -> dict[str, float]:
    """Run a probe; return ``load_s`` (seconds) and ``peak_mb`` (largest resident memory, MB)."""
    command = [sys.executable, "-m", "assistant.benchmark.probe"]
    name = subject.model.name if subject.model.entry else str(subject.model.path)
    threads = str(subject.threads)
    done = subprocess.run(
        [*command, name, variant, threads],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise EngineError(f"Measuring {variant} in a process of its own failed: {last}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(model: str, variant: str, threads: str) -> None:
    from assistant import config
    from assistant.benchmark.subject import Subject
    from assistant.models.resolve import resolve
    from assistant.paths import user_paths

    paths = user_paths()
    settings = config.load(model=model, threads=int(threads))
    files = resolve(settings.model, paths)
    subject = Subject(settings, paths, 1, lambda text: None, files=files)
    load_s = _load_and_answer(subject, variant)
    print(json.dumps({"load_s": load_s, "peak_mb": _peak_mb()}))


def _load_and_answer(subject: Subject, variant: str) -> float:
    """Return the seconds that loading took, imports included."""
    from assistant.benchmark.texts import QUESTION
    from assistant.types import Decoding, Message

    messages = [Message("user", QUESTION)]
    if variant == OURS:
        start = time.perf_counter()
        engine = subject.open("auto")
        seconds = time.perf_counter() - start
        list(engine.generate(messages, Decoding(max_tokens=_TOKENS)))
        return seconds
    folder = subject.transformers_folder()
    start = time.perf_counter()
    if variant == TRANSFORMERS:
        from assistant.benchmark.baselines import open_transformers

        plain = open_transformers(folder, "bf16", subject.threads)
        seconds = time.perf_counter() - start
        plain.generate(subject.form().prompt_ids(messages), _TOKENS)
        return seconds
    from assistant.benchmark.llama import open_llama

    llama = open_llama(subject.model.path, subject.threads)
    seconds = time.perf_counter() - start
    llama.decode(subject.form().prompt_ids(messages), _TOKENS)
    return seconds


def _peak_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the parent's memory before the program began
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import psutil

    info = psutil.Process().memory_info()
    peak = getattr(info, "peak_wset", None)
    if peak is not None:
        return int(peak) / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


if __name__ == "__main__":
    main(*sys.argv[1:])
