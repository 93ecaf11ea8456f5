"""The loop that runs a program on each thread, and how threads meet and share work.

Every kernel has the signature ``kernel(operation, state, thread)``: the address of its operation (a row of
64-bit integers, see ``program``), the address of the shared state, and the number of the thread. Threads
share an operation's work by a counter (whoever is free takes the next piece) or by position.
"""

from __future__ import annotations

from assistant.engine.lean.compiler import carray, njit, types
from assistant.engine.lean.native import (
    SHORT,
    call_kernel,
    exchange,
    fetch_add,
    ints_at,
    nap,
    pause,
    peek,
)

OPERATION_WORDS = 24
"""Length of an operation in 64-bit words: kernel, barrier, counter, then arguments."""

# The shared state, one word each; what several threads write has a cache line of its own.
ROWS, OUT_ROWS, THREADS, FIRST, LAST, PROGRAM = range(6)
ARRIVED, GENERATION, JOB, QUIT, PARKED, SEEN = 16, 24, 32, 40, 48, 304
STATE_WORDS = 560
MOST_THREADS = 256
"""How many threads the state has room for."""

SIGNATURE = types.void(types.intp, types.intp, types.intp)

# Waiting: first in a loop, some 20 microseconds, because others are nearly always about to come. Then in
# naps: if the other thread does not run, giving a core up is what lets it run.
_SPINS = 700
_SPINS_BETWEEN_TOKENS = 10_000
_NAPS_BEFORE_PARKING = 400


@njit(SIGNATURE, nogil=True, cache=True)
def barrier(state: int, _unused: int, _thread: int) -> None:
    """Wait until every thread is here."""
    generation = peek(state + 8 * GENERATION)
    shared = carray(ints_at(state), (STATE_WORDS,))
    if fetch_add(state + 8 * ARRIVED, 1) == shared[THREADS] - 1:
        exchange(state + 8 * ARRIVED, 0)
        fetch_add(state + 8 * GENERATION, 1)
        return
    spins = 0
    while peek(state + 8 * GENERATION) == generation:
        if spins < _SPINS:
            pause()
            spins += 1
        else:
            nap(SHORT)


@njit(SIGNATURE, nogil=True, cache=True)
def execute(state: int, _unused: int, thread: int) -> None:
    """Run operations FIRST to LAST of the program; returns when every thread is through."""
    shared = carray(ints_at(state), (STATE_WORDS,))
    for index in range(shared[FIRST], shared[LAST]):
        operation = shared[PROGRAM] + index * 8 * OPERATION_WORDS
        words = carray(ints_at(operation), (OPERATION_WORDS,))
        call_kernel(words[0], operation, state, thread)
        if words[1] != 0:
            barrier(state, 0, thread)
    barrier(state, 0, thread)


@njit(SIGNATURE, nogil=True, cache=True)
def serve(state: int, seen: int, thread: int) -> None:
    """A helper's life: run each new job; return (parked) when none has come for a while, or to quit."""
    shared = carray(ints_at(state), (STATE_WORDS,))
    spins = naps = 0
    while True:
        job = peek(state + 8 * JOB)
        if job != shared[SEEN + thread]:
            shared[SEEN + thread] = job
            execute(state, 0, thread)
            spins = naps = 0
        if peek(state + 8 * QUIT) != 0:
            return
        if spins < _SPINS_BETWEEN_TOKENS:
            pause()
            spins += 1
            continue
        nap(SHORT)
        naps += 1
        if naps > _NAPS_BEFORE_PARKING:
            exchange(state + 8 * (PARKED + thread), 1)
            unseen = peek(state + 8 * JOB) != shared[SEEN + thread]
            if not unseen or exchange(state + 8 * (PARKED + thread), 0) == 0:
                return
            naps = 0


@njit(types.void(types.intp), nogil=True, cache=True)
def announce(state: int) -> None:
    """Make a new job known to the helpers."""
    fetch_add(state + 8 * JOB, 1)


@njit(types.intp(types.intp, types.intp), nogil=True, cache=True)
def unpark(state: int, thread: int) -> int:
    """Return 1 when the helper had parked and has to be woken."""
    return exchange(state + 8 * (PARKED + thread), 0)


@njit(types.intp(types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True)
def piece_end(total: int, threads: int, least: int, first: int) -> int:
    """Return where the piece of work that begins at ``first`` ends.

    Guided self-scheduling (Polychronopoulos and Kuck 1987): a piece is a share of what is left, so that
    most of the work is read in long runs and threads still end together.
    """
    share = (total - first) // (2 * threads)
    return min(total, first + max(least, share))


@njit(types.intp(types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True)
def take_piece(counter: int, total: int, threads: int, least: int) -> int:
    """Take the next piece; return where it begins, ``total`` when there is none left."""
    number = fetch_add(counter, 1)
    first = 0
    for _ in range(number):
        if first >= total:
            return total
        first = piece_end(total, threads, least, first)
    return first
