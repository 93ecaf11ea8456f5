"""Routing: which task a turn is for, with a probability for each."""

from assistant.router.router import Router

__all__ = ["Router"]
