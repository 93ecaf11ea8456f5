"""Why the assistant did what it did."""

from assistant.explain.turn import explain_turn, unsure_note

__all__ = ["explain_turn", "unsure_note"]
