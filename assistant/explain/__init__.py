"""Why the assistant did what it did."""

from assistant.explain.turn import explain_turn

__all__ = ["explain_turn"]
