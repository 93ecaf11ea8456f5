"""Why a training ended before its end, in words that are kept in its run and shown."""

from __future__ import annotations

from assistant.errors import AssistantError, EngineError

_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
)
"""What torch says, on a GPU and on processors, when there is none left."""


def explained(error: BaseException, run: str) -> BaseException:
    """Return what to tell of an error: for want of memory one that says so, else the error itself.

    ``run`` is the id of the training that it ended, ``""`` where nothing of it is kept.
    """
    if isinstance(error, AssistantError) or not _for_want_of_memory(error):
        return error
    again = f", then: assistant train --resume {run}" if run else "."
    return EngineError(
        "There was not enough memory to go on.",
        f"Close other programs{again}\nOr start a new training with a smaller --max-length.",
    )


def in_words(error: BaseException) -> str:
    """Return an error as it is printed: what happened, and below that what to do next."""
    if isinstance(error, AssistantError):
        return str(error)
    return f"Unexpected error: {type(error).__name__}: {error}".rstrip(": ")


def _for_want_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(one in str(error).lower() for one in _NO_MEMORY)
