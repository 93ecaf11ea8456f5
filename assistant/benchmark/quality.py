"""Suite ``quality``: what each mode loses against the same file in 32 bits, teacher-forced over a text.

Perplexity; Kullback-Leibler divergence from the reference, mean over positions, in nats; and how often
the likeliest token is the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.benchmark.results import Result, result
from assistant.benchmark.subject import Subject
from assistant.benchmark.texts import LANGUAGES, prose

if TYPE_CHECKING:
    from assistant.benchmark.runners import Candidate, Runner

_SUITE = "quality"
REFERENCE = "transformers fp32"
_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class _Text:
    """A text and what the reference says about it: log-probabilities (positions, vocabulary)."""

    language: str
    ids: list[int]
    logprobs: Any
    perplexity: float


def run(subject: Subject) -> list[Result]:
    """Measure our modes, transformers bf16 and llama.cpp, one after the other."""
    from assistant.benchmark.runners import candidates

    texts = _reference(subject)
    found = [
        result(
            _SUITE,
            (subject.name, REFERENCE, f"perplexity {text.language}"),
            [text.perplexity],
            "perplexity",
        )
        for text in texts
    ]
    for candidate in candidates(subject, for_quality=True):
        found += _measured(subject, candidate, texts)
    return found


def _reference(subject: Subject) -> list[_Text]:
    from assistant.benchmark.baselines import open_reference

    subject.note(f"{_SUITE}: loading the reference in 32 bits (may take a minute)")
    form = subject.form()
    runner = open_reference(subject.model.path, subject.threads)
    texts = []
    try:
        for language in LANGUAGES:
            ids = form.text_ids(prose(language))[:_TOKENS]
            logprobs = np.concatenate([_log_softmax(b) for b in runner.logits(ids)])[:-1]
            texts.append(_Text(language, ids, logprobs, _perplexity(logprobs, ids)))
    finally:
        runner.close()
    return texts


def _measured(subject: Subject, candidate: Candidate, texts: Sequence[_Text]) -> list[Result]:
    runner = candidate.open()
    found = []
    try:
        for text in texts:
            perplexity, divergence, agreement = _compare(runner, text)
            for what, value, unit, baseline in (
                ("perplexity", perplexity, "perplexity", REFERENCE),
                ("KL", divergence, "nats", None),
                ("top-1", agreement, "share", None),
            ):
                name = (subject.name, candidate.variant, f"{what} {text.language}")
                ratio = perplexity / text.perplexity if baseline else None
                found.append(result(_SUITE, name, [value], unit, baseline=baseline, ratio=ratio))
    finally:
        runner.close()
    subject.note(f"{_SUITE}: {candidate.variant}")
    return found


def _compare(runner: Runner, text: _Text) -> tuple[float, float, float]:
    """Return perplexity, divergence (nats) and top-1 agreement (0 to 1), block by block."""
    at, surprise, divergence, same = 0, 0.0, 0.0, 0
    last = len(text.ids) - 1
    for block in runner.logits(text.ids):
        block = block[: last - at]  # after the last token nothing is known
        if not len(block):
            break
        reference = text.logprobs[at : at + len(block)]
        width = min(block.shape[1], reference.shape[1])  # padding of the vocabulary differs
        ours, theirs = _log_softmax(block[:, :width]), reference[:, :width]
        following = text.ids[at + 1 : at + 1 + len(block)]
        surprise -= float(ours[np.arange(len(block)), following].sum())
        divergence += float((np.exp(theirs) * (theirs - ours)).sum())
        same += int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
        at += len(block)
    # Rounding can bring a divergence of nothing below it.
    return float(np.exp(surprise / last)), max(0.0, divergence) / last, same / last


def _perplexity(logprobs: Any, ids: Sequence[int]) -> float:
    following = np.asarray(ids[1:])
    return float(np.exp(-logprobs[np.arange(len(following)), following].mean()))


def _log_softmax(logits: Any) -> Any:
    shifted = logits.astype(np.float32)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted
