"""Suite ``decode``: tokens a second while answering, one sequence, greedy."""

from __future__ import annotations

from assistant.benchmark.results import Result
from assistant.benchmark.runners import compare
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import prose

PROMPT, TOKENS = 40, 64


def run(subject: Subject) -> list[Result]:
    """Measure ours and the baselines after a prompt of 40 tokens, from the first token to the 65th."""
    ids = subject.form().text_ids(prose("en"))[:PROMPT]
    return compare(
        subject,
        "decode",
        lambda runner: TOKENS / runner.decode(ids, TOKENS),
        "tokens/s",
        warm_up=lambda runner: runner.decode(ids, 4),
    )
