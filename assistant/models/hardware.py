"""What this machine has: memory, cores, a GPU. Limits of a container (cgroups) count."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_GPU_WAIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """Memory in bytes: in all, and free now. ``gpu`` is its name, ``None`` when there is none."""

    memory_bytes: int
    available_bytes: int
    cores: int
    gpu: str | None = None
    gpu_memory_bytes: int | None = None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").split()[0]
        return int(text)
    except (OSError, ValueError, IndexError):
        return None  # no such limit, or "max"


def _own_groups(root: Path, kind: str) -> list[Path]:
    """Return the folders of this process's control groups, innermost first, up to ``root``."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        return []
    relative = ""
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controllers == kind or kind in controllers.split(","):
            relative = place.strip("/")
    inner = root / relative
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]


def _cgroup_memory(root: Path = _CGROUPS) -> tuple[int, int] | None:
    """Return the limit of memory and how much of it is free, or ``None`` without a limit."""
    places = [(group, "memory.max", "memory.current") for group in _own_groups(root, "")]
    old = root / "memory"
    if old.is_dir():
        files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        places += [(group, *files) for group in _own_groups(old, "memory")]
    found: list[tuple[int, int]] = []
    for group, limit_file, used_file in places:
        limit, used = _number(group / limit_file), _number(group / used_file)
        if limit is not None and limit < 1 << 60:  # the old kind writes a huge number for "none"
            free = limit - (used or 0) + _reclaimable(group)
            found.append((limit, min(max(free, 0), limit)))
    if not found:
        return None
    return min(limit for limit, _ in found), min(free for _, free in found)


def _reclaimable(group: Path) -> int:
    """Return the bytes of file cache charged to a group, which it gives back when pressed."""
    try:
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    stats = dict(line.split(" ", 1) for line in lines if " " in line)
    value = stats.get("inactive_file", "0").strip()
    return int(value) if value.isdigit() else 0


def _cores(root: Path = _CGROUPS) -> int:
    """Return the cores this process may use: affinity and the container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    for group in _own_groups(root, ""):
        try:
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
            cores = min(cores, max(1, math.ceil(int(quota) / int(period))))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return cores


def _gpu() -> tuple[str | None, int | None]:
    """Return name and memory of a GPU, found without loading any framework."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "Apple GPU", None  # it shares the machine's memory
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None, None
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            query, capture_output=True, text=True, timeout=_GPU_WAIT_S, check=True
        )
        name, _, mebibytes = answer.stdout.splitlines()[0].rpartition(",")
        return name.strip(), int(mebibytes) * 1024 * 1024
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None, None  # the tool without a working driver: as good as no GPU


def detect_hardware() -> Hardware:
    """Return what this machine offers now; takes some milliseconds (a GPU's tool up to seconds)."""
    import psutil

    memory = psutil.virtual_memory()
    total, available = int(memory.total), int(memory.available)
    if (group := _cgroup_memory()) is not None:
        total, available = min(total, group[0]), min(available, group[1])
    gpu, gpu_memory = _gpu()
    return Hardware(total, available, _cores(), gpu, gpu_memory)
