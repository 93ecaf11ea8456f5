"""Identifiers: sortable by time, short to type, and the clock they share with the rows.

An id is 16 characters of Crockford's base 32 in lower case: 8 for the millisecond, 8 drawn at
random. Ids sort by creation, and the first 8 characters already tell two of them apart unless two
processes made one in the same millisecond. The 40 bits of time last until the year 2059.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
_LOOKALIKES = str.maketrans({"i": "1", "l": "1", "o": "0"})
_VALID = re.compile(r"[0-9a-z][0-9a-z_-]{5,63}")

MIN_PREFIX = 6

_lock = threading.Lock()
_last_tick = 0


def new_id() -> str:
    """Return a fresh id that sorts after every id this process made before."""
    global _last_tick
    with _lock:
        # Never the same tick twice: ids made in one burst (a fork) keep their order, and their
        # first eight characters differ.
        _last_tick = max(_last_tick + 1, int(time.time() * 1000) - _EPOCH_MS)
        tick = _last_tick
    return _base32(tick) + _base32(secrets.randbits(40))


def is_id(text: str) -> bool:
    """Tell whether ``text`` may be kept as an id (imports bring ids made elsewhere)."""
    return text != "last" and _VALID.fullmatch(text) is not None


def readings(prefix: str) -> tuple[str, ...]:
    """Return the ways to read a typed prefix: as it is, then with look-alikes put right."""
    typed = prefix.strip().lower()
    return tuple(dict.fromkeys((typed, typed.translate(_LOOKALIKES))))


def now() -> str:
    """Return the time as ISO 8601 in UTC, always equally long so that text order is time order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _base32(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5))
