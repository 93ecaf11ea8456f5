"""Which model to choose for a machine, a task and some languages, with the reason in figures."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from assistant.models.catalog import CatalogEntry
from assistant.models.hardware import Hardware, detect_hardware

__all__ = [
    "Hardware",
    "Recommendation",
    "detect_hardware",
    "expected_speed",
    "free_licence",
    "recommend",
]

# Speed on a CPU was measured with 8-bit weights on 2 cores: 135 M, 0.5 B and 1.5 B parameters gave
# about 90, 40 and 15 tokens a second, which is 26 GB/s and 6 ms a token beside it.
_BYTES_PER_CORE_S = 13e9
_CORES_THAT_HELP = 4  # beyond these, memory rather than cores is the limit
_OVERHEAD_S = 0.006
_GPU_BYTES_S = 300e9
_APPLE_BYTES_S = 100e9
_GPU_OVERHEAD_S = 0.02
_COMFORTABLE = 20.0  # tokens a second: nobody reads faster
# How much each task gains from a larger model, the rest of the score being speed.
_QUALITY_WEIGHT = {
    "qa": 0.65,
    "chat": 0.6,
    "summarization": 0.6,
    "translation": 0.65,
    "classification": 0.4,
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One model judged by memory, size and speed; nothing in it was measured on a task.

    Attributes:
        score: 0 to 1, higher is better; 0 for a model that does not fit.
        fits: whether memory suffices.
        memory_bytes: what it needs, on the GPU where it goes there; ``memory`` says it in words.
        tokens_per_s: the speed to expect, an estimate.
    """

    entry: CatalogEntry
    score: float
    reason: str
    fits: bool
    installed: bool
    memory_bytes: int
    memory: str
    tokens_per_s: float


def expected_speed(entry: CatalogEntry, hardware: Hardware) -> float:
    """Return roughly how many tokens a second to expect; an estimate, not a promise."""
    if hardware.gpu is not None:
        rate = _GPU_BYTES_S if hardware.gpu_memory_bytes is not None else _APPLE_BYTES_S
        return 1.0 / (2.0 * entry.parameters / rate + _GPU_OVERHEAD_S)
    cores = max(1, min(hardware.cores, _CORES_THAT_HELP))
    # The head is read whole for every token; with a tied embedding it is part of the count.
    return 1.0 / (1.15 * entry.parameters / (_BYTES_PER_CORE_S * cores) + _OVERHEAD_S)


def _base(language: str) -> str:
    return language.strip().lower().replace("_", "-").split("-")[0]


def _score(entry: CatalogEntry, speed: float, task: str | None, missing: Collection[str]) -> float:
    # Each doubling of the parameters helps about as much as the one before.
    quality = math.log2(entry.parameters / 64e6) / math.log2(8e9 / 64e6)
    pace = min(1.0, speed / _COMFORTABLE)
    weight = _QUALITY_WEIGHT.get(task or "", 0.55)
    score = weight * min(max(quality, 0.0), 1.0) + (1.0 - weight) * pace
    if missing:
        score *= 0.3
    if task == "translation" and len(entry.languages) < 2:
        score *= 0.3
    if task == "summarization" and entry.context_length < 16_384:
        score *= 0.9
    if "coder" in entry.name and task in ("chat", "qa", "translation", "summarization"):
        score *= 0.95  # trained mostly on code
    if entry.default:
        score *= 1.1  # the adapters that ship with the program were trained for it
    if not free_licence(entry):
        score *= 0.9  # terms to accept, or limits to use
    return score


def free_licence(entry: CatalogEntry) -> bool:
    """Return whether a model may be used for anything, without terms to accept."""
    return entry.licence in ("Apache-2.0", "MIT")


def _memory(entry: CatalogEntry, hardware: Hardware) -> tuple[bool, int, str]:
    """Return whether a model fits, the bytes it needs, and both in words."""
    need = entry.memory_bytes
    if hardware.gpu_memory_bytes is not None:
        on_gpu = 2 * entry.parameters + 1_000_000_000
        if on_gpu <= hardware.gpu_memory_bytes:
            have = hardware.gpu_memory_bytes
            words = f"takes {on_gpu / 1e9:.1f} of {have / 1e9:.1f} GB on the {hardware.gpu}"
            return True, on_gpu, words
    figures = f"needs {need / 1e9:.1f} GB of memory, {hardware.available_bytes / 1e9:.1f} GB free"
    return need <= hardware.available_bytes, need, figures


def _judge(
    entry: CatalogEntry,
    hardware: Hardware,
    languages: Sequence[str],
    task: str | None,
    installed: bool,
) -> Recommendation:
    fits, need, memory = _memory(entry, hardware)
    speed = expected_speed(entry, hardware)
    missing = [code for code in languages if code not in entry.languages]
    score = _score(entry, speed, task, missing) if fits else 0.0
    parts = [memory if fits else f"too large: {memory}"]
    parts.append(f"about {speed:.0f} tokens a second expected")
    if missing:
        parts.append(f"not made for {', '.join(missing)}")
    elif languages:
        parts.append(f"speaks {', '.join(languages)}")
    elif task == "translation" and len(entry.languages) < 2:
        parts.append("speaks one language only")
    if task == "summarization":
        parts.append(f"reads {entry.context_length:,} tokens at once")
    if entry.default:
        parts.append("the default")
    if not free_licence(entry):
        parts.append(f"licence: {entry.licence}")
    if not installed:
        parts.append(f"download of {entry.bytes / 1e9:.2f} GB")
    return Recommendation(
        entry, round(score, 3), "; ".join(parts), fits, installed, need, memory, speed
    )


def recommend(
    hardware: Hardware,
    *,
    languages: Sequence[str] = (),
    task: str | None = None,
    entries: Sequence[CatalogEntry],
    installed: Collection[str] = (),
) -> list[Recommendation]:
    """Return all entries judged, best first; those that do not fit come last.

    ``languages`` are codes such as ``de`` or ``pt-BR``; ``task`` is a task's name or ``None``;
    ``installed`` holds the names of models already here.
    """
    wanted = [_base(language) for language in languages if language.strip()]
    judged = [_judge(entry, hardware, wanted, task, entry.name in installed) for entry in entries]
    return sorted(
        judged,
        key=lambda r: (not r.fits, -r.score, not r.installed, r.entry.memory_bytes, r.entry.name),
    )
