"""How many threads compute."""

from __future__ import annotations

import os

import psutil


def default_threads() -> int:
    """Return one thread a physical core this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))
