"""Which process runs a turn, so that a turn whose process died can be told from a live one."""

from __future__ import annotations

import os
from functools import lru_cache

# Start times are computed from the boot time, which shifts a little when the clock is set.
_TOLERANCE_S = 2.0


def this_process() -> tuple[int, float]:
    """Return the id and the start time of this process."""
    pid = os.getpid()
    return pid, _started(pid)


def is_alive(pid: int | None, started: float | None) -> bool:
    """Tell whether the process that started at ``started`` under this id still runs."""
    import psutil

    if pid is None or started is None or pid < 0:
        return False
    if pid == os.getpid():
        # Exactly, for in a container that restarts at once the new process has the old id.
        return started == _started(pid)
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - started) <= _TOLERANCE_S)
    except psutil.AccessDenied:
        # It exists and may not be looked at: better to leave its turn alone.
        return True
    except psutil.Error:
        return False


@lru_cache(maxsize=4)
def _started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())
