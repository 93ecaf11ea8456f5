"""Numbers, badges and states in the words that stand on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from assistant.sanitize import clean
from assistant.types import Choice, Turn

NBSP = "\u00a0"
_MUTED = "$dim"
_STRATEGIES = {"zero_shot": "zero-shot", "few_shot": "few-shot", "adapter": "adapter"}


def one_line(text: str) -> str:
    """Return ``text`` cleaned and on one line, for titles and lists."""
    return " ".join(clean(text).split())


def percent(share: float) -> str:
    """Return ``0.973`` as ``97 %``."""
    return f"{round(share * 100)}{NBSP}%"


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f}{NBSP}{unit}"
        amount /= 1000
    return f"{amount:.1f}{NBSP}GB"


def tokens(count: int) -> str:
    """Return a number of tokens, short: ``940``, ``4.1k``, ``32k``."""
    if count < 1000:
        return str(count)
    thousands = f"{count / 1000:.1f}".removesuffix(".0") if count < 10_000 else str(count // 1000)
    return f"{thousands}k"


def turns(count: int) -> str:
    """Return ``1 turn`` or ``3 turns``."""
    return f"{count} turn" if count == 1 else f"{count} turns"


def day(stamp: str, now: datetime) -> str:
    """Return the heading below which a conversation of that time stands."""
    try:
        when = datetime.fromisoformat(stamp).astimezone(now.tzinfo)
    except ValueError:
        return "Earlier"
    days = (now.date() - when.date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    return "This week" if days < 7 else when.strftime("%B %Y")


_VERBS = {
    "qa": "answer a question",
    "translation": "translate",
    "summarization": "summarize",
    "classification": "classify",
    "chat": "chat",
}


def verb_of(task: str) -> str:
    """Return what is done in a task, as a verb; a task of the user's own goes by its name."""
    return _VERBS.get(task, one_line(task))


def which_of(tasks: Sequence[str]) -> str:
    """Return the question which of ``tasks`` is meant: ``Translate, summarize or chat?``"""
    verbs = [verb_of(task) for task in tasks]
    said = " or ".join(part for part in (", ".join(verbs[:-1]), verbs[-1]) if part)
    return f"{said[0].upper()}{said[1:]}?"


def badge(turn: Turn, corrected_task: str | None = None) -> Content:
    """Return the line below an answer: how it came about, and what was made of it."""
    parts = [
        part
        for part in (_task(turn, corrected_task), _strategy(turn), *_marks(turn, corrected_task))
        if part.plain
    ]
    return Content.styled(" · ", _MUTED).join(parts)


def _task(turn: Turn, corrected_task: str | None) -> Content:
    if turn.route is None:
        return Content("")
    name = one_line(turn.route.task)
    if turn.route.source in ("forced", "asked"):
        said = " chosen by you"
    else:
        said = f" {percent(turn.route.confidence)}"
    style = f"{_MUTED} strike" if corrected_task else "$text-secondary"
    return Content.assemble((name, style), (said, _MUTED))


def _strategy(turn: Turn) -> Content:
    return Content.styled(way(turn.choice) if turn.choice else "", _MUTED)


def way(choice: Choice) -> str:
    """Return how a turn was answered: ``few-shot``, or ``adapter`` with its task and version."""
    return way_of(choice.strategy, choice.adapter)


def way_of(strategy: str, adapter: str | None) -> str:
    """Return a way of answering by its names, as :func:`way` does."""
    name = _STRATEGIES.get(strategy, one_line(strategy))
    return f"{name} {one_line(adapter)}" if adapter else name


def _marks(turn: Turn, corrected_task: str | None) -> list[Content]:
    marks = []
    if corrected_task:
        marks.append(Content.styled(f"→ {one_line(corrected_task)}", "$text-accent"))
    if turn.state == "cancelled":
        marks.append(Content.styled("■ stopped", "$text-warning"))
    elif turn.state == "interrupted":
        marks.append(Content.styled("■ interrupted", "$text-warning"))
    elif turn.state == "failed":
        marks.append(Content.styled("× failed", "$text-error"))
    elif turn.finish_reason == "length":
        marks.append(Content.styled("… cut at the length limit", "$text-warning"))
    if turn.rating == "good":
        marks.append(Content.styled("▲ good", "$text-success"))
    elif turn.rating == "bad":
        marks.append(Content.styled("▼ bad", "$text-error"))
    if turn.correction is not None:
        marks.append(Content.styled("✎ corrected by you", "$text-accent"))
    if turn.left_out_turns:
        left = f"{turns(turn.left_out_turns)} left out of context"
        marks.append(Content.styled(left, "$text-warning"))
    return marks


def scores(turn: Turn) -> Content:
    """Return the routing scores of a turn, with bars."""
    if turn.route is None:
        return Content("This turn was not routed.")
    lines = []
    for name, score in sorted(turn.route.scores.items(), key=lambda item: -item[1]):
        chosen = "bold" if name == turn.route.task else ""
        lines.append(
            Content.assemble(
                (one_line(name).ljust(16), chosen),
                (f"{percent(score):>6}  ", _MUTED),
                ("█" * round(score * 30), "$primary"),
            )
        )
    who = {
        "model": "Decided by the model's own reading of the turn.",
        "light": "Decided by patterns of characters; no model was needed.",
        "forced": "Chosen by you.",
        "asked": "Chosen by you, because the router was unsure.",
    }[turn.route.source]
    if turn.route.source in ("model", "light") and turn.route.learned >= 0.005:
        who += f" Your corrections made up {percent(turn.route.learned)} of it."
    reason = f"\n{one_line(turn.choice.reason)}" if turn.choice else ""
    return Content("\n").join([*lines, Content(""), Content.styled(who + reason, _MUTED)])


def usage(turn: Turn) -> Content:
    """Return what a turn took."""
    used, timing, limit = turn.usage, turn.timing, turn.context_limit
    total = used.prompt_tokens + used.completion_tokens
    of_limit = f" of {limit:,} ({percent(total / limit)})" if limit else ""
    rows = (
        ("prompt", f"{used.prompt_tokens:,} tokens, {used.cached_prompt_tokens:,} remembered"),
        ("answer", f"{used.completion_tokens:,} tokens"),
        ("context", f"{total:,}{of_limit}"),
        ("left out", turns(turn.left_out_turns) if turn.left_out_turns else "nothing"),
        ("first token", f"{timing.first_token_s:.2f}{NBSP}s"),
        ("in all", f"{timing.total_s:.2f}{NBSP}s"),
        ("speed", f"{timing.tokens_per_s:.1f} tokens/s"),
    )
    return Content("\n").join(
        Content.assemble((f"{name:>12}  ", _MUTED), value) for name, value in rows
    )


def shown_text(value: object) -> str:
    """Return what a snapshot says, ``""`` where it says nothing (imports may hold anything)."""
    return value if isinstance(value, str) else ""


def shown_answer(turn: Turn | None) -> str:
    """Return the text to show: the user's correction takes the place of the answer."""
    if turn is None:
        return ""
    return turn.answer if turn.correction is None else turn.correction
