"""The machine a figure was measured on."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

# Not those that Linux counts twice: guests are part of `user` already.
_COUNTED = (
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "irq",
    "softirq",
    "steal",
    "interrupt",
    "dpc",
)
_PACKAGES = ("assistant", "torch", "transformers", "numba", "llvmlite", "llama-cpp-python")


class OtherPrograms:
    """How much of the processors other programs take while this one measures."""

    def __init__(self) -> None:
        self._busy, self._total = _times()

    def percent(self) -> float:
        """Return their share since this object was made, in percent of all processors."""
        busy, total = _times()
        share = (busy - self._busy) / max(1e-9, total - self._total)
        return round(100 * min(1.0, max(0.0, share)), 1)


def _times() -> tuple[float, float]:
    """Return the processor seconds spent by others so far, and those of all processors."""
    import psutil

    system, own = psutil.cpu_times(), psutil.Process().cpu_times()
    total = sum(getattr(system, name, 0.0) for name in _COUNTED)
    idle = system.idle + getattr(system, "iowait", 0.0)
    ours = own.user + own.system + own.children_user + own.children_system
    return total - idle - ours, total


def describe(threads: int, busy: float) -> dict[str, Any]:
    """Return processor, memory (GB), system, versions; nothing that names the user or the host.

    ``busy`` is what other programs took meanwhile, in percent.
    """
    import psutil

    from assistant.engine.lean.emit import instruction_set

    return {
        "cpu": _processor(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "busy_percent": busy,
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "instruction_set": instruction_set(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name as the system tells it."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    if platform.system() == "Darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return platform.processor() or platform.machine()
