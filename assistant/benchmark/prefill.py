"""Suite ``prefill``: tokens a second while reading a prompt of 512 tokens from nothing."""

from __future__ import annotations

from assistant.benchmark.results import Result
from assistant.benchmark.runners import compare
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import prose

TOKENS = 512


def run(subject: Subject) -> list[Result]:
    """Measure ours and the baselines on the same real text."""
    ids = subject.form().text_ids(prose("en"))[:TOKENS]
    return compare(
        subject,
        "prefill",
        lambda runner: len(ids) / runner.prefill(ids),
        "tokens/s",
        warm_up=lambda runner: runner.prefill(ids[:64]),
    )
