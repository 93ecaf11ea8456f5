"""Which of the user's own turns are never trained on, so that a new adapter can be measured on them.

It depends on the words of the turn alone. A turn that was held out once is held out for good, whatever
feedback comes or goes, and the same words asked again are on the same side.
"""

from __future__ import annotations

import hashlib
import unicodedata

_PARTS = 3
"""One turn in so many is held out."""


def is_held_out(text: str) -> bool:
    """Return whether a turn with these words is kept for measuring."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    digest = hashlib.sha256(f"held out: {plain}".encode("utf-8", "replace")).digest()
    return digest[0] % _PARTS == 0
