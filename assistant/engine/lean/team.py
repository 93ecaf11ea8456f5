"""The threads that run a program: the caller's and a few helpers, kept ready between tokens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading

import numpy as np

from assistant.engine.lean import runtime
from assistant.engine.lean.formats import Array


def aligned(size: int, dtype: str = "uint8") -> Array:
    """Return zeros that begin at a cache line."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * item].view(dtype)


class Team:
    """Runs programs with ``threads`` threads; one run at a time.

    A helper waits in native code between runs, so that a token costs no Python on its side; after a
    moment without work it parks on a semaphore and costs nothing.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.state = aligned(runtime.STATE_WORDS, "int64")
        self.state[runtime.THREADS] = threads
        self._address = int(self.state.ctypes.data)
        self._wake = [threading.Semaphore(0) for _ in range(threads)]
        self.state[runtime.PARKED : runtime.PARKED + threads] = 1
        self._helpers = [
            threading.Thread(target=self._help, args=(i,), name=f"lean-{i}", daemon=True)
            for i in range(1, threads)
        ]
        for helper in self._helpers:
            helper.start()

    def run(self, program: Array, counters: Array, first: int, last: int) -> None:
        """Run operations ``first`` to ``last`` (excluded) of ``program``."""
        state = self.state
        counters[:] = 0
        state[runtime.PROGRAM] = program.ctypes.data
        state[runtime.FIRST], state[runtime.LAST] = first, last
        runtime.announce(self._address)
        for index in range(1, self.threads):
            if runtime.unpark(self._address, index):
                self._wake[index].release()
        runtime.execute(self._address, 0, 0)

    def close(self) -> None:
        """End the helpers."""
        self.state[runtime.QUIT] = 1
        for index, helper in enumerate(self._helpers, start=1):
            self._wake[index].release()
            helper.join(timeout=5)

    def _help(self, index: int) -> None:
        _give_way()
        while True:
            self._wake[index].acquire()
            if self.state[runtime.QUIT]:
                return
            runtime.serve(self._address, 0, index)


def _give_way() -> None:
    """Lower this thread's priority a little, so that the screen is drawn while an answer is computed."""
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 4)


def address(array: Array | None) -> int:
    """Return where an array's data begin, 0 for none."""
    return 0 if array is None else int(array.ctypes.data)


def copy_bytes(source: int, target: int, size: int) -> None:
    """Copy memory by address."""
    ctypes.memmove(target, source, size)
