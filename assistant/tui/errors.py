"""How an exception becomes two sentences for a person."""

from __future__ import annotations

from assistant.errors import AssistantError
from assistant.paths import user_paths


def as_shown(error: Exception) -> AssistantError:
    """Return ``error`` as one with a message and a hint; the unexpected is pointed to the log."""
    if isinstance(error, AssistantError):
        return error
    kind = type(error).__name__
    return AssistantError(
        f"Something unexpected went wrong ({kind}).",
        f"Nothing stored was lost. The log has the details: {user_paths().log_file}",
    )
