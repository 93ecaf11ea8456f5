"""Few-shot prompt, zero-shot prompt or adapter: one decision a turn, with its evidence."""

from __future__ import annotations

from assistant.errors import AdapterError, UsageError
from assistant.types import Choice

STRATEGIES = ("auto", "zero_shot", "few_shot", "adapter")


def choose(
    task: str, *, requested: str = "auto", adapter: str | None = None, shots: int = 1
) -> Choice:
    """Return the strategy for a turn of ``task``.

    Chat is answered without shots: there the conversation itself is the context, and invented
    exchanges in front of it would be taken for things that were said.

    ``shots`` is how many examples the prompt file wants for such a turn; none is zero-shot.

    Raises:
        UsageError: ``requested`` is not a strategy.
        AdapterError: an adapter was asked for and none is installed.
    """
    if requested not in STRATEGIES:
        raise UsageError(f"Unknown strategy '{requested}'.", f"One of: {', '.join(STRATEGIES)}.")
    if requested == "adapter" or adapter is not None:
        raise AdapterError(
            f"No adapter{f' named {adapter!r}' if adapter else ''} is installed for {task}.",
            "Use --strategy few_shot or --strategy auto.",
        )
    if requested == "zero_shot":
        return Choice("zero_shot", "zero-shot, as asked for")
    if requested == "few_shot":
        return Choice("few_shot", "few-shot, as asked for")
    if task == "chat":
        return Choice("zero_shot", "chat: the conversation itself is the context")
    if shots == 0:
        return Choice("zero_shot", "the prompt file wants no examples for such turns")
    return Choice("few_shot", "no trained adapter for this task here, so the few-shot prompt")
